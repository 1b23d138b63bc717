#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What the command's help, its manual pages and its completion say is the
# same: agree_test.sh MEMGATE LOADER-FOLDER; TAP on stdout.
#
# The table of commands in cli/main.c (printed by `memgate -j help`) is held
# against the SYNOPSIS of man/memgate-OBJECT.8.rst and the words of
# completion/memgate, in both directions.  A new command needs nothing here.

memgate=$1
loader=$2
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

# agree NAME A B: the same lines, and some
agree()
{
	if [ -s "$2" ]; then
		diff "$2" "$3" > "$tmp/log"
	else
		echo "nothing to look at" > "$tmp/log"
		false
	fi
	result $? "$1"
}

echo "TAP version 13"

# help: OBJECT [COMMAND] <tab> USAGE
"$memgate" -j help | python3 -c '
import json, sys
for c in json.load(sys.stdin):
	print(" ".join([c["object"]] + ([c["command"]] if "command" in c else [])),
	      " ".join(c["usage"].split()), sep="\t")' | sort > "$tmp/table"
cut -f1 "$tmp/table" > "$tmp/commands"
cut -d' ' -f1 "$tmp/commands" | sort -u > "$tmp/objects"

# The terms (GATE := ...) as the help shows them.
"$memgate" help | sed -n 's/^  \([A-Z]*\) *:= \(.*\)/\1\t\2/p' > "$tmp/terms"

# ---- manual pages ---------------------------------------------------------

# The lines of a SYNOPSIS without markup: one command or term each.
synopsis() # PAGE
{
	sed -n '/^SYNOPSIS$/,/^DESCRIPTION$/p' "$1" | python3 -c '
import re, sys
text = sys.stdin.read()
for line in re.sub(r"\n +", " ", text).split("\n"):
	if not line.startswith("| "):
		continue
	line = re.sub(r"\\ ", "", line[2:])
	line = re.sub(r"\*", "", line).replace("\\", "")
	print(" ".join(line.split()))'
}

: > "$tmp/pages"
for page in "$loader"/man/memgate-*.8.rst; do
	object=${page##*/memgate-}
	echo "${object%.8.rst}" >> "$tmp/pages"
done
sort -o "$tmp/pages" "$tmp/pages"
agree "every object has a manual page, and no other has" "$tmp/objects" \
	"$tmp/pages"

while read -r object; do
	page=$loader/man/memgate-$object.8.rst
	synopsis "$page" > "$tmp/synopsis" 2> /dev/null
	sed -n 's/^memgate \[OPTIONS\] //p' "$tmp/synopsis" | sort > "$tmp/b"
	grep "^$object\b" "$tmp/table" | tr '\t' ' ' | sed 's/ *$//' |
		sort > "$tmp/a"
	agree "memgate-$object(8): the synopsis is the usage" "$tmp/a" "$tmp/b"
	sed -n 's/^\([A-Z]*\) := /\1\t/p' "$tmp/synopsis" | sort > "$tmp/b"
	while IFS=$'\t' read -r term grammar; do
		grep -qw "$term" "$tmp/a" && printf '%s\t%s\n' "$term" "$grammar"
	done < "$tmp/terms" | sort > "$tmp/c"
	if [ -s "$tmp/c" ]; then
		agree "memgate-$object(8): its terms are explained" \
			"$tmp/c" "$tmp/b"
	fi
	missing=0
	: > "$tmp/log"
	for section in SYNOPSIS DESCRIPTION "EXIT STATUS" EXAMPLES "SEE ALSO"; do
		grep -qx "$section" "$page" && continue
		echo "no section $section" >> "$tmp/log"
		missing=1
	done
	result $missing "memgate-$object(8) has its sections"
	grep -qF "**memgate-$object**\\ (8)" "$loader/man/memgate.8.rst" \
		> "$tmp/log"
	result $? "memgate(8) refers to memgate-$object(8)"
done < "$tmp/objects"

# Options: the long ones of the help.
options='s/.*\(--[a-z][a-z]*\).*/\1/p'
"$memgate" help | tr -s ', ' '\n' | grep -x -e '--[a-z][a-z]*' |
	sort -u > "$tmp/a"
sed -n '/^OPTIONS$/,$p' "$loader/man/memgate.8.rst" | sed -n '/^-/p' |
	sed -n "$options" | sort -u > "$tmp/b"
agree "memgate(8): the options are those of the help" "$tmp/a" "$tmp/b"

# ---- completion -----------------------------------------------------------

# shellcheck source=/dev/null
. "$loader/completion/memgate" 2> /dev/null
# shellcheck disable=SC2154
printf '%s\n' "${!_memgate_words[@]}" | sort > "$tmp/b"
agree "the completion has every command, and no other" "$tmp/commands" \
	"$tmp/b"
# shellcheck disable=SC2154
tr ' ' '\n' <<< "$_memgate_options" | sort > "$tmp/b"
agree "the completion has every option, and no other" "$tmp/a" "$tmp/b"

keywords() # TEXT
{
	tr -s ' []{}|.' '\n' <<< "$1" | grep -x -e '[a-z][a-z_-]*' -e -- |
		sort -u
}

while IFS=$'\t' read -r command usage; do
	text=$usage
	while IFS=$'\t' read -r term grammar; do
		[[ " $usage " != *[^A-Z]"$term"[^A-Z]* ]] ||
			text="$text $grammar"
	done < "$tmp/terms"
	keywords "$text" > "$tmp/a"
	keywords "${_memgate_words[$command]-}" > "$tmp/b"
	diff "$tmp/a" "$tmp/b" > "$tmp/log"
	result $? "completion of '$command' has its keywords"
done < "$tmp/table"

echo "1..$nr"
exit $failed
