#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The bash completion, driven as readline would: completion_test.sh
# LOADER-FOLDER; TAP on stdout.  A memgate that is none knows one policy.

loader=$1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"; kill $sleeper 2> /dev/null' EXIT
nr=0
failed=0
mkdir -p "$tmp/bin" "$tmp/pins/maps" "$tmp/pins/types" "$tmp/pins/gates"
touch "$tmp/pins/owner" "$tmp/pins/deny" "$tmp/file.bpf.o"
cat > "$tmp/bin/memgate" <<'END'
#!/bin/sh
[ "$*" = "-B $PINS -j policy show owner" ] || exit 2
echo '{"name":"owner","policy":"o","params":[{"name":"tgid","type":"u32"},{"name":"party[0..7].uid","type":"u32"}]}'
END
chmod +x "$tmp/bin/memgate"
export PATH=$tmp/bin:$PATH PINS=$tmp/pins
sleep 60 4< /dev/null &
sleeper=$!

# shellcheck source=/dev/null
. "$loader/completion/memgate"

# is EXPECTED WORD...: what the last word is completed to, sorted
is()
{
	local expected=$1
	shift
	COMP_WORDS=(memgate "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_memgate 2> "$tmp/log"
	got=$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ')
	nr=$((nr + 1))
	if [ "${got% }" = "$expected" ] && [ ! -s "$tmp/log" ]; then
		echo "ok $nr memgate $* -> $expected"
	else
		echo "not ok $nr memgate $* -> $expected"
		echo "# got: $got"
		sed 's/^/# /' "$tmp/log"
		failed=1
	fi
}

echo "TAP version 13"
B="-B $tmp/pins"
is "policy" po
is "--json" --j
is "--pretty" --json --p
is "check help list load show unload" policy ""
is "attach" gate a
is "freeze" ga fr
is "" nonsense ""
is "gate graph" help g
is "group mode name" policy load FILE ""
is "$tmp/file.bpf.o" policy load "$tmp/fi"
is "$tmp/pins" -B "$tmp/p"
# shellcheck disable=SC2086 # $B is two words
{
is "deny owner" $B policy show ""
is "deny owner" $B policy unload ""
is "owner" $B pol sh o
is "fd param pid pin policy" $B gate attach ""
is "deny owner" $B gate attach fd 3 policy ""
is "owner" $B gate attach pid 1 fd 3 policy o
is "owner" $B gate att f 3 po o
is "party[0..7].uid= tgid=" $B gate attach fd 3 policy owner param ""
is "tgid=" $B run size 1M policy owner param t
is "" $B gate attach fd 3 policy owner param tgid = ""
is "param" $B gate attach fd 3 policy owner param tgid = 3 para
is "pin" $B gate attach fd 3 policy owner param tgid = 3 pin
is "deny owner" $B gate update fd 3 replace ""
is "deny owner" $B gate update pinned /x policy ""
}
is "fd link pid pinned policy replace" gate update ""
is "$sleeper" gate seal pid $sleeper
is "4" gate seal pid $sleeper fd 4
is "$tmp/file.bpf.o" gate attach fd 3 policy p pin "$tmp/f"
is "1G 2M" run size 1M hugetlb ""
is "no-default nofreeze" run size 1M no
is "" run size 1M -- ""
is "probe" feature p

echo "1..$nr"
exit $failed
