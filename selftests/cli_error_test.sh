#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the memgate command does when something is wrong: with files, what is
# loaded, file descriptors, and the output.
# The rules are in cli_error_util.sh.  Needs root and a memgate kernel; TAP on
# stdout.
# shellcheck disable=SC2016,SC2034,SC2086,SC2317

# shellcheck source=SCRIPTDIR/cli_error_util.sh
. "$(dirname "$0")/cli_error_util.sh"
mkdir "$out/dir"
mkfifo "$out/fifo"
: > "$out/empty.o"
head -c 40 "$bpf/allow.bpf.o" > "$out/short.o"
head -c 3000 "$bpf/allow.bpf.o" > "$out/half.o"
cp "$bpf/allow.bpf.o" "$out/big.o"
# EI_DATA: most significant byte first
printf '\2' | dd of="$out/big.o" bs=1 seek=5 conv=notrunc 2> /dev/null
cp "$bpf/allow.bpf.o" "$out/secret.o"
chmod 600 "$out/secret.o"

# ---- loading -------------------------------------------------------------

bad 1 ENOENT "cannot open policy file" '$m policy load $out/none.o'
bad 1 EISDIR "$out/dir is no file" '$m policy load $out/dir'
bad 1 EINVAL "$out/fifo is no file" 'timeout 20 $m policy load $out/fifo'
bad 1 EINVAL "/dev/zero is no file" '$m policy load /dev/zero'
bad 1 ENOEXEC "is no ELF object file" '$m policy load $out/empty.o'
for f in short half big; do
	bad 1 ENOEXEC "is no BPF object file, or a broken one" \
		"\$m policy load $out/$f.o"
done
bad 1 EACCES "cannot open policy file" '$nobody $m policy load $out/secret.o'
bad 1 ENOENT "has no policy" '$m policy load $progs/bad_no_policy.bpf.o'
bad 1 EINVAL "has two policies" '$m policy load $progs/bad_two_policies.bpf.o'
bad 1 EINVAL "the policy has no name" \
	'$m policy load $progs/bad_name_empty.bpf.o'
bad 1 EINVAL "decides no class" \
	'$m policy load $progs/bad_decides_nothing.bpf.o'
bad 1 EINVAL "has no program may_map" \
	'$m policy load $progs/bad_no_may_map.bpf.o'
bad 1 EINVAL "has no program may_attach" \
	'$m policy load $progs/bad_no_may_attach.bpf.o'
bad 1 E2BIG "at most 4096 are possible" \
	'$m policy load $progs/bad_params_size.bpf.o'
bad 2 EEXIST "loaded as $pins/allow already" '$m policy load $bpf/allow.bpf.o'
bad 1 EINVAL "cannot be the name of a policy" \
	'$m policy load $bpf/allow.bpf.o name a/b'
bad 1 EINVAL "cannot be the name of a policy" \
	'$m policy load $bpf/allow.bpf.o name $(printf %064d 0)'
bad 1 EINVAL "'gates' is reserved" '$m policy load $bpf/allow.bpf.o name gates'
bad 2 EPERM "needs CAP_BPF, which" \
	'$(caps -bpf,-sys_admin) $m policy load $bpf/allow.bpf.o name x'
bad 2 EPERM "needs CAP_PERFMON, which" \
	'$(caps -perfmon,-sys_admin) $m policy load $bpf/allow.bpf.o name x'
bad 2 EPERM "needs CAP_BPF and CAP_PERFMON, which" \
	'$nobody $m policy load $bpf/allow.bpf.o name x'
bad 2 ENOENT "is not in a BPF file system" \
	'$m -B /tmp/none policy load $bpf/allow.bpf.o'
bad 2 ENOENT "is not in a BPF file system" \
	'unshare -m sh -c "umount $fs && $m policy load $bpf/allow.bpf.o"'
bad 2 EACCES "cannot pin" 'setpriv --reuid 65534 --inh-caps=+bpf,+perfmon \
	--ambient-caps=+bpf,+perfmon $m policy load $bpf/allow.bpf.o name x'
bad 2 EMFILE "" '(ulimit -n 6; $m policy load $bpf/allow.bpf.o name x)'

# ---- what is loaded ------------------------------------------------------

bad 2 ENOENT "no policy 'nothing' is loaded" '$m policy show nothing'
bad 2 ENOENT "cannot open pin $fs/err/none" '$m policy show $fs/err/none'
bad 2 EACCES "cannot open pin /proc/version" '$m policy show /proc/version'
bad 1 EINVAL "cannot be the name of a policy" '$m policy show a.b'
bad 1 ENOTUNIQ "2 loaded policies call themselves 'params_types'" \
	'$m policy show params_types'
bad 2 ENOENT "no policy 'nothing' is loaded" '$m policy unload nothing'
bad 2 EACCES "cannot unload policy allow" '$nobody $m policy unload allow'
bad 2 EACCES "policy twin1 may not be opened" '$nobody $m policy show twin1'

# ---- a gate's memfd ------------------------------------------------------

: > /tmp/error-test
for g in seal freeze attach; do
	a=
	[ $g != attach ] || a="policy allow"
	bad 2 EBADF "file descriptor 77 is not open" "\$m gate $g fd 77 $a"
	bad 2 EINVAL "is no memfd but /dev/null" "\$m gate $g fd 0 $a"
	bad 2 ENOENT "cannot look at /proc/$$/fd/77" \
		"\$m gate $g pid $$ fd 77 $a"
	bad 2 EACCES "cannot look at /proc/1/fd/0" \
		"\$nobody \$m gate $g pid 1 fd 0 $a"
done
bad 2 EINVAL "is no memfd but pipe:" ': | $m gate seal fd 0'
bad 2 EINVAL "is no memfd but /tmp" '$m gate seal fd 6 6<>/tmp/error-test'
bad 2 ENOENT "cannot look at /proc/999999/fd/7" '$m gate seal pid 999999 fd 7'
bad 2 ENOENT "cannot look at /proc/2/fd/0" '$m gate seal pid 2 fd 0'
rm -f /tmp/error-test
bad 2 EPERM "is not open for writing" '$m gate seal fd 6 6</proc/self/fd/7'
bad 2 ENODATA "no gate" '$m gate freeze fd 7'
bad 2 ENODATA "no gate" '$m gate show fd 7'
bad 2 EBADF "file descriptor 77 is not open" '$m gate show fd 77'
bad 2 EPERM "is not open for writing" \
	'$m gate attach fd 6 policy allow 6</proc/self/fd/7'
bad 2 EBADF "is open with O_PATH" 'python3 -c "
import os, sys
os.dup2(os.open(\"/proc/self/fd/7\", os.O_PATH), 6)
os.execvp(\"memgate\", sys.argv[1:])" $m gate attach fd 6 policy allow'
bad 2 EBUSY "pages of the memfd are pinned" \
	'$helper memfd pinned -- $m gate attach fd 7 policy allow'

# ---- output --------------------------------------------------------------

full() # NAME COMMAND: the output is lost, and only that
{
	local stderr="" before now

	state
	before=$now
	why=
	: > "$out/stdout"
	(eval "$2") 2> "$out/stderr"
	got=$?
	read -r -d '' stderr < "$out/stderr"
	[ "$got" = 2 ] || why+="exit $got, not 2"$'\n'
	[[ $stderr = "Error: cannot write to standard output"* ]] ||
		why+=$'not the right words\n'
	state
	[ "$now" = "$before" ] || why+="left behind: $now"$'\n'
	[ -z "$why" ]
	result $? "$1: $2"
}

for c in "-j policy list" "policy show owner" "gate list" "gate show fd 8" \
	 "feature probe" "help"; do
	full "a full disk" "memgate $c > /dev/full"
	full "a closed output" "memgate $c >&-"
done
(trap '' PIPE; memgate gate list 2> "$out/stderr"; echo $? > "$out/got") | true
{ grep -q EPIPE "$out/stderr" && grep -qx 2 "$out/got"; } || false
result $? "a pipe that nobody reads"
(memgate policy list; echo $? > "$out/got") 2> "$out/stderr" |
	head -n 1 > /dev/null
[ ! -s "$out/stderr" ]
result $? "the same is nothing to talk about where it ends the process"

echo "1..$nr"
exit $failed
