# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034
#
# What the scripts beside this file share: where things are and how to fail.
# Read with '.'; not a program.

set -euo pipefail

# What was given to the top Makefile is not for the kernel's.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
out=${O:-$top/build}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)

base=${BASE:-6.12}
series=$top/kernel/patches/$base
overlay=$top/kernel/src
configs=$top/kernel/configs
linux=$out/linux
objects=$out/kernel${DEBUG:+-debug}
logs=$out/logs
jobs=${J:-$(nproc)}

# One at a time in a build folder; the scripts call each other.
if [ -z "${MEMGATE_LOCKED:-}" ]; then
	exec 9>"$out/.lock"
	flock -n 9 || { echo "  WAIT     another make works in $out"; flock 9; }
	export MEMGATE_LOCKED=1
fi

say() { printf '  %-8s %s\n' "$1" "${*:2}"; }

die() {
	echo "kernel: $1" >&2
	shift
	[ $# = 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

# git with nothing of the user's own set-up: a hook, a signing key or autocrlf
# would change what comes out.
git_in() {	# folder, command ...
	local dir=$1
	shift
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null \
		git -C "$dir" -c safe.directory='*' -c gc.auto=0 \
		-c core.compression=1 -c advice.detachedHead=false \
		-c user.name=memgate -c user.email=memgate@localhost "$@"
}

git_linux() { git_in "$linux" "$@"; }

linux_version() {
	make -s -C "$1" kernelversion 2>/dev/null
}

# The names of the new files, as the kernel tree knows them.
overlay_files() {
	{
		(cd "$overlay" && find . -type f -printf '%P\n')
		(cd "$top/include/uapi" && find . -type f -printf 'include/uapi/%P\n')
	} | LC_ALL=C sort
}

# Where such a file is kept in this repository.
overlay_path() {
	case $1 in
	include/uapi/*) echo "$top/$1" ;;
	*) echo "$overlay/$1" ;;
	esac
}

series_patches() {
	[ -e "$series/series" ] || return 0
	sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$series/series"
}
