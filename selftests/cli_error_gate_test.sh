#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the memgate command does when something is wrong: installing and
# replacing policies, and running a command.
# The rules are in cli_error_util.sh.  Needs root and a memgate kernel; TAP on
# stdout.
# shellcheck disable=SC2016,SC2034,SC2086,SC2317

# shellcheck source=SCRIPTDIR/cli_error_util.sh
. "$(dirname "$0")/cli_error_util.sh"

# ---- attach --------------------------------------------------------------

at='$m gate attach fd 8 policy'
bad 2 ENOENT "no policy 'nothing' is loaded" "$at nothing"
bad 1 ENOTUNIQ "2 loaded policies" "$at params_types"
bad 2 EACCES "policy twin1 may not be opened" "\$nobody $at twin1"
bad 1 ENOENT "no parameter 'pid'" "$at owner param pid=1"
bad 1 ENOENT "no parameter 'x'; policy allow has none" "$at allow param x=1"
bad 1 EINVAL "'many' is not a number" "$at owner param tgid=many"
bad 1 ERANGE "4G does not fit in u32" "$at owner param tgid=4G"
bad 1 EINVAL "perhaps" "$at owner param by_uid=perhaps"
bad 1 ENOENT "no parameter 'party[8].tgid'" "$at owner param 'party[8].tgid=1'"
bad 1 ERANGE "trust" "$at trusted_devices param trust=\$(printf %05000d 0)"
bad 1 EINVAL "is not in a directory of a BPF file system" \
	"$at deny pin /tmp/pin"
bad 1 EINVAL "is not in a directory of a BPF file system" "$at deny pin here"
bad 1 ENAMETOOLONG "cannot pin" "$at deny pin $fs/\$(printf %0300d 0)"
bad 2 EEXIST "cannot pin $fs/err/live" "$at deny pin $fs/err/live"
bad 2 EPERM "cannot pin $fs/err/a.b" "$at deny pin $fs/err/a.b"
bad 1 EINVAL "is not in a directory" "$at deny pin $fs/none/x"
bad 2 EACCES "cannot pin $fs/x" "\$nobody $at deny pin $fs/x"
bad 2 EACCES "cannot pin in $pins/gates" "\$nobody $at deny"
bad 2 ENOENT "no BPF file system" \
	'$m -B /tmp/none gate attach fd 8 policy $pins/deny'
mkdir $fs/err/nobody
chown 65534 $fs/err/nobody
bad 2 EPERM "the gate is frozen" \
	"\$nobody \$m gate attach fd 9 policy deny pin $fs/err/nobody/x"
mount -o remount,ro $fs
bad 2 EROFS "cannot pin $fs/err/x" "$at deny pin $fs/err/x"
bad 2 EROFS "cannot pin $pins/x" '$m policy load $bpf/allow.bpf.o name x'
bad 2 EROFS "cannot unload policy allow" '$m policy unload allow'
bad 125 EROFS "cannot make directory $fs/err/vm" \
	'$m run size 1M policy allow nofreeze pin $fs/err/vm -- true'
mount -o remount,rw $fs

# ---- update --------------------------------------------------------------

up='$m gate update'
"$helper" memfd -- memgate gate attach fd 7 policy allow pin $fs/err/stale \
	> /dev/null
bad 2 ENOLINK "the memfd is gone" "$up pinned $fs/err/stale policy deny"
bad 2 ENOENT "cannot open pin $fs/err/none" "$up pinned $fs/err/none policy deny"
bad 1 EINVAL "is no link of a policy" "$up pinned $pins/maps/deny policy deny"
bad 2 EACCES "cannot open pin $fs/err/live" \
	"\$nobody $up pinned $fs/err/live policy deny"
bad 2 ENOENT "cannot open link 999999" "$up link 999999 policy deny"
bad 2 EPERM "cannot open link 1" "\$nobody $up link 1 policy deny"
bad 2 ENODATA "no gate" "$up fd 7 replace allow policy deny"
bad 2 ENOENT "no live policy 'owner'" "$up fd 8 replace owner policy deny"
bad 2 EPERM "cannot open link" "\$nobody $up fd 8 replace allow policy deny"
bad 2 EMSGSIZE "another size" "$up pinned $fs/err/live policy owner"
bad 2 EPERM "the gate is frozen" "$up pinned $fs/err/frozen policy allow"
bad 2 ENOENT "no policy 'nothing'" "$up pinned $fs/err/live policy nothing"

# ---- run -----------------------------------------------------------------

run='$m run size'
free=$(</sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages)
bad 125 ENOENT "no policy 'nothing'" "$run 1M policy nothing -- true"
bad 125 EBUSY "file descriptor 8 is open already" "$run 1M fd 8 -- true"
bad 125 EBADF "cannot have file descriptor 99999999" \
	"$run 1M fd 99999999 -- true"
bad 125 EINVAL "the name of a memfd has 249 bytes at most" \
	"$run 1M name \$(printf %0250d 0) -- true"
bad 125 EFBIG "cannot make the memfd 67108864 bytes long" \
	"(ulimit -f 100; $run 64M -- true)"
bad 125 ENOMEM "4096 huge pages of 2M are needed, $free are free" \
	"$run 8G hugetlb 2M -- true"
bad 125 ENOMEM "1 huge pages of 1G are needed, 0 are free" \
	"$run 1G hugetlb 1G -- true"
bad 127 ENOENT "cannot execute /none" "$run 1M -- /none"
bad 126 EACCES "cannot execute /proc/version" "$run 1M -- /proc/version"
bad 126 EACCES "cannot execute $out" "$run 1M -- $out"
bad 125 EINVAL "is not in a directory of a BPF file system" \
	"$run 1M policy allow nofreeze pin $out/vm -- true"
bad 125 ENOENT "no policy 'nothing'" \
	"$run 1M policy allow policy nothing nofreeze pin $fs/err/vm -- true"
bad 127 ENOENT "cannot execute /none" \
	"$run 1M policy allow nofreeze pin $fs/err/vm -- /none"
bad 125 EOPNOTSUPP "another meaning in this pid namespace" \
	"unshare --pid --fork --mount-proc $run 1M -- true"

open='ls /proc/self/fd | wc -l'
had=$(sh -c "$open")
got=$(memgate run size 2M hugetlb 2M policy allow -- sh -c "$open")
why="had $had, has $got"$'\n'
[ "$got" = $((had + 1)) ]
result $? "run: the command has what memgate had, and the memfd"
why=
memgate run size 1M policy allow -- sh -c 'kill -TERM $$'
[ $? = 143 ]
result $? "run: a signal ends the command, and so memgate"
(trap '' INT; memgate run size 1M policy allow -- grep SigIgn \
	/proc/self/status) > "$out/stdout" 2>&1
(trap '' INT; grep SigIgn /proc/self/status) | cmp -s - "$out/stdout"
result $? "run: signals are as they were"

# ---- 64 policies, and a pin that fails in the end ------------------------

mkdir $fs/err/many
why=
printf '%s\n' {2..64} | xargs -P 4 -I {} \
	memgate gate attach fd 8 policy allow pin $fs/err/many/{} \
	> "$out/stdout" 2> "$out/stderr"
result $? "a gate takes 64 policies"
bad 2 ENOSPC "the gate has 64 policies already" "$at deny"
bad 2 ENOSPC "the gate has 64 policies already" "$at deny pin $fs/err/x"

# The last bpf(2) is that of the pin: fail it, after everything was looked at.
if command -v strace > /dev/null; then
	strace -o "$out/trace" -e trace=bpf "$helper" memfd -- \
		memgate gate attach fd 7 policy deny pin $fs/err/y > /dev/null
	n=$(grep -n BPF_OBJ_PIN "$out/trace" | cut -d: -f1)
	strace -o "$out/trace" -e trace=bpf \
		-e inject=bpf:error=ENOMEM:when="$n" \
		memgate gate attach fd 7 policy deny pin $fs/err/z \
		> "$out/stdout" 2> "$out/stderr"
	got=$?
	why=
	[ $got = 2 ] || why+="exit $got"$'\n'
	grep -q "deny was installed, but its link could not be pinned as\
 $fs/err/z" "$out/stderr" || why+=$'not the right words\n'
	[ ! -e $fs/err/z ] || why+=$'a pin is there\n'
	grep -q 'state closed' /proc/self/fdinfo/7 || why+=$'not closed\n'
	[ -z "$why" ]
	result $? "a pin that fails at last is said to close the classes"
fi

echo "1..$nr"
exit $failed
