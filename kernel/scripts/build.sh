#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds bzImage and vmlinux in build/kernel.  Says every few seconds how far
# it has come; V=1 shows every command instead.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/config.sh"

stamp=$objects/.memgate-built
log=$logs/kernel${DEBUG:+-debug}.log
# Files that a full build compiles, as counted at the last one.
total=$(cat "$objects/.memgate-total" 2>/dev/null || echo 3150)

up_to_date() {
	[ -e "$objects/arch/x86/boot/bzImage" ] && [ -e "$stamp" ] &&
		! [ "$objects/.config" -nt "$stamp" ] &&
		[ -z "$(find "$linux" -path "$linux/.git" -prune -o \
			-newer "$stamp" ! -type d ! -name '.*' -print -quit)" ]
}

# mawk waits for full buffers unless it is told that this is a dialogue.
awk=(awk)
! awk -W version 2>&1 | grep -q mawk || awk=(awk -W interactive)

progress() {
	"${awk[@]}" -v total="$total" -v count_file="$objects/.memgate-total" \
		-f "$top/kernel/scripts/progress.awk"
}

build() {
	kernel_env
	local args=(-C "$linux" O="$objects" -j "$jobs" CC="$cc" bzImage)
	if [ "${V:-0}" = 1 ]; then
		make "${args[@]}" V=1 2>&1 | tee "$log"
	else
		make "${args[@]}" 2>"$log.errors" | progress 2>"$log"
	fi
}

if up_to_date; then
	exit 0
fi
mkdir -p "$logs"
say KERNEL "$(linux_version "$linux") in $objects (log: $log)"
touch "$stamp.new"
if ! build; then
	if [ -e "$log.errors" ]; then
		cat "$log.errors" >>"$log"
		grep -v '^make' "$log.errors" | tail -n 40 >&2
	fi
	die "the build failed (the whole of it: $log)"
fi
if [ -s "$log.errors" ]; then
	cat "$log.errors" >>"$log"
	sed 's/^/  warn     /' "$log.errors" >&2
fi
rm -f "$log.errors"
mv "$stamp.new" "$stamp"
say KERNEL "$objects/arch/x86/boot/bzImage"
