#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Puts another QEMU in the place of one that runs; see usage.
set -u

usage() {
	cat <<-'END'
	Usage: handover.sh PID MONITOR STATE NEW_MONITOR -- COMMAND...

	Puts another QEMU in the place of one that runs, on the same gated memory: an
	update of QEMU, say, that copies no memory.  The guest stands still while the
	new QEMU starts.

	  PID          the old QEMU; the memfd of the gate is the only one it has
	  MONITOR      its QMP monitor, a pair of FIFOs MONITOR.in and MONITOR.out:
	               -chardev pipe,id=mon,path=MONITOR -mon chardev=mon,mode=control
	  STATE        a file for what is not memory: devices and processors
	  NEW_MONITOR  the same of the new one
	  COMMAND      the new QEMU: the same machine, -incoming defer, and its memory
	               a memory-backend-file with share=on on /proc/self/fd/8

	The gate must have a policy that hands over, exclusive_kvm, and the policy that
	decides mappings must allow both (owner by cgroup or by_uid, not by tgid).
	Prints the new QEMU's pid, which goes on when this script has ended.

	Environment: HANDOVER_PATIENCE, seconds for one answer of a monitor (60).
	END
}

patience=${HANDOVER_PATIENCE:-60}
nr=0

fail() {
	echo "handover: $*" >&2
	exit 1
}

case ${1:-} in
-h|--help) usage; exit 0 ;;
esac
if [ $# -lt 6 ] || [ "$5" != -- ]; then
	usage >&2
	exit 1
fi
old=$1 monitor=$2 state=$3 new_monitor=$4
shift 5

# ask MONITOR COMMAND [ARGUMENTS]: prints the answer; fails if it is an error
ask() {
	local line=''

	nr=$((nr + 1))
	{
		printf '{ "execute": "%s", "arguments": { %s }, "id": "%s" }\n' \
			"$2" "${3:-}" "$$-$nr" >&3
		# Greetings, events and answers to others are no concern.
		while [[ $line != *"\"id\": \"$$-$nr\""* ]]; do
			IFS= read -r -t "$patience" line <&4 || return
		done
	} 3<>"$1.in" 4<>"$1.out"
	printf '%s\n' "$line"
	[[ $line != *'"error": '* ]]
}

# until_says MONITOR COMMAND WORDS: ask again until the answer has them
until_says() {
	local answer end=$((SECONDS + patience))

	while [ $SECONDS -lt $end ]; do
		answer=$(ask "$1" "$2") || break
		[[ $answer != *"$3"* ]] || return 0
		[[ $answer != *'"status": "failed"'* ]] || break
		sleep 0.1
	done
	echo "${answer:-no answer from $1}" >&2
	return 1
}

# Memory that is shared is not in the stream: it is where it is.
ignore_shared() {
	ask "$1" migrate-set-capabilities '"capabilities":
		[ { "capability": "x-ignore-shared", "state": true } ]' \
		>/dev/null
}

# migrate MONITOR migrate|migrate-incoming COMMAND: and wait for the end of it
migrate() {
	ask "$1" "$2" "\"uri\": \"exec:$3\"" >/dev/null &&
		until_says "$1" query-migrate '"status": "completed"'
}

ended() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.*zombie' "/proc/$1/status"
}

# The memory must outlive the old QEMU: hold it here.
for fd in "/proc/$old/fd/"*; do
	case $(readlink "$fd") in
	/memfd:*) exec 8<>"$fd" || fail "cannot open $fd" ;;
	esac
done
[ -e /proc/self/fd/8 ] || fail "process $old has no memfd"

# The successor has to be there before it can be named, and waits.
# shellcheck disable=SC2016
sh -c 'kill -STOP $$; exec "$@"' sh "$@" </dev/null >&2 &
new=$!
until grep -q '^State:.*stopped' "/proc/$new/status"; do
	sleep 0.05
done

# Until the old QEMU ends, everything can be undone.
undo() {
	trap - EXIT
	memgate gate handover fd 8 cancel >/dev/null
	kill -KILL $new
	ask "$monitor" cont >/dev/null
	fail "$*: the old QEMU goes on"
}
trap 'undo interrupted' EXIT

ask "$monitor" qmp_capabilities >/dev/null	# an error if it was asked before
memgate gate handover fd 8 to pid $new >&2 || undo 'nobody is named'
ask "$monitor" stop >/dev/null || undo 'it does not stop'
ignore_shared "$monitor" || undo 'it cannot leave shared memory out'
migrate "$monitor" migrate "cat >$state" || undo 'it does not save its state'
trap - EXIT
ask "$monitor" quit >/dev/null

# It must be gone: until then the successor would be refused.
until ended "$old"; do
	sleep 0.05
done
kill -CONT $new

take_over() {
	ask "$new_monitor" qmp_capabilities >/dev/null &&
		ignore_shared "$new_monitor" &&
		migrate "$new_monitor" migrate-incoming "cat $state" &&
		ask "$new_monitor" cont >/dev/null
}
take_over || fail "process $new did not take over; the state is in $state"
echo $new
