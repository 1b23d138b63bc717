#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# A program that knows nothing of memgate, ib_write_bw of perftest, works with
# a buffer in gated memory if the policy trusts its RDMA device, and does not
# otherwise: as the server, whose memory is written, and as the client, whose
# memory is read.  The other end has its buffer in a plain file.
#
# memgate is taken from PATH; policies and a helper are beside it in the build
# folder.  Needs root; TAP on stdout.

build=$(cd "$(dirname "$(command -v memgate)")/.." && pwd -P) || exit 1
helper=$build/loader/tests/cli_helper
size=65536	# of a message, and half of a buffer
memfd=/proc/self/fd/7

rdma_device() # NUMBER
{
	[ ! -e "/sys/class/infiniband/rxe$1" ] || return 0
	ip link add "rxnet$1" type dummy &&
		ip addr add "10.77.$1.1/24" dev "rxnet$1" &&
		ip link set "rxnet$1" up &&
		rdma link add "rxe$1" type rxe netdev "rxnet$1"
}

fill() # FILE
{
	yes 'not used yet' | head -c $((2 * size)) >"$1"
}

# Fills its buffer with random bytes when it has a memory region.  The client
# sends the first half of its own into the second half of the server's.
bw() # ROLE FILE
{
	local peer=()
	[ "$1" = server ] || peer=(127.0.0.1)
	timeout 60 ib_write_bw -d rxe0 -s $size -n 5 -F --mmap="$2" "${peer[@]}"
}

# Within the helper: with the memfd, behind these policies, if there are any;
# each is a name and its parameters in one word.  What was in the memfd in the
# end goes to a file.  Exits as the program did.
gated() # ROLE FILE POLICY...
{
	local role=$1 file=$2 words=() status
	shift 2
	fill $memfd || exit
	for policy; do
		read -ra words <<<"$policy"
		memgate gate attach fd 7 policy "${words[@]}" || exit
	done
	bw "$role" $memfd
	status=$?
	head -c $((2 * size)) $memfd >"$file" || exit
	exit $status
}

if [ "${1:-}" = gated ]; then
	shift
	gated "$@"
fi

out=$(mktemp -d) || exit 1
trap 'rm -rf "$out" /sys/fs/bpf/memgate' EXIT
nr=0 failed=0

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
		return
	fi
	sed 's/^/# /' "$out/server" "$out/client"
	echo "not ok $nr $2"
	failed=1
}

listens()
{
	[ -n "$(ss -Hltn 'sport = 18515')" ]
}

# Both ends, and what is in their buffers then.  Sets their exit status.
both() # ROLE POLICY...
{
	local role=$1 tries
	shift
	rm -f "$out"/*.bytes
	fill "$out/plain.bytes"
	if [ "$role" = server ]; then
		"$helper" memfd -- "$0" gated server "$out/gated.bytes" "$@" \
			>"$out/server" 2>&1 &
	else
		bw server "$out/plain.bytes" >"$out/server" 2>&1 &
	fi
	for ((tries = 0; tries < 200; tries++)); do
		! listens || break
		sleep 0.05
	done
	if [ "$role" = server ]; then
		bw client "$out/plain.bytes" >"$out/client" 2>&1
	else
		"$helper" memfd -- "$0" gated client "$out/gated.bytes" "$@" \
			>"$out/client" 2>&1
	fi
	client=$?
	wait $!
	server=$?
}

# The message has come: second half of one buffer, first of the other.
has_come() # FILE-OF-SERVER FILE-OF-CLIENT
{
	[ "$(stat -c %s "$1" "$2" | uniq)" = $((2 * size)) ] &&
		cmp -s <(tail -c $size "$1") <(head -c $size "$2")
}

works() # NAME ROLE POLICY...
{
	local name=$1 from=$out/plain.bytes to=$out/gated.bytes
	shift
	both "$@"
	[ "$1" = server ] || from=$out/gated.bytes to=$out/plain.bytes
	[ $server = 0 ] && [ $client = 0 ] && has_come "$to" "$from"
	result $? "$name"
}

# There is no region, and the memory is as it was.
refused() # NAME ROLE POLICY...
{
	local name=$1
	shift
	both "$@"
	fill "$out/untouched"
	[ $server != 0 ] && [ $client != 0 ] &&
		grep -q "allocate MR" "$out/$1" &&
		cmp -s "$out/gated.bytes" "$out/untouched"
	result $? "$name"
}

owner='owner param by_uid=1 param uid=0'
trusted='trusted_devices param trust=rdma:rxe0'
other='trusted_devices param trust=rdma:rxe1'

echo TAP version 13
echo 1..7
ip link set lo up && rdma_device 0 && rdma_device 1 &&
	memgate policy load "$build/bpf/owner.bpf.o" >"$out/load" &&
	memgate policy load "$build/bpf/trusted_devices.bpf.o" >>"$out/load" ||
	exit 1
refused 'server that no policy decides' server "$owner"
for role in server client; do
	works "$role without a gate" $role
	works "$role with the trusted device" $role "$owner" "$trusted"
	refused "$role where another is trusted" $role "$owner" "$other"
done
exit $failed
