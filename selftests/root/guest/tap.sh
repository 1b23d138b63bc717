# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the tests beside this file share.  Read with '.'; not a program.

out=$(mktemp -d) || exit 1
chmod 755 "$out"
nr=0
failed=0

result() # STATUS NAME
{
	nr=$((nr + 1))
	if [ "$1" = 0 ]; then
		echo "ok $nr $2"
	else
		echo "not ok $nr $2"
		tail -n 15 "$out/log" | sed 's/^/# /'
		failed=1
	fi
}

# ok NAME COMMAND...
ok()
{
	local name=$1
	shift
	"$@" >"$out/log" 2>&1 </dev/null
	result $? "$name"
}

# says NAME PATTERN COMMAND...: succeeds, and with these words
says()
{
	local name=$1 pattern=$2
	shift 2
	"$@" >"$out/log" 2>&1 </dev/null && grep -qE -e "$pattern" "$out/log"
	result $? "$name"
}

# no NAME PATTERN COMMAND...: fails, for this reason
no()
{
	local name=$1 pattern=$2 status
	shift 2
	"$@" >"$out/log" 2>&1 </dev/null
	status=$?
	echo "exit status $status" >>"$out/log"
	[ $status != 0 ] && grep -qE -e "$pattern" "$out/log"
	result $? "$name"
}

# As a login of that user: no capability, the groups of /etc/group.
as() # USER COMMAND...
{
	runuser -u "$1" -- "${@:2}"
}

finish()
{
	echo "1..$nr"
	exit $failed
}
