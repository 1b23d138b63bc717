#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate graph: what is drawn is what is there, and dot can read it.  Needs
# root; TAP on stdout.
#
# Many commands are quoted for a shell of their own, which inherits the memfd:
# shellcheck disable=SC2016,SC2317

# shellcheck source=selftests/explain_util.sh
. "$(dirname "$0")/explain_util.sh"

# Strict: what dot takes is more than what we write.  Every line is a node or
# an edge with quoted texts, nodes are there once and before their edges.
check_dot()
{
	awk '
	function fail(why) { print NR ": " why ": " $0; bad = 1 }
	# A quoted text at the start of s: takes it off, and gives it.
	function text(   i, c) {
		if (substr(s, 1, 1) != "\"") return ""
		for (i = 2; i <= length(s); i++) {
			c = substr(s, i, 1)
			if (c == "\\") {
				if (substr(s, i + 1, 1) !~ /["\\n]/) return ""
				i++
			} else if (c == "\"") {
				c = substr(s, 1, i)
				s = substr(s, i + 1)
				return c
			}
		}
		return ""
	}
	function word(w) {
		if (substr(s, 1, length(w)) != w) return 0
		s = substr(s, length(w) + 1)
		return 1
	}
	{ lines = NR }
	NR == 1 { if ($0 != "digraph memgate {") fail("head"); next }
	NR == 2 { if ($0 != "\trankdir=LR;") fail("head"); next }
	ended { fail("after the end"); next }
	$0 == "}" { ended = 1; next }
	{
		s = $0
		if (!word("\t") || (from = text()) == "") { fail("id"); next }
		if (word(" -> ")) {
			if ((to = text()) == "") { fail("id"); next }
			if (!(from in node) || !(to in node)) fail("no node")
			edges++
		} else {
			if (from in node) fail("twice")
			node[from] = 1
			nodes++
		}
		if (!word(" [label=") || text() == "") { fail("label"); next }
		if (s !~ /^(, [a-z]+=[a-z]+)*\];$/) fail("attributes")
	}
	END {
		if (!ended) { print "no end"; bad = 1 }
		if (!bad) print nodes + 0, edges + 0
		exit bad
	}' "$1"
	# shellcheck disable=SC2181 # of awk
	[ $? = 0 ] || return 1
	if command -v dot > /dev/null; then
		dot -Tsvg -o /dev/null "$1"
	fi
}

draws() # NAME COMMANDS: with a memfd; drawn into $out/dot and $out/json
{
	run sh7 "$2"
	cp "$out/dot" "$out/stdout" && [ "$got" = 0 ] && [ ! -s "$out/stderr" ] &&
		check_dot "$out/dot" > "$out/counted" 2>> "$out/stderr"
	result $? "$1"
	cat "$out/counted" >> "$out/stdout"
}

# count NAME N PATTERN: so many lines of the graph
count()
{
	got=$(grep -c -- "$3" "$out/dot")
	[ "$got" = "$2" ]
	result $? "$1"
}

echo "TAP version 13"
without_memgate graph "graph gate 1"
rm -rf $pins
for p in exclusive_kvm owner allow deny trusted_devices; do
	memgate policy load "$bpf/$p.bpf.o" > /dev/null
done

draws "nothing is gated" 'draw'
has "it has no node" "^0 0$"

draws "two gates with one policy" '
	attach allow; exec 8>&7; "$helper" memfd -- bash -c "
		memgate gate attach fd 7 policy allow > /dev/null
		memgate gate attach fd 7 policy deny > /dev/null
		memgate graph > $out/dot"'
count "are two nodes" 2 '^	"gate:[0-9]*" \['
count "of which each has its name" 2 'label="gate [0-9]* cli-test\\n1M, not frozen'
count "one policy is one node" 1 'label="allow", shape=hexagon'
count "asked by both" 2 '"gate:[0-9]*" -> "policy:[0-9]*" \[label="1 live'
count "the other by one" 1 'label="2 live'
draws "a VM, its process, what is closed" '
	attach exclusive_kvm; attach owner param by_uid=1
	memgate gate freeze fd 7 > /dev/null
	start vm vm; draw; echo $pid_vm > $out/pid; stop vm'
pid=$(cat "$out/pid")
count "the VM" 1 '^	"consumer:[0-9]*" \[label="VM [0-9]*", shape=ellipse'
count "has rights" 1 '"consumer:[0-9]*" -> "gate:[0-9]*" \[label="rw-"'
count "of a process" 1 "\"pid:$pid\" -> \"consumer:[0-9]*\" \\[label=\"made\""
count "which has a name and is one node" 1 \
	"^	\"pid:$pid\" \\[label=\"user_helper\\\\npid $pid\""
count "and holds the memory" 1 "\"pid:$pid\" -> \"gate:[0-9]*\" \\[label=\"fd 7\""
count "closed classes stand there" 1 'frozen\\nclosed: remote other vfio iommufd rdma vdpa xdp dmabuf"'
for kind in nodes edges; do
	in_dot=$(cut -d' ' -f"$([ $kind = nodes ] && echo 1 || echo 2)" \
		"$out/counted")
	in_json=$("$helper" json $kind < "$out/json" |
		grep -o '"label"' | wc -l)
	[ "$in_json" = "$in_dot" ]
	result $? "JSON: $kind ($in_json, $in_dot)"
done
prints "JSON: what is closed" "remote" sh -c \
	'"$helper" json nodes 0 closed 0 < $out/json'

draws "a policy that was lost" '
	attach deny pin /sys/fs/bpf/explain-g; rm /sys/fs/bpf/explain-g
	until_state closed; draw'
count "is dashed" 1 '^	"lost:[0-9]*:0" \[label="deny", shape=hexagon, style=dashed'
count "and closes" 1 '\[label="1 closed.*", style=dashed\];'

if vfio_device; then
	draws "a device of two gates" '
		attach allow; exec 8>&7
		"$helper" memfd -- bash -c "$lib"'"'"'
			attach allow; start dma vfio $group 7 8
			draw; cat $out/dma.said; stop dma'"'"
	count "is one node" 1 "^	\"device:$device\" \\[label=\"$device\", shape=component\\]"
	count "of one container" 1 "\"device:$device\" -> \"consumer:[0-9]*\""
	count "that has both" 2 '"consumer:[0-9]*" -> "gate:[0-9]*" \[label="rw-"'
else
	result 1 "there is a device for VFIO"
fi

# Names are chosen by whoever makes the memory.
odd()
{
	run "$user" named "$1" bash -c "$lib"'attach deny; draw'
	[ "$got" = 0 ] && check_dot "$out/dot" > "$out/stdout" 2> "$out/stderr"
	result $? "a name with $2"
}
odd 'a"b' "a quote"
count "which is escaped" 1 'gate [0-9]* a\\"b\\n'
odd "a\\" "a backslash at its end"
count "which is escaped" 1 'gate [0-9]* a\\\\\\n'
odd 'a\N\G"];x' "escapes of dot"
odd $'a\nb' "a line break"
odd $'a\033[31m\200' "a terminal's sequences"
! LC_ALL=C grep -q '[^ -~	]' "$out/dot"
result $? "of which none is printed"
odd '{<|>}' "a record's marks"
odd '' "nothing in it"
count "is said to have none" 1 "gate [0-9]* (no name)"
odd "$(printf '%0249d' 0)" "all the letters that it may have"

draws "one gate of two" '
	attach allow; exec 8>&7; "$helper" memfd -- bash -c "$lib"'"'"'
		attach deny; draw fd 7'"'"
count "is one" 1 '^	"gate:[0-9]*" \['
count "with its policy" 1 'label="deny"'
count "and no other" 0 'label="allow"'
draws "named twice it is there once" 'attach allow; draw fd 7 gate $(id)'
count "it is" 1 '^	"gate:[0-9]*" \['
draws "what no process holds" \
	'attach deny; exec "$helper" hide bash -c "memgate graph > $out/dot"'
count "is drawn too" 1 '^	"gate:[0-9]*" \['
refused "a gate that is not there" 2 "no gate 1000000 is to be seen" \
	memgate graph gate 1000000
refused "words that are none" 1 "unexpected word .gates." memgate graph gates
refused "memory without a gate" 2 "has no gate" memfd -- memgate graph fd 7
run memfd -- sh -c 'memgate gate seal fd 7 > /dev/null
	setpriv --reuid 65534 --clear-groups --inh-caps=-all memgate graph \
		> "$out/dot"'
check_dot "$out/dot" > /dev/null
result $? "without capabilities: what is in sight"

echo "1..$nr"
exit $failed
