#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The program that 'make bench' measures with: every operation in every state
# does what it should, and says so in lines that the report can read.  One
# sample of each: the figures mean nothing.  Prints TAP; runs in the VM.
bench=${O:-$(dirname "$0")/../build}/selftests/bench
n=0

result() {	# name, 0 if good, what was said
	n=$((n + 1))
	if [ "$2" = 0 ]; then
		echo "ok $n - $1"
	else
		echo "# ${3//$'\n'/$'\n'# }"
		echo "not ok $n - $1"
	fi
}

# A line for each operation, in the given order, and nothing else; one is
# printed once for each of several processes.
measures() {	# state, operations ...
	local state=$1 said status ops
	shift
	said=$("$bench" -n 1 "$state" 2>&1)
	status=$?
	ops=$(awk -v state="$state" '
		NF != 7 || $1 != "bench" || $2 != state || $4 <= 0 || $7 != 1 {
			print "bad"
		}
		$3 != last { print $3 }
		{ last = $3 }' <<<"$said" | xargs)
	[ "$status" = 0 ] && [ "$ops" = "$*" ]
	result "bench.$state" $? "$said"
}

echo TAP version 13
echo 1..10
measures none mmap mmap_rwx read gup_fast gup_slow gup_anon kvm_fault fork
measures lsm mmap mmap_rwx
measures lsm_elsewhere mmap mmap_rwx
measures elsewhere mmap mmap_rwx read gup_fast gup_slow gup_anon kvm_fault \
	fork
measures closed mmap mmap_rwx read gup_fast gup_slow fork
measures allow1 mmap mmap_rwx read gup_fast gup_slow kvm_fault fork
measures allow4 mmap mmap_rwx read gup_fast gup_slow kvm_fault fork
measures owner mmap mmap_rwx read gup_fast gup_slow
measures rule mmap mmap_rwx

# No figure where a state is not to be had: this kernel has no such fcntl().
said=$("$bench" -n 1 plain_c 2>&1)
[ $? = 1 ] && ! grep -q '^bench ' <<<"$said" &&
	grep -q '^# plain_c, mmap: entering the state:' <<<"$said"
result bench.no_such_state $? "$said"
