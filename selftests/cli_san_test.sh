#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# cli_test.sh with a memgate that was built with the address and the
# undefined-behaviour sanitizer, which look for leaks too; all of it but what
# it calls "once", which is about the kernel or bpftool.  Needs root; TAP on
# stdout.

here=$(cd "$(dirname "$0")" && pwd -P)
build=$(cd "$(dirname "$(command -v memgate)")/.." && pwd -P) || exit 1
found=$(mktemp -d) || exit 1
chmod 1777 "$found"
trap 'rm -rf "$found"' EXIT

export MEMGATE=$build/loader/tests/memgate-san
export ASAN_OPTIONS=detect_leaks=1:exitcode=99:log_path=$found/asan
export UBSAN_OPTIONS=print_stacktrace=1:log_path=$found/ubsan
set -o pipefail
"$here/cli_test.sh" | tee "$found/tap" | grep --line-buffered -v '^1\.\.'
status=$?
nr=$(sed -n 's/^1\.\.//p' "$found/tap")
nr=${nr:-0}

nr=$((nr + 1))
if cat "$found"/*san.* > "$found/all" 2> /dev/null; then
	echo "not ok $nr no leak, no bad access, nothing undefined"
	head -n 200 "$found/all" | sed 's/^/# /'
	status=1
else
	echo "ok $nr no leak, no bad access, nothing undefined"
fi
echo "1..$nr"
exit $status
