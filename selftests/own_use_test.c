// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a gate does not take away: a process's use of its own mapping by the
 * CPU and what the kernel does for it without touching the bytes.  All of it
 * on a sealed memfd without any policy, so nobody was asked.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mempolicy.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#ifndef __NR_cachestat
#define __NR_cachestat	451
#endif

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

FIXTURE(own) {
	struct mg_scene scene;
	int fd;
	char *map;
};

MG_MEM_VARIANTS(own);

FIXTURE_SETUP(own)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->fd = self->scene.fd;
	self->map = self->scene.map;
}

FIXTURE_TEARDOWN(own)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

static long futex(uint32_t *word, int op, uint32_t value,
		  struct timespec *timeout)
{
	return syscall(__NR_futex, word, op, value, timeout, NULL, 0);
}

/* The word is at MG_AT of the memfd, in every process. */
static uint32_t *peer_word;

static long peer_map_word(int fd, long arg)
{
	char *map = mg_map(arg, fd, MG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			   0);

	if (map == MAP_FAILED)
		return -errno;
	peer_word = (void *)(map + MG_AT);
	return 0;
}

static long peer_wakes(int fd, long arg)
{
	int i, woken = 0;

	for (i = 0; i < 5000 && !woken; i++) {
		woken = futex(peer_word, FUTEX_WAKE, 1, NULL);
		if (woken < 0)
			return -errno;
		usleep(1000);
	}
	return woken;
}

static void futex_works(struct __test_metadata *const _metadata,
			FIXTURE_DATA(own) *self)
{
	struct timespec timeout = { .tv_sec = 20 };
	uint32_t *word = (void *)(self->map + MG_AT);

	EXPECT_EQ(-1, futex(word, FUTEX_WAIT, *word + 1, &timeout));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, futex(word, FUTEX_WAKE, 1, NULL));

	ASSERT_EQ(0, mg_peer_begin(&self->scene.peer, peer_wakes, -1, 0));
	EXPECT_EQ(0, futex(word, FUTEX_WAIT, *word, &timeout));
	EXPECT_EQ(1, mg_peer_end(&self->scene.peer));
}

/* A shared futex is found by its page, which takes a look at the page. */
TEST_F(own, futex)
{
	ASSERT_EQ(0, mg_peer_call(&self->scene.peer, peer_map_word, self->fd,
				  variant->mem));
	futex_works(_metadata, self);
	ASSERT_EQ(0, mg_seal(self->fd));
	futex_works(_metadata, self);
	/* The word need not be mapped at the moment. */
	ASSERT_EQ(0, madvise(self->map, MG_LEN, MADV_DONTNEED));
	futex_works(_metadata, self);
}

/* The kernel changes the word itself, for who has to wait. */
TEST_F(own, futex_pi)
{
	uint32_t *word = (void *)(self->map + MG_AT);
	int sealed;

	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(self->fd));
		ASSERT_EQ(0, madvise(self->map, MG_LEN, MADV_DONTNEED));
		*word = 0;
		EXPECT_EQ(0, futex(word, FUTEX_LOCK_PI, 0, NULL));
		EXPECT_EQ((uint32_t)gettid(), *word & FUTEX_TID_MASK);
		/* Nobody waits, but user space does not say so. */
		*word |= FUTEX_WAITERS;
		EXPECT_EQ(0, futex(word, FUTEX_UNLOCK_PI, 0, NULL));
		EXPECT_EQ(0, *word & FUTEX_TID_MASK);
	}
}

/* The node of a page: 0 or more, or -errno; the same with and without gate. */
static long node_of(const void *addr)
{
	int node = -1;

	if (syscall(__NR_get_mempolicy, &node, NULL, 0, addr,
		    MPOL_F_NODE | MPOL_F_ADDR))
		return -errno;
	return node;
}

TEST_F(own, mempolicy)
{
	long node = node_of(self->map + MG_AT);

	/* Without CONFIG_NUMA there is nothing to ask for. */
	EXPECT_TRUE(node >= 0 || node == -ENOSYS);
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(node, node_of(self->map + MG_AT));
}

TEST_F(own, faults)
{
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, madvise(self->map, MG_LEN, MADV_DONTNEED));
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	mg_fill(self->map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
	EXPECT_TRUE(mg_marked(self->map));
}

TEST_F(own, mlock)
{
	ASSERT_EQ(0, mlock(self->map, MG_LEN));
	ASSERT_EQ(0, munlock(self->map, MG_LEN));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, madvise(self->map, MG_LEN, MADV_DONTNEED));
	EXPECT_EQ(0, mlock(self->map, MG_LEN));
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	EXPECT_EQ(0, munlock(self->map, MG_LEN));
}

TEST_F(own, populate)
{
	unsigned char vec[MG_LEN / 4096] = { 0 };

	EXPECT_EQ(0, madvise(self->map, MG_LEN, MADV_POPULATE_READ));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, madvise(self->map, MG_LEN, MADV_DONTNEED));
	EXPECT_EQ(0, madvise(self->map, MG_LEN, MADV_POPULATE_READ));
	EXPECT_EQ(0, madvise(self->map, MG_LEN, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, mincore(self->map, MG_LEN, vec));
	EXPECT_EQ(1, vec[0] & 1);
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
}

/* The kernel may move and merge the pages as it likes. */
TEST_F(own, moved)
{
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(0, mg_write_file("/proc/sys/vm/compact_memory", "1"));
	EXPECT_EQ(0, mg_write_file("/proc/sys/vm/drop_caches", "1"));
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	if (variant->mem == MG_4K)
		EXPECT_EQ(0, madvise(self->map, MG_LEN, MADV_COLLAPSE));
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	/* What it made of them is gated like what they were. */
	EXPECT_EQ(-1, pread(self->fd, self->map, 1, 0));
	EXPECT_EQ(EACCES, errno);
}

/* Copies to and from the mapping by the kernel are use by the CPU. */
TEST_F(own, buffers)
{
	char buf[MG_BYTES];
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(MG_BYTES, write(p[1], self->map + MG_AT, MG_BYTES));
	EXPECT_EQ(MG_BYTES, read(p[0], buf, MG_BYTES));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	EXPECT_EQ(MG_BYTES, write(p[1], buf, MG_BYTES));
	EXPECT_EQ(MG_BYTES, read(p[0], self->map + MG_AT, MG_BYTES));
	EXPECT_TRUE(mg_marked(self->map));
	close(p[0]);
	close(p[1]);
}

/*
 * A private mapping: what was copied is the process's own and can be pinned;
 * what was not is the memfd's and cannot.
 */
TEST_F(own, private_copy)
{
	int backing = memfd_create("disk", MFD_CLOEXEC), disk;
	char *priv, *copied, *fresh;
	char buf[MG_BYTES];

	priv = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE, 0);
	ASSERT_NE(MAP_FAILED, priv);
	copied = priv + MG_AT;
	fresh = priv + MG_HUGE_SIZE + MG_AT;
	ASSERT_EQ(0, ftruncate(backing, MG_LEN));
	disk = mg_loop_open(backing, O_RDWR | O_DIRECT);
	ASSERT_LE(0, disk);
	EXPECT_TRUE(mg_matches(fresh, MG_HUGE_SIZE + MG_AT, MG_BYTES));
	ASSERT_EQ(MG_BYTES, pwrite(disk, fresh, MG_BYTES, 0));

	ASSERT_EQ(0, mg_seal(self->fd));
	memset(copied, 'c', MG_BYTES);
	EXPECT_TRUE(mg_matches(self->map + MG_AT, MG_AT, MG_BYTES));
	EXPECT_EQ(MG_BYTES, pwrite(disk, copied, MG_BYTES, 0));
	EXPECT_EQ(MG_BYTES, pread(backing, buf, MG_BYTES, 0));
	EXPECT_EQ(0, memcmp(buf, copied, MG_BYTES));
	EXPECT_EQ(-1, pwrite(disk, fresh, MG_BYTES, 0));
	EXPECT_EQ(EACCES, errno);
	/*
	 * To bring bytes in, the kernel makes a copy first: whether that is
	 * allowed or not, the memfd must not change.
	 */
	if (pread(disk, fresh, MG_BYTES, 0) < 0)
		EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	munmap(priv, MG_LEN);
	close(disk);
	close(backing);
}

/* What tells about the file but nothing of its bytes. */
struct metadata {
	struct stat st;
	off_t end, data, hole;
	unsigned char resident[MG_LEN / 4096];
	struct { uint64_t cache, dirty, wb, evicted, recent; } cached;
	int errs[8];
};

static void look(int fd, char *map, struct metadata *m)
{
	struct { uint64_t off, len; } range = { 0, MG_LEN };
	struct pollfd poll_it = { .fd = fd, .events = POLLIN };
	int n = 0;

	memset(m, 0, sizeof(*m));
	m->errs[n++] = fstat(fd, &m->st) ? errno : 0;
	m->end = lseek(fd, 0, SEEK_END);
	m->data = lseek(fd, 0, SEEK_DATA);
	m->hole = lseek(fd, 0, SEEK_HOLE);
	m->errs[n++] = mincore(map, MG_LEN, m->resident) ? errno : 0;
	m->errs[n++] = syscall(__NR_cachestat, fd, &range, &m->cached, 0) ?
		       errno : 0;
	m->errs[n++] = posix_fadvise(fd, 0, MG_LEN, POSIX_FADV_WILLNEED);
	m->errs[n++] = posix_fadvise(fd, 0, MG_LEN, POSIX_FADV_DONTNEED);
	m->errs[n++] = readahead(fd, 0, MG_LEN) ? errno : 0;
	m->errs[n++] = fsync(fd) ? errno : 0;
	m->errs[n++] = poll(&poll_it, 1, 0);
	m->st.st_atim = (struct timespec){ 0 };
	/* Which folios were used lately is a matter of chance. */
	m->cached.dirty = m->cached.evicted = m->cached.recent = 0;
}

/* All of it is as it was without a gate. */
TEST_F(own, metadata)
{
	static struct metadata before, after;

	look(self->fd, self->map, &before);
	EXPECT_EQ(0, before.errs[0]);
	EXPECT_EQ(MG_LEN, before.end);
	EXPECT_EQ(0, before.data);
	EXPECT_EQ(MG_LEN, before.hole);
	if (variant->mem != MG_HUGETLB)
		EXPECT_EQ(MG_LEN / 4096, before.cached.cache);
	ASSERT_EQ(0, mg_seal(self->fd));
	look(self->fd, self->map, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(self->fd, F_GET_SEALS));
	EXPECT_EQ(0, fchmod(self->fd, 0600));
}

TEST_HARNESS_MAIN
