# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# PID has gated memory at descriptor 9.

for policy in exclusive_kvm owner; do
	memgate policy load "/usr/lib/memgate/$policy.bpf.o" || return
done
cp "$BUILD"/bpf/{gates,refusals}.bpf.o . || return
memgate run size 64M name ram fd 9 -- sleep 1000 &
PID=$!
until [ "$(cat /proc/$PID/comm)" = sleep ]; do
	sleep 0.1
done
