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
allow=/usr/lib/memgate/allow.bpf.o
vm=
trap 'kill $vm $keeper 2>/dev/null; rm -rf "$out"' EXIT
keeper=

# ---- loading ---------------------------------------------------------------

echo "TAP version 13"
says "alice has no capability" 'CapEff:\s*0000000000000000' \
	as alice grep CapEff /proc/self/status
ok "root loads a policy" memgate policy load $allow name loaded
no "alice cannot" 'CAP_BPF and CAP_PERFMON' \
	as alice memgate policy load $allow name hers
no "nor by bpftool" 'Operation not permitted|not permitted' \
	as alice bpftool struct_ops register $allow
no "alice does not unload it" 'EACCES|EPERM' \
	as alice memgate policy unload loaded
no "nor remove its pins" 'Permission denied' as alice rm $pins/loaded
no "nor use what was not opened to her group" 'may not be opened' \
	as alice memgate run size 1M policy loaded -- true
no "alice cannot look into the BPF file system" 'Permission denied' \
	as alice ls /sys/fs/bpf
ok "root unloads it" memgate policy unload loaded

# ---- a VM ------------------------------------------------------------------

: >"$out/bios"
chown alice "$out/bios"
as alice memgate run size 64M fd 9 -- qemu-system-x86_64 -accel kvm -cpu host \
	-m 64M -machine q35,memory-backend=m -nodefaults -no-user-config \
	-display none -debugcon "file:$out/bios" -object \
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
no "bob seals nothing of hers" 'EACCES|Permission denied' \
	as bob memgate gate seal pid "$vm" fd 9

# ---- widening --------------------------------------------------------------

ok "root opens a policy that allows all to the group" \
	memgate policy load $allow group memgate
ok "alice may use it on new memory" \
	as alice memgate run size 1M policy allow -- true
no "not on memory that is frozen" 'gate is frozen' \
	as alice memgate gate attach pid "$vm" fd 9 policy allow
no "bob not on hers" 'EACCES|Permission denied' \
	as bob memgate gate attach pid "$vm" fd 9 policy allow

# Memory whose links stay, in a folder of hers.
as alice memgate run size 1M fd 9 policy exclusive_kvm policy owner \
	param by_uid=true param "uid=$(id -u alice)" nofreeze pin $hers/vm -- \
	sleep 1000 >"$out/keeper" 2>&1 &
for _ in $(seq 100); do
	keeper=$(pgrep -u alice sleep) && break
	sleep 0.1
done
# A user's folder would do as well, but bob shall fail for one reason alone.
chmod 711 $hers $hers/vm 2>/dev/null
says "alice: gate update, by the link's pin" '' \
	as alice memgate gate update pinned $hers/vm/owner policy owner
no "bob: gate update" 'EACCES|Permission denied' \
	as bob memgate gate update pinned $hers/vm/owner policy owner
no "bob: bpftool link detach" 'ermission denied|not permitted' \
	as bob bpftool link detach pinned $hers/vm/owner
no "bob: removing the pin" 'Permission denied' as bob rm -f $hers/vm/owner
no "alice: not to a policy with other parameters" 'EINVAL|parameters' \
	as alice memgate gate update pinned $hers/vm/owner policy allow
ok "alice freezes it" as alice memgate gate freeze pid "$keeper" fd 9
no "then she updates no more" 'frozen' \
	as alice memgate gate update pinned $hers/vm/owner policy owner

# ---- another gate's parameters ---------------------------------------------

link=$(bpftool -j link show pinned $hers/vm/owner | sed 's/.*"id":\([0-9]*\).*/\1/')
says "root sees the link by its id" "^$link: struct_ops" \
	bpftool link show id "$link"
no "bob does not" 'not permitted' as bob bpftool link show id "$link"
ok "root has the kernel iterate over gates" \
	bpftool iter pin /test/bpf/gates.bpf.o /sys/fs/bpf/all_gates
says "and reads" . cat /sys/fs/bpf/all_gates
no "bob does not read there" 'Permission denied' \
	as bob cat /sys/fs/bpf/all_gates
no "bob cannot have his own" 'not permitted' \
	as bob bpftool iter pin /test/bpf/gates.bpf.o /sys/fs/bpf/his
rm -f /sys/fs/bpf/all_gates
# What the group may read of a policy is the same for all who install it.
says "bob reads the policy's map, which he may" . \
	as bob memgate policy show owner
dump() { bpftool map dump pinned "$1" | tee "$out/dump"; }
uid=$(id -u alice)
ok "root dumps the map" dump $pins/maps/owner
ok "and the types" dump $pins/types/owner
before=$(bpftool map dump pinned $pins/maps/owner | sha256sum)
as alice memgate run size 1M policy owner param by_uid=true param "uid=$uid" \
	param by_gid=true param gid=12345 -- true
ok "they are the same whatever was installed with which parameters" \
	[ "$before" = "$(bpftool map dump pinned $pins/maps/owner | sha256sum)" ]

# ---- the end ---------------------------------------------------------------

says "alice removes her pins" '' as alice rm -r $hers/vm
kill "$vm"
wait $runuser
ok "her VM ended, and its gate with it" no_gate
memgate policy unload allow
finish
