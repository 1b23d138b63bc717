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
[ -z "${BASE_CONFIG:-}" ] || objects=$out/kernel-config
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

# Debian's mirrors that this machine's apt knows.
debian_mirrors() {
	# shellcheck disable=SC2016	# the $ are for apt-get
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' |
		sed -n 's/^Debian //p' | grep -v security | sort -u
}

# What of this repository ends up in a kernel.
kernel_sources=(kernel/src kernel/patches kernel/configs include/uapi)

# How the kernel is compiled, whoever asks for it: sets cc, and what the image
# says of its making.  Where that changes, it is linked anew.
kernel_env() {
	# Copied into each object file's debug information: a fixed name lets
	# ccache share objects between build folders.
	cc=${CC:-gcc}
	if [ "${CCACHE:-y}" = y ] && command -v ccache >/dev/null; then
		cc="ccache $cc"
		export CCACHE_BASEDIR=$out CCACHE_NOHASHDIR=1
	fi
	# A user, host name or time in the image would make each build differ.
	export KBUILD_BUILD_USER=memgate KBUILD_BUILD_HOST=memgate
	export KBUILD_BUILD_VERSION=1
	KBUILD_BUILD_TIMESTAMP=$(LC_ALL=C date -u \
		-d "@$(source_date "${kernel_sources[@]}")")
	export KBUILD_BUILD_TIMESTAMP
	# No "+" after the release for being no tagged commit.
	export LOCALVERSION=
}

linux_version() {
	make -s -C "$1" kernelversion 2>/dev/null
}

# When what is in these paths (all of it, if none is named) was changed last,
# in seconds: the time that packages carry.
source_date() {	# path ...
	[ -z "${SOURCE_DATE_EPOCH:-}" ] || { echo "$SOURCE_DATE_EPOCH"; return; }
	git_in "$top" log -1 --format=%ct -- "$@" 2>/dev/null | grep . ||
		date -d "$(dpkg-parsechangelog -S Date \
			-l "$top/loader/packaging/debian/changelog")" +%s
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
