# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The demo's VMs: QEMU with KVM, memory from a path, the serial line of the
# guest in $work/NAME.in and $work/NAME.serial.

# The machine is as small as it gets without hiding that it is an ordinary PC.
# shellcheck disable=SC2054,SC2154
qemu=(qemu-system-x86_64 -accel kvm -cpu host -m "$memory"
	-machine q35,memory-backend=m0 -nodefaults -no-user-config -no-reboot
	-display none -serial stdio -kernel "$guest_kernel"
	-initrd "$tools/guest.cpio"
	-append 'console=ttyS0 quiet panic=-1' -object)

declare -A vm_pids=() vm_ctl=()

# vm_ram PATH: the last word of the command line
vm_ram() {
	echo "memory-backend-file,id=m0,size=$memory,share=on,mem-path=$1"
}

# wait_for FILE PATTERN PID SECONDS: until the file has it, or the process died
wait_for() {
	local end=$((SECONDS + $4))

	until grep -qE -e "$2" "$1" 2>/dev/null; do
		kill -0 "$3" 2>/dev/null || return
		[ $SECONDS -lt $end ] || return
		sleep 0.1
	done
}

# vm_start NAME COMMAND...: sets vm_pid
vm_start() {
	local name=$1 ctl

	shift
	mkfifo "$work/$name.in"
	"$@" <"$work/$name.in" >"$work/$name.serial" 2>"$work/$name.err" &
	vm_pid=$!
	exec {ctl}>"$work/$name.in"
	vm_pids[$name]=$vm_pid
	vm_ctl[$name]=$ctl
}

# vm_lines NAME FROM: lines that have ended
vm_lines() {
	head -n "$(wc -l <"$work/$1.serial")" "$work/$1.serial" |
		tail -n "+$2"
}

# vm_says NAME PATTERN [LINES]: what it says, after so many lines
vm_says() {
	local name=$1 end=$((SECONDS + patience)) line

	until line=$(vm_lines "$name" $((${3:-0} + 1)) |
			grep -a -E -m 1 -e "$2"); do
		if ! kill -0 "${vm_pids[$name]}" 2>/dev/null ||
		   [ $SECONDS -ge $end ]; then
			cat "$work/$name.err"
			return 1
		fi
		sleep 0.1
	done
	echo "$line"
}

# vm_ask NAME LINE PATTERN: type a line, wait for the answer
vm_ask() {
	local lines

	lines=$(wc -l <"$work/$1.serial")
	echo "$2" >&"${vm_ctl[$1]}"
	vm_says "$1" "$3" "$lines"
}

# vm_off NAME: have the guest power off, and wait for its VMM
vm_off() {
	local pid=${vm_pids[$1]} ctl=${vm_ctl[$1]} end=$((SECONDS + patience))
	local status

	echo off >&"$ctl"
	exec {ctl}>&-
	while kill -0 "$pid" 2>/dev/null; do
		[ $SECONDS -lt $end ] || return
		sleep 0.1
	done
	wait "$pid"
	status=$?
	unset "vm_pids[$1]"
	echo "the VMM ended, status $status"
	return $status
}

# vm_once PATH [PREFIX...]: a VMM on that memory, that is to fail
vm_once() {
	"${@:2}" timeout $((patience / 3)) "${qemu[@]}" "$(vm_ram "$1")" </dev/null
}

vm_kill_all() {
	[ ${#vm_pids[@]} = 0 ] || kill -KILL "${vm_pids[@]}" 2>/dev/null
}
