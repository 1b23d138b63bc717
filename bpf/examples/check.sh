#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The examples of the manual are the files, and the manual's command compiles
# them where there is nothing of memgate but include/.  TAP on stdout.
#
# Environment: O (build folder, with libbpf's headers), CLANG.

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
O=${O:-$top/build}
CLANG=${CLANG:-$(command -v clang-19 || echo clang)}
manuals=$top/kernel/src/Documentation/userspace-api
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

result() # STATUS NUMBER NAME
{
	if [ "$1" = 0 ]; then
		echo "ok $2 $3"
	else
		echo "not ok $2 $3"
		sed 's/^/# /' "$work/log"
		failed=1
	fi
}

# From "#include" on, as a literal block of the manual that ends before WORDS.
shown() # NUMBER NAME MANUAL WORDS
{
	sed -n '/^#include/,$p' "$here/$2" >"$work/file"
	sed -n "/^  #include/,/^$4/p" "$manuals/$3" | sed '$d; s/^  //' |
		sed -e ':a' -e 's/^\(\t*\)        /\1\t/' -e 'ta' |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$work/manual"
	diff -u "$work/file" "$work/manual" >"$work/log" 2>&1
	result $? "$1" "the manual shows $2 as it is"
}

compiles() # NUMBER NAME
{
	(cp "$here/$2" "$work" && cd "$work" &&
	 "$CLANG" -O2 -g -target bpf -mcpu=v3 -Wall -Werror \
		-I include -I include/uapi -I libbpf \
		-I "/usr/include/$(gcc -print-multiarch)" \
		-c "$2" -o example.bpf.o) >"$work/log" 2>&1
	result $? "$1" "$2 compiles against include/ alone"
}

echo "TAP version 13"
echo "1..4"
cp -r "$top/include" "$work" && mkdir "$work/libbpf" &&
	cp -r "$O/host/include/bpf" "$work/libbpf" || exit 1

shown 1 two_vms_one_cgroup.bpf.c memgate-policy.rst "It needs"
compiles 2 two_vms_one_cgroup.bpf.c
shown 3 gates.bpf.c memgate.rst "It is called"
compiles 4 gates.bpf.c
exit "$failed"
