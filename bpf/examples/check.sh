#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The example of the manual is the file, and the manual's command compiles it
# where there is nothing of memgate but include/.  TAP on stdout.
#
# Environment: O (build folder, with libbpf's headers), CLANG.

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
O=${O:-$top/build}
CLANG=${CLANG:-$(command -v clang-19 || echo clang)}
name=two_vms_one_cgroup.bpf.c
manual=$top/kernel/src/Documentation/userspace-api/memgate-policy.rst
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

echo "TAP version 13"
echo "1..2"

sed -n '/^#include/,$p' "$here/$name" >"$work/file"
sed -n '/^  #include/,/^It needs/p' "$manual" | sed '$d; s/^  //' |
	sed -e ':a' -e 's/^\(\t*\)        /\1\t/' -e 'ta' |
	sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' >"$work/manual"
diff -u "$work/file" "$work/manual" >"$work/log" 2>&1
result $? 1 "the manual shows the example as it is"

cp -r "$top/include" "$here/$name" "$work" &&
	mkdir "$work/libbpf" && cp -r "$O/host/include/bpf" "$work/libbpf" &&
	cd "$work" && "$CLANG" -O2 -g -target bpf -mcpu=v3 -Wall -Werror \
		-I include -I include/uapi -I libbpf \
		-I "/usr/include/$(gcc -print-multiarch)" \
		-c "$name" -o example.bpf.o >"$work/log" 2>&1
result $? 2 "the example compiles against include/ alone"
exit "$failed"
