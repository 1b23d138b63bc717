#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the memgate command does when something is wrong.  Every case is run
# for people and with -j, and each time
#
#   the exit status, the errno and the words are those of the table,
#   the error is one line with a hint after it, or one JSON object,
#   nothing else is printed, and
#   the gates, the pins and the seals are what they were before.
#
# Needs root and a memgate kernel; TAP on stdout.  A case's command is text:
# $m is memgate, fd 7 a memfd, 8 one with a policy, 9 one with a frozen gate.
# shellcheck disable=SC2016,SC2034,SC2086,SC2317

build=$(cd "$(dirname "$(command -v memgate)")/.." && pwd -P) || exit 1
bpf=$build/bpf
progs=$build/loader/tests/progs
helper=$build/loader/tests/cli_helper
fs=/sys/fs/bpf
pins=$fs/memgate
out=$(mktemp -d) || exit 1
chmod 755 "$out"
nr=0
failed=0
why=
holders=()

cleanup()
{
	kill "${holders[@]}"
	mount -o remount,rw $fs
	rm -rf "$out" $pins $fs/err
} 2> /dev/null
trap cleanup EXIT

# The emulated machine is slow at starting processes: shell alone, here.
shopt -s globstar nullglob dotglob

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		printf '%s' "$why" | sed 's/^/# /'
		sed 's/^/# /' "$out/stdout" "$out/stderr"
		failed=1
	fi
}

# Everything that a command could leave behind, into $now: pins, the gates of
# the memfds with their policies, seals that are no gate, files in /tmp.
state()
{
	local fd line

	printf -v now '%s\n' "$fs"/** /tmp/*
	for fd in 7 8 9; do
		while read -r line; do
			[[ $line != memgate* ]] || now+=$'\n'$line
		done < /proc/self/fdinfo/$fd
	done
}

# wrong CODE ERRNO WORDS: $why is what was printed not that error?
lines=$'^Error: [^\n]+\nHint: [^\n]+$'
wrong()
{
	local stdout stderr
	local json="^[{]\"error\":\".*\",\"errno\":\"$2\",\"hint\":\".+\"[}]$"

	read -r -d '' stdout < "$out/stdout"
	read -r -d '' stderr < "$out/stderr"
	[ "$got" = "$1" ] || why+="exit $got, not $1"$'\n'
	if [ "$m" = memgate ]; then
		[ -z "$stdout" ] || why+=$'something on stdout\n'
		[[ $stderr = *"$3"* ]] || why+="the words are not '$3'"$'\n'
		[[ $stderr =~ $lines ]] ||
			why+=$'not an error and a hint, a line each\n'
		return
	fi
	[ -z "$stderr" ] || why+=$'something on stderr\n'
	[[ $stdout = *"$3"* ]] || why+="the words are not '$3'"$'\n'
	[[ $stdout =~ $json ]] ||
		why+="no object with an error, $2 and a hint"$'\n'
}

# bad CODE ERRNO WORDS COMMAND
bad()
{
	local m got now before

	state
	before=$now
	why=
	for m in memgate "memgate -j"; do
		(eval "$4") > "$out/stdout" 2> "$out/stderr" < /dev/null
		got=$?
		wrong "$1" "$2" "$3"
		state
		[ "$now" = "$before" ] || why+="left behind: $now"$'\n'
		[ -z "$why" ] || break
	done
	[ -z "$why" ]
	result $? "$2, $3: $4"
}

# hold FD: a process whose fd 7 is a new memfd, which is ours as FD
hold()
{
	"$helper" memfd -- sleep 600 7>&- 8>&- 9>&- &
	holders+=($!)
	until eval "exec $1<>/proc/$!/fd/7"; do
		sleep 0.1
	done 2> /dev/null
}

caps() # without -CAP
{
	echo "setpriv --inh-caps=-all --bounding-set=$1"
}
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all"

echo "TAP version 13"
if ! memgate feature probe > /dev/null 2>&1; then
	echo "1..0 # SKIP a kernel without memgate: see cli_test.sh"
	exit 0
fi
rm -rf $pins
chmod 711 $fs
# The folder of links without a place of their own stays once it is made.
mkdir $fs/err
mkdir -p $pins/gates
hold 7
hold 8
hold 9
for p in allow deny owner exclusive_kvm; do
	memgate policy load "$bpf/$p.bpf.o" mode 0444
done > /dev/null
memgate policy load "$bpf/trusted_devices.bpf.o" > /dev/null
memgate policy load "$progs/params_types.bpf.o" name twin1 > /dev/null
memgate policy load "$progs/params_types.bpf.o" name twin2 > /dev/null
memgate gate attach fd 8 policy allow pin $fs/err/live > /dev/null
memgate gate attach fd 9 policy deny pin $fs/err/frozen > /dev/null
memgate gate freeze fd 9 > /dev/null
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
bad 1 EISDIR "cannot read policy file" '$m policy load $out/dir'
bad 1 ENOEXEC "is no ELF object file" 'timeout 20 $m policy load $out/fifo'
bad 1 ENOEXEC "is no ELF object file" '$m policy load /dev/zero'
bad 1 ENOEXEC "is no ELF object file" '$m policy load $out/empty.o'
bad 1 EINVAL "no BPF object file that libbpf can read" \
	'$m policy load $out/short.o'
bad 1 EINVAL "no BPF object file that libbpf can read" \
	'$m policy load $out/half.o'
bad 1 EINVAL "no BPF object file that libbpf can read" \
	'$m policy load $out/big.o'
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
for c in seal freeze "attach X policy allow"; do
	g="gate ${c%% *}"
	a=
	[ "${c#attach X}" = "$c" ] || a=${c#attach X}
	bad 2 EBADF "file descriptor 77 is not open" '$m $g fd 77 $a'
	bad 2 EINVAL "is no memfd but pipe:" 'sleep 0 | $m $g fd 0 $a'
	bad 2 EINVAL "is no memfd but /dev/null" '$m $g fd 0 $a'
	bad 2 EINVAL "is no memfd but /tmp" '$m $g fd 6 $a 6<>/tmp/error-test'
	bad 2 ENOENT "cannot look at /proc/999999/fd/7" '$m $g pid 999999 fd 7 $a'
	bad 2 ENOENT "cannot look at /proc/2/fd/0" '$m $g pid 2 fd 0 $a'
	bad 2 ENOENT "cannot look at /proc/$$/fd/77" '$m $g pid $$ fd 77 $a'
	bad 2 EACCES "cannot look at /proc/1/fd/0" '$nobody $m $g pid 1 fd 0 $a'
done
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

# ---- run -----------------------------------------------------------------

run='$m run size'
bad 125 ENOENT "no policy 'nothing'" "$run 1M policy nothing -- true"
bad 125 EBUSY "file descriptor 8 is open already" "$run 1M fd 8 -- true"
bad 125 EBADF "cannot have file descriptor 99999999" \
	"$run 1M fd 99999999 -- true"
bad 125 EINVAL "memfd_create" "$run 1M name \$(printf %0250d 0) -- true"
bad 125 EFBIG "cannot make it 67108864 bytes" \
	"(ulimit -f 100; $run 64M -- true)"
bad 125 ENOMEM "there are not 4096 free huge pages of 2048 KiB" \
	"$run 8G hugetlb 2M -- true"
bad 125 ENOMEM "1 free huge pages of 1048576 KiB" "$run 1G hugetlb 1G -- true"
bad 127 ENOENT "cannot execute /none" "$run 1M -- /none"
bad 126 EACCES "cannot execute /proc/version" "$run 1M -- /proc/version"
bad 126 EACCES "cannot execute $out/dir" "$run 1M -- $out/dir"
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

full=0
mkdir $fs/err/many
for i in {2..64}; do
	memgate gate attach fd 8 policy allow pin $fs/err/many/$i > /dev/null ||
		break
	full=$i
done
[ $full = 64 ]
result $? "a gate takes 64 policies ($full)"
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
