#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The recipes of memgate-recipes(7), with real QEMUs that run Linux under KVM:
# started on gated memory, gated from outside, and with a vhost-user backend in
# another process.  Needs root; TAP on stdout.
#
# Functions are called by name, through works and refused.
# shellcheck disable=SC2317

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=recipes_util.sh
. "$here/recipes_util.sh"

# ---- what the scripts are for ------------------------------------------------

explain() {
	local script

	for script in "$examples"/*.sh "$examples/memgate-emulator"; do
		"$script" --help | grep "^Usage: ${script##*/} " && continue
		echo "${script##*/} does not"
		return 1
	done
}

works 'examples: they say what they do' '' explain
refused 'examples: and how, to who says it wrongly' '^Usage: gate-running-vm' \
	"$examples/gate-running-vm.sh" 1 memfd 7
refused 'examples: to who says too little' '^Usage: qemu-run.sh' \
	"$examples/qemu-run.sh" $memory

# ---- QEMU on memory that memgate run has made ------------------------------

# Two processors: the VM of the next section boots beside this one.
mkfifo "$work"/monitor.{in,out}
vm_start late "${machine[@]}" -object \
	"memory-backend-memfd,id=m0,size=$memory,share=on" \
	-device pcie-root-port,id=slot1 -chardev "pipe,id=mon,path=$work/monitor" \
	-mon chardev=mon,mode=control
late=$vm_pid
vm_start run "$examples/qemu-run.sh" $memory fd $ram_fd -- "${guest[@]}"
vm=$vm_pid
works 'run: QEMU boots a guest on gated memory' 'bytes kept' start_guest run
works 'run: the gate has its policies and its VM' "consumer  kvm .* pid $vm" \
	memgate gate show pid "$vm"
refused 'run: a stranger does not map it' 'mmap: Permission denied' \
	peek map "$vm" $ram_fd
refused 'run: nor read it' 'Permission denied' peek read "$vm" $ram_fd
works 'run: the guest goes on' 'guest: up' guest_lives run
works 'run: it ends' 'status 0' vm_off run

# ---- A QEMU that runs already, gated from outside --------------------------

give_to_vfio() {
	local sysfs=/sys/bus/pci/devices/$1

	echo vfio-pci >"$sysfs/driver_override" &&
		echo "$1" >/sys/bus/pci/drivers_probe && readlink "$sysfs/driver"
}

# plug_in ADDRESS: what QEMU answers
plug_in() {
	local line=''

	{
		printf '{ "execute": "%s", "arguments": { %s }, "id": "%s" }\n' \
			qmp_capabilities '' 1 device_add "\"bus\": \"slot1\",
			\"driver\": \"vfio-pci\", \"host\": \"$1\"" 2 >&3
		until [[ $line == *'"id": "2"'* ]]; do
			IFS= read -r -t "$patience" line <&4 || return 0
		done
	} 3<>"$work/monitor.in" 4<>"$work/monitor.out"
	printf '%s\n' "$line"
	[[ $line != *'"error": '* ]]
}

device=0000:00:10.0	# one of the VM that this runs in
vm=$late
works 'outside: a QEMU with memory-backend-memfd boots' 'bytes kept' \
	start_guest late
fd=$(memfd_of "$vm")
works 'outside: a stranger can map it today' 'found "the-secret"' \
	peek map "$vm" "$fd"
refused 'outside: without CAP_SYS_ADMIN it cannot be gated' \
	'F_SEAL_SEAL is older than the gate|CAP_SYS_ADMIN' \
	setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
	memgate gate attach pid "$vm" policy exclusive_kvm
works 'outside: nothing has changed by that' 'found "the-secret"' \
	peek map "$vm" "$fd"
works 'outside: the administrator gates it' 'frozen' \
	"$examples/gate-running-vm.sh" "$vm"
works 'outside: the guest goes on, and takes more memory' 'guest: up' \
	guest_lives late
works 'outside: its VM was asked about' "consumer  kvm .* pid $vm" \
	memgate gate show pid "$vm"
refused 'outside: a stranger does not map it any more' \
	'mmap: Permission denied' peek map "$vm" "$fd"
refused 'outside: nor read it' 'Permission denied' peek read "$vm" "$fd"
refused 'outside: a second VM does not get it' 'Permission denied' \
	vm_once "/proc/$vm/fd/$fd"
works 'outside: there is a device to pass through' 'vfio-pci' \
	give_to_vfio $device
refused 'outside: but it is refused when it is plugged in' \
	"$device.*Permission denied" plug_in $device
refused 'outside: nobody opens it to another' 'frozen' \
	setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin \
	memgate gate attach pid "$vm" policy owner
works 'outside: the guest still goes on' 'guest: up' guest_lives late
works 'outside: it ends' 'status 0' vm_off late

# ---- which memfd -------------------------------------------------------------

"$build/loader/tests/cli_helper" memfd -- sleep 1000 &
one=$!
until [ -n "$(memfd_of $one)" ]; do sleep 0.1; done
works 'pid: the only memfd need not be named' 'is sealed already|sealed' \
	memgate gate seal pid $one
refused 'pid: a process without one' 'process 1 has no memfd open' \
	memgate gate seal pid 1
# A process with two: one that it inherits, one of its own.
exec 7<>"/proc/$one/fd/7"
memgate run size 1M fd 6 -- sleep 1000 &
two=$!
until [ "$(memfd_of $two | wc -l)" = 2 ]; do sleep 0.1; done
refused 'pid: of two it names both, and takes neither' \
	"process $two has 2 memfds: fd 6 \(memgate, 1M[^)]*\), fd 7 \(cli-test" \
	memgate gate seal pid $two
exec 7<&-
kill $one $two

# ---- a vhost-user backend in another process ---------------------------------

mkdir "$work/backend" && echo 'what only the backend has' >"$work/backend/disk"
truncate -s 1M "$work/backend/disk"
chown -R $nobody "$work/backend"

# Somebody else's process, which gets the memory as a descriptor from QEMU.
backend() {
	rm -f "$work/backend/socket"
	setpriv --reuid $nobody --regid $nobody --clear-groups --inh-caps=-all \
		qemu-storage-daemon --blockdev \
		"driver=file,node-name=disk,filename=$work/backend/disk,read-only=on" \
		--export "type=vhost-user-blk,id=export,node-name=disk,addr.type=unix,addr.path=$work/backend/socket" \
		</dev/null >"$work/backend.log" 2>&1 &
	backend=$!
	until [ -S "$work/backend/socket" ]; do
		kill -0 $backend || return
		sleep 0.1
	done
}

# vhost NAME [WORDS]: a VM with that disk; the words are further parameters
vhost() {
	backend
	vm_start "$1" "$examples/qemu-run.sh" $memory fd $ram_fd \
		policy exclusive_kvm policy owner param 'tgid={tgid}' \
		param 'start={start}' "${@:2}" -- "${guest[@]}" \
		-chardev "socket,id=backend,path=$work/backend/socket" \
		-device vhost-user-blk-pci,chardev=backend,num-queues=1
}

# Its driver is told no, so the guest waits for the disk for ever.
no_disk() { # NAME
	local end=$((SECONDS + patience))

	until grep -aE 'mmap.*(Permission denied|[Ee]rror)' "$work/backend.log"
	do
		kill -0 "${vm_pids[$1]}" || break
		[ "$SECONDS" -lt "$end" ] || break
		sleep 0.2
	done
	cat "$work/backend.log" "$work/$1.err" "$work/$1.serial"
	! grep -aq 'what only the backend has' "$work/$1.serial"
}

no_more() { # NAME: the VM and its backend
	kill -KILL "$backend" ${vm_pids[$1]:+"${vm_pids[$1]}"}
	wait "$backend" ${vm_pids[$1]:+"${vm_pids[$1]}"}
	unset "vm_pids[$1]"
} 2>/dev/null

backend_file=$(readlink -f "$(command -v qemu-storage-daemon)")
exe_ino=$(stat -c %i "$backend_file")
exe_dev=$(($(stat -c '%Hd << 20 | %Ld' "$backend_file")))
vhost shared param 'party[0].by_uid=1' param "party[0].uid=$nobody" \
	param "party[0].exe_ino=$exe_ino" param "party[0].exe_dev=$exe_dev"
works 'vhost-user: a guest boots with the disk of a backend' 'bytes kept' \
	start_guest shared
works 'vhost-user: and reads what is on it' 'what only the backend has' \
	vm_ask shared disk 'the disk says ".*"|no disk: .'
works 'vhost-user: the backend is no user of its own, but maps the memory' \
	"$memory|memgate" grep memfd:memgate "/proc/$backend/maps"
exec 8<>"/proc/$vm_pid/fd/$ram_fd"
# shellcheck disable=SC2016
refused 'vhost-user: another program of that user may not map it' \
	'mmap: Permission denied' setpriv --reuid $nobody --regid $nobody \
	--clear-groups sh -c 'exec "$0" map $$ 8 x' "$tools/peek"
exec 8<&-
works 'vhost-user: the guest ends' 'status 0' vm_off shared
no_more shared

vhost alone
works 'vhost-user: a backend that nobody named does not get the memory' \
	'mmap.*(Permission denied|[Ee]rror)' no_disk alone
no_more alone

vhost reader param 'party[0].by_uid=1' param "party[0].uid=$nobody" \
	param 'party[0].read_only=1'
works 'vhost-user: nor one that may only read: it wants to write' \
	'mmap.*(Permission denied|[Ee]rror)' no_disk reader
no_more reader

echo "1..$nr"
exit $failed
