#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the kernel after each patch of the series, to see that none of them
# needs a later one.  In a tree and object folder of its own (build/each), where
# each step compiles only what its patch touches.
. "$(dirname "$0")/common.sh"

"$top/kernel/scripts/config.sh"

each=$out/each
mkdir -p "$each" "$logs"
log=$logs/each.log
: >"$log"

if [ ! -d "$each/linux" ]; then
	git_linux worktree prune
	git_linux worktree add -q --detach "$each/linux" refs/memgate/base
fi
cc=${CC:-gcc}
! command -v ccache >/dev/null || cc="ccache $cc"
export CCACHE_BASEDIR=$out CCACHE_NOHASHDIR=1
mkdir -p "$each/kernel"

# The tree without any patch comes first: a failure there is not ours.
for commit in refs/memgate/base $(git_linux rev-list --reverse \
	refs/memgate/base..refs/memgate/prepared); do
	subject=$(git_linux show -s --format=%s "$commit")
	git_in "$each/linux" checkout -q "$commit"
	cp "$objects/.config" "$each/kernel/.config"
	{
		make -s -C "$each/linux" O="$each/kernel" olddefconfig &&
		make -s -C "$each/linux" O="$each/kernel" -j "$jobs" CC="$cc" bzImage
	} >>"$log" 2>&1 || {
		tail -n 40 "$log" >&2
		die "does not build: $subject (the whole of it: $log)"
	}
	say BUILT "$subject"
done
