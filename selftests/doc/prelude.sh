# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every page may rely on: nothing is loaded, recorded or traced.

rm -rf /sys/fs/bpf/memgate
if [ -e /sys/kernel/tracing/events/memgate ]; then
	echo 0 >/sys/kernel/tracing/events/memgate/enable
	echo >/sys/kernel/tracing/trace
fi

# What runs on gated memory has begun when it is no longer memgate itself.
settled()
{
	until [ "$(cat /proc/$!/comm)" != memgate ]; do
		sleep 0.1
	done
} 2>/dev/null

loaded() # POLICY...
{
	local policy

	for policy; do
		memgate policy load "/usr/lib/memgate/$policy.bpf.o" || return
	done
} >/dev/null
