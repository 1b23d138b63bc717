// SPDX-License-Identifier: GPL-2.0-only
/* The operations that are measured. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mm/gup_test.h>

#include "kvm_util.h"
#include "memgate_util.h"
#include "bench.h"

/* The process's own mapping, of all of the memfd but for gup_anon. */
static char *own;

static int map_own(int memfd)
{
	own = mmap(NULL, BENCH_LEN, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, memfd, 0);
	if (own == MAP_FAILED)
		return -errno;
	/* Writable in the page tables, for GUP-fast and for KVM. */
	mg_fill(own, 0, BENCH_LEN);
	return 0;
}

/* mmap + munmap ***********************************************************/

static int map_once(int memfd, int prot, bool refused, uint64_t *cost)
{
	uint64_t start = bench_now();
	void *map = mmap(NULL, BENCH_PAGE, prot, MAP_SHARED, memfd, 0);
	int err = map == MAP_FAILED ? errno : munmap(map, BENCH_PAGE);

	*cost = bench_now() - start;
	return err == (refused ? EACCES : 0) ? 1 : -EPROTO;
}

static int sample_mmap(int memfd, bool refused, uint64_t *cost)
{
	return map_once(memfd, PROT_READ | PROT_WRITE, refused, cost);
}

/* Cannot become more than it is, so that is not asked about: one question. */
static int sample_mmap_rwx(int memfd, bool refused, uint64_t *cost)
{
	return map_once(memfd, PROT_READ | PROT_WRITE | PROT_EXEC, refused,
			cost);
}

/* read ********************************************************************/

static int sample_read(int memfd, bool refused, uint64_t *cost)
{
	static char buf[BENCH_PAGE] __attribute__((aligned(BENCH_PAGE)));
	uint64_t start = bench_now();
	ssize_t n = pread(memfd, buf, BENCH_PAGE, BENCH_PAGE);

	*cost = bench_now() - start;
	if (refused)
		return n < 0 && errno == EACCES ? 1 : -EPROTO;
	return n == (ssize_t)BENCH_PAGE && mg_matches(buf, BENCH_PAGE, n) ?
	       1 : -EPROTO;
}

/* GUP *********************************************************************/

/*
 * The kernel's driver for it: as many single-page calls as asked for, and a
 * put for each.
 */
#define GUP_PAGES	64
#define FOLL_WRITE	1	/* <linux/mm_types.h> */

static int gup_fd;

static int open_gup(void)
{
	gup_fd = open("/sys/kernel/debug/gup_test", O_RDWR);
	return gup_fd < 0 ? -errno : 0;
}

static int prepare_gup(int memfd)
{
	return map_own(memfd) ?: open_gup();
}

static int prepare_gup_anon(int memfd)
{
	own = mmap(NULL, BENCH_LEN, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own == MAP_FAILED)
		return -errno;
	/* Base pages, as the memfd has. */
	if (madvise(own, BENCH_LEN, MADV_NOHUGEPAGE))
		return -errno;
	mg_fill(own, 0, BENCH_LEN);
	return open_gup();
}

/* Answers how many pages were had. */
static long gup(unsigned long cmd, int pages, uint64_t *cost)
{
	struct gup_test test = {
		.addr = (uintptr_t)own,
		.size = pages * BENCH_PAGE,
		.nr_pages_per_call = 1,
		.gup_flags = FOLL_WRITE,
	};
	uint64_t start = bench_now();
	int err = ioctl(gup_fd, cmd, &test);

	*cost = bench_now() - start;
	return err ? -errno : (long)(test.size / BENCH_PAGE);
}

/* What the driver itself costs is what no page costs. */
static int sample_gup(unsigned long cmd, bool refused, uint64_t *cost)
{
	int wanted = refused ? 1 : GUP_PAGES;
	uint64_t empty;

	if (gup(cmd, 0, &empty) ||
	    gup(cmd, wanted, cost) != (refused ? 0 : wanted))
		return -EPROTO;
	*cost -= empty;
	return wanted;
}

static int sample_gup_fast(int memfd, bool refused, uint64_t *cost)
{
	return sample_gup(GUP_FAST_BENCHMARK, refused, cost);
}

static int sample_gup_slow(int memfd, bool refused, uint64_t *cost)
{
	return sample_gup(GUP_BASIC_TEST, refused, cost);
}

/* KVM *********************************************************************/

#define KVM_PAGES	64
#define SLOT_TESTED	1
#define SLOT_CODE	2
#define GPA_CODE	0x8000000u

static struct guest guest;
static uint8_t *code;
static uint32_t next_page;

/* A function that writes to @pages pages from @gpa on, one word each. */
static void write_pages(uint32_t gpa, uint32_t pages)
{
	static const uint8_t text[] = {
		0xb9, 0, 0, 0, 0,		/* mov $pages, %ecx */
		0xbf, 0, 0, 0, 0,		/* mov $gpa, %edi */
		0xe3, 10,			/* jecxz to the ret */
		0x89, 0x07,			/* mov %eax, (%edi) */
		0x81, 0xc7, 0, 0x10, 0, 0,	/* add $4096, %edi */
		0xe2, 0xf6,			/* loop to the mov */
		0xc3,				/* ret */
	};

	memcpy(code, text, sizeof(text));
	memcpy(code + 1, &pages, 4);
	memcpy(code + 6, &gpa, 4);
}

static int touch(uint32_t gpa, uint32_t pages, uint64_t *cost)
{
	uint32_t val;
	uint64_t start;
	int err;

	write_pages(gpa, pages);
	start = bench_now();
	err = guest_exec(&guest, 0, GPA_CODE, &val, NULL);
	*cost = bench_now() - start;
	return err;
}

/* Removing a memslot makes KVM forget all that the guest has faulted in. */
static int forget_pages(void)
{
	uint64_t cost;
	int err;

	err = guest_memslot(&guest, SLOT_TESTED, GUEST_GPA, own, 0, 0) ?:
	      guest_memslot(&guest, SLOT_TESTED, GUEST_GPA, own, BENCH_LEN, 0);
	next_page = 0;
	/* The guest's own memory comes back, and a page of the tables. */
	return err ?: touch(GUEST_GPA + BENCH_LEN - BENCH_PAGE, 1, &cost);
}

static int start_kvm(int memfd)
{
	int err = guest_open(&guest, 1, 0);

	if (err)
		return err;
	code = guest_area(&guest, SLOT_CODE, GPA_CODE, BENCH_PAGE);
	if (code == MAP_FAILED)
		return -errno;
	err = guest_memslot(&guest, SLOT_TESTED, GUEST_GPA, own, BENCH_LEN, 0);
	return err ?: forget_pages();
}

/* What KVM_RUN itself costs is what a guest costs that touches nothing. */
static int sample_kvm(int memfd, bool refused, uint64_t *cost)
{
	uint64_t empty;
	int err = 0;

	/* The last page is there already. */
	if ((next_page + KVM_PAGES) * BENCH_PAGE >= BENCH_LEN)
		err = forget_pages();
	err = err ?: touch(GUEST_GPA, 0, &empty);
	err = err ?: touch(GUEST_GPA + next_page * BENCH_PAGE, KVM_PAGES, cost);
	if (err)
		return err;
	next_page += KVM_PAGES;
	*cost -= empty;
	return KVM_PAGES;
}

/* fork ********************************************************************/

/*
 * fork() copies the private pages that are there: make it all of them, or
 * their number depends on what else was read from the same files.
 */
static int prepare_fork(int memfd)
{
	int err = map_own(memfd);

	if (err)
		return err;
	return mlockall(MCL_CURRENT) || munlockall() ? -errno : 0;
}

static int sample_fork(int memfd, bool refused, uint64_t *cost)
{
	uint64_t start = bench_now();
	/* No handlers of the C library: the kernel's part alone. */
	pid_t pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
	int status;

	if (pid == 0)
		syscall(SYS_exit_group, 0);
	*cost = bench_now() - start;
	if (pid < 0)
		return -errno;
	return waitpid(pid, &status, 0) == pid && !status ? 1 : -EPROTO;
}

const struct bench_op bench_ops[] = {
	{ "mmap", BENCH_MMAP, NULL, NULL, sample_mmap, true, 1 },
	{ "mmap_rwx", BENCH_MMAP, NULL, NULL, sample_mmap_rwx, true, 1 },
	{ "read", BENCH_READ, NULL, NULL, sample_read, true, 1 },
	{ "gup_fast", BENCH_GUP, prepare_gup, NULL, sample_gup_fast, true, 1 },
	{ "gup_slow", BENCH_GUP, prepare_gup, NULL, sample_gup_slow, true, 1 },
	{ "gup_anon", BENCH_ANON, prepare_gup_anon, NULL, sample_gup_fast,
	  false, 1 },
	{ "kvm_fault", BENCH_KVM, map_own, start_kvm, sample_kvm, false, 1 },
	/* Differs from process to process, by some 0.1 %. */
	{ "fork", BENCH_FORK, prepare_fork, NULL, sample_fork, true, 5 },
};
const size_t bench_nr_ops = ARRAY_SIZE(bench_ops);
