# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the memgate command does when something is wrong: what cli_error_test.sh
# and cli_error_gate_test.sh share.  Every case is run for people and with -j,
# and each time
#
#   the exit status, the errno and the words are those of the table,
#   the error is one line with a hint after it, or one JSON object,
#   nothing else is printed, and
#   the gates, the pins and the seals are what they were before.
#
# A case's command is text: $m is memgate, fd 7 a memfd, 8 one with a policy,
# 9 one with a frozen gate.
# shellcheck disable=SC2016,SC2034,SC2086,SC2317

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"
fs=/sys/fs/bpf
why=

cleanup_more()
{
	mount -o remount,rw $fs
	rm -rf $fs/err
}

say_more() { printf '%s' "$why"; }

# The emulated machine is slow at starting processes: shell alone, here.
shopt -s globstar nullglob dotglob

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
		eval "$4" > "$out/stdout" 2> "$out/stderr" < /dev/null
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
# Last the one whose number is looked for in the next process.
hold 9
hold 8
hold 7
xargs -P 4 -L 1 memgate policy load > /dev/null <<END
$bpf/allow.bpf.o mode 0444
$bpf/deny.bpf.o mode 0444
$bpf/owner.bpf.o mode 0444
$bpf/exclusive_kvm.bpf.o mode 0444
$bpf/trusted_devices.bpf.o
$progs/params_types.bpf.o name twin1
$progs/params_types.bpf.o name twin2
END
memgate gate attach fd 8 policy allow pin $fs/err/live > /dev/null
memgate gate attach fd 9 policy deny pin $fs/err/frozen > /dev/null
memgate gate freeze fd 9 > /dev/null
