#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The demo as one test: usage: check.sh BZIMAGE.  TAP.
here=$(cd "$(dirname "$0")" && pwd -P)

echo 'TAP version 13'
echo '1..1'
if "$here/../vm/run" -k "$1" -t 900 -- "$here/demo.sh" "$1" 2>&1 |
		sed 's/^/# /'; [ "${PIPESTATUS[0]}" = 0 ]; then
	echo 'ok 1 every step of the demo is as expected'
else
	echo 'not ok 1 every step of the demo is as expected'
	exit 1
fi
