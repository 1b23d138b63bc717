#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What a gate costs: boots the kernels of kernels.sh, has bench measure in each
# what it can, and writes the table.
#
#   run.sh [-n SAMPLES] [-o TABLE] [-r]
#
#   -n	samples of each operation (default 1000)
#   -o	where to write the table (default: the manual's page)
#   -r	do not measure, make the table from what was measured last
. "$(dirname "$0")/../../kernel/scripts/common.sh"

bench=$out/bench
results=$bench/results
table=$overlay/Documentation/mm/memgate-bench.rst
samples=1000 measure=y

while getopts ':n:o:r' opt; do
	case $opt in
	n) samples=$OPTARG ;;
	o) table=$OPTARG ;;
	r) measure=n ;;
	*) die "unknown option -$OPTARG (see the head of $0)" ;;
	esac
done

states() {	# kernel
	case $1 in
	unpatched) echo none lsm lsm_elsewhere ;;
	plain-c) echo plain_c ;;
	memgate) echo none elsewhere closed allow1 allow4 owner rule ;;
	esac
}

# nokaslr: addresses decide about paths, if rarely.
boot() {	# counted or wall, run, kernel
	local said options=(-t 3600 -a nokaslr) list
	if [ "$1" = counted ]; then
		options+=(-c)
	else
		# Old QEMUs cannot patch code under a second processor.
		options+=(-q '-smp 1')
	fi
	read -ra list <<<"$(states "$3")"
	say BENCH "$1, run $2: $3 (${list[*]})"
	said=$(O=$out "$top/selftests/vm/run" "${options[@]}" \
		-k "$bench/$3/bzImage" -- "$out/selftests/bench" -n "$samples" \
		"${list[@]}" 2>"$logs/bench-vm.log") || {
		cat "$logs/bench-vm.log" >&2
		die "$1 run of the $3 kernel failed:" "$said"
	}
	printf '%s\n' "$said" | sed "s/^/$1 $2 $3 /" >>"$results.new"
}

report() {
	awk -v part="$1" -f "$top/selftests/bench/report.awk" "$results"
}

config_differs() {
	diff <(grep '^CONFIG_' "$bench/unpatched/.config" | LC_ALL=C sort) \
		<(grep '^CONFIG_' "$bench/memgate/.config" | LC_ALL=C sort) |
		grep '^[<>]' | grep -v '> CONFIG_MEMGATE=y' || true
}

write_table() {
	cat <<-END
	.. SPDX-License-Identifier: GPL-2.0
	.. Written by selftests/bench/run.sh: change that, not this.

	==================
	What a gate costs
	==================

	\`\`make bench\`\` measures and writes this page: Linux $(linux_version "$linux"),
	$("${CC:-gcc}" --version | head -n 1), the .config of the tests, which has
	some debugging in it (CONFIG_DEBUG_ATOMIC_SLEEP, CONFIG_DEBUG_LIST), and
	kernel/configs/bench.config.

	Counted is what one processor executes, interrupts left out, in QEMU with
	-icount: kernel and user space from the system call to its return.  A ratio is
	against the kernel without the series and the same .config; in parentheses are
	the instructions that are added to one operation.  A figure is the mean of the
	middle half of $samples samples.

	Two runs of all this differ, for each operation at most, by:
	$(report repeatability | fold -s -w 76 | sed 's/ *$//').

	The operations:

	mmap
	   mmap() of a page of a memfd, shared, for reading and writing, and munmap().
	   Of a gated memfd it is also asked what the mapping may become later: two
	   questions.
	mmap_rwx
	   The same for reading, writing and execution: one question.
	read
	   pread() of 4 KiB.
	gup_fast, gup_slow
	   get_user_pages_fast() and get_user_pages() of one page, and its put.
	   GUP-fast does not take a gated page and goes on as slow GUP, which asks.
	gup_anon
	   get_user_pages_fast() of an anonymous page, which no gate is about.
	kvm_fault
	   A guest writes to a page for the first time: a stage-2 fault (AMD-V, nested
	   paging, in QEMU's emulation), with the page in the page tables of the host.
	fork
	   fork() of a process that maps 4 MiB of the memfd, as the parent sees it.

	The states, all of the patched kernel:

	none
	   There is no gate in the system.
	elsewhere
	   Another memfd is gated; this one is not.
	closed
	   The memfd is gated and has no policy: what it costs to be refused (fork()
	   succeeds, and the child lacks the range).
	allow1, allow4
	   One install of bpf/allow.bpf.c, four installs of it.
	owner
	   bpf/owner.bpf.c with the process as the owner (it does not decide about KVM,
	   and a child is not the owner).

	Instructions, as a ratio
	========================

	$(report counted)

	The same rule in three ways
	===========================

	"Only this thread group may map this memfd": as plain C in do_mmap()
	(selftests/bench/plain-c.patch), as a BPF LSM program on mmap_file with the
	thread group in the storage of the inode (bench_lsm.bpf.c), as a memgate policy
	with the thread group as its parameter (bench_rule.bpf.c).  An LSM program runs
	for all files, "elsewhere" is what they pay.

	$(report rule)

	Time, as a ratio
	================

	With the emulation's or the machine's own clock, on a machine that may have had
	other work: no more than an impression.

	$(report wall)

	Targets
	=======

	::

	$(report verdict | sed 's/^/   /')
	END
}

if [ $measure = y ]; then
	[ -z "$(config_differs)" ] ||
		die "the kernels differ in their .config:" "$(config_differs)"
	mkdir -p "$bench" "$logs"
	: >"$results.new"
	for run in 1 2; do
		for kernel in unpatched plain-c memgate; do
			boot counted $run $kernel
		done
	done
	for kernel in unpatched plain-c memgate; do
		boot wall 1 $kernel
	done
	mv "$results.new" "$results"
fi
write_table >"$table.new"
mv "$table.new" "$table"
report verdict
say TABLE "$table"
