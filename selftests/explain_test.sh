#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate explain: with virtual machines, devices, processes and policies that
# are lost, and with the recorder of refusals (recorder_test.sh).  Needs root;
# TAP on stdout.
#
# Many commands are quoted for a shell of their own, which inherits the memfd:
# shellcheck disable=SC2016,SC2317

# shellcheck source=selftests/explain_util.sh
. "$(dirname "$0")/explain_util.sh"

echo "TAP version 13"
without_memgate "explain gate 1"
rm -rf $pins
chmod 711 /sys/fs/bpf
for p in exclusive_kvm owner allow deny trusted_devices confidential; do
	memgate policy load "$bpf/$p.bpf.o" mode 0444 > /dev/null
done

memgate recorder on > /dev/null

# ---- closed classes ------------------------------------------------------

works "a class that nobody decides" \
	"^remote: closed, no policy on this gate decides it" sh7 \
	'attach exclusive_kvm; memgate explain fd 7 class remote'
has "what can be done" "advice  *install a policy that decides it"
# Lines of a policy and what it decides; then of a class, and who is advised.
advised()
{
	memgate policy list | sed 's/ .*decides/ /' > "$out/decides"
	sh7 'memgate gate seal fd 7 > /dev/null; memgate -j explain fd 7' |
		grep -o '"class":"[a-z_]*"\|come with memgate: [a-z_, ]*' |
		awk '
		FNR == NR { for (i = 2; i <= NF; i++) decides[$1, $i]; next }
		/^"class/ { gsub(/.*:"|"/, ""); class = $0; next }
		{
			gsub(/.*:| /, "")
			n = split($0, policy, ",")
			for (i = 1; i <= n; i++)
				if (!((policy[i], class) in decides))
					print policy[i] " does not decide " class
			if (!seen[class]++)
				classes++
		}
		END { print classes }' "$out/decides" -
}
prints "every policy that is advised for a class decides it" 15 advised
works "together, if nothing more is to be said" \
	"closed, no policy on this gate decides them: .*vfio.*xdp" sh7 \
	'attach exclusive_kvm; memgate explain fd 7'
works "on a frozen gate" "frozen, so this stays closed" sh7 \
	'attach exclusive_kvm; memgate gate freeze fd 7 > /dev/null
	memgate explain fd 7 class file'
works "a policy that came after the freeze" \
	"^map: closed, deny came after the gate was frozen and opens nothing" \
	sh7 'attach exclusive_kvm; memgate gate freeze fd 7 > /dev/null
	attach deny; memgate explain fd 7 class map'
works "a policy whose link is lost" \
	"^kvm: closed for good, exclusive_kvm lost its link before" sh7 \
	'attach exclusive_kvm pin /sys/fs/bpf/explain-a; attach deny
	rm /sys/fs/bpf/explain-a; until_state closed
	memgate explain fd 7 class kvm'
has "nothing brings it back" "advice  *nothing opens it again"
prints "as JSON: asked, closed, late, lost" "asked closed late lost" sh7 '
	state() { memgate -j explain fd 7 class $1 | json classes 0 state; }
	attach exclusive_kvm pin /sys/fs/bpf/explain-a
	a=$(state kvm) b=$(state map)
	rm /sys/fs/bpf/explain-a; until_state closed; d=$(state kvm)
	memgate gate freeze fd 7 > /dev/null; attach deny
	echo $a $b $(state map) $d'

# ---- refusals ------------------------------------------------------------

run sh7 '
	attach exclusive_kvm param sticky=true
	attach owner param by_uid=1
	id > $out/gate
	start first vm
	"$user" vm < /dev/null; "$user" vm < /dev/null
	nobody "$user" vm < /dev/null
	memgate explain fd 7 class kvm
	echo "first is $pid_first"
	memgate -j explain fd 7 class kvm > $out/kvm.json
	memgate explain fd 7 pid $pid_first class kvm > $out/first
	vm=$(memgate -j gate show fd 7 | json consumers 0 id)
	memgate explain fd 7 consumer $vm > $out/consumer
	memgate explain fd 7 consumer $((vm + 1)) > $out/second
	memgate explain fd 7 > $out/all
	nobody memgate explain fd 7 > $out/nobody
	memgate explain gate $(id) > $out/by-id
	memgate explain pid $pid_first fd 7 class kvm > $out/by-pid
	stop first'
[ "$got" = 0 ] && [ ! -s "$out/stderr" ]
result $? "a VM, and others that come too late"
has "the first has it" "^ok$"
has "the second has not" "^memslot EACCES$"
has "nobody cannot even map it" "^mmap EACCES$"
has "who is asked" "^kvm: asked of exclusive_kvm$"
has "by which parameters" "policy exclusive_kvm: live, link [0-9]*, param sticky=true"
has "and which rule" "rule .*exclusive_kvm allows one VM at a time"
first=$(sed -n 's/first is //p' "$out/stdout")
has "who has a grant" \
	"granted  *VM [0-9]* of pid $first user_helper has rw-; not asked"
has "who was refused, when, how often, by whom" \
	"last .*kvm refused [0-9]* s ago, 2 times: VM [0-9]* of pid [0-9]* user_helper (gone, uid 0) wanted rw- at 0x0+0x100000; exclusive_kvm answered EACCES"
has "what to do" \
	"advice .*'memgate gate update GATE replace exclusive_kvm policy POLICY'"
prints "the same as JSON" "2 exclusive_kvm EACCES user_helper rw-" sh -c '
	for k in times policy errno comm rights; do
		"$helper" json classes 0 refused 0 $k < $out/kvm.json
	done | xargs'
cp "$out/first" "$out/stdout"
has "a process that has a grant" "^pid $first: VM [0-9]* of .* has rw-"
has "which was not refused" "^pid $first: no refusal known since recording"
has "and has a descriptor" "^pid $first: user_helper holds the memory by fd 7"
cp "$out/consumer" "$out/stdout"
has "a consumer that has a grant" "^consumer [0-9]*: VM [0-9]* .* has rw-"
cp "$out/second" "$out/stdout"
has "a consumer that has none" "^consumer [0-9]*: no consumer of it has a grant"
has "and was refused" "^consumer [0-9]*: was refused, see below"
has "once" "last .* kvm refused [0-9]* s ago, 1 time: VM"
lacks "of its class alone" "^map"
cp "$out/all" "$out/stdout"
has "a mapping that was refused" \
	"last .* map refused .* pid [0-9]* user_helper (gone, uid 65534) wanted rw- at 0x0+0x100000 by mmap; owner answered EACCES"
has "classes of one rule stand together" "^file own_pin own_longterm: asked of owner"
cp "$out/nobody" "$out/stdout"
has "without capabilities: who is asked" "^kvm: asked of exclusive_kvm"
has "and that the rest is not to be seen" "who may not read the recorder"
lacks "no refusal" "refused .* ago"
lacks "no parameter" param
cmp -s <(grep -v holder "$out/by-id" | sed 's/[0-9]* s ago//') \
	<(sed 's/[0-9]* s ago//' "$out/all")
result $? "a gate by its id"
cp "$out/by-pid" "$out/stdout"
has "a gate by another process" "^kvm: asked of exclusive_kvm"
sleep 1
works "a gate that is gone" "^gate $(cat "$out/gate"): gone" \
	memgate explain gate "$(cat "$out/gate")"
has "what was refused there" "^kvm refused [0-9]* s ago, 2 times"
prints "as JSON" "true" sh -c \
	'memgate -j explain gate "$(cat "$out/gate")" | "$helper" json gone'
works "the recorder knows it all" \
	"^gate $(cat "$out/gate"): map refused" memgate recorder show
refused "a gate that never was" 2 "no gate 1000000 is to be seen" \
	memgate explain gate 1000000

works "closed then, decided now" "decided now: try again" sh7 \
	'memgate gate seal fd 7 > /dev/null; "$helper" mmap > /dev/null
	attach allow; memgate explain fd 7 class map'
has "it was closed" "; closed, EACCES"
works "refused by one that was replaced" \
	"deny is not on this gate any more: try again" sh7 \
	'attach deny; "$helper" mmap > /dev/null
	memgate gate update fd 7 replace deny policy allow > /dev/null
	memgate explain fd 7 class map'
works "on a frozen gate its rule stays" "which stay: the gate is frozen" sh7 \
	'attach deny; memgate gate freeze fd 7 > /dev/null
	"$helper" mmap > /dev/null; memgate explain fd 7 class map'
works "a refusal of more rights later" "this only means: never more rights" \
	sh7 'attach owner param by_uid=1 param read_only=1
	"$user" look < /dev/null; memgate explain fd 7 class map'
prints "every refusal is counted, of many at the same time" \
	"4000 and 4 of 1000" sh7 '
	attach deny
	for i in 1 2 3 4; do "$user" read 1000 > $out/read.$i & done; wait
	j=$(memgate -j explain fd 7 class file)
	n=$(memgate recorder show | grep -c "^gate $(id): file")
	p=$(echo "$j" | json classes 0 refused 0 times)
	echo "$p and $(cat $out/read.* | grep -cx 1000) of 1000"'
works "an old process of that number is not taken for it" \
	"no refusal known" sh7 'attach deny; "$helper" mmap > /dev/null
	memgate explain fd 7 pid $$'

if vfio_device; then
	run sh7 'attach owner param by_uid=1
		attach trusted_devices param trust=pci:ffff:00:00.0
		"$user" vfio $group < /dev/null
		memgate explain fd 7 class vfio
		memgate explain fd 7 device $device > $out/device'
	has "a device that is refused" "^dma EACCES"
	has "is named" "VFIO container [0-9]* .* for device $device; trusted_devices answered EACCES"
	has "with what is trusted" "param trust=pci:ffff:00:00.0"
	cp "$out/device" "$out/stdout"
	has "asked about it" "^device $device: was refused, see below"
	lacks "only ways for devices are shown" "^map"
	run sh7 'attach owner param by_uid=1
		attach trusted_devices param trust=pci:$device
		start dma vfio $group
		memgate explain fd 7 device $device; stop dma'
	has "a device that is trusted" "^ok"
	has "has a grant" "^device $device: VFIO container .* has rw-, devices $device"
	has "no refusal of it" "^device $device: no refusal known"
else
	result 1 "there is a device for VFIO"
fi

# ---- errors, and the end -------------------------------------------------

refused "no gate named" 1 "name the gate" memgate explain
refused "no number of a gate" 1 "'gate' needs the id" memgate explain gate x
refused "a class that is none" 1 "'class' needs the name of one.*'kvn'" sh7 \
	'attach deny; memgate explain fd 7 class kvn'
refused "no word for that" 1 "unexpected word 'kvm'" sh7 \
	'attach deny; memgate explain fd 7 kvm'
refused "a consumer and a process" 1 "not both" sh7 \
	'attach deny; memgate explain fd 7 pid 1 consumer 1'
refused "memory without a gate" 2 "has no gate" memfd -- memgate explain fd 7
refused "a closed descriptor" 2 "is not open" memgate explain fd 7
prints "an error as JSON" ENODATA sh -c '"$helper" memfd -- sh -c \
	"memgate -j explain fd 7 | $helper json errno"'
memgate recorder off > /dev/null
refused "of gates that are gone nothing is known then" 2 "no refusal of it" \
	memgate explain gate "$(cat "$out/gate")"
grep -q "Hint: refusals are not recorded" "$out/stderr"
result $? "and it says why"

echo "1..$nr"
exit $failed
