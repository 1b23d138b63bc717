#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Run test programs one after another and join their TAP into one stream:
# check.sh "PROGRAM ARGS"...
#
# A program that fails, or ends before its plan is done, is a failed test.

status=0
nr=0
echo "TAP version 13"
for program in "$@"; do
	seen=0
	plan=
	while IFS= read -r line; do
		case $line in
		"TAP version"*)
			;;
		1..[0-9]*)
			plan=${line#1..}
			;;
		"ok "*|"not ok "*)
			seen=$((seen + 1))
			nr=$((nr + 1))
			verdict=ok
			[ "${line#not }" != "$line" ] &&
				verdict="not ok" && status=1
			name=${line#"$verdict" }
			echo "$verdict $nr ${name#* }"
			;;
		"exit "*)
			code=${line#exit }
			;;
		*)
			echo "# ${line#"# "}"
			;;
		esac
	done < <($program 2>&1; echo "exit $?")
	nr=$((nr + 1))
	if [ "$seen" = "${plan:-none}" ] && [ "$code" -le 1 ]; then
		echo "ok $nr ${program%% *} ran to its end"
	else
		echo "not ok $nr ${program%% *}: $seen of ${plan:-?} tests, exit $code"
		status=1
	fi
done
echo "1..$nr"
exit $status
