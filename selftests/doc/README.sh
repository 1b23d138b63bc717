# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# The README's QEMU has begun when its guest, the firmware, uses the memory.

settled()
{
	local try

	for try in $(seq 300); do
		! memgate gate list | grep -q '^  consumer  kvm' || return 0
		sleep 0.2
	done
	echo "no guest after $try looks"
	false
}
