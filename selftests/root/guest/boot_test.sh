#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What the packages and the boot have made of this machine.
#
# Functions are called by name, through ok().
# shellcheck disable=SC2317
. "$(dirname "$0")/tap.sh"

pins=/sys/fs/bpf/memgate

mode_of() { [ "$(stat -c '%a %U:%G' "$2")" = "$1" ]; }

none_failed()
{
	! systemctl --failed --plain --no-legend | tee /dev/stderr | grep -q .
}

echo "TAP version 13"
says "the first process is systemd" '^systemd$' ps -o comm= 1
says "the kernel is the package's" '-memgate$' uname -r
ok "memgate feature, as root" memgate feature
ok "memgate feature, as a user" as alice memgate feature
ok "no unit has failed" none_failed

for p in exclusive_kvm owner; do
	ok "memgate@$p was started at boot" \
		systemctl is-active "memgate@$p.service"
	ok "$p: the link is root's alone" mode_of "600 root:root" $pins/$p
	ok "$p: the map is for the group" \
		mode_of "440 root:memgate" $pins/maps/$p
done
ok "owner: the types are for the group" \
	mode_of "440 root:memgate" $pins/types/owner
ok "the BPF file system lets others pass" mode_of "711 root:root" /sys/fs/bpf

ok "an instance of the administrator's own is started" \
	systemctl start memgate@for_alice
says "it has the file that its configuration names" 'policy[[:space:]]+allow$' \
	memgate policy show for_alice
ok "and its group" mode_of "440 root:alice" $pins/maps/for_alice
ok "it is stopped" systemctl stop memgate@for_alice
no "and its pins are gone" 'No such file' \
	ls $pins/for_alice $pins/maps/for_alice
no "an instance without a policy fails" 'failed' \
	systemctl start memgate@no_such_policy
says "and its journal says why" 'cannot open policy file .*no_such_policy' \
	journalctl -b --no-pager -u memgate@no_such_policy
ok "so that it can be forgotten" systemctl reset-failed
# What comes next takes every policy for its own.
ok "all are stopped" systemctl stop 'memgate@*'
finish
