#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The kernel tree's own selftests for memory management, KVM and what else the
# hooks are in: what passes on a kernel without memgate must pass with it, part
# by part.
#
#   upstream.sh build			compile them
#   upstream.sh record [-k BZIMAGE]	run them, write upstream-expected.txt:
#					for a kernel without memgate
#   upstream.sh check [-k BZIMAGE]	run them, print TAP: ok is what is not
#					worse than recorded
#
# Environment: O (build folder), KSRC (kernel tree, is not written to),
# J (jobs), ONLY (a shell pattern: the names of the tests to run),
# TEST_SECONDS and VM_SECONDS (what one test and all of them may take).
#
# The commands are short forms for a machine that is emulated.  Left out is
# what no emulator can do (SEV, VMX), what needs more memory, CPUs, nodes or
# pages of 1 GiB than a test VM has (migration, thuge-gen, split_huge_page_test,
# virtual_address_range), what its kernel does not have (KSM, soft-dirty), and
# what measures time (xapic_ipi_test: an interrupt must arrive within so many
# ticks of the TSC; xen_shinfo_test: within a second, and it waits for a race;
# futex_wait, futex_requeue, futex_waitv: another thread must be there within
# 10 ms; pidfd_test).  Nor is LTP here: Debian has no package of it.
set -u

TOP=$(cd "$(dirname "$0")/.." && pwd)
export O=${O:-$TOP/build}
KSRC=${KSRC:-$O/linux}
J=${J:-$(nproc)}
ONLY=${ONLY:-*}
OUT=$O/selftests/upstream
EXPECTED=$TOP/selftests/upstream-expected.txt
KERNEL=$O/kernel/arch/x86/boot/bzImage
TEST_SECONDS=${TEST_SECONDS:-240}
VM_SECONDS=${VM_SECONDS:-900}

DIRS='memfd mm proc pidfd ptrace cachestat mincore drivers/dma-buf
	futex/functional kvm'

# Each is a command in $OUT, and its own name.
tests() {
	cat <<-'END'
	memfd/memfd_test
	mm/cow
	mm/droppable
	mm/gup_longterm
	mm/gup_test -u -m 8
	mm/gup_test -a -m 8
	mm/gup_test -U -m 8
	mm/gup_test -b -m 8
	mm/gup_test -L -m 8
	mm/gup_test -u -S -w -m 8
	mm/gup_test -a -S -w -m 8 -n 123
	mm/gup_test -L -S -w -m 8 -t
	mm/gup_test -L -H -w -m 8
	mm/gup_test -a -H -w -m 8
	mm/gup_test -ct -F 0x1 0 19 0x1000
	mm/hmm-tests
	mm/hugepage-mmap
	mm/hugepage-mremap
	mm/hugepage-shm
	mm/hugepage-vmemmap
	mm/hugetlb-madvise
	mm/hugetlb_dio
	mm/khugepaged madvise:shmem
	mm/madv_populate
	mm/map_fixed_noreplace
	mm/map_hugetlb
	mm/map_populate
	mm/mdwe_test
	mm/memfd_secret
	mm/mkdirty
	mm/mlock-random-test
	mm/mlock2-tests
	mm/mrelease_test
	mm/mremap_dontunmap
	mm/mremap_test
	mm/mseal_test
	mm/on-fault-limit
	mm/pagemap_ioctl
	mm/pkey_sighandler_tests_64
	mm/protection_keys_64
	mm/uffd-unit-tests -f minor
	mm/uffd-unit-tests -f pin
	mm/uffd-unit-tests -f zeropage
	mm/uffd-stress shmem 4 1
	mm/uffd-stress shmem-private 4 1
	mm/uffd-stress hugetlb 16 1
	mm/uffd-stress hugetlb-private 16 1
	mm/va_high_addr_switch
	proc/fd-001-lookup
	proc/proc-empty-vm
	proc/proc-pid-vm
	proc/proc-self-map-files-001
	proc/proc-self-map-files-002
	pidfd/pidfd_getfd_test
	ptrace/peeksiginfo
	ptrace/get_syscall_info
	cachestat/test_cachestat
	mincore/mincore_selftest
	drivers/dma-buf/udmabuf
	futex/functional/futex_requeue_pi
	futex/functional/futex_requeue_pi -l -o
	futex/functional/futex_wait_timeout
	futex/functional/futex_wait_uninitialized_heap
	futex/functional/futex_wait_private_mapped_file
	futex/functional/futex_wait_wouldblock
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

# The programs that are wanted of a folder.
programs() {	# folder
	tests | sed -n "s|^\($1/[^ ]*\)\( .*\)\?$|\1|p" | sort -u
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

# make in a folder of a kernel tree, with output in ours
kmake() {	# folder, argument ...
	local dir=$1

	shift
	make -s -C "$dir" -j "$J" "$@" >>"$OUT/build.log" 2>&1 ||
		die "cannot build $dir: see $OUT/build.log"
}

# A link to each file of a folder but one.
link_all_but() {	# from, to, name
	local file

	mkdir -p "$2"
	for file in "$1"/*; do
		[ "${file##*/}" = "$3" ] || ln -s "$file" "$2"
	done
}

# The kernel tree, but for one folder whose build writes beside its sources.
shadow() {	# folder below tools/testing/selftests
	local tree=$OUT/tree now

	now=$(echo "$KSRC"; ls "$KSRC/tools/testing/selftests/$1")
	[ "$(cat "$tree/.made" 2>/dev/null)" != "$now" ] || return 0
	rm -rf "$tree"
	link_all_but "$KSRC" "$tree" tools
	link_all_but "$KSRC/tools" "$tree/tools" testing
	link_all_but "$KSRC/tools/testing/selftests" \
		"$tree/tools/testing/selftests" "$1"
	link_all_but "$KSRC/tools/testing/selftests/$1" \
		"$tree/tools/testing/selftests/$1" ''
	echo "$now" >"$tree/.made"
}

build() {
	local headers=$OUT/usr/include dir programs folder extra

	[ -d "$KSRC/tools/testing/selftests/kvm" ] ||
		die "$KSRC is no kernel tree; name one by KSRC="
	mkdir -p "$OUT" && : >"$OUT/build.log"
	[ -e "$headers/linux/kvm.h" ] ||
		kmake "$KSRC" O="$OUT/obj" headers_install \
			INSTALL_HDR_PATH="$OUT/usr"
	shadow mm
	for dir in $DIRS; do
		mkdir -p "$OUT/$dir"
		programs=$(programs "$dir" | sed "s|^|$OUT/|")
		folder=$KSRC extra=
		# khugepaged.c of some kernels lacks the header for KSFT_SKIP.
		[ "$dir" != mm ] ||
			folder=$OUT/tree extra=EXTRA_CFLAGS=-DKSFT_SKIP=4
		# shellcheck disable=SC2086 # several goals
		kmake "$folder/tools/testing/selftests/$dir" \
			OUTPUT="$OUT/$dir" KHDR_INCLUDES="-isystem $headers" \
			LINUX_HDR_PATH="$headers" $extra $programs
	done
}

# In the VM: a file system to write to.
furnish() {
	mkfs.ext4 -q /dev/vda && mkdir -p /tmp/disk &&
		mount /dev/vda /tmp/disk && cd /tmp/disk || exit 1
}

# In the VM: a line for every test, "result seconds test".
inside() {
	local log=$MEMGATE_OUT/log test result start

	furnish
	mkdir -p "$log"
	chosen | while read -r test; do
		start=$SECONDS
		# Some change it, and some want more than the VM begins with.
		echo 160 >/proc/sys/vm/nr_hugepages
		# shellcheck disable=SC2086 # program and arguments
		timeout -k 1 "$TEST_SECONDS" "$OUT"/$test </dev/null \
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

# What a test printed: "NUMBER RESULT NAME" for each part of it that has a
# result of its own.  Those are TAP, but for userfaultfd's.
parts() {	# test
	tr -d '\r' <"$OUT/vm/log/${1//[ \/]/_}" | awk '
	/^(not )?ok [0-9]+/ {
		result = /^not/ ? "fail" : /# SKIP/ ? "skip" : "ok"
		sub(/^(not )?ok /, "")
		nr = $1
		sub(/^[0-9]+ *-? */, "")
		print nr, result, $0
	}
	match($0, /^Testing .*\.\.\. (done|skipped|failed)/) {
		name = substr($0, 9, RLENGTH - 8)
		result = "skip"
		if (name ~ /done$/)
			result = "ok"
		if (name ~ /failed$/)
			result = "fail"
		print ++testing, result, name
	}'
}

# Those numbers as a line for each result: "ok 1-4 6".
ranges() {
	awk '
	function put() {
		if (from == "")
			return
		span = to == from ? from : from "-" to
		if (length(line[was] span) > 66) {
			print "\t" was line[was]
			line[was] = ""
		}
		line[was] = line[was] " " span
	}
	{
		if ($2 != was || $1 != to + 1) {
			put()
			from = $1
		}
		was = $2
		to = $1
	}
	END {
		put()
		for (i = split("ok skip fail", result, " "); i > 0; i--)
			if (line[result[i]])
				print "\t" result[i] line[result[i]]
	}'
}

# Run the tests in a VM; leave in $OUT/results, for each test, its result and
# its parts.
run() {
	local status result test

	[ -e "$KERNEL" ] || die "no kernel at $KERNEL; build it, or use -k"
	rm -rf "$OUT/vm" && mkdir -p "$OUT/vm"
	"$TOP/selftests/vm/run" -k "$KERNEL" -t "$VM_SECONDS" -o "$OUT/vm" \
		-- env ONLY="$ONLY" O="$O" TEST_SECONDS="$TEST_SECONDS" \
		"$TOP/selftests/upstream.sh" inside |
		sed -u 's/\r$//' | tee "$OUT/console" | sed -u 's/^/# /'
	status=${PIPESTATUS[0]}
	sed -n 's/^result //p' "$OUT/console" |
		while read -r result _ test; do
			echo "$result $test"
			parts "$test" | ranges
		done >"$OUT/results"
	return "$status"
}

record() {
	run || die "the VM ended with status $?: nothing recorded"
	{
		echo "# Results of the kernel tree's own tests on a kernel" \
		     "without memgate."
		echo "# Written by upstream.sh record: for each test its result," \
		     "and the numbers of"
		echo "# its parts that passed, were skipped or failed."
		cat "$OUT/results"
	} >"$EXPECTED"
}

# The recorded or the new result of a test: pass, skip, late, fail, none.
result_of() {	# file, test
	awk -v test="$2" '
		/^[#\t]/ { next }
		{
			result = $1
			sub(/^[^ ]+ /, "")
			if ($0 == test) {
				print result
				found = 1
				exit
			}
		}
		END { if (!found) print "none" }' "$1"
}

# The parts of a test that are worse than recorded, or gone.
worse_parts() {	# test
	{
		awk -v test="$1" '
		!/^[#\t]/ { sub(/^[^ ]+ /, ""); mine = $0 == test }
		/^\t/ && mine {
			for (i = 2; i <= NF; i++) {
				nr = split($i, end, "-")
				for (n = end[1]; n <= end[nr]; n++)
					print n, $1
			}
		}' "$EXPECTED"
		echo
		parts "$1"
	} | awk '
	$0 == "" { now = 1; next }
	!now { was[$1] = $2; next }
	{
		result = $2
		nr = $1
		sub(/^[^ ]+ [^ ]+ ?/, "")
		before = nr in was ? was[nr] : "none"
		if (result != "ok" && result != before && before != "fail")
			print "part " nr " (" $0 "): " result \
				", without memgate: " before
		delete was[nr]
	}
	END {
		for (nr in was)
			print "part " nr ": none, without memgate: " was[nr]
	}'
}

check() {
	local nr=0 bad=0 status=0 test was is worse

	[ -e "$EXPECTED" ] || die "no $EXPECTED: record it first"
	run || status=$?
	echo "TAP version 13"
	echo "1..$(($(chosen | wc -l) + 1))"
	while read -r test; do
		nr=$((nr + 1))
		was=$(result_of "$EXPECTED" "$test")
		is=$(result_of "$OUT/results" "$test")
		worse=
		[ "$is" = none ] || worse=$(worse_parts "$test")
		case $is:$was${worse:+ parts} in
		pass:pass | pass:fail | pass:late | pass:skip)
			echo "ok $nr $test" ;;
		skip:skip | fail:fail | fail:late | late:late)
			echo "ok $nr $test # as without memgate: $is" ;;
		*)
			echo "not ok $nr $test # $is, without memgate: $was"
			[ -z "$worse" ] || echo "#   ${worse//$'\n'/$'\n#   '}"
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
