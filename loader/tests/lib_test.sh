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

# Declarations may span lines; comments speak of functions too.
cc -E -P -DMEMGATE_API=@ -I"$include" -I"$include/uapi" "$header" |
	tr '\n' ' ' | tr ';' '\n' |
	sed -n 's/.*@ [^(]*\b\(memgate_[a-z_]*\)(.*/\1/p' | sort > "$tmp/declared"
sed -n 's/^\t\t\([^*]*\);$/\1/p' "$loader/libmemgate.map" > "$tmp/listed"
nm -D --defined-only "$out/libmemgate.so" | awk '$2 != "A" { print $3 }' |
	sort > "$tmp/exported"

[ -s "$tmp/declared" ] && sort -c "$tmp/listed" 2> "$tmp/log" &&
	diff "$tmp/declared" "$tmp/listed" > "$tmp/log"
result $? "the map lists the header's functions, in order, and no other"
sed 's/$/@@LIBMEMGATE_0.1/' "$tmp/listed" |
	diff - "$tmp/exported" > "$tmp/log"
result $? "the library exports these and nothing else, libbpf neither"
nm -g --defined-only "$out/static/libmemgate.a" | awk 'NF == 3 { print $3 }' |
	sort | diff "$tmp/listed" - > "$tmp/log"
result $? "so does the static one"

sed 's/.*/**&**/' "$tmp/declared" > "$tmp/entries"
covers "$tmp/entries" "$loader/man/libmemgate.3.rst"
result $? "every function has its entry in libmemgate(3)"

sed -n '/^#include/,$p' "$loader/examples/vmm.c" | expand > "$tmp/example"
sed -n '/^EXAMPLE/,/^SEE ALSO/p' "$loader/man/libmemgate.3.rst" |
	sed -n '/^  #include/,$p' | sed -e '$d' -e 's/^  //' |
	sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' > "$tmp/shown"
diff "$tmp/example" "$tmp/shown" > "$tmp/log"
result $? "libmemgate(3) shows examples/vmm.c as it is"
calls=$(grep -o 'memgate_[a-z]*__[a-z_]*(' "$loader/examples/vmm.c" | wc -l)
echo "$calls calls" > "$tmp/log"
[ "$calls" -le 10 ]
result $? "which takes ten calls at most"

# compiles NAME COMPILER FLAGS...: the header alone, nothing before it
compiles()
{
	local name=$1
	shift
	"$@" -Wall -Wextra -pedantic -Werror -I"$include" \
		-I"$include/uapi" -c -o /dev/null "$tmp/a.c" > "$tmp/log" 2>&1
	result $? "the header compiles alone as $name"
}

echo '#include <memgate/memgate.h>' > "$tmp/a.c"
compiles C11 cc -std=c11
compiles C++ c++ -std=c++11 -x c++

grep -q "^memgate $(sed -n 's/^VERSION\t:= //p' "$loader/Makefile")$" \
	<("$out/memgate" -V)
result $? "one version"

echo "1..$nr"
exit $failed
