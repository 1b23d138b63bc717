#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel tree's own selftests for memfd and KVM: what passes on a kernel
# without memgate must pass with it.
#
#   upstream.sh build			compile them
#   upstream.sh record [-k BZIMAGE]	run them, write upstream-expected.txt:
#					for a kernel without memgate
#   upstream.sh check [-k BZIMAGE]	run them, print TAP: ok is what is not
#					worse than recorded
#
# Environment: O (build folder), KSRC (kernel tree, is not written to),
# J (jobs), ONLY (a shell pattern: the names of the tests to run).
#
# The commands are short forms for a machine that is emulated.  What no
# emulator can do (SEV, VMX), what needs more memory than a test VM has, and
# what measures time (xapic_ipi_test: an interrupt must arrive within so many
# ticks of the TSC) is left out.
set -u

TOP=$(cd "$(dirname "$0")/.." && pwd)
export O=${O:-$TOP/build}
KSRC=${KSRC:-$O/linux}
J=${J:-$(nproc)}
ONLY=${ONLY:-*}
OUT=$O/selftests/upstream
EXPECTED=$TOP/selftests/upstream-expected.txt
KERNEL=$O/kernel/arch/x86/boot/bzImage
TEST_SECONDS=240
VM_SECONDS=900

# Each is a command in $OUT, and its own name.
tests() {
	cat <<-'END'
	memfd/memfd_test
	kvm/set_memory_region_test 2
	kvm/guest_memfd_test
	kvm/pre_fault_memory_test
	kvm/kvm_create_max_vcpus
	kvm/coalesced_io_test
	kvm/kvm_binary_stats_test
	kvm/steal_time
	kvm/demand_paging_test -b 16M
	kvm/demand_paging_test -b 4M -s shmem -u MISSING
	kvm/demand_paging_test -b 4M -s shmem -u MINOR
	kvm/demand_paging_test -b 32M -s shared_hugetlb
	kvm/demand_paging_test -b 16M -v 2 -o -s shmem
	kvm/dirty_log_perf_test -b 16M -i 2 -v 2 -s shmem
	kvm/dirty_log_perf_test -b 32M -i 2 -s shared_hugetlb
	kvm/dirty_log_test -i 3 -I 2 -M dirty-log
	kvm/dirty_log_test -i 3 -I 2 -M dirty-ring
	kvm/kvm_page_table_test -b 64M -s shmem
	kvm/kvm_page_table_test -b 64M -s shared_hugetlb
	kvm/kvm_page_table_test -b 64M -v 2 -s anonymous_thp
	kvm/memslot_modification_stress_test -i 100 -b 16M
	kvm/x86_64/xen_shinfo_test
	kvm/x86_64/xen_vmcall_test
	kvm/x86_64/smm_test
	kvm/x86_64/state_test
	kvm/x86_64/sync_regs_test
	kvm/x86_64/set_sregs_test
	kvm/x86_64/kvm_pv_test
	kvm/x86_64/hyperv_svm_test
	kvm/x86_64/svm_vmcall_test
	kvm/x86_64/svm_int_ctl_test
	kvm/x86_64/svm_nested_shutdown_test
	kvm/x86_64/triple_fault_event_test
	kvm/x86_64/exit_on_emulation_failure_test
	kvm/x86_64/fix_hypercall_test
	kvm/x86_64/recalc_apic_map_test
	kvm/x86_64/userspace_io_test
	END
}

die() {
	echo "upstream.sh: $*" >&2
	exit 1
}

# The tests that ONLY asks for.
chosen() {
	local test

	tests | while read -r test; do
		# shellcheck disable=SC2254 # it is a pattern
		case $test in
		$ONLY) echo "$test" ;;
		esac
	done
}

# make in a folder of the kernel tree, with output in ours
kmake() {
	local dir=$1

	shift
	make -s -C "$KSRC/$dir" -j "$J" "$@" >>"$OUT/build.log" 2>&1 ||
		die "cannot build $dir of $KSRC: see $OUT/build.log"
}

build() {
	local headers=$OUT/usr/include dir programs

	[ -d "$KSRC/tools/testing/selftests/kvm" ] ||
		die "$KSRC is no kernel tree; name one by KSRC="
	mkdir -p "$OUT" && : >"$OUT/build.log"
	[ -e "$headers/linux/kvm.h" ] ||
		kmake . O="$OUT/obj" headers_install \
			INSTALL_HDR_PATH="$OUT/usr"
	for dir in memfd kvm; do
		mkdir -p "$OUT/$dir"
		programs=$(tests | cut -d' ' -f1 | grep "^$dir/" | sort -u |
			   sed "s|^|$OUT/|")
		# shellcheck disable=SC2086 # several goals
		kmake "tools/testing/selftests/$dir" OUTPUT="$OUT/$dir" \
			KHDR_INCLUDES="-isystem $headers" \
			LINUX_HDR_PATH="$headers" $programs
	done
}

# In the VM: a line for every test, "result seconds test".
inside() {
	local log=$MEMGATE_OUT/log test result start

	cd "$OUT" || exit 1
	mkdir -p "$log"
	chosen | while read -r test; do
		start=$SECONDS
		# shellcheck disable=SC2086 # program and arguments
		timeout -k 1 "$TEST_SECONDS" $test </dev/null \
			>"$log/${test//[ \/]/_}" 2>&1
		case $? in
		0) result=pass ;;
		4) result=skip ;;
		124 | 137) result=late ;;
		*) result=fail ;;
		esac
		echo "result $result $((SECONDS - start)) $test"
	done
}

# Run the tests in a VM; leave the result lines in $OUT/results.
run() {
	local status

	[ -e "$KERNEL" ] || die "no kernel at $KERNEL; build it, or use -k"
	mkdir -p "$OUT/vm"
	"$TOP/selftests/vm/run" -k "$KERNEL" -t "$VM_SECONDS" -o "$OUT/vm" -- \
		env ONLY="$ONLY" O="$O" "$TOP/selftests/upstream.sh" inside |
		tr -d '\r' | tee "$OUT/console" | sed 's/^/# /'
	status=${PIPESTATUS[0]}
	sed -n 's/^result //p' "$OUT/console" >"$OUT/results"
	return "$status"
}

record() {
	run || die "the VM ended with status $?: nothing recorded"
	{
		echo "# Results of the kernel tree's own tests on a kernel" \
		     "without memgate."
		echo "# Written by upstream.sh record."
		awk '{ r = $1; $1 = $2 = ""; sub(/^ +/, ""); print r, $0 }' \
			"$OUT/results"
	} >"$EXPECTED"
}

# The recorded or the new result of a test: pass, skip, late, fail, none.
result_of() {
	awk -v test="$2" -v skip="$3" '
		/^#/ { next }
		{
			result = $1
			for (i = 1; i <= skip; i++)
				sub(/^[^ ]+ /, "")
			if ($0 == test) {
				print result
				found = 1
				exit
			}
		}
		END { if (!found) print "none" }' "$1"
}

check() {
	local nr=0 bad=0 status=0 test was is

	[ -e "$EXPECTED" ] || die "no $EXPECTED: record it first"
	run || status=$?
	echo "TAP version 13"
	echo "1..$(($(chosen | wc -l) + 1))"
	while read -r test; do
		nr=$((nr + 1))
		was=$(result_of "$EXPECTED" "$test" 1)
		is=$(result_of "$OUT/results" "$test" 2)
		case $is:$was in
		pass:*) echo "ok $nr $test" ;;
		skip:skip | fail:fail | fail:late | late:late)
			echo "ok $nr $test # as without memgate: $is" ;;
		*)
			echo "not ok $nr $test # $is, without memgate: $was"
			sed 's/^/#   /' "$OUT/vm/log/${test//[ \/]/_}" \
				2>/dev/null | tail -20
			bad=1
			;;
		esac
	done < <(chosen)
	nr=$((nr + 1))
	if [ "$status" = 0 ]; then
		echo "ok $nr the VM ends without a complaint of the kernel"
	else
		echo "not ok $nr the VM ends with status $status"
		bad=1
	fi
	return "$bad"
}

verb=${1:-check}
[ $# -gt 0 ] && shift
while getopts k: opt; do
	case $opt in
	k) KERNEL=$OPTARG ;;
	*) die "usage: upstream.sh build|record|check [-k BZIMAGE]" ;;
	esac
done

case $verb in
build) build ;;
record) build && record ;;
check) build && check ;;
inside) inside ;;
*) die "unknown verb '$verb': build, record or check" ;;
esac
