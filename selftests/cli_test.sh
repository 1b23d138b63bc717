#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The memgate command on a memgate kernel: what it does, and that each
# mistake has its own words and exit code.  Needs root; TAP on stdout.
#
# MEMGATE=FILE is another command to be tested in place of that in PATH.
#
# Many commands are quoted for a shell of their own, which inherits the memfd:
# shellcheck disable=SC2016,SC2317

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"
cleanup_more() { rm -f /sys/fs/bpf/cli-test*; }
if [ -n "${MEMGATE:-}" ]; then
	mkdir "$out/bin"
	ln -s "$MEMGATE" "$out/bin/memgate"
	PATH=$out/bin:$PATH
fi

# once COMMAND...: says more of the kernel or of bpftool than of the command,
# and need not be tested again with a slow memgate, as cli_san_test.sh does
once()
{
	[ -n "${MEMGATE:-}" ] || "$@"
}

# As nobody, without any capability.
nobody()
{
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
		"$@"
}

# As root, who may not use the kernel's iterator over gates.
incapable="setpriv --bounding-set=-bpf,-perfmon,-sys_admin --inh-caps=-all"

echo "TAP version 13"
if ! memgate feature probe > "$out/stdout" 2>&1; then
	refused "a kernel without memgate is named" 3 \
		"this kernel has no memgate" memgate policy list
	refused "run too" 125 "this kernel has no memgate" \
		memgate run size 1M -- true
	refused "gate seal too" 3 "this kernel has no memgate" \
		memfd -- memgate gate seal fd 7
	run memgate -j policy check "$bpf/allow.bpf.o"
	[ "$got" = 3 ] && grep -q '"verdict":"unknown"' "$out/stdout"
	result $? "policy check describes and does not judge"
	run memgate policy check "$progs/bad_name_empty.bpf.o"
	[ "$got" = 2 ] && grep -q "the policy has no name" "$out/stdout"
	result $? "but for what is wrong anywhere"
	refused "policy load too" 3 "this kernel has no memgate" \
		memgate policy load "$bpf/allow.bpf.o"
	echo "1..$nr"
	exit $failed
fi
rm -rf $pins
chmod 711 /sys/fs/bpf

# ---- loading -------------------------------------------------------------

works "feature probe" "memgate_ops *yes" memgate feature probe
prints "feature probe, JSON" true sh -c \
	'memgate -j feature probe | "$1" json seal' sh "$helper"
prints "feature alone, JSON" 'map 13 memgate_closed' sh -c \
	'j=$(memgate -j feature)
	 echo "$(echo "$j" | "$1" json classes 0)" \
	      "$(echo "$j" | "$1" json kfuncs | tr , "\n" | grep -c bpf_)" \
	      "$(echo "$j" | "$1" json tracepoints 0)"' sh "$helper"
prints "no policy yet" "" memgate policy list
for p in exclusive_kvm owner allow deny; do
	works "load $p" "loaded as $pins/$p" \
		memgate policy load "$bpf/$p.bpf.o"
done
works "load under another name, open to others" "loaded as $pins/types7" \
	memgate policy load "$progs/params_types.bpf.o" name types7 mode 0444
works "list shows them" "exclusive_kvm .* decides kvm" memgate policy list
prints "list, JSON" '"allow"' sh -c \
	'memgate -j policy list | "$1" json 0 name | sed "s/.*/\"&\"/"' \
	sh "$helper"
works "show names the parameters" "tgid *u32" memgate policy show owner
works "with what they are for" "first VM is the only one for ever" \
	memgate policy show exclusive_kvm
works "and whom it allows" "vhost *vhost devices that a named party opened" \
	memgate policy show owner
works "a policy without words shows none" "params" \
	sh -c 'memgate policy show types7 | grep -v allows'
prints "words, JSON" "the tasks of a named party, for themselves" sh -c \
	'memgate -j policy show owner | "$1" json allows map | tr -d \"' \
	sh "$helper"
prints "JSON, of a parameter" "process id, in the initial pid namespace" \
	sh -c 'memgate -j policy show owner | "$1" json params 0 doc |
	tr -d \"' sh "$helper"
works "show finds it by its own name" "types7" memgate policy show params_types
prints "show, JSON" "colour enum params_colour" sh -c \
	'j=$(memgate -j policy show types7)
	 echo "$(echo "$j" | "$1" json params 5 name)" \
	      "$(echo "$j" | "$1" json params 5 type)"' sh "$helper"
once works "bpftool sees the policy's link and pin" "pinned $pins/owner" \
	bpftool -f link show
works "a policy that bpftool loaded" "Registered memgate_ops" sh -c \
	'bpftool struct_ops register "$1" "$2" 2>&1' sh \
	"$bpf/two_vms_one_cgroup.bpf.o" $pins
works "is found by the name it gives itself" "decides" \
	memgate policy show two_vms_one_cgroup
works "and has its words" "map *processes of the cgroup, or below it" \
	memgate policy show two_vms_one_cgroup
works "load for everybody" "loaded as $pins/words" \
	memgate policy load "$bpf/exclusive_kvm.bpf.o" name words mode 0444
works "everybody reads its words" "kvm *one VM at a time; if sticky" \
	nobody memgate policy show words
works "those of a policy without parameters too" "kvm *everybody" sh -c \
	'memgate policy load "$1" name all mode 0444 >/dev/null &&
	 setpriv --reuid 65534 --clear-groups --inh-caps=-all \
		memgate policy show all' sh "$bpf/allow.bpf.o"
works "who has CAP_BPF and CAP_PERFMON alone keeps them too" \
	"kvm *one VM at a time" sh -c \
	'setpriv --bounding-set=-all,+bpf,+perfmon --inh-caps=-all \
		memgate policy load "$1" name few mode 0444 >/dev/null &&
	 setpriv --reuid 65534 --clear-groups --inh-caps=-all \
		memgate policy show few' sh "$bpf/exclusive_kvm.bpf.o"
says "sticky *bool$" "$out/stdout"
result $? "and the names of the parameters"
for p in words all few; do
	memgate policy unload $p >/dev/null
done

refused "load twice" 2 "a policy is loaded as $pins/owner already" \
	memgate policy load "$bpf/owner.bpf.o"
refused "no file" 1 "cannot open policy file" memgate policy load "$out/none"
refused "no ELF" 1 "is no ELF object file" memgate policy load /proc/version
refused "ELF, but no BPF" 1 "is no BPF object file" \
	memgate policy load "$(command -v memgate)"
refused "no policy in it" 1 "has no policy" \
	memgate policy load "$progs/bad_no_policy.bpf.o"
refused "two policies in it" 1 "has two policies" \
	memgate policy load "$progs/bad_two_policies.bpf.o"
refused "parameters over 4 KiB" 1 "at most 4096 are possible" \
	memgate policy load "$progs/bad_params_size.bpf.o"
refused "a sleepable policy" 2 "the verifier refused .*may_map" \
	memgate policy load "$progs/bad_sleepable.bpf.o"
once refused "a class that the kernel does not know" 2 \
	"the kernel refused to register" \
	memgate policy load "$progs/bad_class.bpf.o"
refused "a program that reads beyond its parameters" 2 \
	"the verifier refused" \
	memgate policy load "$progs/bad_params_beyond.bpf.o"
run memgate -d policy load "$progs/bad_params_beyond.bpf.o"
grep -q "BEGIN PROG LOAD LOG" "$out/stderr"
result $? "-d shows the verifier's log"
refused "name with a slash or dot" 1 "cannot be the name of a policy" \
	memgate policy load "$bpf/allow.bpf.o" name a.b
refused "reserved name" 1 "the policy name 'maps' is reserved" \
	memgate policy load "$bpf/allow.bpf.o" name maps
refused "without capabilities" 2 \
	"loading a policy needs CAP_BPF and CAP_PERFMON" \
	nobody memgate policy load "$bpf/allow.bpf.o" name x
refused "pins outside of a BPF file system" 2 \
	"is not in a BPF file system" \
	memgate -B /tmp/memgate policy load "$bpf/allow.bpf.o"
left=$(echo $pins/maps/*)
grep -qx "allow deny exclusive_kvm owner types7" <<<"${left//$pins\/maps\//}"
result $? "failed loads left no pin"

# ---- gates ---------------------------------------------------------------

works "seal" "gate [0-9]*: sealed" memfd -- memgate gate seal fd 7
works "seal twice says so" "is sealed already" memfd -- sh -c \
	'memgate gate seal fd 7 > /dev/null && memgate gate seal fd 7'
refused "seal a closed fd" 2 "file descriptor 7 is not open" \
	memgate gate seal fd 7
refused "seal what is no memfd" 2 "is no memfd but /dev/null" \
	memgate gate seal fd 0
refused "seal a read-only fd" 2 "file descriptor 7 is not open for writing" \
	memfd rdonly -- memgate gate seal fd 7
refused "seal pinned pages" 2 "pages of the memfd are pinned" \
	memfd pinned -- memgate gate seal fd 7
once refused "seal after F_SEAL_SEAL" 2 "the memfd has F_SEAL_SEAL" \
	memfd sealed -- memgate gate seal fd 7
refused "show a memfd without gate" 2 "has no gate" \
	memfd -- memgate gate show fd 7
refused "freeze a memfd without gate" 2 "has no gate" \
	memfd -- memgate gate freeze fd 7

attach="memgate gate attach fd 7 policy"
# Removing a pin drops the link some time later: until STATE of the policy.
cat > "$out/until" <<'END'
#!/bin/sh
i=0
until grep -q "state $1" /proc/self/fdinfo/7; do
	i=$((i + 1))
	[ $i -lt 100 ] && sleep 0.1 || exit 1
done
END
chmod +x "$out/until"
# shellcheck disable=SC2086 # $attach is a list of words
{
works "attach" "allow installed, pinned $pins/gates/" memfd -- $attach allow
works "attach with a pin" "pinned /sys/fs/bpf/cli-test" \
	memfd -- $attach allow pin /sys/fs/bpf/cli-test
refused "attach where a pin is already" 2 "EEXIST" \
	memfd -- $attach allow pin /sys/fs/bpf/cli-test
refused "attach on a closed fd" 2 "file descriptor 7 is not open" \
	$attach allow
refused "attach on what is no memfd" 2 "is no memfd but /dev/null" \
	memgate gate attach fd 0 policy allow
once refused "attach on a read-only fd" 2 "is not open for writing" \
	memfd rdonly -- $attach allow
once refused "attach on pinned pages" 2 "pages of the memfd are pinned" \
	memfd pinned -- $attach allow
refused "attach a policy that is not loaded" 2 "no policy 'nothing' is loaded" \
	memfd -- $attach nothing
refused "attach with an unknown parameter" 1 \
	"no parameter 'pid'; the policy has tgid (u32), start (u64)" \
	memfd -- $attach owner param pid=1
refused "attach with a parameter to a policy without" 1 \
	"no parameter 'x'; policy allow has none" \
	memfd -- $attach allow param x=1
refused "attach with a value that does not fit" 1 \
	"4294967296 does not fit in u32" \
	memfd -- $attach owner param tgid=4294967296
refused "attach with a value that is none" 1 "'many' is not a number" \
	memfd -- $attach owner param tgid=many
mkdir /sys/fs/bpf/cli-test-nobody
chown 65534 /sys/fs/bpf/cli-test-nobody
refused "attach on a frozen gate, unprivileged" 2 "the gate is frozen" \
	memfd -- sh -c "$attach allow > /dev/null &&
		memgate gate freeze fd 7 > /dev/null &&
		setpriv --reuid 65534 --inh-caps=-all $attach types7 \
			pin /sys/fs/bpf/cli-test-nobody/x"
once refused "attach after F_SEAL_SEAL, unprivileged" 2 \
	"F_SEAL_SEAL is older than the gate" memfd sealed -- \
	setpriv --reuid 65534 --inh-caps=-all $attach types7 \
	pin /sys/fs/bpf/cli-test-nobody/x
works "attach after F_SEAL_SEAL with CAP_SYS_ADMIN" "installed" \
	memfd sealed -- $attach allow
refused "attach a policy that others may not open" 2 \
	"policy owner may not be opened" memfd -- \
	setpriv --reuid 65534 --inh-caps=-all $attach owner \
	pin /sys/fs/bpf/cli-test-x
once prints "a memfd without gate maps" ok memfd -- "$helper" mmap
prints "every type of parameter arrives" ok memfd -- sh -c \
	"$attach types7 param u8=200 param s16=-300 param u32=4000000000 \
	 param s64=-5000000000 param flag=true param colour=PARAMS_BLUE \
	 param text=hello > /dev/null && $helper mmap"
once prints "without them the policy refuses" ENODATA memfd -- sh -c \
	"$attach types7 > /dev/null && $helper mmap"
once prints "sealed and nothing installed is closed" EACCES memfd -- sh -c \
	"memgate gate seal fd 7 > /dev/null && $helper mmap"
once prints "bpftool shows the gate that a link is on" "the same, twice" \
	memfd -- sh -c \
	"$attach allow pin /sys/fs/bpf/cli-test3 > /dev/null &&
	 id=\$(memgate -j gate show fd 7 | $helper json id) &&
	 [ \$id = \$(bpftool -j link show pinned /sys/fs/bpf/cli-test3 |
		     $helper json target_id) ] &&
	 bpftool link show pinned /sys/fs/bpf/cli-test3 |
		grep -q \"struct_ops  map [0-9]*  target \$id \" &&
	 echo the same, twice"
once prints "freeze keeps the policy when the pin goes" ok memfd -- sh -c \
	"$attach allow pin /sys/fs/bpf/cli-test2 > /dev/null &&
	 memgate gate freeze fd 7 > /dev/null &&
	 rm /sys/fs/bpf/cli-test2 && $out/until kept && $helper mmap"
once prints "a lost pin closes the gate" EACCES memfd -- sh -c \
	"$attach allow pin /sys/fs/bpf/cli-test2 > /dev/null &&
	 rm /sys/fs/bpf/cli-test2 && $out/until closed && $helper mmap"
prints "freeze twice says so" "is frozen already" memfd -- sh -c \
	"$attach allow > /dev/null && memgate gate freeze fd 7 > /dev/null &&
	 memgate gate freeze fd 7 | sed 's/gate [0-9]*: //'"
prints "update by pin swaps the policy" "$(printf 'ok\nEACCES')" \
	memfd -- sh -c "$attach allow pin /sys/fs/bpf/cli-test2 > /dev/null &&
	 $helper mmap &&
	 memgate gate update pinned /sys/fs/bpf/cli-test2 policy deny \
		> /dev/null && $helper mmap"
rm -f /sys/fs/bpf/cli-test2
prints "update by gate swaps the policy" "$(printf 'EACCES\nok')" \
	memfd -- sh -c "$attach deny > /dev/null; $helper mmap;
	 memgate gate update fd 7 replace deny policy allow > /dev/null &&
	 $helper mmap"
refused "update of a policy that is not there" 2 \
	"the gate has no live policy 'owner'" memfd -- sh -c \
	"$attach deny > /dev/null &&
	 memgate gate update fd 7 replace owner policy allow"
refused "update with parameters of another size" 2 \
	"another size" memfd -- sh -c "$attach deny > /dev/null &&
	 memgate gate update fd 7 replace deny policy owner"
once refused "update on a frozen gate" 2 "the gate is frozen" memfd -- sh -c \
	"$attach deny > /dev/null && memgate gate freeze fd 7 > /dev/null &&
	 memgate gate update fd 7 replace deny policy allow"
refused "update takes no parameters" 1 "keeps the parameters" memfd -- sh -c \
	"$attach deny > /dev/null &&
	 memgate gate update fd 7 replace deny policy allow param x=1"
once prints "a stranger's policy takes its parameters by name" ok memfd -- sh -c \
	"$attach two_vms_one_cgroup param max_vms=1 \
		param cgroup=$(stat -c %i /sys/fs/cgroup) > /dev/null &&
	 $helper mmap"
prints "show without a gate is list" same memfd -- sh -c \
	"$attach deny > /dev/null &&
	 memgate gate list | grep -v holder > $out/list &&
	 memgate gate show | grep -v holder | cmp - $out/list && echo same"
works "show: who decides" "class *kvm *decided by deny" memfd -- sh -c \
	"$attach deny > /dev/null && memgate gate show fd 7"
works "show: what is closed" "class *remote *closed$" memfd -- sh -c \
	"$attach owner param tgid=1 > /dev/null && memgate gate show fd 7"
works "show: premapped" "1 mapped before the seal" memfd mapped -- sh -c \
	"$attach deny > /dev/null && memgate gate show fd 7"
prints "show, JSON" '[ "exclusive_kvm" ]' memfd -- sh -c \
	"$attach exclusive_kvm > /dev/null &&
	 memgate -j gate show fd 7 | $helper json classes kvm"
works "list finds it by its holder" "holder *pid [0-9]* memgate fd 7" \
	memfd -- sh -c "$attach deny > /dev/null && memgate gate list"
works "list finds it by a mapping alone" \
	"holder *pid [0-9]* cli_helper by a mapping" \
	memfd mapped -- sh -c "$attach deny > /dev/null &&
	 exec 7>&- && memgate gate list"
works "list finds what no process holds" "holder *no process in sight" \
	memfd -- sh -c "$attach deny > /dev/null &&
	 exec $helper hide memgate gate list"
prints "with name, size and policy" "cli-test 1048576 deny live []" \
	memfd -- sh -c "$attach deny > /dev/null &&
	 exec $helper hide sh -c 'j=\$(memgate -j gate list)
	 for k in name size \"policies 0 name\" \"policies 0 state\"; do
		echo \"\$j\" | $helper json 0 \$k
	 done | xargs echo -n
	 echo \" \$(echo \"\$j\" | $helper json 0 holders | tr -d \" \")\"'"
prints "but only with the capabilities" "" memfd -- sh -c \
	"$attach deny > /dev/null && exec $helper hide $incapable memgate gate list"
prints "with them, or by /proc alone: the same list" same memfd mapped -- sh -c \
	"$attach allow > /dev/null && $attach owner param tgid=1 \
		pin /sys/fs/bpf/cli-test2 > /dev/null &&
	 rm /sys/fs/bpf/cli-test2 && $out/until closed &&
	 $attach deny pin /sys/fs/bpf/cli-test2 > /dev/null &&
	 memgate gate freeze fd 7 > /dev/null &&
	 rm /sys/fs/bpf/cli-test2 && $out/until kept &&
	 $incapable memgate gate list | grep -v holder > $out/proc &&
	 memgate gate list | grep -v holder > $out/iterator &&
	 grep -q '^gate ' $out/proc && cmp $out/proc $out/iterator && echo same"
once works "bpftool pins an iterator over gates" "^gate [0-9]*: frozen 0$" \
	memfd -- sh -c "$attach deny > /dev/null &&
	 bpftool iter pin $bpf/gates.bpf.o /sys/fs/bpf/cli-test-iter &&
	 cat /sys/fs/bpf/cli-test-iter"
once works "which shows what is there when it is read" "^gate [0-9]*: frozen 1$" \
	memfd -- sh -c "$attach deny > /dev/null &&
	 memgate gate freeze fd 7 > /dev/null && cat /sys/fs/bpf/cli-test-iter"
}
rm -f /sys/fs/bpf/cli-test-iter
works "attach through another process" "owner installed" sh -c \
	"$helper memfd -- sleep 60 &
	 until [ -e /proc/\$!/fd/7 ]; do sleep 0.1; done
	 memgate gate attach pid \$! fd 7 policy owner param tgid=\$!
	 status=\$?; kill \$!; exit \$status"
refused "another process without that fd" 2 "/proc/$$/fd/77: No such file" \
	memgate gate seal pid $$ fd 77
refused "another process's fd that is no memfd" 2 "is no memfd but" \
	memgate gate seal pid $$ fd 0
nobody true && refused "another user's process" 2 "cannot look at" \
	nobody memgate gate seal pid 1 fd 0

# ---- run -----------------------------------------------------------------

prints "run: the command has the memfd, sealed and frozen" \
	"1048576 yes true" memgate run size 1M -- sh -c \
	'echo "{size}" "$(test -e /proc/self/fd/{fd} && echo yes)" \
	 "$(memgate -j gate show fd {fd} | '"$helper"' json frozen)"'
prints "run: fd N" 9 memgate run size 1M fd 9 -- echo '{fd}'
once prints "run: the owner maps" ok memgate run size 1M fd 7 -- "$helper" mmap
once prints "run: its children do not" EACCES \
	memgate run size 1M fd 7 -- sh -c "$helper mmap; exit 0"
prints "run: the default policies" '[ "exclusive_kvm" ] [ "owner" ]' \
	memgate run size 1M -- sh -c 'j=$(memgate -j gate show fd {fd})
	 echo "$(echo "$j" | '"$helper"' json classes kvm)" \
	      "$(echo "$j" | '"$helper"' json classes map)"'
prints "run: policies of one's own, parameters by name" ok \
	memgate run size 1M fd 7 policy owner param 'tgid={tgid}' \
	param 'start={start}' -- "$helper" mmap
once prints "run: no-default is closed" EACCES \
	memgate run size 1M fd 7 no-default -- "$helper" mmap
prints "run: huge pages" ok memgate run size 2M hugetlb 2M fd 7 -- \
	"$helper" mmap
refused "run: too few huge pages" 125 "huge pages of 2M are needed" \
	memgate run size 1T hugetlb 2M fd 7 -- "$helper" mmap
prints "run: classes by their names" ok memgate run size 1M fd 7 \
	policy owner param 'tgid={tgid}' param 'classes=map|file' -- \
	"$helper" mmap
once prints "run: and none but these" EACCES memgate run size 1M fd 7 \
	policy owner param 'tgid={tgid}' param 'classes=file|own_pin' -- \
	"$helper" mmap
prints "run: nofreeze keeps links to swap" "$(printf 'false\nok\nEACCES')" \
	memgate run size 1M fd 7 policy allow \
	nofreeze pin /sys/fs/bpf/cli-test-vm -- sh -c \
	"memgate -j gate show fd 7 | $helper json frozen; $helper mmap
	 memgate gate update pinned /sys/fs/bpf/cli-test-vm/allow policy deny \
		> /dev/null; $helper mmap"
rm -rf /sys/fs/bpf/cli-test-vm
refused "run: a pin directory outside of a BPF file system" 125 \
	"is not in a directory of a BPF file system" \
	memgate run size 1M policy allow nofreeze pin "$out/pins" -- true
refused "run: a second policy that is not loaded" 125 \
	"no policy 'nothing' is loaded" memgate run size 1M policy allow \
	policy nothing nofreeze pin /sys/fs/bpf/cli-test-vm -- true
[ ! -e "$out/pins" ] && [ ! -e /sys/fs/bpf/cli-test-vm ]
result $? "run: a failure leaves no pin"
run memgate run size 1M -- sh -c 'exit 42'
[ "$got" = 42 ]
result $? "run: the command's own exit status"
refused "run: command not found" 127 "cannot execute /nonexistent" \
	memgate run size 1M -- /nonexistent
refused "run: not executable" 126 "cannot execute /proc/version" \
	memgate run size 1M -- /proc/version
refused "run: policy not loaded" 125 "no policy 'nothing' is loaded" \
	memgate run size 1M policy nothing -- true
refused "run: fd taken" 125 "file descriptor 3 is open already" \
	memgate run size 1M fd 3 -- true 3< /dev/null

# ---- unloading -----------------------------------------------------------

works "unload" "owner: unloaded" memgate policy unload owner
refused "unload twice" 2 "no policy 'owner' is loaded" \
	memgate policy unload owner
works "unload what bpftool loaded" "unloaded" \
	memgate policy unload two_vms_one_cgr
refused "run without the default policies" 125 "no policy 'owner' is loaded" \
	memgate run size 1M -- true

echo "1..$nr"
exit $failed
