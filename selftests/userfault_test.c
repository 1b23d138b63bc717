// SPDX-License-Identifier: GPL-2.0-only
/*
 * userfaultfd: who holds the descriptor fills pages of the mapping that it
 * was made for, and has no mapping of the memfd itself.  A fill by another
 * process is a write of class REMOTE.  One by the process itself is what it
 * could do by a store, and asked about only where it could not: OWN_PIN.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "trace_util.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef UFFDIO_POISON
#define _UFFDIO_POISON		0x08
struct uffdio_poison {
	struct uffdio_range range;
	__u64 mode;
	__s64 updated;
};
#define UFFDIO_POISON	_IOWR(UFFDIO, _UFFDIO_POISON, struct uffdio_poison)
#endif
#define FEATURE_POISON	(1 << 14)

/* The same in both processes. */
#define MAP_BASE	((char *)0x200000000000UL)
#define PM_PRESENT	(1ULL << 63)

enum fill { COPY, ZEROPAGE, CONTINUE, POISON };

/* What a fill is told: which, of what memory, and the number of the page. */
#define FILL(fill, mem, page)	((long)(fill) << 32 | (mem) << 16 | (page))

static char pattern[MG_HUGE_SIZE] __attribute__((aligned(4096)));

/* A fill is of one page; those of huge pages of shmem are small. */
static size_t fill_size(enum mg_mem mem)
{
	return mem == MG_HUGETLB ? MG_HUGE_SIZE : 4096;
}

/* Runs in either process: 0 or -errno. */
static long fill(int uffd, long arg)
{
	size_t len = fill_size(arg >> 16 & 0xff), off = (arg & 0xffff) * len;
	struct uffdio_range range = { (uintptr_t)MAP_BASE + off, len };
	struct uffdio_copy copy = {
		.dst = range.start, .src = (uintptr_t)pattern, .len = len,
	};
	struct uffdio_zeropage zeropage = { .range = range };
	struct uffdio_continue cont = { .range = range };
	struct uffdio_poison poison = { .range = range };
	int ret = -1;

	switch ((enum fill)(arg >> 32)) {
	case COPY:
		mg_fill(pattern, off + MG_MARK, len);
		ret = ioctl(uffd, UFFDIO_COPY, &copy);
		break;
	case ZEROPAGE:
		ret = ioctl(uffd, UFFDIO_ZEROPAGE, &zeropage);
		break;
	case CONTINUE:
		ret = ioctl(uffd, UFFDIO_CONTINUE, &cont);
		break;
	case POISON:
		ret = ioctl(uffd, UFFDIO_POISON, &poison);
		break;
	}
	return ret ? -errno : 0;
}

FIXTURE(userfault) {
	struct mg_peer peer;
	enum mg_mem mem;
	enum fill fill;		/* under test */
	int prot, flags;	/* of the mapping */
	int fd, uffd, pagemap;
	char *map;
	unsigned int page;	/* the next that is free */
};

FIXTURE_VARIANT(userfault) {
	enum mg_mem mem;
	int flags;
};

#define VARIANT(name, its_mem, its_flags)				\
	FIXTURE_VARIANT_ADD(userfault, name) {				\
		.mem = its_mem, .flags = its_flags,			\
	}

VARIANT(page_4k, MG_4K, MAP_SHARED);
VARIANT(page_4k_private, MG_4K, MAP_PRIVATE);
VARIANT(thp, MG_THP, MAP_SHARED);
VARIANT(thp_private, MG_THP, MAP_PRIVATE);
VARIANT(hugetlb, MG_HUGETLB, MAP_SHARED);
VARIANT(hugetlb_private, MG_HUGETLB, MAP_PRIVATE);

#define LEN	(8 * MG_HUGE_SIZE)

FIXTURE_SETUP(userfault)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MISSING_SHMEM |
			    UFFD_FEATURE_MISSING_HUGETLBFS |
			    UFFD_FEATURE_MINOR_SHMEM |
			    UFFD_FEATURE_MINOR_HUGETLBFS | FEATURE_POISON,
	};

	self->mem = variant->mem;
	self->flags = variant->flags;
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->uffd = syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->uffd);
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->pagemap);
	self->fd = -1;
}

FIXTURE_TEARDOWN(userfault)
{
	close(self->fd);
	close(self->uffd);
	close(self->pagemap);
	mg_peer_stop(&self->peer);
}

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("trace");
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(userfault) *self

static void register_map(SELF)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)self->map, LEN },
		.mode = self->fill == CONTINUE ? UFFDIO_REGISTER_MODE_MINOR :
						 UFFDIO_REGISTER_MODE_MISSING,
	};

	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
}

/* A new memfd at MAP_BASE: full for CONTINUE, and empty for the others. */
static void map_new(SELF, int prot)
{
	if (self->map) {
		munmap(self->map, LEN);
		close(self->fd);
	}
	self->page = 0;
	self->prot = prot;
	self->fd = self->fill == CONTINUE ? mg_memfd(self->mem, LEN) :
					    mg_memfd_empty(self->mem, LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map_at(self->mem, MAP_BASE, self->fd, LEN, prot,
			      self->flags, 0);
	ASSERT_EQ(MAP_BASE, self->map);
	register_map(_metadata, self);
}

static bool present(FIXTURE_DATA(userfault) *self, unsigned int page)
{
	uintptr_t addr = (uintptr_t)self->map + page * fill_size(self->mem);
	uint64_t entry = 0;

	pread(self->pagemap, &entry, sizeof(entry), addr / 4096 * 8);
	return entry & PM_PRESENT;
}

static sigjmp_buf bus;

static void on_bus(int sig)
{
	siglongjmp(bus, 1);
}

static bool poisoned(const char *p)
{
	bool caught = true;

	signal(SIGBUS, on_bus);
	if (!sigsetjmp(bus, 1)) {
		(void)*(const volatile char *)p;
		caught = false;
	}
	signal(SIGBUS, SIG_DFL);
	return caught;
}

static bool all_zero(const char *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* Did the fill that succeeded do what it should? */
static bool filled(FIXTURE_DATA(userfault) *self, unsigned int page)
{
	size_t len = fill_size(self->mem), off = page * len;

	if (self->fill == POISON)
		return poisoned(self->map + off);
	/* Otherwise a look at it would wait for ever. */
	if (!present(self, page))
		return false;
	if (self->fill == ZEROPAGE)
		return all_zero(self->map + off, len);
	return mg_matches(self->map + off,
			  off + (self->fill == COPY ? MG_MARK : 0), len);
}

static blkcnt_t blocks(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? -1 : st.st_blocks;
}

/* By the peer or the owner; @expected is 0 or the errno of a refusal. */
static void try_fill(SELF, bool peer, int expected, const char *state)
{
	unsigned int page = self->page++;
	long arg = FILL(self->fill, self->mem, page);
	blkcnt_t before = blocks(self->fd);
	long ret;

	ret = peer ? mg_peer_call(&self->peer, fill, self->uffd, arg) :
		     fill(self->uffd, arg);
	EXPECT_EQ(-expected, ret) {
		TH_LOG("%s, by the %s: %s, wanted %s", state,
		       peer ? "peer" : "owner", strerror(-ret),
		       strerror(expected));
	}
	if (!ret) {
		EXPECT_TRUE(filled(self, page)) {
			TH_LOG("%s: wrong content", state);
		}
		return;
	}
	EXPECT_FALSE(present(self, page));
	EXPECT_EQ(before, blocks(self->fd)) {
		TH_LOG("%s: the file has changed", state);
	}
	if (!(self->prot & PROT_WRITE))
		return;
	/* There is nothing, not even a mark of poison: EEXIST otherwise. */
	arg = FILL(self->fill == CONTINUE ? CONTINUE : COPY, self->mem, page);
	EXPECT_EQ(0, fill(self->uffd, arg)) {
		TH_LOG("%s: the page is not empty", state);
	}
}

static void try_class(SELF, bool peer, int prot, uint64_t classes,
		      int expected, const char *state)
{
	struct mg_policy answer;
	int link;

	map_new(_metadata, self, prot);
	mg_load(_metadata, &answer, "answer");
	ASSERT_EQ(0, mg_param(&answer, "allow_classes", classes));
	link = mg_install(&answer, self->fd);
	ASSERT_LE(0, link);
	try_fill(_metadata, self, peer, expected, state);
	close(link);
}

#define ALL	(MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1)

/* A fill that is asked about as @class, in every state of a gate. */
static void try_states(SELF, bool peer, int prot, enum memgate_class class)
{
	struct mg_policy allow, deny;
	int link;

	map_new(_metadata, self, prot);
	try_fill(_metadata, self, peer, 0, "no gate");
	ASSERT_EQ(0, mg_seal(self->fd)) {
		TH_LOG("no seal: errno %d", errno);
	}
	try_fill(_metadata, self, peer, EACCES, "sealed, no policy");
	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &deny, "deny");
	link = mg_install(&allow, self->fd);
	ASSERT_LE(0, link);
	try_fill(_metadata, self, peer, 0, "policy allows");
	ASSERT_EQ(0, mg_link_update(link, deny.map_fd));
	try_fill(_metadata, self, peer, EACCES, "policy denies");
	close(link);

	try_class(_metadata, self, peer, prot, MEMGATE_CLASS(class), 0,
		  "only its class allowed");
	try_class(_metadata, self, peer, prot, ALL & ~MEMGATE_CLASS(class),
		  EACCES, "all but its class allowed");
}

static bool lacks(FIXTURE_DATA(userfault) *self)
{
	/* Huge pages of hugetlbfs are not zeroed on demand. */
	return self->fill == ZEROPAGE && self->mem == MG_HUGETLB;
}

/* Another process: REMOTE; the process itself may store there anyway. */
static void try_writable(SELF, enum fill which)
{
	int i;

	self->fill = which;
	if (lacks(self)) {
		map_new(_metadata, self, PROT_READ | PROT_WRITE);
		for (i = 0; i < 2; i++)
			EXPECT_NE(0, fill(self->uffd, FILL(which, self->mem,
							   0)));
		return;
	}
	try_states(_metadata, self, true, PROT_READ | PROT_WRITE,
		   MEMGATE_REMOTE);
	map_new(_metadata, self, PROT_READ | PROT_WRITE);
	try_fill(_metadata, self, false, 0, "no gate");
	ASSERT_EQ(0, mg_seal(self->fd));
	try_fill(_metadata, self, false, 0, "sealed, its own mapping");
}

TEST_F_TIMEOUT(userfault, copy, 60)
{
	try_writable(_metadata, self, COPY);
}

TEST_F_TIMEOUT(userfault, zeropage, 60)
{
	try_writable(_metadata, self, ZEROPAGE);
}

TEST_F_TIMEOUT(userfault, cont, 60)
{
	try_writable(_metadata, self, CONTINUE);
}

TEST_F_TIMEOUT(userfault, poison, 60)
{
	try_writable(_metadata, self, POISON);
}

/* A mapping for reading alone gives its owner no right to write. */
TEST_F_TIMEOUT(userfault, read_only, 60)
{
	self->fill = COPY;
	try_states(_metadata, self, false, PROT_READ, MEMGATE_OWN_PIN);
	try_states(_metadata, self, true, PROT_READ, MEMGATE_REMOTE);
}

/* The descriptor was got while the range was somebody else's. */
TEST_F_TIMEOUT(userfault, mapped_over, 60)
{
	int gated, other;

	self->fill = COPY;
	gated = mg_memfd_empty(self->mem, LEN);
	ASSERT_LE(0, gated);
	map_new(_metadata, self, PROT_READ | PROT_WRITE);
	try_fill(_metadata, self, true, 0, "another memfd");
	munmap(self->map, LEN);
	self->map = mg_map_at(self->mem, MAP_BASE, gated, LEN,
			      PROT_READ | PROT_WRITE, self->flags, 0);
	ASSERT_EQ(MAP_BASE, self->map);
	register_map(_metadata, self);
	other = self->fd;
	self->fd = gated;
	try_fill(_metadata, self, true, 0, "mapped over, no gate");
	ASSERT_EQ(0, mg_seal(gated));
	try_fill(_metadata, self, true, EACCES, "mapped over, sealed");
	close(other);
}

/* What the question says. */
TEST_F_TIMEOUT(userfault, question, 60)
{
	size_t len = fill_size(variant->mem);
	struct trace_event e = { 0 };
	struct mg_policy trace;
	struct mg_gate gate;
	int link;

	self->fill = COPY;
	map_new(_metadata, self, PROT_READ | PROT_WRITE);
	mg_load(_metadata, &trace, "trace");
	link = mg_install(&trace, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	ASSERT_EQ(0, mg_trace_reset(&trace));
	try_fill(_metadata, self, false, 0, "own fill");
	EXPECT_EQ(0, mg_trace_count(&trace));
	try_fill(_metadata, self, true, 0, "the peer's fill");
	EXPECT_EQ(1, mg_trace_count(&trace));
	ASSERT_EQ(1, mg_trace_find(&trace, TRACE_MAY_ATTACH, MEMGATE_REMOTE,
				   &e));
	EXPECT_EQ(gate.id, e.gate);
	EXPECT_EQ(MEMGATE_WRITE, e.rights);
	EXPECT_EQ(len, e.start);
	EXPECT_EQ(len, e.len);
	EXPECT_EQ((__u32)self->peer.pid, e.tgid);
	EXPECT_EQ((__u32)self->peer.pid, e.consumer_tgid);
	close(link);
	mg_policy_free(&trace);
}

/* Waits for a fault by a thread, which then waits for a fill. */
static void *fault(void *p)
{
	return (void *)(long)*(volatile unsigned char *)p;
}

TEST_F_TIMEOUT(userfault, waiting, 60)
{
	struct pollfd ready = { .fd = self->uffd, .events = POLLIN };
	struct uffd_msg msg;
	pthread_t thread;
	void *got;

	self->fill = COPY;
	map_new(_metadata, self, PROT_READ | PROT_WRITE);
	ASSERT_EQ(0, pthread_create(&thread, NULL, fault, self->map));
	ASSERT_EQ(1, poll(&ready, 1, 30000));
	ASSERT_EQ(sizeof(msg), read(self->uffd, &msg, sizeof(msg)));
	ASSERT_EQ(UFFD_EVENT_PAGEFAULT, msg.event);
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, fill, self->uffd,
					FILL(COPY, self->mem, 0)));
	EXPECT_FALSE(present(self, 0));
	/* The owner helps itself, and nothing has been lost. */
	EXPECT_EQ(0, fill(self->uffd, FILL(COPY, self->mem, 0)));
	ASSERT_EQ(0, pthread_join(thread, &got));
	EXPECT_TRUE(filled(self, 0));
	EXPECT_EQ((unsigned char)self->map[0], (long)got);
}

TEST_HARNESS_MAIN
