# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash

# What runs on gated memory has begun when it is no longer memgate itself.
settled()
{
	until [ "$(cat /proc/$!/comm)" != memgate ]; do
		sleep 0.1
	done
}
