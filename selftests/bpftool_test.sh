#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Policies and bpftool, without any tool of memgate: every policy in bpf/ and
# the outsider's example are loaded, seen and unloaded; objects that are no
# good policy are refused and leave nothing.  Last, bpftool and memgate take up
# what the other has loaded.  Needs root and a memgate kernel; TAP on stdout.
#
# BPFTOOL names another bpftool than the kernel tree's: a distribution's.
set -u

O=${O:-$(cd "$(dirname "$0")/.." && pwd)/build}
bpftool=${BPFTOOL:-$O/host/bin/bpftool}
pins=/sys/fs/bpf/bpftool-test
out=$(mktemp) || exit 1
both=/sys/fs/bpf/memgate/both
trap 'rm -rf "$out" "$pins" "$both" "${both%/*}/maps/both"' EXIT
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

# What bpftool shows of a loaded policy, as it is.
seen() # NAME
{
	local name=$1 map=${1:0:15} prog

	"$bpftool" struct_ops register "$O/bpf/$name.bpf.o" "$pins" \
		>"$out" 2>&1
	"$bpftool" struct_ops dump name "$map" >"$out" 2>&1 &&
		grep -q '"bpf_struct_ops_memgate_ops"\|memgate_ops' "$out"
	result $? "$name: struct_ops dump"
	"$bpftool" prog show >"$out" 2>&1
	prog=$(sed -n 's/^\([0-9]*\): struct_ops  name .*/\1/p' "$out" | tail -n 1)
	[ -n "$prog" ] && "$bpftool" prog dump xlated id "$prog" >"$out" 2>&1 &&
		grep -q exit "$out"
	result $? "$name: its program is listed and dumped"
	"$bpftool" map pin name "$map" "$pins/by-map" >"$out" 2>&1 &&
		"$bpftool" map show pinned "$pins/by-map" >>"$out" 2>&1 &&
		grep -q ": struct_ops  name $map " "$out"
	result $? "$name: its map is pinned by bpftool"
	"$bpftool" link show >"$out" 2>&1 && grep -q ': struct_ops' "$out"
	result $? "$name: its link is among all links"
	# A name with a slash is a pin's path.
	installs "$pins/by-map" "$map: a map that bpftool pinned is installed"
	rm -f "$pins/by-map" "$pins/$map"
	gone "$map"
	result $? "$name: nothing is left"
}

# 'run' makes memory, installs the policy, freezes, and shows what it has.
installs() # POLICY NAME
{
	memgate run size 4096 fd 9 policy "$1" -- \
		grep -q '^memgate-policy:' /proc/self/fdinfo/9 >"$out" 2>&1
	result $? "$2"
}

# Each takes up what the other has loaded.
both_ways()
{
	mkdir -p "$pins"
	"$bpftool" struct_ops register "$O/bpf/exclusive_kvm.bpf.o" "$pins" \
		>"$out" 2>&1
	installs "$pins/exclusive_kvm" \
		"a policy that bpftool loaded is installed by memgate"
	rm -f "$pins/exclusive_kvm"
	memgate policy load "$O/bpf/deny.bpf.o" name both >"$out" 2>&1
	"$bpftool" link show pinned "$both" >"$out" 2>&1
	grep -q ": struct_ops  map " "$out" &&
		"$bpftool" map show pinned "${both%/*}/maps/both" \
			>>"$out" 2>&1 &&
		"$bpftool" struct_ops dump name deny >>"$out" 2>&1
	result $? "a policy that memgate loaded is shown by bpftool"
	rm -f "$both" "${both%/*}/maps/both"
	"$bpftool" struct_ops show >"$out" 2>&1
	gone deny
	result $? "and goes when its pins are removed by hand"
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

seen owner
both_ways

echo "1..$nr"
exit "$failed"
