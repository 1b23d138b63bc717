#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The example of libmemgate(3), built against what 'make install' leaves,
# shared and static: its memory is gated when it says so.  Needs root; TAP on
# stdout.

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"
vmm=$build/loader/tests/vmm
export LD_LIBRARY_PATH=$build/loader/tests/root/opt/lib
say_more() { (cd "$out" && tail -n +1 ./*); }

# refused NAME WORDS PROGRAM: exit 1 and these words, nothing else
refused()
{
	"$3" > "$out/stdout" 2> "$out/stderr" < /dev/null
	[ $? = 1 ] && [ ! -s "$out/stdout" ] &&
		grep -q "^vmm: $2" "$out/stderr"
	result $? "$1"
}

# Start it, wait for its line, look at its memory from outside, let it end.
gated() # NAME PROGRAM
{
	local pid fd status=0

	mkfifo "$out/in"
	"$2" > "$out/stdout" 2> "$out/stderr" < "$out/in" &
	exec 8> "$out/in"
	for _ in $(seq 100); do
		grep -q "^the guest: pid" "$out/stdout" && break
		sleep 0.1
	done
	pid=$(sed -n 's/^the guest: pid \([0-9]*\),.*/\1/p' "$out/stdout")
	fd=$(sed -n 's/.* fd \([0-9]*\)$/\1/p' "$out/stdout")
	memgate gate show pid "$pid" fd "$fd" > "$out/gate" 2>&1 || status=1
	grep -q "guest, 64M, frozen" "$out/gate" &&
		grep -q "class *kvm *decided by exclusive_kvm" "$out/gate" &&
		grep -q "class *map *decided by owner" "$out/gate" || status=1
	# root is nobody here: neither reads the file nor the mapping
	head -c 9 "/proc/$pid/fd/$fd" > "$out/stolen" 2>&1 && status=1
	grep -q "the guest" "$out/stolen" && status=1
	exec 8>&-
	wait "$!" || status=1
	rm -f "$out/in"
	result $status "$1"
}

echo "TAP version 13"
if ! memgate feature probe > /dev/null 2>&1; then
	echo "1..0 # SKIP this kernel has no memgate"
	exit 4
fi
refused "without its policies it says so" "no policy 'owner' is loaded" \
	"$vmm"
for policy in exclusive_kvm owner; do
	memgate policy load "$build/bpf/$policy.bpf.o" > "$out/load" 2>&1
	result $? "load $policy"
done
gated "the shared library: gated, frozen, closed to root" "$vmm"
gated "the static library too" "$vmm-static"
ldd "$vmm" > "$out/ldd" 2>&1
grep -q libmemgate "$out/ldd"
result $? "the shared one is needed as a file"
# Nothing at all is, where libelf.a is whole: see loader/tests/vmm.sh.
ldd "$vmm-static" > "$out/ldd" 2>&1
! grep -q libmemgate "$out/ldd"
result $? "the static one is not"

echo "1..$nr"
exit $failed
