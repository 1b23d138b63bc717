# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What tests of the memgate command share: where things are, TAP, a command
# and what it printed.
#
# memgate is taken from PATH; policies and helpers are beside it in the build
# folder.
# shellcheck disable=SC2034 # it is for those who include this

build=$(cd "$(dirname "$(command -v memgate)")/.." && pwd -P) || exit 1
bpf=$build/bpf
progs=$build/loader/tests/progs
helper=$build/loader/tests/cli_helper
user=$build/loader/tests/user_helper
workload=$build/selftests/workload
pins=/sys/fs/bpf/memgate
out=$(mktemp -d) || exit 1
chmod 755 "$out"
nr=0
failed=0
got=0

# What a test leaves besides, and what it has to say of a failure.
cleanup_more() { :; }
say_more() { :; }

cleanup()
{
	local jobs

	jobs=$(jobs -p)
	# shellcheck disable=SC2086 # one word each
	[ -z "$jobs" ] || kill $jobs
	cleanup_more
	rm -rf "$out" $pins
} 2> /dev/null
trap cleanup EXIT

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	echo "not ok $nr $2"
	{
		say_more
		head -n 40 "$out/stdout" "$out/stderr" 2> /dev/null
		echo "exit $got"
	} | sed 's/^/# /'
	failed=1
}

run()
{
	"$@" > "$out/stdout" 2> "$out/stderr" < /dev/null
	got=$?
}

# says PATTERN FILE: grep, without a process, which the emulated machine is
# slow to start
says()
{
	local line re=$1 char

	# A basic expression, as grep has it: these are no operators.
	for char in '(' ')' '{' '}' '+' '?' '|'; do
		re=${re//"$char"/"[$char]"}
	done
	while IFS= read -r line; do
		[[ ! $line =~ $re ]] || return 0
	done < "$2"
	return 1
}

# refused NAME CODE WORDS COMMAND...: nothing but these words on stderr
refused()
{
	local name=$1 code=$2 words=$3
	shift 3
	run "$@"
	[ "$got" = "$code" ] && [ ! -s "$out/stdout" ] &&
		says "^Error: .*$words" "$out/stderr"
	result $? "$name"
}

# works NAME WORDS COMMAND...: a line with these words (a pattern)
works()
{
	local name=$1 words=$2
	shift 2
	run "$@"
	[ "$got" = 0 ] && [ ! -s "$out/stderr" ] &&
		says "$words" "$out/stdout"
	result $? "$name"
}

# prints NAME TEXT COMMAND...: exactly that, exit 0
prints()
{
	local name=$1 text=$2
	shift 2
	run "$@"
	[ "$got" = 0 ] && [ "$(< "$out/stdout")" = "$text" ]
	result $? "$name"
}

memfd() # [WORDS] -- COMMAND
{
	"$helper" memfd "$@"
}
