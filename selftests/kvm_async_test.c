// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous page faults: KVM lets a worker fetch the page of a guest that
 * would have to wait for it, and the guest tries again afterwards.  A refusal
 * must not be taken for such a page, or the guest would try for ever.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"

#define LEN	MG_HUGE_SIZE
#define OFF	0x1000u
#define VALUE	0x5eedf00d

/* Far below the time after which guest_read() gives up. */
#define PROMPT_MS	2000

enum async {
	ASYNC_NOT,		/* no local APIC in the kernel: never */
	ASYNC_HALT,		/* KVM halts the vCPU meanwhile */
	ASYNC_GUEST,		/* the guest is told and may do other work */
};

FIXTURE(async)
{
	struct guest guest;
	char *area;
};

FIXTURE_VARIANT(async)
{
	enum async async;
	enum mg_mem mem;
};

FIXTURE_VARIANT_ADD(async, not_4k) { ASYNC_NOT, MG_4K };
FIXTURE_VARIANT_ADD(async, halt_4k) { ASYNC_HALT, MG_4K };
FIXTURE_VARIANT_ADD(async, halt_thp) { ASYNC_HALT, MG_THP };
FIXTURE_VARIANT_ADD(async, halt_hugetlb) { ASYNC_HALT, MG_HUGETLB };
FIXTURE_VARIANT_ADD(async, guest_4k) { ASYNC_GUEST, MG_4K };
FIXTURE_VARIANT_ADD(async, guest_thp) { ASYNC_GUEST, MG_THP };
FIXTURE_VARIANT_ADD(async, guest_hugetlb) { ASYNC_GUEST, MG_HUGETLB };

FIXTURE_SETUP(async)
{
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, guest_open(&self->guest, 1,
				variant->async == ASYNC_NOT ? 0 :
							     GUEST_IRQCHIP));
	if (variant->async == ASYNC_GUEST)
		ASSERT_EQ(0, guest_async_pf(&self->guest, 0));
	self->area = guest_area(&self->guest, 1, GUEST_GPA, LEN);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(async)
{
	guest_close(&self->guest);
}

struct reader {
	struct guest *guest;
	pid_t tid;
	int ret;
	enum guest_event event;
	uint32_t val;
};

static void *read_guest(void *arg)
{
	struct reader *reader = arg;

	reader->tid = syscall(SYS_gettid);
	reader->ret = guest_read(reader->guest, 0, GUEST_GPA + OFF,
				 &reader->val, &reader->event);
	return NULL;
}

/* A userfaultfd that is told of faults in @area, and by which thread. */
static int watch_faults(void *area)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_THREAD_ID |
			    UFFD_FEATURE_MISSING_SHMEM |
			    UFFD_FEATURE_MISSING_HUGETLBFS,
	};
	struct uffdio_register reg = {
		.range = { (uintptr_t)area, LEN },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd >= 0 && (ioctl(fd, UFFDIO_API, &api) ||
			ioctl(fd, UFFDIO_REGISTER, &reg))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Fills the page that the fault is about; returns the thread or -errno. */
static int resolve_fault(int uffd, enum mg_mem mem)
{
	size_t len = mem == MG_HUGETLB ? MG_HUGE_SIZE : 4096;
	struct uffdio_copy copy = { .len = len };
	struct pollfd wait = { .fd = uffd, .events = POLLIN };
	struct uffd_msg msg;
	uint32_t *page;

	if (poll(&wait, 1, 3000) != 1)
		return -ETIME;
	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg) ||
	    msg.event != UFFD_EVENT_PAGEFAULT)
		return -EPROTO;
	page = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[OFF % len / sizeof(*page)] = VALUE;
	copy.dst = msg.arg.pagefault.address & ~(len - 1);
	copy.src = (uintptr_t)page;
	if (ioctl(uffd, UFFDIO_COPY, &copy))
		return -errno;
	return msg.arg.pagefault.feat.ptid;
}

/*
 * That the guests of the other tests do take their faults asynchronously:
 * somebody else than the vCPU fetches a page that is not there.
 */
TEST_F(async, ungated)
{
	struct reader reader = { .guest = &self->guest };
	pthread_t thread;
	int fd, uffd, by;

	fd = mg_memfd_empty(variant->mem, LEN);
	ASSERT_LE(0, fd);
	ASSERT_EQ(self->area, mmap(self->area, LEN, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0));
	uffd = watch_faults(self->area);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_guest, &reader));
	by = resolve_fault(uffd, variant->mem);
	close(uffd);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_LT(0, by);
	ASSERT_EQ(0, reader.ret);
	ASSERT_EQ(variant->async == ASYNC_NOT, reader.tid == by);
	if (variant->async == ASYNC_GUEST) {
		ASSERT_EQ(GUEST_PF, reader.event);
	} else {
		ASSERT_EQ(GUEST_DONE, reader.event);
		ASSERT_EQ(VALUE, reader.val);
	}
	close(fd);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* EFAULT, no event for the guest, no second try, no waiting. */
static void expect_refused(struct __test_metadata *_metadata,
			   struct guest *guest)
{
	long start = now_ms();
	uint32_t val;

	ASSERT_EQ(-EFAULT, guest_read(guest, 0, GUEST_GPA + OFF, &val, NULL));
	ASSERT_EQ(-EFAULT, guest_write(guest, 0, GUEST_GPA + OFF, 1, NULL));
	ASSERT_EQ(-EFAULT, guest_exec(guest, 0, GUEST_GPA + OFF, &val, NULL));
	ASSERT_GT(PROMPT_MS, now_ms() - start);
	/* It can go on with memory of its own. */
	ASSERT_EQ(0, guest_read(guest, 0, 0x8000, &val, NULL));
}

TEST_F(async, sealed)
{
	int fd = mg_memfd(variant->mem, LEN);
	char *map;

	ASSERT_LE(0, fd);
	map = mg_map(variant->mem, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		     0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(self->area, mremap(map, LEN, LEN,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->area));
	expect_refused(_metadata, &self->guest);
	ASSERT_TRUE(mg_matches(self->area, 0, LEN));
	close(fd);
}

/* There is no page, neither mapped nor in the memfd. */
TEST_F(async, sealed_empty)
{
	int fd = mg_memfd_empty(variant->mem, LEN);
	char *map;

	ASSERT_LE(0, fd);
	map = mg_map(variant->mem, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		     0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(self->area, mremap(map, LEN, LEN,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->area));
	expect_refused(_metadata, &self->guest);
	ASSERT_EQ(0, *(uint32_t *)(self->area + OFF));
	close(fd);
}

/* The page is not there and somebody would have to fetch it. */
TEST_F(async, sealed_userfault)
{
	int fd = mg_memfd_empty(variant->mem, LEN), uffd;
	struct reader reader = { .guest = &self->guest };
	pthread_t thread;
	uint32_t val;
	char *map;

	ASSERT_LE(0, fd);
	map = mg_map(variant->mem, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		     0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(self->area, mremap(map, LEN, LEN,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->area));
	uffd = watch_faults(self->area);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_guest, &reader));
	/* Whether the question comes before or after the fetching is free. */
	resolve_fault(uffd, variant->mem);
	close(uffd);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	if (variant->async == ASYNC_GUEST && !reader.ret) {
		ASSERT_EQ(GUEST_PF, reader.event);
	} else {
		ASSERT_EQ(-EFAULT, reader.ret);
	}
	ASSERT_EQ(-EFAULT, guest_read(&self->guest, 0, GUEST_GPA + OFF, &val,
				      NULL));
	close(fd);
}

TEST_F(async, allowed)
{
	int fd = mg_memfd(variant->mem, LEN);
	struct mg_policy policy;
	uint32_t val;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_policy_load(&policy, "allow")) {
		TH_LOG("%s", policy.log);
	}
	ASSERT_LE(0, mg_install(&policy, fd));
	ASSERT_EQ(self->area, mmap(self->area, LEN, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, guest_read(&self->guest, 0, GUEST_GPA + OFF, &val, NULL));
	ASSERT_TRUE(mg_matches(&val, OFF, sizeof(val)));
	mg_policy_free(&policy);
	close(fd);
}

TEST_HARNESS_MAIN
