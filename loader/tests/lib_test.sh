#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the library, the header and the documents promise each other:
# lib_test.sh OUTPUT-FOLDER INCLUDE-FOLDER LOADER-FOLDER; TAP on stdout.

out=$1
include=$2
loader=$3
header=$include/memgate/memgate.h
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
nr=0
failed=0

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		sed 's/^/# /' "$tmp/log"
		failed=1
	fi
}

# Every word of the first file stands in the second.
covers() # WORDS FILE
{
	local word missing=0
	: > "$tmp/log"
	[ -s "$1" ] || { echo "nothing to look for" > "$tmp/log"; return 1; }
	while read -r word; do
		grep -qF -- "$word" "$2" && continue
		echo "$word is not in $2" >> "$tmp/log"
		missing=1
	done < "$1"
	return $missing
}

echo "TAP version 13"

sed -n -e '/^ \*/d' -e 's/.*\b\(memgate_[a-z_]*\)(.*/\1/p' "$header" |
	sort -u > "$tmp/declared"
nm -D --defined-only "$out/libmemgate.so" | awk '$2 != "A" { print $3 }' |
	sed 's/@.*//' | sort -u > "$tmp/exported"
covers "$tmp/declared" "$tmp/exported"
result $? "every function of the header is exported"

grep -v '^memgate_' "$tmp/exported" > "$tmp/log"
[ $? = 1 ]
result $? "nothing else is exported, libbpf neither"

sed 's/^memgate_[a-z_]*__/__/' "$tmp/declared" > "$tmp/short"
sed 's/\*\*//g' "$loader/man/libmemgate.3.rst" > "$tmp/man3"
covers "$tmp/short" "$tmp/man3"
result $? "every function stands in libmemgate(3)"

echo '#include <memgate/memgate.h>' > "$tmp/a.c"
cc -std=c11 -Wall -Wextra -pedantic -Werror -I"$include" -I"$include/uapi" \
	-c -o /dev/null "$tmp/a.c" > "$tmp/log" 2>&1
result $? "the header compiles alone"

"$out/memgate" help | sed -n 's/^  memgate \([a-z]* [a-z]*\).*/\1/p' |
	tr ' ' '\n' | sort -u > "$tmp/words"
covers "$tmp/words" "$loader/man/memgate.8.rst"
result $? "every command stands in memgate(8)"
covers "$tmp/words" "$loader/completion/memgate"
result $? "every command is completed"

echo "1..$nr"
exit $failed
