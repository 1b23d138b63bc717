#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate gate handover: its words, and a guest that one QEMU hands to another
# and that does not notice.  Needs root; TAP on stdout.
#
# Functions are called by name, through works and refused; words in single
# quotes are for a shell of their own.
# shellcheck disable=SC2016,SC2317

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=recipes_util.sh
. "$here/recipes_util.sh"

# ---- handover: the words ------------------------------------------------------

# On a memfd at fd 7 of a shell of its own.
sticky() {
	memgate run size 1M fd 7 policy exclusive_kvm param sticky=true -- \
		bash -c "$1"
}

works 'handover: somebody is named' 'gate [0-9]*: next comes process 1$' \
	sticky 'memgate gate handover fd 7 to pid 1'
works 'handover: which is shown' '^  next      pid 1$' \
	sticky 'memgate gate handover fd 7 to pid 1 && memgate gate show fd 7'
works 'handover: in JSON too' '"successor":1[,}]' sticky \
	'memgate gate handover fd 7 to pid 1 >/dev/null
	memgate -j gate show fd 7 | tr -d " "'
refused 'handover: one at a time' 'process 1 is named as successor already' \
	sticky 'memgate gate handover fd 7 to pid 1 &&
	memgate gate handover fd 7 to pid $$'
works 'handover: somebody who has died makes way' "next comes process 1$" \
	sticky 'sleep 100 & memgate gate handover fd 7 to pid $! &&
	kill $! && wait $!
	memgate gate show fd 7 | grep -q "which has ended" &&
	memgate gate handover fd 7 to pid 1'
works 'handover: a name is taken back' 'nobody is named any more' \
	sticky 'memgate gate handover fd 7 to pid 1 &&
	memgate gate handover fd 7 cancel'
works 'handover: and not twice' 'nobody was named' \
	sticky 'memgate gate handover fd 7 to pid 1 &&
	memgate gate handover fd 7 cancel && memgate gate handover fd 7 cancel'
refused 'handover: no such process' 'there is no process 999999' \
	sticky 'memgate gate handover fd 7 to pid 999999'
# QEMU's storage daemon has threads.
qemu-storage-daemon --blockdev driver=null-co,node-name=n &
backend=$!
until [ "$(echo /proc/$backend/task/* | wc -w)" -gt 1 ]; do sleep 0.1; done
refused 'handover: a thread is no process' 'is a thread of another process' \
	sticky "memgate gate handover fd 7 to pid \
	\$(ls /proc/$backend/task | sort -n | tail -n 1)"
kill -KILL $backend
refused 'handover: without the right' 'it needs CAP_SYS_ADMIN, or a pin' \
	sticky 'setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
	memgate gate handover fd 7 to pid 1'
works 'handover: but with a pin of the map' 'next comes process 1$' \
	sticky 'id=$(bpftool map show name successors | sed "s/:.*//;q") &&
	bpftool map pin id $id /sys/fs/bpf/memgate-successors &&
	setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin memgate \
	gate handover fd 7 to pid 1 map /sys/fs/bpf/memgate-successors'
rm -f /sys/fs/bpf/memgate-successors
refused 'handover: another map is none of successors' \
	'is no map of successors' sticky 'memgate gate handover fd 7 to pid 1 \
	map /sys/fs/bpf/memgate/types/exclusive_kvm'
refused 'handover: a gate whose policies know nothing of it' \
	"no policy of the gate has a map 'successors'" \
	memgate run size 1M fd 7 policy owner param 'tgid={tgid}' -- \
	memgate gate handover fd 7 to pid 1
refused 'handover: in another pid namespace' 'initial pid namespace' \
	sticky 'unshare -pf --mount-proc memgate gate handover fd 7 to pid 1'

# ---- handover: from one QEMU to another ----------------------------------------

mkfifo "$work"/{a,b}-monitor.{in,out}
# shellcheck disable=SC2016
in_group=(sh -c 'echo $$ >"$0" && exec "$@"' "$group/cgroup.procs")
with_monitor() { # a|b
	# shellcheck disable=SC2054
	monitor=(-chardev "pipe,id=mon,path=$work/$1-monitor"
		-mon chardev=mon,mode=control)
}
# b's serial line goes to a file; it is the same device to the guest.
new_vmm() { # PATH [ARGUMENTS]
	with_monitor b
	local words=("${machine[@]/#stdio/file:$work/b.serial}")

	vmm=("${in_group[@]}" "${words[@]}" -object "$(vm_ram "$1")"
		"${monitor[@]}" "${@:2}")
}

with_monitor a
vm_start a "${in_group[@]}" memgate run size $memory fd $ram_fd \
	policy owner param "cgroup=$(stat -c %i "$group")" \
	policy exclusive_kvm param sticky=true -- \
	"${machine[@]}" "${monitor[@]}" -object "$(vm_ram '/proc/self/fd/{fd}')"
vm=$vm_pid
works 'handover: the old VM boots' 'bytes kept' start_guest a
works 'handover: its guest begins to count' 'guest: 3' \
	vm_ask a count '^guest: 3[^0-9]*$'
exec 8<>"/proc/$vm/fd/$ram_fd"
refused 'handover: another VM beside it is refused' 'Permission denied' \
	vm_once /proc/self/fd/8 "${in_group[@]}"

new_vmm /proc/self/fd/8 -incoming defer
works 'handover: the old VM goes, the new one comes' '^[0-9]+$' \
	"$examples/handover.sh" "$vm" "$work/a-monitor" "$work/state" \
	"$work/b-monitor" -- "${vmm[@]}"
new=$(tail -n 1 "$work/said") stray=$new
ended() { ! kill -0 "$1" 2>/dev/null; }
works 'handover: the old VMM has ended' '' ended "$vm"
# Whole lines only: it may have been stopped in the middle of one, whose rest
# then comes from the new VMM.
last=$(sed -n 's/^guest: \([0-9]*\)\r$/\1/p' "$work/a.serial" | tail -n 1)
goes_on() {
	wait_for "$work/b.serial" "guest: $((last + 5))" "$new" "$patience"
	sed -n 's/^guest: \([0-9]*\)\r$/\1/p' "$work/b.serial" |
		awk -v last="$last" '
			NR == 1 && $1 != last + 2 { expected = last + 1 }
			NR == 1 && $1 == last + 2 { expected = $1 }
			$1 != expected++ { print "not", $1; bad = 1 }
			END { print last, "and then", NR, "more"
				exit bad || NR < 3 }'
}
works 'handover: the guest counts on where it was' 'and then' goes_on
works 'handover: the gate has the new VM' "consumer  kvm .* pid $new" \
	memgate gate show fd 8
refused 'handover: a third one beside it is refused' 'Permission denied' \
	vm_once /proc/self/fd/8 "${in_group[@]}"
kill "$new"
until ended "$new"; do sleep 0.1; done
works 'handover: it has ended, nobody is attached' 'policy .*exclusive_kvm' \
	eval 'memgate gate show fd 8 && ! memgate gate show fd 8 | grep consumer'
refused 'handover: and nobody comes after it' 'Permission denied' \
	vm_once /proc/self/fd/8 "${in_group[@]}"
exec 8<&-

echo "1..$nr"
exit $failed
