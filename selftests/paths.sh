#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The table of every way to gated memory: paths.tbl, which says how it is
# written.
#
#	paths.sh rst		print the manual's page
#	paths.sh static		check the table, the page and the hooks
#	paths.sh check LOGDIR	and that each test named there ran and passed
#
# Checks print TAP.  LOGDIR is what selftests/vm/check leaves: a log for each
# program, and in "programs" those that ran this time.
#
# Environment: O (build folder), KSRC (prepared kernel tree), PATHS_TABLE,
# PATHS_PAGE, PATHS_PATCHES (other places of table, page and series).
set -u -o pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
linux=${KSRC:-${O:-$top/build}/linux}
table=${PATHS_TABLE:-$top/selftests/paths.tbl}
page=${PATHS_PAGE:-$top/kernel/src/Documentation/userspace-api/memgate-paths.rst}
patches=${PATHS_PATCHES:-$top/kernel/patches}
tab=$'\t'

die() {
	echo "paths.sh: $*" >&2
	exit 1
}

# The table ******************************************************************

# A line for each field: number of the stanza, field, text.  Hooks that are an
# alias are those of the alias.
fields() {
	awk '
	function put(	i, hooks, words, nr) {
		if (field == "")
			return
		if (field == "alias")
			alias = text
		if (field == "hook" && alias != "") {
			hooks_of[alias] = hooks_of[alias] "\n" text
		} else if (field == "hook" && text ~ /^@/) {
			if (!(text in hooks_of))
				text = text " (no such alias)"
			nr = split(hooks_of[text], words, "\n")
			for (i = 2; i <= nr; i++)
				print stanza "\t" field "\t" words[i]
			if (nr < 2)
				print stanza "\t" field "\t" text
		} else {
			print stanza "\t" field "\t" text
		}
		field = ""
	}
	BEGIN { stanza = 1 }
	/^#/ { next }
	/^[ \t]*$/ { put(); if (seen) stanza++; seen = 0; alias = ""; next }
	/^[ \t]/ { sub(/^[ \t]+/, ""); text = text " " $0; next }
	{
		put()
		seen = 1
		at = index($0, ":")
		field = at ? substr($0, 1, at - 1) : "no field"
		text = at ? substr($0, at + 1) : $0
		sub(/^[ \t]+/, "", text)
	}
	END { put() }' "$table"
}

# Lines of one field, of all stanzas or of one.
field() {	# field [stanza]
	awk -F'\t' -v field="$1" -v stanza="${2:-}" '
		$2 == field && (stanza == "" || $1 == stanza) { print $3 }' \
		<<<"$all"
}

# The stanzas that are rows.
rows() {
	awk -F'\t' '$2 == "path" { print $1 }' <<<"$all"
}

# PROGRAM NAME for every test of a row, with lists written out.
tests_of() {	# stanza
	local line program names name
	while IFS= read -r line; do
		program=${line%%: *}
		read -ra names <<<"${line#*: }"
		for name in "${names[@]}"; do
			expand "$program" "$name"
		done
	done < <(field test "$1")
}

expand() {	# program, name
	local rest list item items
	if [[ $2 != *\[*\]* ]]; then
		echo "$1 $2"
		return
	fi
	list=${2#*\[}
	rest=${list#*\]}
	list=${list%%\]*}
	case $list in
	all) list='page_4k|thp|hugetlb' ;;
	small) list='page_4k|thp' ;;
	six) list='page_4k|thp|hugetlb'
		list+='|page_4k_private|thp_private|hugetlb_private' ;;
	esac
	IFS='|' read -ra items <<<"$list"
	for item in "${items[@]}"; do
		expand "$1" "${2%%\[*}$item$rest"
	done
}

# The page *******************************************************************

heading() {	# text, character
	printf '%s\n%s\n\n' "$1" "${1//?/$2}"
}

# A cell: its lines, the first behind the sign.
cell() {	# sign, lines
	local first=y line
	while IFS= read -r line; do
		if [ $first = y ]; then
			printf '   %s%s\n' "$1" "${line:+ $line}"
		else
			printf '%s\n' "${line:+       $line}"
		fi
		first=n
	done <<<"$2"
}

kinds() {	# test as it is written
	case $1 in
	*\[all\]*) echo '4 KiB, THP, hugetlb' ;;
	*\[small\]*) echo '4 KiB, THP' ;;
	*\[six\]*) echo '4 KiB, THP, hugetlb; shared and private' ;;
	esac
}

# Tests with the same kinds of memory are one item of a list.
tests_cell() {	# stanza
	local line program names name kinds last out=''
	while IFS= read -r line; do
		program=${line%%: *} last=-
		read -ra names <<<"${line#*: }"
		for name in "${names[@]}"; do
			kinds=$(kinds "$name")
			name=$(sed -E 's/\[(all|small|six)\]/*/' <<<"$name")
			if [ "$kinds" = "$last" ]; then
				out+=", \`\`$name\`\`"
				continue
			fi
			[ "$last" = - ] || out+=${last:+ ($last)}
			out+=${out:+$'\n'}"* $program: \`\`$name\`\`"
			last=$kinds
		done
		out+=${last:+ ($last)}
	done < <(field test "$1")
	echo "$out"
}

hooks_cell() {	# stanza
	field hook "$1" | awk '!seen[$2]++ { print "* ``" $2 "()``" }'
}

# Lines of about 70 characters; what goes on is set in by two under a list.
wrap() {
	awk '
	{
		indent = /^\* / ? "  " : ""
		nr = split($0, word, " ")
		line = word[1]
		for (i = 2; i <= nr; i++) {
			if (length(line) + length(word[i]) > 69) {
				print line
				line = indent word[i]
			} else {
				line = line " " word[i]
			}
		}
		print line
	}'
}

rst_row() {	# stanza
	local verdict why
	verdict=$(field verdict "$1")
	why=$(field why "$1")
	cell '* -' "$(printf '**%s**\n\n%s\n' "$(field path "$1")" \
		"$(field reached "$1")" | wrap)"
	[ -z "$(field untested "$1")" ] ||
		why+="${why:+ }**No test:** $(field untested "$1")"
	cell '  -' "$(printf '%s\n' "*$verdict*" "${why:+$'\n'$why}" | wrap)"
	cell '  -' "$(hooks_cell "$1")"
	cell '  -' "$(tests_cell "$1" | wrap)"
}

count() {	# pattern of the verdict
	field verdict | grep -c "^$1"
}

rst_head() {
	cat <<-END
	.. SPDX-License-Identifier: GPL-2.0
	.. Made by selftests/paths.sh of selftests/paths.tbl: do not edit.

	==================================================
	memgate: every way to the memory, and who is asked
	==================================================

	All ways to the memory of a memfd on x86-64, what memgate does about each,
	where, and the tests that show it.  The table is checked whenever the
	tests run: each test that is named here must exist, have run and have
	passed; each function must have its hook, and each hook its row.

	asked
	   The policies that decide this class answer; closed if none does.
	   See Documentation/userspace-api/memgate.rst for the classes.
	   $(count asked) rows.
	closed
	   Refused on gated memory; nobody is asked.  $(count closed) rows.
	exempt
	   No access to the content, or no new one: goes on as without a gate.
	   $(count exempt) rows.
	not possible
	   The kernel has no such way to a memfd.  $(count 'not possible') rows.
	out of scope
	   Nothing in the management of memory sees it.
	   $(count 'out of scope') rows.

	Names of tests are as TAP shows them; \`\`*\`\` stands for the kinds of memory
	in parentheses, or for any.

	END
}

rst() {
	local stanza kind text first=y
	rst_head
	while IFS=$tab read -r stanza kind text; do
		if [ "$kind" = path ]; then
			rst_row "$stanza"
			continue
		fi
		[ $first = y ] || echo
		first=n
		heading "$text" =
		cat <<-'END'
		.. list-table::
		   :header-rows: 1
		   :widths: 28 26 20 26

		   * - Way
		     - What happens
		     - Where
		     - Tests
		END
	done < <(awk -F'\t' '$2 == "section" || $2 == "path"' <<<"$all")
}

# Checks *********************************************************************

nr=0 bad=0

# One test: what the command prints is what is wrong.
try() {	# name, command ...
	local name=$1 said
	shift
	nr=$((nr + 1))
	said=$("$@" 2>&1)
	if [ -z "$said" ]; then
		echo "ok $nr $name"
		return
	fi
	bad=1
	echo "# ${said//$'\n'/$'\n'# }"
	echo "not ok $nr $name"
}

# Fields that are none, rows that lack something.
form() {
	awk -F'\t' '
	function complain(text) {
		print (name[stanza] ? name[stanza] : "stanza " stanza) ": " text
	}
	function look() {
		if (!name[stanza])
			return
		if (!has["reached"])
			complain("no reached:")
		if (verdict !~ /^asked: (all|[A-Z_]+(, [A-Z_]+)*)$/ &&
		    verdict !~ /^closed: ./ &&
		    verdict !~ /^(exempt|not possible|out of scope)$/)
			complain("no such verdict: " verdict)
		if (verdict !~ /^asked/ && !has["why"])
			complain("no why:")
		if (verdict !~ /^(asked|closed)/)
			return
		if (!has["hook"])
			complain("is " verdict " and names no hook")
		if (!has["test"] && !has["untested"])
			complain("is " verdict " and names no test")
		if (has["test"] && has["untested"])
			complain("names tests and is untested")
	}
	$1 != stanza { look(); stanza = $1; split("", has); verdict = "" }
	{ has[$2] = 1 }
	$2 == "path" { name[$1] = $3; if (twice[$3]++) complain("is there twice") }
	$2 == "verdict" { verdict = $3 }
	$2 == "hook" && $3 !~ /^@/ && split($3, x, " ") != 3 {
		complain("hook wants FILE FUNCTION WORD: " $3)
	}
	$2 == "test" && $3 !~ /^[^ :]+: [^ ]/ {
		complain("test wants PROGRAM: NAME...: " $3)
	}
	$2 !~ /^(section|path|reached|verdict|why|hook|test|untested|alias|aside)$/ {
		complain("no such field: " $2)
	}
	END { look() }' <<<"$all"
}

same_page() {
	diff -u "$page" - < <(rst) | head -n 40
	[ "${PIPESTATUS[0]}" = 0 ] || echo "run 'make paths'"
}

# Does the body of a function have a word?  In kernel style: the function
# begins at the margin and ends with a brace there.
has_hook() {	# file, function, word
	[ -r "$linux/$1" ] || { echo "$1: no such file in $linux"; return; }
	awk -v name="$2" -v word="$3" '
	function has(line, word,	at, before) {
		while ((at = index(line, word)) != 0) {
			before = at == 1 ? " " : substr(line, at - 1, 1)
			line = substr(line, at + length(word))
			if (before !~ /[A-Za-z0-9_]/ && line !~ /^[A-Za-z0-9_]/)
				return 1
		}
		return 0
	}
	/^[A-Za-z_].*\(/ && !inside && has($0, name) { head = 1 }
	head && /;[ \t]*$/ { head = 0 }
	head && /^{/ { head = 0; inside = seen = 1 }
	inside && has($0, word) { found = 1 }
	/^}/ { inside = 0 }
	END {
		if (!seen)
			print "no function " name "()"
		else if (!found)
			print name "() has no " word
	}' "$linux/$1" | sed "s|^|$1: |"
}

hooks() {
	local file function word
	while read -r file function word; do
		has_hook "$file" "$function" "$word"
	done < <(field hook | grep -v 'no such alias' | sort -u)
	field hook | grep 'no such alias'
}

# What the series adds to the code of others: "FILE WORD".
calls() {
	find "$patches" -name '*.patch' -exec cat {} + | awk '
	/^\+\+\+ / { file = $2; sub(/^b\//, "", file); next }
	file ~ /^(include|mm\/memgate)\// || !/^\+/ { next }
	/^\+[ \t]*(\/?\*|#)/ { next }
	{
		line = $0
		while (match(line, /(^|[^A-Za-z0-9_])(CLASS\(memgate|(__)?memgate_[a-z_]+\(|mapping_gated\(|FOLL_NOGATE)/)) {
			word = substr(line, RSTART, RLENGTH)
			line = substr(line, RSTART + RLENGTH)
			sub(/^[^A-Za-z_]/, "", word)
			if (word !~ /^CLASS/)
				sub(/\($/, "", word)
			if (file ~ /\.c$/)
				print file, word
		}
	}' | sort -u
}

calls_named() {
	{ field aside; echo; field hook; echo; calls; } | awk '
	$0 == "" { part++; next }
	part == 0 { for (i = 1; i <= NF; i++) aside[$i] = 1; next }
	part == 1 { named[$1 " " $3] = 1; next }
	!($2 in aside) && !($0 in named) {
		print $1 ": " $2 ": no row has this hook"
	}'
}

# "PROGRAM NAME RESULT" for every test that ran, RESULT a letter.
results() {	# folder
	local program
	[ -r "$1/programs" ] || die "no $1/programs: selftests/vm/check makes it"
	sort -u "$1/programs" | while read -r program; do
		[ -r "$1/$program.tap" ] || continue
		tr -d '\r' <"$1/$program.tap" | awk -v program="$program" '
		/^(not )?ok / {
			result = /^not/ ? "f" : /# *(SKIP|skip)/ ? "s" : "p"
			sub(/^(not )?ok [0-9]*[ -]*/, "")
			sub(/ #.*/, "")
			gsub(/ /, "_")
			print program, $0, result
		}'
	done
}

# The tests of a row that did not pass.
row() {	# stanza
	local program name found result one
	while read -r program name; do
		found=n
		while read -r one result; do
			# shellcheck disable=SC2053	# a pattern
			[[ $one == $name ]] || continue
			found=y
			case $result in
			f) echo "$program: $one: failed" ;;
			s) echo "$program: $one: skipped" ;;
			esac
		done < <(awk -v program="$program" '
			$1 == program { print $2, $3 }' <<<"$ran")
		[ $found = y ] || echo "$program: $name: did not run"
	done < <(tests_of "$1")
}

check_static() {
	try 'the table is well-formed' form
	try 'the page is made of the table' same_page
	try 'each hook is there' hooks
	try 'each hook has a row' calls_named
}

check_tests() {	# folder
	local stanza
	ran=$(results "$1") || exit 1
	for stanza in $(rows); do
		[ -z "$(field test "$stanza")" ] ||
			try "$(field path "$stanza")" row "$stanza"
	done
}

[ -r "$table" ] || die "no table $table"
all=$(fields)

case ${1:-}${2:+ with} in
rst) rst ;;
static | 'check with')
	echo 'TAP version 13'
	check_static
	[ "$1" = static ] || check_tests "$2"
	echo "1..$nr"
	exit $bad
	;;
*) die "what? 'rst', 'static' or 'check LOGDIR'" ;;
esac
