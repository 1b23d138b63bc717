#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Starts QEMU on gated memory; see usage.
set -u

usage() {
	cat <<-'END'
	Usage: qemu-run.sh SIZE [WORDS of memgate run...] -- [ARGUMENTS of QEMU...]

	Starts QEMU on gated memory of that size, for example

	  qemu-run.sh 4G -- -drive file=disk.img,if=virtio -nographic
	  qemu-run.sh 4G policy exclusive_kvm policy owner param by_uid=1 \
	    param uid=107 -- -drive ...

	QEMU has the memory by a descriptor that it inherits, so nobody had it before
	the policies were there.  Without a policy these are exclusive_kvm and owner;
	they must be loaded: memgate-policy(8).  Environment: QEMU (program).
	END
}

case ${1:-} in
-h|--help) usage; exit 0 ;;
esac
if [ $# -lt 2 ]; then
	usage >&2
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
