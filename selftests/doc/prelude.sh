# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What every page may rely on: nothing is loaded and nothing is traced.

rm -rf /sys/fs/bpf/memgate
if [ -e /sys/kernel/tracing/events/memgate ]; then
	echo 0 >/sys/kernel/tracing/events/memgate/enable
	echo >/sys/kernel/tracing/trace
fi
true
