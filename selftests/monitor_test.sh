#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# memgate monitor: every kind of decision is seen, once; filters; what is lost
# is told of; how it begins and ends.  Needs root; TAP on stdout.
#
# Some commands are quoted for a shell of their own:
# shellcheck disable=SC2016

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"

# same NAME TEXT: stdout, which has been made simple, is that text
same()
{
	[ "$(cat "$out/stdout")" = "$2" ]
	result $? "$1"
}

# on_memory POLICY STEPS...: the workload on memory of its own
on_memory()
{
	local policy=$1
	shift
	memgate run size 2M fd 7 policy "$policy" -- "$workload" "$@"
}

# watch [WORDS]: begin to watch, in the background; sets $monitor
within=
watch()
{
	$within memgate "$@" > "$out/stdout" 2> "$out/stderr" < /dev/null &
	monitor=$!
	local i
	for ((i = 0; i < 200; i++)); do
		grep -q ready "$out/stdout" "$out/stderr" && return
		sleep 0.05
	done
	echo "# monitor is not ready"
}

# end [SIGNAL]: and end it
end()
{
	kill "-${1:-INT}" "$monitor"
	wait "$monitor"
	got=$?
}

# What stands in each decision at a key.
each() # KEY [FILE]
{
	sed -nE '/"event":"decision"/s/.*"'"$1"'":"?([^",}]*).*/\1/p' \
		"${2:-$out/stdout}"
}

# Every decision and closed way as a line; kernel threads apart.
brief()
{
	grep -v '"kthread":true' "$out/stdout" | sed -nE \
		-e 's/.*"event":"closed".*"way":"([^"]*)".*/closed \1/p' \
		-e '/"event":"decision"/!d' -e 's/"device":null/"dev":{"name":""/' \
		-e 's/"device":/"dev":/' \
		-e 's/.*"class":"([^"]*)"(,"op":"([^"]*)")?,"rights":"([^"]*)".*"dev":\{"name":"([^"]*)".*"verdict":"([^"]*)".*/\1 \3 \4 \5 \6/p' |
		tr -s ' '
}

echo "TAP version 13"
if ! memgate feature probe > "$out/stdout" 2>&1; then
	refused "a kernel without memgate is named" 3 \
		"this kernel has no memgate" memgate monitor
	echo "1..$nr"
	exit $failed
fi
rm -rf $pins
for p in allow deny owner; do
	memgate policy load "$build/bpf/$p.bpf.o" mode 0444 > /dev/null
done

# ---- every kind, once ----------------------------------------------------

run memgate -j monitor -- memgate run size 2M fd 7 policy allow -- \
	"$workload" map mapro widen move fork read write pin longterm uring \
	vhost remote loop hmm vm vfio-bridged iommufd-a udmabuf rdma xdp
cp "$out/stdout" "$out/all"
# Whole lines, between those of the command; as a list they are one value.
[ "$(grep -c '^{.*}$' "$out/all")" -ge 27 ] &&
	! grep -v '^{.*}$' "$out/all" | grep -Evq '^[a-z-]+: (ok|E[A-Z]+)$' &&
	[ "$(grep '^{' "$out/all" | paste -sd, | sed 's/.*/[&]/' |
		"$helper" json 0 event)" = ready ]
result $? "JSON: each line is one value"
[ "$(sed -n '/^{/p' "$out/all" | sed -n 1p)" = '{"event":"ready"}' ]
result $? "JSON: the first says that it is ready"
grep -q '"event":"end","events":[0-9]*,"lost":0' <(tail -n 1 "$out/all")
result $? "JSON: the last says how many, and that none was lost"
[ "$got" = 1 ]
result $? "the exit status is that of the command"
grep -q '"class":"file".*"comm":"kworker.*"kthread":true' "$out/all"
result $? "a kernel thread is known as one"
brief > "$out/brief"
mv "$out/brief" "$out/stdout"
same "every kind of decision, each once" "map mmap rw- allowed
map mprotect rwx allowed
map mmap r-- allowed
map mprotect rw- allowed
map mprotect r-x allowed
map mremap rw- allowed
map fork rw- allowed
file r-- allowed
file -w- allowed
own_pin r-- allowed
own_longterm rw- allowed
io_uring rw- allowed
vhost rw- allowed
map fork rw- allowed
remote r-- allowed
closed hmm
kvm rw- allowed
vfio rw- 0000:00:12.0 allowed
vfio rw- 0000:01:01.0 allowed
vfio rw- 0000:01:02.0 allowed
iommufd rw- 0000:00:10.0 allowed
dmabuf rw- allowed
rdma rw- rxe0 allowed
xdp rw- allowed
xdp rw- mgt0 allowed"

device() # NAME KEY: of the device, as the first event with it says
{
	grep -m 1 "\"device\":{\"name\":\"$1\"" "$out/all" |
		"$helper" json device "$2"
}
[ "$(for k in pci id class driver bridge; do
	device 0000:01:01.0 $k; done | xargs)" = \
	"0000:01:01.0 1234:11e8 00ff00 vfio-pci false" ]
result $? "a PCI device: address, ids, class, driver"
[ "$(device 0000:01:01.0 group)" = "$(basename "$(readlink \
	/sys/bus/pci/devices/0000:01:01.0/iommu_group)")" ]
result $? "and iommu_group"
[ "$(device 0000:00:12.0 bridge) $(device 0000:01:01.0 bridge)" = "true false" ]
result $? "a bridge"
[ "$(device rxe0 rdma) $(device rxe0 net) $(device rxe0 pci)" = \
	"true false null" ]
result $? "an RDMA device, which is part of no PCI device"
[ "$(device mgt0 rdma) $(device mgt0 net)" = "false true" ]
result $? "a network interface"
vm=$(grep '"class":"kvm"' "$out/all")
task() { "$helper" json task "$1" <<<"$vm"; }
[ "$(task comm) $(task euid) $(task egid) $(task kthread)" = \
	"workload 0 0 false" ] && [ "$(task exe_ino)" = \
	"$(stat -c %i "$workload")" ] && [ "$(task exe_dev)" = \
	"$(stat -c '%Hd %Ld' "$workload" | { read -r a b
	echo $((a << 20 | b)); })" ]
result $? "who: name, user, group, executable"
[ "$(task cgroup)" = "$(stat -c %i "/sys/fs/cgroup$(sed -n 's/^0:://p' \
	/proc/self/cgroup)")" ]
result $? "and cgroup"
[ "$("$helper" json consumer <<<"$vm")" -gt 0 ] &&
	[ "$("$helper" json len <<<"$vm")" = 2097152 ] &&
	[ "$("$helper" json policy <<<"$vm")" = allow ]
result $? "what: consumer, bytes, policy"

# ---- none is missed, none is invented --------------------------------------

run memgate -j monitor class file -- \
	memgate run size 2M fd 7 policy allow -- "$workload" 'read*3000'
[ "$(each class | sort | uniq -c | xargs)" = "3000 file" ] &&
	grep -q '"events":3000,"lost":0' "$out/stdout"
result $? "3000 reads are 3000 events"
run memgate -j monitor -- memgate run size 2M fd 7 policy deny -- sh -c \
	'i=0; while [ $i -lt 50 ]; do "$0" read; i=$((i + 1)); done' "$workload"
[ "$(each verdict | sort | uniq -c | xargs)" = "50 refused" ] &&
	[ "$(each errno | sort -u)" = EACCES ] &&
	[ "$(each pid | sort -u | wc -l)" = 50 ]
result $? "50 processes that are refused are 50 events"
run memgate -j monitor -- memgate run size 2M fd 7 no-default -- \
	"$workload" read
[ "$(each policy)" = "" ] && [ "$(each verdict)" = refused ]
result $? "what no policy decides is refused by none"

# The ring holds some 8000; the reader is stopped meanwhile.
watch -j monitor class file
kill -STOP "$monitor"
on_memory allow 'read*20000' > /dev/null
kill -CONT "$monitor"
end
seen=$(grep -c '"event":"decision"' "$out/stdout")
lost=$(sed -n 's/^{"event":"lost","lost":\([0-9]*\)}$/\1/p' "$out/stdout" |
	awk '{ n += $1 } END { print n }')
[ "$seen" -gt 1000 ] && [ "${lost:-0}" -gt 1000 ] &&
	[ $((seen + lost)) = 20000 ]
result $? "what is lost is told of: $seen seen, $lost lost, of 20000"
grep -q "\"events\":$seen,\"lost\":$lost" <(tail -n 1 "$out/stdout")
result $? "and once more at the end"
watch monitor class file
kill -STOP "$monitor"
on_memory allow 'read*20000' > /dev/null
kill -CONT "$monitor"
end
grep -q "^lost [0-9]* events: they came faster" "$out/stderr" &&
	grep -q "^end: [0-9]* events, [1-9][0-9]* lost" "$out/stderr"
result $? "in words, too"

# ---- filters -----------------------------------------------------------------

two_memories='memgate run size 2M fd 7 policy allow -- "$0" map read pin read
memgate run size 2M fd 7 policy deny -- "$0" read
exit 0'

# only NAME CLASSES WORDS...: of what two_memories does, only these are seen
only()
{
	local name=$1 classes=$2
	shift 2
	run memgate -j monitor "$@" -- sh -c "$two_memories" "$workload"
	[ "$got" = 0 ] && [ "$(each class | xargs)" = "$classes" ]
	result $? "$name"
}

only "no filter" "map map file own_pin file file"
only "class" "file file file" class file
only "two classes" "map map own_pin" class own_pin class map
only "class by number" "file file file" class 1
only "a class of nobody" "" class kvm
only "refused" "file" refused
only "allowed" "map map file own_pin file" allowed
only "policy" "file" policy deny
only "a policy of which another is the beginning" "" policy all
only "a policy of nobody" "" policy nobody
only "class and verdict" "file file" class file allowed
run memgate -j monitor class map -- memgate run size 2M fd 7 policy allow -- \
	"$workload" map hmm
! grep -q '"event":"closed"' "$out/stdout"
result $? "what is closed has no class"
run memgate -j monitor refused -- memgate run size 2M fd 7 policy allow -- \
	"$workload" map hmm
[ "$(brief)" = "closed hmm" ]
result $? "and is refused"

# A process keeps a gated memfd at descriptor 7.
keep() { memgate run size 2M fd 7 policy allow -- sleep 60; }
keep &
keep &
sleep 1
mapfile -t keeper < <(pgrep -f '^sleep 60$')
id() { memgate -j gate show pid "${keeper[$1]}" fd 7 | "$helper" json id; }
touch_both()
{
	"$workload" read 7<> "/proc/${keeper[0]}/fd/7"
	"$workload" read read 7<> "/proc/${keeper[1]}/fd/7"
}

# gate NAME GATE WORDS...: only what is done to that gate is seen
gate()
{
	local name=$1 gate=$2
	shift 2
	watch -j monitor "$@"
	touch_both > /dev/null
	end
	[ "$(each gate | sort -u)" = "$gate" ]
	result $? "$name"
}
gate "gate ID" "$(id 1)" gate "$(id 1)"
gate "gate pid PID fd N" "$(id 0)" gate pid "${keeper[0]}" fd 7
gate "two gates" "$(printf '%s\n' "$(id 0)" "$(id 1)" | sort)" \
	gate "$(id 0)" gate "$(id 1)"
exec 7<> "/proc/${keeper[1]}/fd/7"
gate "gate fd N" "$(id 1)" gate fd 7
exec 7>&-
watch -j monitor gate $(($(id 1) + 1000))
touch_both > /dev/null
end
[ -z "$(each gate)" ]
result $? "a gate that is none"
kill "${keeper[@]}"

mkfifo "$out/go"
memgate run size 2M fd 7 policy allow -- sh -c \
	'read go < "$1"; exec "$0" read' "$workload" "$out/go" > /dev/null &
other=$!
watch -j monitor pid $other
on_memory allow read > /dev/null
echo go > "$out/go"
wait $other
end
[ "$(each class) $(each pid)" = "file $other" ]
result $? "pid"

# ---- namespaces -----------------------------------------------------------------

# The child of unshare is 1; the one that asks has a number beyond.
run unshare -pf --mount-proc memgate -j monitor -- sh -c \
	'memgate run size 2M fd 7 policy allow -- "$0" read' "$workload"
inner=$(each pid) outer=$(each tgid)
[ "$inner" -gt 1 ] && [ "$inner" -lt 10 ] && [ "$outer" -gt "$inner" ]
result $? "in a pid namespace: its own numbers ($inner is $outer outside)"
run unshare -pf --mount-proc memgate -j monitor pid "$inner" -- sh -c \
	'memgate run size 2M fd 7 policy allow -- "$0" read' "$workload"
[ "$(each pid)" = "$inner" ]
result $? "by which the filter goes"
within="unshare -pf --kill-child --mount-proc"
watch -j monitor count 1
on_memory allow read > /dev/null
wait "$monitor"
[ "$(each pid)" = 0 ] && [ "$(each tgid)" -gt 1 ]
result $? "who is not visible there is 0"
within=
watch -j monitor
unshare -pf --mount-proc "$helper" memfd -- sh -c \
	'memgate gate seal fd 7 > /dev/null; "$0" read' "$workload" > /dev/null
end
[ "$(each pid)" -gt 10 ] && [ "$(each pid)" = "$(each tgid)" ]
result $? "from outside a process in one has the outer number"

# ---- text -----------------------------------------------------------------------

run memgate monitor -- memgate run size 2M fd 7 policy deny -- \
	"$workload" read
grep -Eqx '[0-9:.]{15} +[0-9]+ refused +file +r-- +deny +[0-9]+ workload +0x0\+0x40 EACCES' \
	"$out/stdout" && grep -q "^TIME *GATE *VERDICT" "$out/stdout"
result $? "text: columns"
sed 1q "$out/stderr" | grep -qx ready &&
	tail -n 1 "$out/stderr" | grep -qx "end: 1 events, 0 lost"
result $? "text: ready and end on stderr"
! grep -q $'\033' "$out/stdout"
result $? "no colours in a file"
tty() # a terminal, in which COMMAND runs
{
	script -qec "$1" /dev/null > "$out/stdout" 2>&1 < /dev/null
	got=$?
}
once="memgate monitor count 1 -- memgate run size 2M fd 7 policy deny -- $workload read"
TERM=linux tty "$once"
grep -q $'\033\\[31mrefused' "$out/stdout"
result $? "colours on a terminal"
NO_COLOR=1 TERM=linux tty "$once"
! grep -q $'\033' "$out/stdout" && grep -q "refused" "$out/stdout"
result $? "but not with NO_COLOR"

# ---- how it ends ------------------------------------------------------------------

for signal in INT TERM HUP; do
	watch monitor
	end $signal
	[ "$got" = 0 ] && grep -q "^end: 0 events, 0 lost" "$out/stderr"
	result $? "SIG$signal ends it, and is no failure"
done
run memgate -j monitor count 3 -- memgate run size 2M fd 7 policy allow -- \
	"$workload" 'read*10'
[ "$got" = 0 ] && [ "$(each class | wc -l)" = 3 ]
result $? "count"
SECONDS=0
run memgate monitor for 1
[ "$got" = 0 ] && [ $SECONDS -ge 1 ] && [ $SECONDS -lt 10 ]
result $? "for"
run memgate monitor for 1 -- sh -c 'sleep 2; exit 9'
[ "$got" = 9 ]
result $? "for, and a command that goes on"
run memgate monitor -- sh -c 'kill -KILL $$'
[ "$got" = 137 ]
result $? "a command that is killed"
refused2() # NAME CODE WORDS COMMAND...: as refused, but it was ready
{
	run "${@:4}"
	[ "$got" = "$2" ] && grep -q "^Error: .*$3" "$out/stderr"
	result $? "$1"
}
refused2 "a command that is not there" 127 "cannot execute /nonexistent" \
	memgate monitor -- /nonexistent
refused2 "a command that is none" 126 "cannot execute /proc/version" \
	memgate monitor -- /proc/version
watch monitor -- sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
end TERM
[ "$got" = 3 ]
result $? "a signal that is sent goes to the command"
memgate monitor -- memgate run size 2M fd 7 policy allow -- sh -c \
	'exec "$0" "read*5000" > /dev/null' "$workload" 2> "$out/stderr" | head -n 2 > "$out/stdout"
got=${PIPESTATUS[0]}
[ "$got" = 0 ] && [ "$(wc -l < "$out/stdout")" = 2 ]
result $? "a reader that has enough"
SECONDS=0
memgate monitor for 60 2> "$out/stderr" | sed -n 1q > "$out/stdout"
got=${PIPESTATUS[0]}
[ "$got" = 0 ] && [ $SECONDS -lt 30 ]
result $? "also when nothing happens any more"
memgate monitor -- memgate run size 2M fd 7 policy allow -- \
	"$workload" 'read*100' > /dev/full 2> "$out/stderr"
got=$?
[ "$got" = 2 ] && grep -q "cannot write" "$out/stderr"
result $? "a full disk"

# ---- mistakes ---------------------------------------------------------------------

caps="CAP_BPF and CAP_PERFMON"
refused "without capabilities" 2 "watching decisions needs $caps" \
	setpriv --reuid 65534 --clear-groups --inh-caps=-all memgate monitor
refused "without CAP_PERFMON" 2 "watching decisions needs $caps" \
	setpriv --bounding-set=-perfmon,-sys_admin --inh-caps=-all \
	memgate monitor
refused "without CAP_BPF" 2 "watching decisions needs $caps" \
	setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-all memgate monitor
refused "with those of another user namespace" 2 \
	"watching decisions needs $caps" unshare -Ur memgate monitor
run setpriv --bounding-set=-bpf,-sys_admin --inh-caps=-all memgate -j monitor
[ "$got" = 2 ] && [ "$("$helper" json errno < "$out/stdout")" = EPERM ]
result $? "the same in JSON"
run setpriv --bounding-set=-sys_admin,-sys_ptrace,-dac_override \
	--inh-caps=-all memgate monitor for 1
[ "$got" = 0 ]
result $? "these two are enough"
refused "a memfd without gate" 2 "has no gate" \
	"$helper" memfd -- memgate monitor gate fd 7
refused "no such process" 2 "cannot look at /proc/999999/fd/7" \
	memgate monitor gate pid 999999 fd 7

echo "1..$nr"
exit $failed
