# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# PID has gated memory at descriptor 9.

loaded exclusive_kvm owner || return
cp "$BUILD"/bpf/{gates,refusals}.bpf.o . || return
memgate run size 64M name ram fd 9 -- sleep 1000 &
export PID=$!
settled
