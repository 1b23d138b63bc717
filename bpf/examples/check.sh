#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The manual's command compiles its examples where there is nothing of memgate
# but include/.  That the manual shows the files as they are is seen by
# selftests/doc_test.sh.  TAP on stdout.
#
# Environment: O (build folder, with libbpf's headers), CLANG.

here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
O=${O:-$top/build}
CLANG=${CLANG:-$(command -v clang-19 || echo clang)}
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
cp -r "$top/include" "$work" && mkdir "$work/libbpf" &&
	cp -r "$O/host/include/bpf" "$work/libbpf" || exit 1

n=0
for example in "$here"/*.bpf.c; do
	n=$((n + 1))
	compiles $n "${example##*/}"
done
echo "1..$n"
exit "$failed"
