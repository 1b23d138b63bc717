#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Starts QEMU on gated memory.  The policies must be loaded: memgate(8).
#
#   qemu-run.sh SIZE [WORDS of memgate run...] -- [ARGUMENTS of QEMU...]
#
# for example
#
#   qemu-run.sh 4G -- -drive file=disk.img,if=virtio -nographic
#   qemu-run.sh 4G policy exclusive_kvm policy owner param by_uid=1 \
#	param uid=107 -- -drive ...
#
# QEMU has the memory by a descriptor that it inherits, so that nobody had it
# before the policies were there.  Environment: QEMU (program).
set -u

if [ $# -lt 2 ]; then
	echo "Usage: $0 SIZE [WORDS of memgate run] -- [ARGUMENTS of QEMU]" >&2
	exit 1
fi
size=$1
shift

# Put QEMU and its memory behind the "--".
nr=$#
seen=n
while [ "$nr" -gt 0 ]; do
	set -- "$@" "$1"
	if [ "$seen" = n ] && [ "$1" = -- ]; then
		seen=y
		set -- "$@" "${QEMU:-qemu-system-x86_64}" -accel kvm \
			-m "$size" -machine q35,memory-backend=ram -object \
			"memory-backend-file,id=ram,size=$size,share=on,mem-path=/proc/self/fd/{fd}"
	fi
	shift
	nr=$((nr - 1))
done
exec memgate run size "$size" "$@"
