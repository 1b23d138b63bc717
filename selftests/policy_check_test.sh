#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# "memgate policy check": what it says of a file on this kernel, and that it
# is what loading would say.  Needs root; TAP on stdout.

# shellcheck source=SCRIPTDIR/command_util.sh
. "$(dirname "$0")/command_util.sh"

# checks NAME CODE FILE WORDS...: exit code, each of the words on stdout
checks()
{
	local name=$1 code=$2 file=$3 words status=0
	shift 3
	run memgate policy check "$file"
	[ "$got" = "$code" ] && [ ! -s "$out/stderr" ] || status=1
	for words; do
		grep -qE -- "$words" "$out/stdout" || status=1
	done
	result $status "$name"
}

# Loading says the same, or it is the verifier who objects.
agrees() # NAME FILE
{
	local checks loads status=0
	memgate policy check "$2" > "$out/stdout" 2>&1
	checks=$?
	memgate policy load "$2" name agree > /dev/null 2> "$out/stderr"
	loads=$?
	[ $loads != 0 ] || memgate policy unload agree > /dev/null
	echo "check says $checks, load $loads" >> "$out/stdout"
	case $checks:$loads in
	0:0|1:1|2:[12]) ;;
	0:2) grep -q "the verifier refused" "$out/stderr" || status=1 ;;
	*) status=1 ;;
	esac
	result $status "$1"
}

echo "TAP version 13"
if ! memgate feature probe > /dev/null 2>&1; then
	checks "without memgate it describes and does not judge" 3 \
		"$bpf/owner.bpf.o" "unknown: this kernel has no memgate" \
		"tgid *u32" "may_map *owner_may_map"
	checks "but for what is wrong anywhere" 2 \
		"$progs/bad_name_empty.bpf.o" "the policy has no name"
	echo "1..$nr"
	exit $failed
fi

checks "a policy" 0 "$bpf/exclusive_kvm.bpf.o" \
	"verdict.*taken, unless the verifier objects" \
	"first_vm *hash, 65536 entries" "kvm *one VM at a time" \
	"^.*bpf_memgate_id$" "this process has them"
checks "members, classes, functions of a later kernel" 2 \
	"$progs/later.bpf.o" \
	"struct memgate_ops has no member may_dream" \
	"decides class 40, which this kernel does not know" \
	"this kernel has no function bpf_memgate_dream" \
	"bpf_memgate_perhaps \(optional\) MISSING" \
	"has no program may_attach"
memgate policy check "$progs/bad_no_policy.bpf.o" > "$out/stdout" \
	2> "$out/stderr"
[ $? = 1 ] && grep -q "^Error: .* has no policy" "$out/stderr"
result $? "no policy"
setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
	memgate -j policy check "$bpf/two_vms_one_cgroup.bpf.o" \
	> "$out/stdout" 2> "$out/stderr" &&
	grep -q '"may_load":false.*"verdict":"taken"' "$out/stdout"
result $? "without a privilege, JSON"

for name in later bad_class bad_decides_nothing bad_name_long bad_name_space \
	bad_no_may_attach bad_params_size bad_sleepable bad_license \
	bad_params_beyond bad_two_policies bad_kfunc_tcp; do
	agrees "load agrees on $name" "$progs/$name.bpf.o"
done
agrees "load agrees on owner" "$bpf/owner.bpf.o"

echo "1..$nr"
exit $failed
