#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Mistakes on the command line: each has its own words and exit code 1,
# whatever the kernel.  usage_test.sh MEMGATE; TAP on stdout.

memgate=$1
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
nr=0
failed=0

result() # OK? NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		sed 's/^/# /' "$out/stdout" "$out/stderr"
		failed=1
	fi
}

# fails CODE WORDS ARGS...: exit code, words on stderr, nothing on stdout
fails()
{
	local code=$1 words=$2 got
	shift 2
	"$memgate" "$@" > "$out/stdout" 2> "$out/stderr" < /dev/null
	got=$?
	[ "$got" = "$code" ] && [ ! -s "$out/stdout" ] &&
		grep -qF -- "Error: $words" "$out/stderr"
	result $? "memgate $* -> $code, $words"
}

# prints WORDS ARGS...: exit 0, words on stdout, nothing on stderr
prints()
{
	local words=$1
	shift
	"$memgate" "$@" > "$out/stdout" 2> "$out/stderr" < /dev/null &&
		[ ! -s "$out/stderr" ] && grep -qF -- "$words" "$out/stdout"
	result $? "memgate $* prints $words"
}

# json CODE KEY-AND-VALUE ARGS...: one JSON object on stdout
json()
{
	local code=$1 part=$2 got
	shift 2
	"$memgate" -j "$@" > "$out/stdout" 2> "$out/stderr" < /dev/null
	got=$?
	[ "$got" = "$code" ] && [ ! -s "$out/stderr" ] &&
		grep -qF -- "$part" "$out/stdout" &&
		python3 -c 'import json, sys; json.load(sys.stdin)' \
			< "$out/stdout"
	result $? "memgate -j $* -> $code, $part"
}

echo "TAP version 13"

prints "memgate policy load FILE" help
prints "memgate gate attach GATE" --help
prints "memgate policy unload NAME" policy help
prints "memgate " -V
prints "memgate gate attach GATE" gate attach help
prints "memgate gate attach GATE" help gate att
prints "memgate run size N" run help
prints "memgate policy unload NAME" policy
prints '"object": "gate"' -p gate seal help
json 0 '{"object":"gate","command":"seal","usage":"GATE"' gate seal help
json 0 '"version"' -V

fails 1 "unknown option '-x'" -x
fails 1 "option '--bpffs' needs a value" --bpffs
fails 1 "option '-B' needs a value" -B
fails 1 "the pin directory 'here' is no absolute path" -B here policy list
fails 1 "unknown command 'polcy', did you mean 'policy'?" polcy list
fails 1 "unknown command 'frobnicate'" frobnicate
fails 1 "unknown command 'lst', did you mean 'list'?" gate lst
fails 1 "'l' is ambiguous: load, list" policy l
fails 1 "unknown command 'atach', did you mean 'attach'?" gate atach
fails 1 "unknown command 'unlaod', did you mean 'unload'?" policy unlaod
fails 1 "unexpected word 'parm', did you mean 'param'?" \
	gate attach fd 3 policy p parm a=1
fails 1 "unexpected word 'polcy', did you mean 'policy'?" gate attach fd 3 polcy
fails 1 "unexpected word 'fdd', did you mean 'fd'?" gate seal pid 1 fdd 3
fails 1 "'p' is ambiguous: policy, param, pin, pid" gate attach fd 3 p p
fails 1 "'param' needs NAME=VALUE" gate attach f 3 po p par x
fails 1 "unexpected word 'replcae', did you mean 'replace'?" \
	gate update fd 3 replcae x policy y
fails 1 "'policy load' needs a file" policy load
fails 1 "'policy load' needs a file" pol loa
fails 1 "'policy check' needs a file" policy check
fails 1 "unexpected word 'x'" policy check F x
fails 1 "cannot open policy file /nonexistent" policy check /nonexistent
fails 1 "/proc/version is no ELF object file" policy check /proc/version
fails 1 "/dev/null is no file" policy check /dev/null
fails 1 "unexpected word 'x'" policy list x
fails 1 "'policy unload' needs the name" policy unload
fails 1 "'mode' needs octal permissions" policy load F mode rw
fails 1 "'mode' needs octal permissions" policy load F mode 8
fails 1 "'group' needs the name or number of a group" \
	policy load F group no-such-group
fails 1 "'group' needs the name or number of a group" policy load F group -1
fails 1 "'group' needs the name or number of a group" policy load F group
fails 1 "'name' needs a name" policy load F name
fails 1 "unexpected word 'nme', did you mean 'name'?" policy load F nme x
fails 1 "cannot open policy file /nonexistent" policy load /nonexistent
fails 1 "/proc/version is no ELF object file" policy load /proc/version

fails 1 "name the gate: 'fd N' or 'pid PID [fd N]'" gate seal
fails 1 "'fd' needs a number" gate seal fd x
fails 1 "'fd' needs a number" gate seal fd -1
fails 1 "'pid' needs the number of a process" gate seal pid 0 fd 3
fails 1 "'fd' needs a number" gate seal pid 1 fd
fails 1 "unexpected word 'now'" gate seal fd 0 now
fails 1 "'gate attach GATE' is followed by" gate attach fd 3
fails 1 "'policy' needs the name of a policy" gate attach fd 3 policy
fails 1 "'param' needs NAME=VALUE, not 'x'" \
	gate attach fd 3 policy p param x
fails 1 "'param' needs NAME=VALUE, not '=5'" \
	gate attach fd 3 policy p param =5
fails 1 "'pin' needs a path" gate attach fd 3 policy p pin
fails 1 "unexpected word 'y'" gate attach fd 3 policy p pin /x y

fails 125 "end with '-- COMMAND ARGS'" run size 1M
fails 125 "end with '-- COMMAND ARGS'" run size 1M --
fails 125 "say how much memory: 'size 4G'" run -- true
fails 125 "'size' needs bytes such as 4G, not 'big'" run size big -- true
fails 125 "'size' needs bytes such as 4G, not '0'" run size 0 -- true
fails 125 "size 5000 is no multiple of the page size 4096" \
	run size 5000 -- true
fails 125 "size 1048576 is no multiple of the page size 2097152" \
	run size 1M hugetlb 2M -- true
fails 125 "'hugetlb 4K': page sizes are 2M and 1G" \
	run size 1M hugetlb 4K -- true
fails 125 "'fd' needs a number from 3 on" run size 1M fd 2 -- true
fails 125 "'nofreeze' and 'pin DIR' go together" \
	run size 1M nofreeze -- true
fails 125 "'nofreeze' and 'pin DIR' go together" \
	run size 1M pin /sys/fs/bpf/x -- true
fails 125 "unexpected word 'sizes', did you mean 'size'?" run sizes 1M -- true
json 125 '"hint":"usage: memgate run size N' run -- true
fails 1 "'gate' needs an id, 'fd N' or 'pid PID fd N'" monitor gate x
fails 1 "'gate' needs an id" monitor gate
fails 1 "gates have ids from 1 on" monitor gate 0
fails 1 "unexpected word 'x'" monitor gate pid 1 x
fails 1 "a gate is named by 'gate pid PID fd N'" monitor pid 1 fd 2
fails 1 "'pid' needs the number of a process" monitor pid 0
fails 1 "'class' needs the name of a class" monitor class maps
fails 1 "'class' needs the name of a class" monitor class
fails 1 "'class' needs the name of a class" monitor class 64
fails 1 "'policy' needs the name of a policy" monitor policy
fails 1 "no policy has a name as long as" \
	monitor policy a_policy_whose_name_is_too_long_
fails 1 "'count' needs a number of events" monitor count 0
fails 1 "'for' needs a number of seconds" monitor for ever
fails 1 "'refused' and 'allowed' leave nothing" monitor refused allowed
fails 1 "'--' is followed by a command" monitor --
fails 1 "unexpected word 'x'" monitor x
fails 1 "say what to learn from" learn
fails 1 "say what to learn from" learn for 5
fails 1 "'size' is for the memory of a command" learn size 1M
fails 1 "a command has memory of its own" learn gate 5 -- true
fails 1 "'--' is followed by a command" learn size 1M --
fails 1 "'size' needs a value" learn size -- true
fails 1 "'for' needs a number of seconds" learn for 0 size 1M -- true
fails 1 "unexpected word 'policy'" learn size 1M policy allow -- true
fails 1 "unexpected word 'nofreeze'" learn size 1M nofreeze -- true
json 1 '"errno":"EINVAL"' monitor count x
json 1 '"errno":"ENOENT"' policy load /nonexistent

echo "1..$nr"
exit $failed
