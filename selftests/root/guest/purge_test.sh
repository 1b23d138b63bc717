#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Removing the packages leaves nothing: last of all.
#
# Functions are called by name, through ok().
# shellcheck disable=SC2317
. "$(dirname "$0")/tap.sh"

ours=(memgate libmemgate0 libmemgate-dev)
image=$(dpkg-query -W -f '${Package}\n' 'linux-image-*-memgate')

# Of ours, but for what dpkg and systemd note about all packages.
left()
{
	find / -xdev -path /test -prune -o -name '*memgate*' -print |
		grep -vE '^/(var/lib/dpkg/|var/log|run|etc/systemd/system/.*memgate-test)'
}

nothing_left() { ! left; }

echo "TAP version 13"
ok "dpkg --remove" dpkg --remove "${ours[@]}"
no "the policies of the boot are unloaded" 'No such file' \
	ls /sys/fs/bpf/memgate/owner /sys/fs/bpf/memgate/exclusive_kvm
ok "what the administrator wrote stays" \
	[ -e /etc/memgate/for_alice.conf ]
says "and what he enabled" owner ls /etc/systemd/system/multi-user.target.wants
ok "the group stays while it has members" getent group memgate
userdel alice
userdel bob
ok "dpkg --purge" dpkg --purge "${ours[@]}" "$image"
no "then it goes" '' getent group memgate
rm -f /etc/tmpfiles.d/alice.conf
ok "no file is left" nothing_left
no "nor a package" 'no packages found' dpkg-query -W '*memgate*'
finish
