#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the kernels that are measured:
#
#   memgate	build/linux
#   unpatched	the tree without the series
#   plain-c	the same with plain-c.patch
#
# All have the .config of build/kernel and kernel/configs/bench.config, the
# last two less CONFIG_MEMGATE.  Those share a work tree and objects, of which
# the second build compiles only what the patch touches.
#
#   kernels.sh [NAME...]	default: all
. "$(dirname "$0")/../../kernel/scripts/common.sh"

bench=$out/bench
tree=$bench/linux
log=$logs/bench.log
patch=$top/selftests/bench/plain-c.patch

[ -e "$objects/.config" ] || die "no $objects/.config: 'make kernel' first"
mkdir -p "$bench" "$logs"
: >"$log"

# As kernel/scripts/build.sh has it: the images may not differ by more.
cc=${CC:-gcc}
if [ "${CCACHE:-y}" = y ] && command -v ccache >/dev/null; then
	cc="ccache $cc"
	export CCACHE_BASEDIR=$out CCACHE_NOHASHDIR=1
fi
export KBUILD_BUILD_USER=memgate KBUILD_BUILD_HOST=memgate

wanted_config() {	# name
	if [ "$1" = memgate ]; then
		cat "$objects/.config"
	else
		sed '/^CONFIG_MEMGATE=/d' "$objects/.config"
	fi
	cat "$configs/bench.config"
}

# Leaves the .config alone where nothing changed: Kconfig writes it anew.
config() {	# name, tree, objects
	mkdir -p "$3"
	wanted_config "$1" >"$3/wanted.new"
	! cmp -s "$3/wanted.new" "$3/wanted" || return 0
	cp "$3/wanted.new" "$3/.config"
	make -s -C "$2" O="$3" olddefconfig >>"$log" 2>&1
	mv "$3/wanted.new" "$3/wanted"
}

build() {	# name, tree, objects
	config "$@"
	say KERNEL "$1: $(linux_version "$2") (log: $log)"
	make -s -C "$2" O="$3" -j "$jobs" CC="$cc" bzImage >>"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		die "$1 does not build (the whole of it: $log)"
	}
	mkdir -p "$bench/$1"
	cp "$3/arch/x86/boot/bzImage" "$3/vmlinux" "$3/.config" "$bench/$1"
}

# The tree of the last two, as it was before the series.
work_tree() {
	local base
	base=$(git_linux rev-parse refs/memgate/base)
	if [ ! -d "$tree" ]; then
		git_linux worktree prune
		git_linux worktree add -q --detach "$tree" "$base"
	fi
	git_in "$tree" reset -q --hard
	[ "$(git_in "$tree" rev-parse HEAD)" = "$base" ] ||
		git_in "$tree" checkout -q "$base"
}

# Compiler, source and .config: what the image is from.
inputs() {	# name
	${CC:-gcc} --version | head -n 1
	wanted_config "$1" | sha256sum
	case $1 in
	memgate)
		git_linux rev-parse HEAD
		git_linux diff HEAD | sha256sum
		;;
	plain-c) sha256sum <"$patch" ;;&
	*) git_linux rev-parse refs/memgate/base ;;
	esac
}

kernel() {	# name
	local now
	now=$(inputs "$1")
	[ "$(cat "$bench/$1/stamp" 2>/dev/null)" != "$now" ] || return 0
	if [ "$1" = memgate ]; then
		build "$1" "$linux" "$out/kernel-bench"
	else
		work_tree
		[ "$1" != plain-c ] || git_in "$tree" apply "$patch"
		build "$1" "$tree" "$bench/kernel"
		git_in "$tree" reset -q --hard
	fi
	printf '%s\n' "$now" >"$bench/$1/stamp"
}

[ $# != 0 ] || set -- memgate unpatched plain-c
for name; do
	kernel "$name"
done
