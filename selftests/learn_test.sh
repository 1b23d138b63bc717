#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate learn: what it learns from a workload lets that workload run again;
# a wider one, and the same with less, is refused.  Needs root; TAP on stdout.
#
# Some commands are quoted for a shell of their own:
# shellcheck disable=SC2016

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"
group=/sys/fs/cgroup/memgate-learn
# shellcheck disable=SC2317 # called at the end
cleanup_more() { rmdir "$group"/* "$group"; }
say_more() { echo "words: ${words[*]}"; }

# learn STEPS...: what the words are for a workload of these
learn()
{
	run memgate learn size 2M fd 7 -- "$workload" "$@"
	mapfile -t words < <(grep '^policy \|^no-default' "$out/stdout" |
		tr ' ' '\n')
}

# works NAME STEPS...: under these words all of it is allowed
works()
{
	local name=$1
	shift
	run memgate run size 2M fd 7 "${words[@]}" -- "$workload" "$@"
	[ "$got" = 0 ] && [ "$(grep -c ': ok$' "$out/stdout")" = $# ]
	result $? "$name"
}

# fails NAME STEP STEPS...: under these words that one step of all is refused
fails()
{
	local name=$1 step=$2
	shift 2
	run memgate run size 2M fd 7 "${words[@]}" -- "$workload" "$@"
	[ "$got" = 1 ] && [ "$(grep -v ': ok$' "$out/stdout")" != "" ] &&
		! grep -v ': ok$' "$out/stdout" | grep -vq "^$step: E"
	result $? "$name"
}

# without PATTERN...: words without those that match
without()
{
	local word skip='' kept=()
	for word in "${words[@]}"; do
		if [ "$word" = param ]; then
			continue
		elif [[ $word == *=* ]]; then
			skip=
			for pattern; do
				# shellcheck disable=SC2053	# a pattern
				[[ $word == $pattern ]] && skip=y
			done
			[ -n "$skip" ] || kept+=(param "$word")
		else
			kept+=("$word")
		fi
	done
	words=("${kept[@]}")
}

# without_policy NAME
without_policy()
{
	local i kept=() on=y
	for ((i = 0; i < ${#words[@]}; i++)); do
		if [ "${words[i]}" = policy ]; then
			on=y
			[ "${words[i + 1]}" != "$1" ] || on=
		fi
		[ -z "$on" ] || kept+=("${words[i]}")
	done
	words=("${kept[@]}")
}

echo "TAP version 13"
if ! memgate feature probe > "$out/stdout" 2>&1; then
	refused "a kernel without memgate is named" 3 \
		"this kernel has no memgate" memgate learn size 2M -- true
	refused "also without a command" 3 "this kernel has no memgate" \
		memgate learn gate 1
	echo "1..$nr"
	exit $failed
fi
rm -rf $pins
refused "the policy allow is missing" 125 "no policy 'allow' is loaded" \
	memgate learn size 2M -- true
for p in allow deny owner exclusive_kvm trusted_devices; do
	memgate policy load "$build/bpf/$p.bpf.o" > /dev/null
done

# ---- a VM with a device, a process that reads, another user --------------------

steps=(map read write pin vm vfio-a 1001:read)
learn "${steps[@]}"
[ "$got" = 0 ] && [ "$(sed '/^policy/d' "$out/stdout" | grep -c ': ok$')" = 7 ]
result $? "learn: a guest, a device, file reads, another user"
program=$(stat -c '%i %Hd %Ld' "$workload" | { read -r i a b
	echo "param party[0].exe_ino=$i param party[0].exe_dev=$((a << 20 | b))"; })
[ "${words[*]}" = "policy exclusive_kvm param sticky=1 policy owner \
param tgid={tgid} param start={start} param classes=0x7 \
param party[0].by_uid=1 param party[0].uid=1001 $program \
param party[0].read_only=1 param party[0].classes=0x2 \
policy trusted_devices param trust=pci:0000:00:10.0" ]
result $? "the words"
learned=("${words[@]}")
works "the same again" "${steps[@]}"
works "and in another order" map vm read pin write vfio-a 1001:read
fails "a second VM" vm "${steps[@]}" vm
fails "another device" vfio-b "${steps[@]}" vfio-b
fails "another user" 1002:read "${steps[@]}" 1002:read
fails "that user by another class" 1001:map "${steps[@]}" 1001:map
fails "that user writes" 1001:write "${steps[@]}" 1001:write
fails "another class" uring "${steps[@]}" uring
fails "an access from outside" remote "${steps[@]}" remote
run memgate run size 2M fd 7 "${words[@]}" -- sh -c \
	'cp "$0" "$1" && exec "$0" map 1001:read' "$workload" "$out/other"
[ "$got" = 0 ]
result $? "the same user by that program"
chmod 755 "$out" "$out/other"
run memgate run size 2M fd 7 "${words[@]}" -- setpriv --reuid 1001 \
	--clear-groups "$out/other" read
# It is the process itself that has become another user.
[ "$got" = 0 ]
result $? "the process itself, whoever it becomes"
run memgate run size 2M fd 7 "${words[@]}" -- sh -c \
	'setpriv --reuid 1001 --clear-groups "$0" read; exit $?' "$out/other"
[ "$got" = 1 ] && grep -q "read: EACCES" "$out/stdout"
result $? "that user by another program is refused"

# Nothing of it can be left out.
words=("${learned[@]}"); without_policy exclusive_kvm
fails "without exclusive_kvm: no VM" vm "${steps[@]}"
words=("${learned[@]}"); without_policy owner
run memgate run size 2M fd 7 "${words[@]}" -- "$workload" "${steps[@]}"
grep -q "^map: EACCES" "$out/stdout" && grep -q "^read: EACCES" "$out/stdout"
result $? "without owner: nothing"
words=("${learned[@]}"); without_policy trusted_devices
fails "without trusted_devices: no device" vfio-a "${steps[@]}"
words=("${learned[@]}"); without "trust=*"
words+=(param trust=pci:0000:00:11.0)
fails "with another device" vfio-a "${steps[@]}"
words=("${learned[@]}"); without "party*"
fails "without the party: not that user" 1001:read "${steps[@]}"
words=("${learned[@]}"); without "tgid*" "start*" "classes*"
fails "without the process itself: only that user" '[a-z-]*' \
	"${steps[@]}"
words=("${learned[@]/classes=0x7/classes=0x3}")
fails "with a class less" pin "${steps[@]}"
words=("${learned[@]/party\[0\].uid=1001/party[0].uid=1002}")
fails "with another user" 1001:read "${steps[@]}"

# ---- VMs ---------------------------------------------------------------------

learn map vm vm
[ "${words[*]}" = "policy exclusive_kvm policy owner param tgid={tgid} \
param start={start} param classes=0x1" ]
result $? "VMs one after the other: not sticky"
works "which are allowed again" map vm vm
fails "but not two at once" vms map vms
learn map vms
[ "$got" = 2 ] && [ "${words[1]}" = owner ] &&
	grep -q "^not allowed by these words: two virtual machines at once" \
		"$out/stderr"
result $? "VMs at once: no policy fits, and it says so"

# ---- what is read only ---------------------------------------------------------

learn mapro read 1001:mapro
[[ "${words[*]}" == *"param read_only=1 param classes=0x3 param party"* ]]
result $? "a process that only reads"
works "reads again" mapro read 1001:mapro
fails "and does not write" write mapro read write
fails "nor map to write" map mapro map
run memgate run size 2M fd 7 "${words[@]}" -- "$workload" mapro widen
grep -q "^widen: EACCES" "$out/stdout"
result $? "nor widen its mapping"
learn mapro widen
[[ "${words[*]}" != *read_only* ]]
result $? "one that widens its mapping writes"
works "which it does again" mapro widen

# ---- devices ---------------------------------------------------------------------

learn map rdma xdp vfio-bridged
[[ "${words[*]}" == *"param trust=rdma:rxe0,net:mgt0,pci:0000:01:01.0,pci:0000:01:02.0" ]]
result $? "an RDMA device, a network interface, a group behind a bridge"
works "they get it again" map rdma xdp vfio-bridged
fails "another does not" vfio-a map rdma xdp vfio-bridged vfio-a
learn map udmabuf
[[ "${words[*]}" == *"policy trusted_devices param trust=pci:none" ]] &&
	grep -q "^note: no device has come" "$out/stderr"
result $? "a udmabuf to which no device came"
works "is made again" map udmabuf
fails "and no device is let in" vfio-a map udmabuf vfio-a

# ---- widening --------------------------------------------------------------------

many=()
for i in 1 2 3 4 5 6 7 8 9 10; do
	many+=("10$i.50:read")
done
learn "${many[@]}"
[ "${words[*]}" = "policy owner param by_gid=1 param gid=50 \
param read_only=1 param classes=0x2" ] &&
	grep -q "^note: widened: parties are named by their group" \
		"$out/stderr"
result $? "ten users of a group: by the group, and it says so"
works "they read again" "${many[@]}"
fails "another group does not" 101.51:read "${many[@]}" 101.51:read
mkdir -p $group/below
run memgate learn size 2M fd 7 -- sh -c 'echo $$ > "$0"; exec "$@"' \
	$group/below/cgroup.procs "$workload" "${many[@]//.50/}"
mapfile -t words < <(grep '^policy' "$out/stdout" | tr ' ' '\n')
[ "${words[*]}" = "policy owner param \
cgroup=$(stat -c %i $group/below) param read_only=1 param classes=0x2" ] &&
	grep -q "^note: widened: parties are named by the cgroup" \
		"$out/stderr"
result $? "ten users and groups: by the cgroup"
run memgate run size 2M fd 7 "${words[@]}" -- sh -c \
	'echo $$ > "$0"; exec "$@"' $group/below/cgroup.procs "$workload" \
	"${many[@]//.50/}"
[ "$got" = 0 ]
result $? "they read again"
fails "outside of it nobody does" '10.*:read' "${many[@]//.50/}"
learn "${many[@]//.50/}"
[ "$got" = 2 ] && [ "${words[*]}" = no-default ] &&
	grep -q "^not allowed by these words: more than 9" "$out/stderr"
result $? "without one: no policy fits, and it says so"
learn map childpin
[ "${words[*]}" = "policy owner param by_uid=1 param uid=0 \
${program//party\[0\]./} param classes=0x5" ] &&
	grep -q "^note: widened: the process itself" "$out/stderr"
result $? "a child that uses what it inherited: by the user"
works "it does again" map childpin
words=(policy owner param 'tgid={tgid}' param 'start={start}')
fails "by the process alone it could not" childpin map childpin

# ---- what no policy allows -----------------------------------------------------------

learn map remote hmm loop
[ "$got" = 1 ] && for what in "remote by workload" "the way hmm" \
	"the kernel thread kworker"; do
	grep -q "^not allowed by these words: $what" "$out/stderr" || got=no
done && [ "$got" != no ]
result $? "remote, a closed way and a kernel thread: said"
learn map remote
[ "$got" = 2 ]
result $? "the exit status, too"
run memgate -j learn size 2M fd 7 -- sh -c 'exec "$0" map remote > /dev/null' \
	"$workload"
[ "$("$helper" json complete < "$out/stdout")" = false ] &&
	"$helper" json unfit 0 < "$out/stdout" | grep -q "^remote by"
result $? "and JSON"
run memgate learn size 2M fd 7 -- true
mapfile -t words < <(tr ' ' '\n' < "$out/stdout")
[ "$got" = 0 ] && [ "${words[*]}" = no-default ]
result $? "nobody wants it: no-default"
fails "with which nobody gets it" '[a-z:0-9]*' map read

# ---- JSON, exit status -----------------------------------------------------------------

run memgate -j learn size 2M fd 7 name ram -- sh -c \
	'"$0" map vm > /dev/null; exit 9' "$workload"
[ "$got" = 9 ]
result $? "the exit status is that of the command"
j() { "$helper" json "$@" < "$out/stdout"; }
[ "$(j name) $(j lost) $(j refused) $(j complete)" = "ram 0 0 true" ] &&
	[ "$(j policies 0 policy) $(j policies 0 params 0)" = \
		"exclusive_kvm sticky=1" ] &&
	[ "$(j policies 1 policy)" = owner ]
result $? "JSON: one value"
mapfile -t words < <(j words | tr ' ' '\n')
run memgate run size 2M fd 7 "${words[@]}" -- sh -c '"$0" map vm' "$workload"
[ "$got" = 0 ]
result $? "JSON: words that can be used"
refused "a command that is not there" 127 "cannot execute /nonexistent" \
	memgate learn size 2M -- /nonexistent
! grep -q "policy\|no-default" "$out/stdout"
result $? "teaches nothing"
refused "a size that is none" 125 "'size' needs bytes" \
	memgate learn size x -- true
refused "without capabilities" 2 "needs CAP_BPF and CAP_PERFMON" \
	setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-all \
	memgate learn size 2M -- touch "$out/began"
[ ! -e "$out/began" ]
result $? "the command does not begin"

# ---- gates that are there --------------------------------------------------------------

# ready: wait until a learner in the background has begun
ready()
{
	local i
	for ((i = 0; i < 200; i++)); do
		grep -q '^ready' "$out/stderr" && return
		sleep 0.05
	done
}

mkfifo "$out/go"
memgate run size 2M fd 7 policy allow -- sh -c \
	'read go < "$1"; "$0" 1001:read; exec "$0" map vm' \
	"$workload" "$out/go" > /dev/null &
vmm=$!
sleep 1
memgate learn gate pid $vmm fd 7 > "$out/stdout" 2> "$out/stderr" &
learner=$!
ready
echo go > "$out/go"
wait $vmm
kill -INT $learner
wait $learner
got=$?
mapfile -t words < <(tr ' ' '\n' < "$out/stdout")
[ "$got" = 0 ] && [[ "${words[*]}" == "policy exclusive_kvm param sticky=1 \
policy owner param tgid={tgid} param start={start} param classes=0x1 param \
party[0].by_uid=1 param party[0].uid=1001 "* ]]
result $? "a gate that is there: its process is the owner"
run memgate run size 2M fd 7 "${words[@]}" -- "$workload" 1001:read map vm
[ "$got" = 0 ]
result $? "its words are for a new one"
# What was there before: a mapping, a VM, a device.
memgate run size 2M fd 7 policy allow -- "$workload" map keep wait \
	< "$out/go" > "$out/vmm" &
vmm=$!
exec {go}> "$out/go"
until grep -q "^keep: " "$out/vmm"; do sleep 0.1; done
memgate learn gate pid $vmm fd 7 for 1 > "$out/stdout" 2> "$out/stderr"
got=$?
exec {go}>&-
wait $vmm
mapfile -t words < <(tr ' ' '\n' < "$out/stdout")
[ "$got" = 0 ] && [ "${words[*]}" = "policy exclusive_kvm param sticky=1 \
policy owner param tgid={tgid} param start={start} param classes=0x1 \
policy trusted_devices param trust=pci:0000:00:10.0" ] &&
	grep -q "^note: kvm [0-9]* of process $vmm had the memory before" \
		"$out/stderr"
result $? "and what it had before, a mapping, a VM, a device"
works "is what a new one gets" map keep
run memgate learn gate 999999 for 1
[ "$got" = 0 ] && [ "$(cat "$out/stdout")" = no-default ]
result $? "for"
refused "no such process" 2 "cannot look at /proc/999999" \
	memgate learn gate pid 999999 fd 7
memgate run size 2M fd 7 policy deny -- sh -c \
	'read go < "$1"; exec "$0" map' "$workload" "$out/go" > /dev/null &
vmm=$!
sleep 1
memgate learn gate pid $vmm fd 7 > "$out/stdout" 2> "$out/stderr" &
learner=$!
ready
echo go > "$out/go"
wait $vmm
kill -INT $learner
wait $learner
[ "$(cat "$out/stdout")" = no-default ] &&
	grep -q "^note: map by workload (uid 0) was refused by deny" \
		"$out/stderr"
result $? "what is refused is not learned, and told of"

# ---- another pid namespace ---------------------------------------------------------------

run unshare -pf --mount-proc memgate learn size 2M fd 7 -- "$workload" map
mapfile -t words < <(grep '^policy' "$out/stdout" | tr ' ' '\n')
[ "${words[*]}" = "policy owner param by_uid=1 param uid=0 \
${program//party\[0\]./} param classes=0x1" ]
result $? "in a pid namespace: by the user, as its ids mean others"
run unshare -pf --mount-proc memgate run size 2M fd 7 "${words[@]}" -- \
	"$workload" map
[ "$got" = 0 ]
result $? "which works there"

echo "1..$nr"
exit $failed
