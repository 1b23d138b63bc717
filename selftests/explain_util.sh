# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What brought_test.sh, explain_test.sh, graph_test.sh and recorder_test.sh
# share: a memfd to try, and its users.
#
# shellcheck disable=SC2016,SC2034 # most of it is for those who include this

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"
cleanup_more() { rm -rf /sys/fs/bpf/explain-*; }
export helper user pins out lib

# has NAME WORDS: another line of the output of the last command
has()
{
	grep -q -- "$2" "$out/stdout"
	result $? "$1"
}

lacks()
{
	! grep -q -- "$2" "$out/stdout"
	result $? "$1"
}

# What the shells that sh7 starts have, and this one.
lib='
nobody()	# without any capability
{
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@"
}

incapable()	# root, who may not use the iterator over gates
{
	setpriv --bounding-set=-bpf,-perfmon,-sys_admin --inh-caps=-all "$@"
}

attach()
{
	memgate gate attach fd 7 policy "$@" > /dev/null
}

json()
{
	"$helper" json "$@"
}

id()
{
	sed -n "s/^memgate:.*id \([0-9]*\) premapped.*/\1/p" \
		/proc/self/fdinfo/7
}

draw()
{
	memgate graph "$@" > "$out/dot" && memgate -j graph "$@" > "$out/json"
}

# start NAME WORDS...: a user of the memory that stays until stop NAME
start()
{
	local n=$1 i=0
	shift
	mkfifo "$out/$n.in"
	"$user" "$@" < "$out/$n.in" > "$out/$n.said" &
	eval "pid_$n=$!"
	exec {fifo}> "$out/$n.in"
	eval "fifo_$n=$fifo"
	until [ -s "$out/$n.said" ] || [ $i = 300 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	cat "$out/$n.said"
}

stop()
{
	eval "exec {fifo_$1}>&-; wait \$pid_$1"
	rm -f "$out/$1.in"
}

# Removing a pin drops the link some time later: until STATE of a policy.
until_state()
{
	local i=0
	until grep -q "state $1" /proc/self/fdinfo/7 || [ $i = 300 ]; do
		sleep 0.1
		i=$((i + 1))
	done
}
'
eval "$lib"

# COMMANDS in a shell that has a memfd at 7
sh7()
{
	memfd -- bash -c "$lib
$1"
}

# The first device of those that selftests/vm/run adds, given to VFIO: $device
# and the number of its iommu_group, $group.
vfio_device()
{
	local at id
	modprobe -q vfio-pci
	for at in /sys/bus/pci/devices/*; do
		id=$(cat "$at/vendor" "$at/device" | xargs)
		[ "$id" = "0x1234 0x11e8" ] || continue
		device=${at##*/}
		echo vfio-pci > "$at/driver_override"
		echo "$device" > /sys/bus/pci/drivers_probe
		group=$(basename "$(readlink "$at/iommu_group")")
		export device group
		[ -e "/dev/vfio/$group" ]
		return
	done
	return 1
}

# Without memgate in the kernel: COMMAND... says so, and that was all.
without_memgate()
{
	local command
	memgate feature probe > "$out/stdout" 2>&1 && return
	for command in "$@"; do
		# shellcheck disable=SC2086 # words
		refused "$command: a kernel without memgate is named" 3 \
			"this kernel has no memgate" memgate $command
	done
	echo "1..$nr"
	exit $failed
}
