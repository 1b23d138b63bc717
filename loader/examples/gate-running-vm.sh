#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Gates the memory of a VM that runs already; see usage.
set -eu

usage() {
	cat <<-'END'
	Usage: gate-running-vm.sh PID [fd N]

	Gates the memory of a VM that runs already, from outside: from now on it is
	this VM's and its VMM's alone.  For QEMU with -object memory-backend-memfd.

	Without fd, process PID must have one memfd only.  QEMU forbids more seals on
	it, so this takes CAP_SYS_ADMIN.  The policies exclusive_kvm and owner must be
	loaded.  What others have mapped before stays mapped: memgate gate show tells
	how many mappings there were ("mapped before the seal").
	END
}

case ${1:-} in
-h|--help) usage; exit 0 ;;
esac
if [ $# != 1 ] && { [ $# != 3 ] || [ "$2" != fd ]; }; then
	usage >&2
	exit 1
fi
pid=$1
shift

# The first install closes the memory, so nobody slips in between; the guest
# goes on as soon as its VM is allowed, which is at its next fault.
memgate gate attach pid "$pid" "$@" policy exclusive_kvm param sticky=true
memgate gate attach pid "$pid" "$@" policy owner \
	param 'tgid={tgid}' param 'start={start}'
memgate gate freeze pid "$pid" "$@"
