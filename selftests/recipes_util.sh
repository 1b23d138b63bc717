# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests of recipes share: TAP, and QEMUs that run Linux under KVM.
#
# Functions are called by name, through works and refused; what is not used
# here is used by the tests.
# shellcheck disable=SC2034,SC2154,SC2317
set -u
ulimit -c 0	# a VMM that is refused aborts

build=${O:-$here/../build}
tools=$build/selftests/demo
examples=$here/../loader/examples
guest_kernel=$build/kernel/arch/x86/boot/bzImage
patience=$((60 * ${MEMGATE_SLOWNESS:-1}))
memory=128M
nobody=65534
ram_fd=9
work=$(mktemp -d /tmp/recipes.XXXXXX) || exit 1
chmod 755 "$work"
group=/sys/fs/cgroup/memgate-recipes
nr=0 failed=0

# shellcheck source=demo/vm.sh
. "$here/demo/vm.sh"
# What every VM here has, whoever gives it its memory.
machine=("${qemu[@]:0:${#qemu[@]}-1}")
# The same without those that the example adds.
guest=("${qemu[@]:9:${#qemu[@]}-10}" -cpu host)

# stray: a process that is no child of the test
cleanup() {
	# shellcheck disable=SC2046
	kill -KILL $(jobs -p) ${stray:+"$stray"} 2>/dev/null
	rm -rf "$work" /sys/fs/bpf/memgate
	rmdir "$group" 2>/dev/null
}
trap cleanup EXIT

result() { # STATUS NAME
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	echo "not ok $nr $2"
	tail -n 25 "$work/said" | tr -d '\r' | sed 's/^/# /'
	failed=1
}

# works NAME PATTERN COMMAND...: it ends well and says so
works() {
	local name=$1 pattern=$2

	shift 2
	"$@" >"$work/said" 2>&1 &&
		{ [ -z "$pattern" ] || grep -qaE -e "$pattern" "$work/said"; }
	result $? "$name"
}

# refused NAME PATTERN COMMAND...: it ends badly and says so
refused() {
	local name=$1 pattern=$2

	shift 2
	! "$@" >"$work/said" 2>&1 && grep -qaE -e "$pattern" "$work/said"
	result $? "$name"
}

peek() { timeout "$patience" "$tools/peek" "$@" the-secret; }

# The only memfd of a process.
memfd_of() {
	local fd

	for fd in "/proc/$1/fd/"*; do
		case $(readlink "$fd") in
		/memfd:*) echo "${fd##*/}" ;;
		esac
	done
}

# Says what the guest has been told, and uses memory that it did not have yet.
guest_lives() { vm_ask "$1" ping 'holds "the-secret"'; }

start_guest() { # NAME: boots, and is given the secret
	vm_says "$1" 'guest: hello' && vm_ask "$1" 'keep the-secret' 'bytes kept'
}

echo 'TAP version 13'
for need in qemu-system-x86_64 qemu-storage-daemon; do
	command -v "$need" >/dev/null || {
		echo "1..0 # SKIP no $need"
		exit 0
	}
done
[ -w /dev/kvm ] || { echo '1..0 # SKIP no /dev/kvm'; exit 0; }
mkdir -p "$group"
for policy in exclusive_kvm owner; do
	memgate policy load "$build/bpf/$policy.bpf.o" mode 0444 >/dev/null ||
		exit 1
done
chmod 711 /sys/fs/bpf

