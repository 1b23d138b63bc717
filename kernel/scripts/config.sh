#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Makes the kernel's .config: allnoconfig, the fragments of kernel/configs,
# then Kconfig's own defaults for what these made visible.  Fails when an
# option that a fragment asks for is not there in the end.
#
# With BASE_CONFIG=FILE, a whole configuration such as a distribution's, that
# and what memgate itself needs.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/prepare.sh"

stamp=$objects/.memgate-config
new=$objects/.config.new

fragments=()
names=(base memgate tests bpf kvm devices vm ${DEBUG:+debug})
[ -z "${BASE_CONFIG:-}" ] || names=(memgate)
for name in "${names[@]}"; do
	fragments+=("$configs/$name.config")
done
# The user's own, for what a test of theirs needs.
[ -z "${EXTRA_CONFIG:-}" ] || fragments+=("$EXTRA_CONFIG")

# What the result depends on: the fragments, and all Kconfig files.
inputs() {
	cat ${BASE_CONFIG:+"$BASE_CONFIG"} "${fragments[@]}" \
		"$configs/allow-missing.txt" | sha256sum
	git_linux ls-files -s -- '*Kconfig*' | sha256sum
	git_linux diff HEAD -- '*Kconfig*' | sha256sum
	"${CC:-gcc}" --version | head -n 1
}

kmake() {
	make -s -C "$linux" O="$objects" KCONFIG_CONFIG="$new" "$@"
}

# The value that a .config gives to a symbol, "n" when it is not set.
value_in() {	# file, symbol
	local line
	line=$(grep -E "^$2=" "$1") || true
	line=${line#*=}
	echo "${line:-n}"
}

audit() {
	local line name want got where bad=0
	while IFS= read -r line; do
		name=${line%%=*} want=${line#*=}
		got=$(value_in "$new" "$name")
		[ "$got" != "$want" ] || continue
		if grep -q "^$name\b" "$configs/allow-missing.txt"; then
			continue
		fi
		where=$(grep -l "^$name=" "${fragments[@]}" | head -n 1)
		echo "  $name=$want (${where##*/}): the .config has $got" >&2
		bad=$((bad + 1))
	done < <(grep -hE '^CONFIG_[A-Za-z0-9_]+=' "${fragments[@]}" |
		tac | sort -u -t= -k1,1 -s)
	[ $bad = 0 ] || die "$bad options did not make it into the .config" \
		"A missing dependency (see 'depends on' in the Kconfig file), or an" \
		"option that this kernel does not have: then name it, with the" \
		"reason, in kernel/configs/allow-missing.txt."
}

[ -z "${BASE_CONFIG:-}" ] || grep -q '^CONFIG_.*=y' "$BASE_CONFIG" ||
	die "CONFIG=$BASE_CONFIG is no kernel configuration" \
		"A distribution's is in /boot/config-VERSION."
mkdir -p "$objects" "$logs"
now=$(inputs)
if [ -e "$objects/.config" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$now" ]; then
	exit 0
fi
say CONFIG "$(basename -a -s .config "${fragments[@]}" | tr '\n' ' ')"
rm -f "$new"
merge() {
	(cd "$linux" && KCONFIG_CONFIG=$new scripts/kconfig/merge_config.sh \
		-m -O "$objects" "$new" "${fragments[@]}")
}
# A distribution's own name and keys are not for our kernel.
begin() {
	[ -n "${BASE_CONFIG:-}" ] || { kmake allnoconfig; return; }
	cp "$BASE_CONFIG" "$new" &&
		"$linux/scripts/config" --file "$new" \
			--set-str LOCALVERSION -memgate \
			--disable LOCALVERSION_AUTO \
			--set-str BUILD_SALT "" \
			--set-str SYSTEM_TRUSTED_KEYS "" \
			--set-str SYSTEM_REVOCATION_KEYS ""
}
{ begin && merge && kmake olddefconfig; } \
	>"$logs/config.log" 2>&1 || {
	tail -n 20 "$logs/config.log" >&2
	die "Kconfig failed (the whole of it: $logs/config.log)"
}
audit
if ! cmp -s "$new" "$objects/.config"; then
	mv "$new" "$objects/.config"
fi
rm -f "$new" "$new.old"
printf '%s\n' "$now" >"$stamp"
