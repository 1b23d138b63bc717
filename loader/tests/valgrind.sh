#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The unit tests, and commands that fail and that do not, under valgrind:
# valgrind.sh UNIT-TEST OBJECTS MEMGATE; TAP on stdout.  Neither program is
# built with sanitizers.

unit_test=$1
objects=$2
memgate=$3
log=$(mktemp -d) || exit 1
trap 'rm -rf "$log"' EXIT
nr=0
failed=0

# clean CODE NAME COMMAND...: exits with CODE, and valgrind says nothing
clean()
{
	local code=$1 name=$2 got
	shift 2
	valgrind -q --leak-check=full --show-leak-kinds=definite,possible \
		--errors-for-leak-kinds=definite,possible \
		--error-exitcode=99 --log-file="$log/valgrind" "$@" \
		> "$log/out" 2>&1 < /dev/null
	got=$?
	nr=$((nr + 1))
	if [ $got = "$code" ] && [ ! -s "$log/valgrind" ]; then
		echo "ok $nr valgrind: $name"
		return
	fi
	echo "not ok $nr valgrind: $name (exit $got)"
	head -n 40 "$log/valgrind" | sed 's/^/# /'
	tail -n 5 "$log/out" | sed 's/^/# /'
	failed=1
}

echo "TAP version 13"
if ! command -v valgrind > /dev/null; then
	echo "ok 1 valgrind # SKIP it is not installed"
	echo "1..1"
	exit 0
fi
# What is missing here is memgate, not a reason to stop.
"$memgate" feature probe > /dev/null 2>&1
has=$?

MEMGATE_TEST_QUICK=1 clean 0 "unit tests" "$unit_test" "$objects"
clean $((has ? 3 : 0)) "policy check" \
	"$memgate" policy check "$objects/exclusive_kvm.bpf.o"
clean $((has ? 3 : 0)) "policy check, JSON" \
	"$memgate" -j policy check "$objects/params_types.bpf.o"
clean 2 "policy check, faults" \
	"$memgate" policy check "$objects/later.bpf.o"
clean 1 "policy check, no policy" \
	"$memgate" policy check "$objects/bad_no_policy.bpf.o"
clean 1 "policy check, no file" "$memgate" -j policy check /nonexistent
clean 1 "policy load, two policies" \
	"$memgate" policy load "$objects/bad_two_policies.bpf.o"
clean 1 "policy load, no name" \
	"$memgate" policy load "$objects/bad_name_empty.bpf.o"
clean 1 "an unknown command" "$memgate" polcy
clean 125 "run, without a size" "$memgate" -j run -- true
clean 0 "help" "$memgate" help
if [ $has != 0 ]; then
	clean 3 "feature probe" "$memgate" -j feature probe
	clean 3 "policy list" "$memgate" policy list
	clean 3 "policy load" \
		"$memgate" policy load "$objects/exclusive_kvm.bpf.o"
fi

echo "1..$nr"
exit $failed
