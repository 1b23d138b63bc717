#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Policies and bpftool, without any tool of memgate: every policy in bpf/ and
# the outsider's example are loaded, seen and unloaded; objects that are no
# good policy are refused and leave nothing.  Needs root and a memgate kernel;
# TAP on stdout.
set -u

O=${O:-$(cd "$(dirname "$0")/.." && pwd)/build}
bpftool=$O/host/bin/bpftool
pins=/sys/fs/bpf/bpftool-test
out=$(mktemp) || exit 1
trap 'rm -rf "$out" "$pins"' EXIT
nr=0
failed=0

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		tail -n 25 "$out" | sed 's/^/# /'
		failed=1
	fi
}

# Unloading ends after a grace period.
gone() # NAME
{
	local try

	for try in $(seq 50); do
		"$bpftool" struct_ops show | tee "$out" | grep -qw "$1" ||
			return 0
		sleep 0.1
	done
	echo "still there after $try looks" >>"$out"
	return 1
}

good() # NAME
{
	# Names of maps, and so of bpftool's pins, have 15 characters.
	local name=$1 map=${1:0:15}

	"$bpftool" struct_ops register "$O/bpf/$name.bpf.o" "$pins" \
		>"$out" 2>&1 && [ -e "$pins/$map" ]
	result $? "$name is loaded and its link pinned"
	"$bpftool" struct_ops show >"$out" 2>&1 &&
		grep -q ": $map *memgate_ops" "$out"
	result $? "$name is listed as a memgate_ops"
	# bpftool's exit status is no help: it fails for every pinned link.
	"$bpftool" link show pinned "$pins/$map" >"$out" 2>&1
	grep -q ": struct_ops  map " "$out"
	result $? "$name has a struct_ops link"
	rm -f "$pins/$map"
	gone "$map"
	result $? "$name goes with its pin"
}

refused() # NAME WORDS
{
	local object=$O/selftests/progs/$1.bpf.o

	! "$bpftool" struct_ops register "$object" "$pins" >"$out" 2>&1 &&
		grep -q "$2" "$out" && [ -z "$(ls "$pins")" ]
	result $? "$1 is refused: $2"
}

mkdir -p "$pins" || exit 1
echo "TAP version 13"

good allow
good deny
good exclusive_kvm
good owner
good two_vms_one_cgroup

# What the verifier refuses, in its words.
refused bad_sleepable "cannot be a sleepable program"
refused bad_license "must have a GPL compatible license"
refused bad_kfunc_tcp "bpf_memgate_id is not allowed"
refused bad_params_unchecked "invalid mem access 'rdonly_mem_or_null'"
refused bad_params_beyond "invalid access to mem"
refused bad_params_write "cannot write into rdonly_mem"
refused bad_params_variable "R2 is not a const"
refused bad_write "only read is supported"
refused bad_null_device "invalid mem access 'trusted_ptr_or_null_'"
refused bad_task_leak "Unreleased reference"

# What is refused when it is registered.
refused bad_no_may_map "can't register struct_ops bad_no_may_map"
refused bad_no_may_attach "can't register struct_ops bad_no_may_attach"
refused bad_class "can't register struct_ops bad_class"
refused bad_decides_nothing "can't register struct_ops bad_nothing"
refused bad_name_empty "can't register struct_ops bad_name_empty"
refused bad_name_long "can't register struct_ops bad_name_long"
refused bad_name_space "can't register struct_ops bad_name_space"
refused bad_params_size "can't register struct_ops bad_params_size"

echo "1..$nr"
exit "$failed"
