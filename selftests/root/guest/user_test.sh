#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Users without any capability: alice runs a VM on guarded memory; bob, who may
# do the same, gets nothing of hers; carol is not in the group.  What is
# refused to one is first seen to work for the one who may.
#
# Functions are called by name, through ok().
# shellcheck disable=SC2317
. "$(dirname "$0")/tap.sh"

pins=/sys/fs/bpf/memgate
hers=/sys/fs/bpf/alice
his=/sys/fs/bpf/bob
allow=/usr/lib/memgate/allow.bpf.o
vm='' keeper='' plain=''
trap 'kill $vm $keeper $plain 2>/dev/null; rm -rf "$out"' EXIT
uid=$(id -u alice)

# The process of that user and name, once it is there.
wait_for() # USER NAME
{
	local try

	for try in $(seq 100); do
		pgrep -u "$1" "$2" && return
		sleep 0.1
	done
	echo "no process $2 of $1 after $try looks" >&2
	return 1
}

# ---- loading ---------------------------------------------------------------

as_root() { "$@"; }
load() { "$@" memgate policy load "$allow" name loaded; }
unload() { "$@" memgate policy unload loaded; }
# In a folder of one's own, so that only the capability is missing.
register() { "$@" bpftool struct_ops register "$allow" "$hers/loaded"; }

echo "TAP version 13"
ok "policies of the boot are loaded again" \
	systemctl start memgate@exclusive_kvm memgate@owner
says "alice has no capability" 'CapEff:\s*0000000000000000' \
	as alice grep CapEff /proc/self/status
ok "root loads a policy" load as_root
no "alice cannot" 'CAP_BPF and CAP_PERFMON' \
	as alice memgate policy load $allow name hers
ok "root registers one by bpftool" register as_root
rm -r $hers/loaded
no "alice cannot" 'not permitted' register as alice
ok "root unloads a policy" unload as_root
ok "and loads it again" load as_root
no "alice cannot" 'EACCES|EPERM' unload as alice
no "nor remove its pins" 'Permission denied' as alice rm $pins/loaded
no "nor use what was not opened to her group" 'may not be opened' \
	as alice memgate run size 1M policy loaded -- true
ok "root can" memgate run size 1M policy loaded -- true
ok "root looks into the BPF file system" ls /sys/fs/bpf
no "alice cannot" 'Permission denied' as alice ls /sys/fs/bpf
unload as_root >"$out/log" 2>&1

# ---- a VM ------------------------------------------------------------------

: >"$out/bios"
chown alice "$out/bios"
as alice memgate run size 64M fd 9 -- qemu-system-x86_64 -accel kvm -cpu host \
	-m 64M -machine q35,memory-backend=m -nodefaults -no-user-config \
	-display none -debugcon "file:$out/bios" \
	-global isa-debugcon.iobase=0x402 -object \
	memory-backend-file,id=m,size=64M,share=on,mem-path=/proc/self/fd/9 \
	>"$out/vm" 2>&1 </dev/null &
runuser=$!
guest_runs()
{
	local try

	for try in $(seq 600); do
		! grep -qa SeaBIOS "$out/bios" || return 0
		kill -0 "$runuser" || break
		sleep 0.1
	done
	echo "after $try looks:"
	cat "$out/vm" "$out/bios"
	return 1
}

ok "alice's QEMU runs a guest by KVM on guarded memory" guest_runs
vm=$(pgrep -u alice qemu)
fd=/proc/$vm/fd/9
says "she has no capability in it" 'CapEff:\s*0000000000000000' \
	grep CapEff "/proc/$vm/status"
says "it is KVM that has the memory" 'consumer +kvm ' \
	memgate gate show pid "$vm" fd 9
ok "bob may do as she did" as bob memgate run size 1M -- true
no "carol, who is not in the group, cannot" 'may not be opened' \
	as carol memgate run size 1M -- true

# ---- another's gate --------------------------------------------------------

says "alice sees her gate in /proc" '^memgate-policy:.*owner' \
	as alice cat "/proc/$vm/fdinfo/9"
no "bob does not" 'Permission denied' as bob cat "/proc/$vm/fdinfo/9"
says "alice: gate show" 'owner' as alice memgate gate show pid "$vm" fd 9
no "bob: gate show" 'EACCES|Permission denied' \
	as bob memgate gate show pid "$vm" fd 9
says "alice: gate list" "$vm" as alice memgate gate list
says "root: gate list" "$vm" memgate gate list
no_gate() { ! memgate gate list | tee /dev/stderr | grep -q .; }
list_without() { ! as "$1" memgate gate list | tee /dev/stderr | grep -q .; }
ok "bob: gate list has nothing" list_without bob
# Opening is not yet having: the memory is guarded from its owner's kin too.
ok "alice opens the descriptor" as alice sh -c "exec 3<>$fd"
no "bob cannot" 'Permission denied' as bob sh -c "exec 3<>$fd"
no "alice does not read the memory past the VMM" 'Permission denied' \
	as alice head -c 1 "$fd"
no "root neither" 'Permission denied' head -c 1 "$fd"

# Memory of hers without a gate: memfd_create, ftruncate, twice (3 and 4).
# shellcheck disable=SC2016	# for perl
as alice perl -e 'for (3, 4) { my $name = "plain";
	syscall(77, syscall(319, $name, 2), 1 << 20); } sleep 1000' &
plain=$(wait_for alice perl)
ok "alice reads memory that has no gate" \
	as alice head -c 1 "/proc/$plain/fd/3"
attach() # USER FD POLICY PIN
{
	as "$1" memgate gate attach pid "$plain" fd "$2" policy "$3" pin "$4"
}
ok "alice installs a policy on it" attach alice 3 exclusive_kvm $hers/3
no "bob does not" 'EACCES|Permission denied' attach bob 4 exclusive_kvm $his/4
no "bob does not seal it either" 'EACCES|Permission denied' \
	as bob memgate gate seal pid "$plain" fd 4
ok "alice seals it" as alice memgate gate seal pid "$plain" fd 4

# ---- widening --------------------------------------------------------------

ok "root opens a policy that allows all to the group" \
	memgate policy load $allow group memgate
ok "alice may use it on new memory" \
	as alice memgate run size 1M policy allow -- true
ok "and on what is not frozen" attach alice 3 allow $hers/3_allow
no "bob not on hers" 'EACCES|Permission denied' attach bob 4 allow $his/4
no "alice not on memory that is frozen" 'gate is frozen' \
	as alice memgate gate attach pid "$vm" fd 9 policy allow pin $hers/vm
ok "root may add it there" memgate gate attach pid "$vm" fd 9 policy allow \
	pin $pins/added
for class in remote vfio; do
	says "which opens nothing: $class" "$class +closed, too late for allow$" \
		memgate gate show pid "$vm" fd 9
done
rm -f $pins/added

# Memory whose links stay, in a folder of hers.
as alice memgate run size 1M fd 9 policy exclusive_kvm policy owner \
	param by_uid=true param "uid=$uid" nofreeze pin $hers/vm -- \
	sleep 1000 >"$out/keeper" 2>&1 &
keeper=$(wait_for alice sleep)
# A user's folder would do as well, but bob shall fail for one reason alone.
chmod 711 $hers $hers/vm
update() # USER POLICY
{
	as "$1" memgate gate update pinned "$hers/vm/owner" policy "$2"
}
ok "alice: gate update, by the link's pin" update alice owner
no "bob: gate update" 'EACCES|Permission denied' update bob owner
no "alice: not to a policy with other parameters" 'EINVAL|parameters' \
	update alice allow
ok "alice: removing a pin" as alice rm $hers/vm/exclusive_kvm
no "bob: removing a pin" 'Permission denied' as bob rm -f $hers/vm/owner
ok "alice freezes it" as alice memgate gate freeze pid "$keeper" fd 9
no "then she updates no more" 'frozen' update alice owner
no "nor root" 'frozen' \
	memgate gate update pinned $hers/vm/owner policy owner

# ---- another gate's parameters ---------------------------------------------

says "root sees what the policy was installed with" "uid=$uid" \
	memgate gate show pid "$keeper" fd 9
without_uid()
{
	as alice memgate gate show pid "$keeper" fd 9 | tee "$out/show"
	grep -q owner "$out/show" && ! grep -q "uid=" "$out/show"
}
ok "alice, without CAP_BPF, sees the policy without it" without_uid
no "bob sees nothing" 'EACCES|Permission denied' \
	as bob memgate gate show pid "$keeper" fd 9
link=$(bpftool -j link show pinned $hers/vm/owner |
	sed 's/.*"id":\([0-9]*\).*/\1/')
# bpftool's exit status is no help: it fails for every pinned link.
link_shown() { bpftool link show id "$link" | grep "^$link: struct_ops"; }
ok "root sees the link by its id" link_shown
no "bob does not" 'not permitted' as bob bpftool link show id "$link"
ok "root has the kernel iterate over gates" \
	bpftool iter pin /test/bpf/gates.bpf.o /sys/fs/bpf/all_gates
says "and reads" . cat /sys/fs/bpf/all_gates
no "bob does not read there" 'Permission denied' \
	as bob cat /sys/fs/bpf/all_gates
no "bob cannot have his own" 'not permitted' \
	as bob bpftool iter pin /test/bpf/gates.bpf.o $his/gates
rm -f /sys/fs/bpf/all_gates
# What the group may read of a policy is the same for all who install it.
says "bob reads the policy's map, which he may" . \
	as bob memgate policy show owner
dump() { bpftool map dump pinned "$1"; }
ok "root dumps the map" dump $pins/maps/owner
ok "and the types" dump $pins/types/owner
before=$(dump $pins/maps/owner | sha256sum)
as alice memgate run size 1M policy owner param by_uid=true param "uid=$uid" \
	param by_gid=true param gid=12345 -- true
ok "they are the same whatever was installed with which parameters" \
	[ "$before" = "$(dump $pins/maps/owner | sha256sum)" ]

# ---- the end ---------------------------------------------------------------

ok "alice removes her pins" as alice rm -r $hers/vm $hers/3 $hers/3_allow
kill "$vm" "$keeper" "$plain"
wait
ok "her VM ended, and its gate with it" no_gate
memgate policy unload allow
finish
