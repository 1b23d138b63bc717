#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Race tests find bugs that only a race can show: each of those that the module
# "planted" knows makes its race test fail, with the words that belong to it,
# and the same test passes without it, with windows just as wide.
#
# MEMGATE_RACE_SECONDS is the time that each of them has to find its bug (10).
# Prints TAP.

build=${O:?O: the build folder}
tests=$build/selftests
module=${MEMGATE_MODULES:-$tests/modules}/planted.ko
seconds=${MEMGATE_RACE_SECONDS:-10}
n=0 bad=0

# bug:width of the window in ms:program:test:what it says of it
planted=(
	'no_second_look:100:seal_race_map_test:race.page_4k.first_mmap:mapped behind the seal'
	'no_settle:100:seal_race_map_test:race.page_4k.mprotect:mapped behind the seal'
	'no_settle:100:seal_race_map_test:race.page_4k.fill:filled behind the seal'
	'no_second_wait:20:seal_race_test:race.page_4k.vmsplice:went on behind the seal'
	'open_update:20:policy_race_test:race.page_4k.decisions:an answer that no state gives: Success'
)

result() {	# ok or not, name, what was said
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
		return
	fi
	bad=$((bad + 1))
	echo "# ${3//$'\n'/$'\n'# }"
	echo "not ok $n - $2"
}

unload() {
	! [ -e /sys/module/planted ] || rmmod planted
}

# Runs one test with the module loaded; what it says is in $said.
race() {	# parameters of the module, seconds, program, test
	local parameters=() status
	read -ra parameters <<<"$1"
	insmod "$module" "${parameters[@]}" || return 99
	said=$(MEMGATE_RACE_TEST_SECONDS=$2 "$tests/$3" -r "$4" 2>&1)
	status=$?
	unload || return 99
	return $status
}

finds() {	# bug, width, program, test, what it says
	local status
	race "bug=$1 widen=$2" "$seconds" "$3" "$4"
	status=$?
	[ $status = 1 ] && grep -qE -- "$5" <<<"$said"
	result $? "$4 finds $1" "exit status $status: $said"
}

# Half of the time: it is there to show that width alone does no harm.
passes() {	# width, program, test
	local status
	race "widen=$1" $(((seconds + 1) / 2)) "$2" "$3"
	status=$?
	result $status "$3 passes without" "exit status $status: $said"
}

[ -r "$module" ] || {
	echo "1..0 # no $module: run 'make -C selftests/modules'"
	exit 1
}
trap unload EXIT
unload
echo TAP version 13
echo "1..$((2 * ${#planted[@]}))"
for line in "${planted[@]}"; do
	IFS=: read -r bug width program test says <<<"$line"
	finds "$bug" "$width" "$program" "$test" "$says"
	passes "$width" "$program" "$test"
done
[ $bad = 0 ]
