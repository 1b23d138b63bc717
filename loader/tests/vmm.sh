#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Build a program against an installed libmemgate, by pkg-config alone:
# vmm.sh SOURCE PREFIX PROGRAM makes PROGRAM, shared, and PROGRAM-static.
set -euo pipefail

source=$1
prefix=$2
program=$3

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
# What was installed says /opt; it lies below DESTDIR.
export PKG_CONFIG_SYSROOT_DIR=${prefix%/opt}
flags()
{
	pkg-config --cflags --libs "$@" libmemgate
}

cc=("${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -O2)

# Debian 13's libelf.a lacks functions that it calls (elfutils 0.192).
# shellcheck disable=SC2046 # flags are words
libelf_is_whole()
{
	echo 'void *elf_begin(); int main(void) { return !elf_begin(0, 1, 0); }' |
		"${cc[@]}" -x c -static -o "$program-static" - \
		$(pkg-config --libs --static libelf) 2>/dev/null
}

# shellcheck disable=SC2046
{
"${cc[@]}" -o "$program" "$source" $(flags)
if libelf_is_whole; then
	"${cc[@]}" -static -o "$program-static" "$source" $(flags --static)
else
	"${cc[@]}" -o "$program-static" "$source" $(pkg-config --cflags \
		libmemgate) "$prefix/lib/libmemgate.a" \
		$(pkg-config --libs --static libelf zlib)
fi
}
