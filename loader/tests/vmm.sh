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

# shellcheck disable=SC2046 # flags are words
{
"${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -O2 -o "$program" "$source" \
	$(flags)
"${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -O2 -static \
	-o "$program-static" "$source" $(flags --static)
}
