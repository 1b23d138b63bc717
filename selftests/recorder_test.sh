#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The recorder of refusals: on and off, who may, and what it keeps.  Needs root;
# TAP on stdout.
#
# Many commands are quoted for a shell of their own, which inherits the memfd:
# shellcheck disable=SC2016,SC2317

# shellcheck source=selftests/explain_util.sh
. "$(dirname "$0")/explain_util.sh"

echo "TAP version 13"
without_memgate "recorder on" "recorder show"
rm -rf $pins
chmod 711 /sys/fs/bpf
memgate policy load "$bpf/deny.bpf.o" mode 0444 > /dev/null

# ---- on ------------------------------------------------------------------

prints "recorder show: off" "recorder: off" memgate recorder show
prints "as JSON" false sh -c 'memgate -j recorder show | "$helper" json on'
works "explain says that nothing is recorded" \
	"refusals are not recorded; 'memgate recorder on' starts that" sh7 \
	'attach deny; memgate explain fd 7'
refused "on, without capabilities" 2 "cannot start the recorder: EPERM" \
	nobody memgate recorder on
refused "on, outside of a BPF file system" 2 "is not in a BPF file system" \
	memgate -B /tmp/explain recorder on
[ ! -e /tmp/explain ] && [ ! -e $pins/recorder ]
result $? "neither left anything"
prints "off when it is off" "recorder: is off already" memgate recorder off
prints "on" "recorder: on" memgate recorder on
prints "on again" "recorder: is on already" memgate recorder on
works "show: on" "^recorder: on for [0-9]* s, 0 refusals not kept" \
	memgate recorder show
run memgate policy list
lacks "it is no policy" recorder
refused "no policy can have its name" 1 "the policy name 'recorder' is reserved" \
	memgate policy load "$bpf/allow.bpf.o" name recorder
refused "others do not read it" 2 "cannot look at the recorder: EACCES" \
	nobody memgate recorder show
refused "nor stop it" 2 "EACCES" nobody memgate recorder off
rm $pins/recorder/closed
prints "half of it is off" "recorder: off" memgate recorder show
prints "which on makes whole" "recorder: on" memgate recorder on

# ---- what it keeps ----------------------------------------------------------

run sh -c '"$1" > /dev/null; memgate recorder show' sh \
	"$build/selftests/uprobe_test"
has "a way that is closed" "^gate [0-9]*: uprobe refused .*; no policy is asked"
works "a flood of gates does not grow it" "ok" sh7 \
	'start flood flood 1100; memgate -j recorder show > $out/flood.json
	memgate recorder show > $out/flood; stop flood'
n=$(grep -c "^gate" "$out/flood")
[ "$n" -gt 100 ] && [ "$n" -le 2048 ]
result $? "of which the latest are known ($n)"
"$helper" json refusals 0 times < "$out/flood.json" | grep -qx 1
result $? "all of them are valid JSON"

# ---- off --------------------------------------------------------------------

prints "recorder off" "recorder: off" memgate recorder off
[ ! -e $pins/recorder ]
result $? "leaves nothing"

echo "1..$nr"
exit $failed
