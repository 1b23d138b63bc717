#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate at work: one line for each thing that is tried and what came back.
# Each outcome is checked.  To be run as root on a freshly booted memgate
# kernel, which 'make demo' does in a VM.
#
#   demo.sh [GUEST_KERNEL]
#
# Everybody here is root: 'a stranger' is any process that is not the owner.
# Functions are called by name, through try.
# shellcheck disable=SC2317
set -u
ulimit -c 0	# a VMM that is refused aborts

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
build=${O:-$here/../../build}
tools=$build/selftests/demo
guest_kernel=${1:-$build/kernel/arch/x86/boot/bzImage}
patience=${MEMGATE_DEMO_PATIENCE:-180}	# seconds for a guest to boot
PATH=$build/host/bin:$build/loader:$PATH

work=$(mktemp -d /tmp/memgate-demo.XXXXXX) || exit 1
pins=/sys/fs/bpf/memgate-demo
owners=/sys/fs/cgroup/memgate-demo
secret=the-secret-of-$$-$RANDOM
ram_fd=9		# the memfd in the VMM, see 'memgate run ... fd 9'
memory=256M
# Two devices that do not differ but in their place; both can do DMA.
trusted=0000:00:10.0
untrusted=0000:00:11.0

# shellcheck source=steps.sh
. "$here/steps.sh"
# shellcheck source=vm.sh
. "$here/vm.sh"

need() {
	local file

	for file; do
		[ -e "$file" ] || give_up "$file is missing: 'make demo' builds" \
			"everything that the demo needs"
	done
	command -v qemu-system-x86_64 >/dev/null ||
		give_up 'QEMU is missing: apt-get install qemu-system-x86'
	[ -w /dev/kvm ] || give_up 'no /dev/kvm: the demo runs a VM with KVM'
}

cleanup() {
	vm_kill_all
	# shellcheck disable=SC2086
	kill ${keeper:-} ${sleeper:-} 2>/dev/null
	rm -rf "$work"
	# shellcheck disable=SC2046
	rm -f $(find "$pins" -type f 2>/dev/null)
	rmdir "$pins" "$owners" 2>/dev/null
}
trap cleanup EXIT

# keep COMMAND...: run a keeper of the secret in the background until 'quit'.
keep() {
	rm -f "$work/keeper.in"
	mkfifo "$work/keeper.in"
	"$@" <"$work/keeper.in" >"$work/keeper.out" 2>&1 &
	keeper=$!
	exec {keeper_ctl}>"$work/keeper.in"
	wait_for "$work/keeper.out" '^ready' "$keeper" 30 ||
		stop_here 'the keeper did not start' "$work/keeper.out"
	keeper_fd=$(sed -n 's/^fd //p' "$work/keeper.out")
}

quit_keeper() {
	echo >&"$keeper_ctl"
	exec {keeper_ctl}>&-
	wait "$keeper"
	keeper=
}

# kept WHAT: what the keeper said of it, which is in quotes if it worked
kept() {
	local said

	said=$(sed -n "s/^$1: //p" "$work/keeper.out")
	echo "$said"
	[ "${said#\"}" != "$said" ]
}

peek() { timeout "$patience" "$tools/peek" "$@" "$secret"; }

# The owner is whoever is in this cgroup.
# shellcheck disable=SC2016
as_owner=(sh -c 'echo $$ >"$0" && exec "$@"' "$owners/cgroup.procs")

owner_maps() {
	"${as_owner[@]}" "$tools/peek" map "$vm" "$ram_fd" "$secret"
}

# stranger ok|refused WAY PID FD: one of the ways of peek
stranger() {
	local want=$1 way=$2 pid=$3 fd=$4 what result

	case $way in
	map)	what="maps it through /proc/$pid/fd/$fd"
		result='mmap: Permission denied' ;;
	read)	what="uses read(2) on /proc/$pid/fd/$fd"
		result='read: Permission denied' ;;
	vm)	what="uses process_vm_readv(2) on $pid"
		result='process_vm_readv: Bad address' ;;
	mem)	what="reads /proc/$pid/mem"
		result='read: Input/output error' ;;
	esac
	[ "$want" = refused ] || result="found \"$secret\""
	try "a stranger $what" "$want" "$result" peek "$way" "$pid" "$fd"
}

every_way() {
	local way

	for way in map read vm mem; do
		stranger "$1" $way "$2" "$3"
	done
}

load_policies() {
	local name

	section 'Policies are BPF programs, loaded once'
	for name in exclusive_kvm owner trusted_devices allow deny; do
		try "bpftool struct_ops register $name.bpf.o" \
			ok "Registered memgate_ops $name" \
			bpftool struct_ops register "$build/bpf/$name.bpf.o" \
			/sys/fs/bpf/memgate
	done
	try 'memgate policy load: for users without CAP_SYS_ADMIN' ok \
		'^allow: loaded' memgate policy load "$build/bpf/allow.bpf.o" \
		name allow_for_users mode 0444
	see 'memgate policy list' memgate policy list -- \
		'^exclusive_kvm .*kvm' '^owner .*map' \
		'^trusted_devices .*vfio' '^allow ' '^deny ' '^allow_for_users '
}

today() {
	section 'What is wrong today: a memfd that nobody guards'
	keep "$tools/keeper" "$secret"
	say "process $keeper keeps \"$secret\" in its memfd"
	every_way ok "$keeper" "$keeper_fd"
	try 'a child of the process reads what it inherited' ok "$secret" \
		kept 'child, inherited mapping'
	quit_keeper
}

start_the_vm() {
	local policy=(policy exclusive_kvm policy owner param
		cgroup="$(stat -c %i "$owners")")

	section 'A VM on gated memory: exclusive_kvm, and owner by cgroup'
	vm_start first "${as_owner[@]}" memgate run size $memory fd $ram_fd \
		"${policy[@]}" nofreeze pin "$pins" -- \
		"${qemu[@]}" "$(vm_ram '/proc/self/fd/{fd}')"
	vm=$vm_pid
	try "memgate run ... -- qemu-system-x86_64 -accel kvm ... boots Linux" \
		ok 'guest: hello' vm_says first 'guest: hello'
	must
	try 'the guest is given a secret over its serial line' ok 'bytes kept' \
		vm_ask first "keep $secret" 'bytes kept'
	see 'memgate gate list' memgate gate list -- \
		'policy .*exclusive_kvm .*live' 'policy .*owner .*live' \
		"holder .*pid $vm .*fd $ram_fd" "consumer .*kvm .*pid $vm"
}

refusals() {
	section 'Nobody else gets at it, root included'
	every_way refused "$vm" $ram_fd
	try 'a stranger starts a second VMM on the memfd' refused \
		'Permission denied' vm_once "/proc/$vm/fd/$ram_fd"
	try 'the owner maps the memfd a second time' ok "found \"$secret\"" \
		owner_maps
	try 'the owner starts a second VMM on the memfd' refused \
		'KVM_SET_USER_MEMORY_REGION failed.*Permission denied' \
		vm_once "/proc/$vm/fd/$ram_fd" "${as_owner[@]}"
	guest_lives
	see "memgate gate show pid $vm fd $ram_fd" \
		memgate gate show pid "$vm" fd $ram_fd -- \
		'class .*kvm .*decided by exclusive_kvm' \
		'class .*map .*decided by owner' 'class .*remote .*closed'
}

guest_lives() {
	try 'the VM runs on, and takes more memory' ok "holds \"$secret\"" \
		vm_ask first ping 'guest: up'
}

live_swap() {
	section 'Policies are swapped while the VM runs'
	try 'install allow too, for the classes that nobody decided' ok \
		'allow installed' memgate gate attach pid "$vm" fd $ram_fd \
		policy allow pin "$pins/others"
	stranger ok vm "$vm" $ram_fd
	say 'but the policy owner has its say as before:'
	stranger refused map "$vm" $ram_fd
	try 'swap: memgate gate update ... policy deny' ok 'put in place' \
		memgate gate update pinned "$pins/others" policy deny
	stranger refused vm "$vm" $ram_fd
	try 'the owner maps the memfd a second time' refused \
		'Permission denied' owner_maps
	guest_lives
	see 'memgate gate list' memgate gate list -- \
		'policy .*owner .*live' 'policy .*deny .*live' \
		"consumer .*kvm .*pid $vm"
}

next_vm() {
	local ram

	section 'One VM after the other'
	exec 8<>"/proc/$vm/fd/$ram_fd"
	sleep infinity &
	sleeper=$!
	exec 8>&-
	ram=/proc/$sleeper/fd/8
	say "process $sleeper keeps the memfd open"
	try 'the VM powers off' ok 'ended, status 0' vm_off first
	see 'memgate gate list: no consumer' memgate gate list -- \
		"holder .*pid $sleeper .*fd 8" '!consumer'
	try 'a new VMM of the owner, while deny is there' refused \
		'Permission denied' vm_once "$ram" "${as_owner[@]}"
	try 'swap back: memgate gate update ... policy allow' ok \
		'put in place' \
		memgate gate update pinned "$pins/others" policy allow
	vm_start second "${as_owner[@]}" "${qemu[@]}" "$(vm_ram "$ram")"
	vm=$vm_pid
	try 'a new VM of the owner boots on the same memfd' ok \
		'guest: hello' vm_says second 'guest: hello'
	must
	see 'memgate gate list' memgate gate list -- "consumer .*kvm .*pid $vm"
	try 'the second VM powers off' ok 'ended, status 0' vm_off second
	kill $sleeper
	wait $sleeper 2>/dev/null
	sleeper=
	see 'nobody has the memfd: no gate is left' memgate gate list -- \
		'!gate'
}

give_to_vfio() {
	local device=/sys/bus/pci/devices/$1

	echo vfio-pci >"$device/driver_override" &&
		echo "$1" >/sys/bus/pci/drivers_probe &&
		readlink "$device/driver"
}

# with_devices ADDRESS...: a VMM that passes them through
with_devices() {
	local address devices=()

	for address; do
		devices+=(-device "vfio-pci,host=$address")
	done
	vmm=("${as_owner[@]}" memgate run size "$memory" fd "$ram_fd"
		policy exclusive_kvm
		policy trusted_devices param "trust=pci:$trusted"
		policy owner param cgroup="$(stat -c %i "$owners")" --
		"${qemu[@]}" "$(vm_ram '/proc/self/fd/{fd}')" "${devices[@]}")
}

devices() {
	local address

	section "Devices: $trusted is trusted, $untrusted is not"
	for address in $trusted $untrusted; do
		try "vfio-pci takes $address" ok 'vfio-pci' \
			give_to_vfio "$address"
	done
	with_devices $trusted
	vm_start third "${vmm[@]}"
	vm=$vm_pid
	try "a VM with -device vfio-pci,host=$trusted boots" ok \
		'guest: hello' vm_says third 'guest: hello'
	must
	try 'the guest is given the secret' ok 'bytes kept' \
		vm_ask third "keep $secret" 'bytes kept'
	try 'the guest has the device copy it, from memory to memory' ok \
		"has copied \"$secret\"" vm_ask third dma 'guest: .*(DMA|copied)'
	see 'memgate gate list' memgate gate list -- \
		'policy .*trusted_devices' "consumer .*kvm .*pid $vm" \
		"consumer .*vfio .*pid $vm .*$trusted" "!$untrusted"
	try 'the VM powers off' ok 'ended, status 0' vm_off third
	with_devices $untrusted
	try "a VM with -device vfio-pci,host=$untrusted" refused \
		'Permission denied|not permitted' \
		timeout $((patience / 3)) "${vmm[@]}" </dev/null
	with_devices $trusted $untrusted
	try 'a VM with both of them' refused \
		"$untrusted.*(Permission denied|not permitted)" \
		timeout $((patience / 3)) "${vmm[@]}" </dev/null
	see 'nothing is left of them' memgate gate list -- '!gate'
}

attach_without_admin() {
	setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
		memgate gate attach pid "$keeper" fd "$keeper_fd" \
		policy allow_for_users
}

defaults() {
	section 'What memgate run does by itself: one process, then frozen'
	keep memgate run size 64M -- "$tools/keeper" "$secret" '{fd}'
	try 'memgate run size 64M -- ...: the process uses its memory' ok \
		"$secret" kept 'owner, mapping'
	try 'and reads its memfd' ok "$secret" kept 'owner, read'
	try 'its child uses the mapping that it inherited' refused \
		'Segmentation fault' kept 'child, inherited mapping'
	try 'its child maps the memfd' refused 'Permission denied' \
		kept 'child, mmap'
	try 'its child reads the memfd' refused 'Permission denied' \
		kept 'child, read'
	every_way refused "$keeper" "$keeper_fd"
	try 'without CAP_SYS_ADMIN: memgate gate attach ... policy allow' \
		refused 'frozen' attach_without_admin
	try 'with it: memgate gate attach ... policy allow' ok \
		'allow installed' memgate gate attach pid "$keeper" \
		fd "$keeper_fd" policy allow pin "$pins/late"
	say 'but on a frozen gate that opens nothing:'
	stranger refused vm "$keeper" "$keeper_fd"
	see 'memgate gate list' memgate gate list -- ', frozen' \
		"holder .*pid $keeper " 'policy .*exclusive_kvm .*kept' \
		'policy .*owner .*kept' '!consumer'
	quit_keeper
}

need "$tools/peek" "$tools/keeper" "$tools/guest.cpio" "$guest_kernel" \
	"$build/bpf/owner.bpf.o" "$build/bpf/trusted_devices.bpf.o"
mkdir "$owners" || give_up "cannot make the cgroup $owners"
say "memgate demo on Linux $(uname -r), $(nproc) CPUs;" \
	"guests by $(qemu-system-x86_64 --version | sed 's/ (.*//;q')"
load_policies
today
start_the_vm
refusals
live_swap
next_vm
devices
defaults
verdict
