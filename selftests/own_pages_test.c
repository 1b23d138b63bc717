// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel does with the pages of gated memory by itself: it moves them
 * to other nodes, takes them out of use, gives them up when they are broken.
 * None of that is an access, so it works without any policy; and what it made
 * of them is gated like what they were.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "mediated.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

#define PAGES		(MG_LEN / 4096)

MG_SCENE_FIXTURE(own_pages)

/* Nobody may have the bytes at @off, by a file, a mapping or a pin. */
static void expect_closed(struct __test_metadata *const _metadata,
			  struct mg_scene *s, off_t off)
{
	struct iovec v = { s->map + off, 4096 };
	char buf[64] = { 0 };
	int p[2];

	EXPECT_EQ(-1, pread(s->fd, buf, sizeof(buf), off));
	EXPECT_EQ(EACCES, errno);
	EXPECT_FALSE(mg_matches(buf, off, sizeof(buf)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED,
				   s->fd, 0));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, pipe(p));
	EXPECT_EQ(-1, vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EACCES, errno);
	close(p[0]);
	close(p[1]);
}

/* The page frame at @addr; root may know it.  0 if there is none. */
static uint64_t frame_of(const char *addr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)addr / 4096 * 8) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* Nodes *********************************************************************/

/* Online nodes of the machine, which are numbered from 0 in a test VM. */
static int nr_nodes(void)
{
	char path[64];
	int nr = 0;

	do {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
			 nr++);
	} while (!access(path, F_OK));
	return nr - 1;
}

/* The kernel was told to make two of one. */
static bool wants_two_nodes(void)
{
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	char line[4096] = { 0 };

	if (fd < 0)
		return false;
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = '\0';
	close(fd);
	return strstr(line, "numa=fake=2");
}

static int node_of(const void *addr)
{
	int node = -1;

	if (syscall(__NR_get_mempolicy, &node, NULL, 0, addr,
		    MPOL_F_NODE | MPOL_F_ADDR))
		return -errno;
	return node;
}

/* Pages that are not on @node. */
static int not_on(struct mg_scene *s, int node)
{
	size_t step = mg_page_size(s->mem), off;
	int nr = 0;

	for (off = 0; off < MG_LEN; off += step)
		nr += node_of(s->map + off) != node;
	return nr;
}

static long by_move_pages(struct mg_scene *s, int node)
{
	static int nodes[PAGES], status[PAGES];
	static void *pages[PAGES];
	size_t step = mg_page_size(s->mem);
	int i, nr = MG_LEN / step;

	for (i = 0; i < nr; i++) {
		pages[i] = s->map + i * step;
		nodes[i] = node;
		status[i] = -1;
	}
	if (syscall(__NR_move_pages, 0, nr, pages, nodes, status,
		    MPOL_MF_MOVE) < 0)
		return -errno;
	/* It can also just look. */
	if (syscall(__NR_move_pages, 0, nr, pages, NULL, status, 0))
		return -errno;
	for (i = 0; i < nr; i++) {
		if (status[i] < 0)
			return status[i];
	}
	return 0;
}

static long by_mbind(struct mg_scene *s, int node)
{
	unsigned long mask = 1UL << node;

	return syscall(__NR_mbind, s->map, MG_LEN, MPOL_BIND, &mask,
		       8 * sizeof(mask), MPOL_MF_MOVE) ? -errno : 0;
}

static long by_migrate_pages(struct mg_scene *s, int node)
{
	unsigned long to = 1UL << node, from = ~to & 3;

	/* The number of pages that could not be moved is not an error. */
	return syscall(__NR_migrate_pages, 0, 8 * sizeof(to), &from, &to) < 0 ?
	       -errno : 0;
}

/* There and back; a page that somebody holds for a moment stays behind. */
static void move_around(struct __test_metadata *const _metadata,
			struct mg_scene *s,
			long (*way)(struct mg_scene *s, int node))
{
	int nodes = nr_nodes(), node, i;
	uint64_t frame;

	ASSERT_LE(wants_two_nodes() ? 2 : 1, nodes);
	for (node = nodes - 1; node >= 0; node--) {
		frame = frame_of(s->map);
		ASSERT_LT(0, frame);
		/* Where it is already it need not go. */
		if (!not_on(s, node))
			frame = 0;
		for (i = 0; i < 50 && (!i || not_on(s, node)); i++) {
			EXPECT_EQ(0, way(s, node));
			/* Only what is mapped is moved. */
			EXPECT_TRUE(mg_pages_match(s->map, 0, MG_LEN));
		}
		EXPECT_EQ(0, not_on(s, node)) {
			TH_LOG("pages did not move to node %d", node);
		}
		EXPECT_NE(frame, frame_of(s->map));
		EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN));
	}
}

#define MOVE_TEST(way)							\
	TEST_F_TIMEOUT(own_pages, way, 60)				\
	{								\
		struct mg_scene *s = &self->scene;			\
									\
		move_around(_metadata, s, by_##way);			\
		ASSERT_EQ(0, mg_seal(s->fd));				\
		move_around(_metadata, s, by_##way);			\
		expect_closed(_metadata, s, 0);				\
	}

MOVE_TEST(move_pages)
MOVE_TEST(mbind)
MOVE_TEST(migrate_pages)

/* Advice ********************************************************************/

/* Another process advises its parent's mapping, and moves its pages. */
static long advise(pid_t pid, char *map, int advice)
{
	struct iovec v = { map, MG_LEN };
	int pidfd = syscall(__NR_pidfd_open, pid, 0);
	long ret;

	if (pidfd < 0)
		return -errno;
	ret = syscall(__NR_process_madvise, pidfd, &v, 1, advice, 0);
	if (ret < 0)
		ret = -errno;
	close(pidfd);
	return ret;
}

static long advise_cold(int fd, long map)
{
	return advise(getppid(), (char *)map, MADV_COLD);
}

static long advise_pageout(int fd, long map)
{
	return advise(getppid(), (char *)map, MADV_PAGEOUT);
}

static long advise_willneed(int fd, long map)
{
	return advise(getppid(), (char *)map, MADV_WILLNEED);
}

static long look_where(int fd, long map)
{
	void *page = (void *)map;
	int status = -1;

	if (syscall(__NR_move_pages, getppid(), 1, &page, NULL, &status, 0))
		return -errno;
	return status;
}

TEST_F_TIMEOUT(own_pages, advised_by_another, 60)
{
	struct mg_scene *s = &self->scene;
	/* What cannot be reclaimed takes no advice about that. */
	long reclaim = s->mem == MG_HUGETLB ? -EINVAL : (long)MG_LEN;
	long map = (long)s->map;
	int sealed;

	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(s->fd));
		EXPECT_EQ(reclaim, mg_peer_call(&s->peer, advise_cold, -1,
						map));
		EXPECT_EQ(reclaim, mg_peer_call(&s->peer, advise_pageout, -1,
						map));
		EXPECT_EQ((long)MG_LEN, mg_peer_call(&s->peer, advise_willneed,
						     -1, map));
		EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN));
		EXPECT_LE(0, mg_peer_call(&s->peer, look_where, -1, map));
	}
	expect_closed(_metadata, s, 0);
}

/* Broken pages **************************************************************/

/*
 * Some reference for a moment makes it busy.  The kernel takes what it is told
 * out of use for good, so it is one page of each kind of memory.
 */
TEST_F_TIMEOUT(own_pages, soft_offline, 60)
{
	struct mg_scene *s = &self->scene;
	char *page = s->map + MG_AT;
	uint64_t frame;
	int sealed, i;

	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(s->fd));
		frame = frame_of(page);
		ASSERT_LT(0, frame);
		for (i = 0; i < 50; i++) {
			if (!madvise(page, 4096, MADV_SOFT_OFFLINE))
				break;
			ASSERT_TRUE(errno == EBUSY || errno == EAGAIN) {
				TH_LOG("%s: %s", sealed ? "sealed" : "no gate",
				       strerror(errno));
			}
			usleep(10000);
		}
		EXPECT_GT(50, i);
		EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN));
		EXPECT_NE(frame, frame_of(page));
	}
	expect_closed(_metadata, s, MG_AT);
}

static sigjmp_buf away;

static void on_sigbus(int sig)
{
	siglongjmp(away, 1);
}

/* 0: it is there; -EIO: touching it is SIGBUS. */
static long touch(const char *page)
{
	if (sigsetjmp(away, 1))
		return -EIO;
	return *(const volatile char *)page ? 0 : -EBADMSG;
}

/* The signal about it comes at once or with the next touch. */
static long poison(char *page)
{
	if (sigsetjmp(away, 1))
		return 0;
	return madvise(page, 4096, MADV_HWPOISON) ? -errno : 0;
}

/* One page is lost, with the huge page of hugetlbfs that it is part of. */
static void lose_page(struct __test_metadata *const _metadata,
		      struct mg_scene *s)
{
	size_t lost = s->mem == MG_HUGETLB ? MG_HUGE_SIZE : MG_AT + 4096;

	EXPECT_EQ(0, touch(s->map + MG_AT));
	EXPECT_EQ(0, poison(s->map + MG_AT));
	EXPECT_EQ(-EIO, touch(s->map + MG_AT));
	EXPECT_TRUE(mg_matches(s->map + lost, lost, MG_LEN - lost));
}

TEST_F_TIMEOUT(own_pages, poison, 60)
{
	struct mg_scene *s = &self->scene;
	char byte = 0;

	ASSERT_NE(SIG_ERR, signal(SIGBUS, on_sigbus));
	lose_page(_metadata, s);
	EXPECT_EQ(-1, pread(s->fd, &byte, 1, MG_AT));
	EXPECT_EQ(EIO, errno);
	mg_scene_down(s);

	mg_scene_up(_metadata, s, s->mem);
	ASSERT_EQ(0, mg_seal(s->fd));
	lose_page(_metadata, s);
	expect_closed(_metadata, s, MG_HUGE_SIZE);
	/* Whether it is broken or closed that is told first does not matter. */
	EXPECT_EQ(-1, pread(s->fd, &byte, 1, MG_AT));
	EXPECT_TRUE(errno == EIO || errno == EACCES);
	EXPECT_EQ(0, byte);
}

/* It may merge them as well, and split what it has merged. */
TEST_F_TIMEOUT(own_pages, collapse_and_split, 60)
{
	struct mg_scene *s = &self->scene;
	int i;

	ASSERT_EQ(0, mg_seal(s->fd));
	if (s->mem == MG_4K) {
		for (i = 0; i < 20; i++) {
			if (!madvise(s->map, MG_LEN, MADV_COLLAPSE))
				break;
		}
		EXPECT_GT(20, i);
		EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN));
		EXPECT_EQ(MG_HUGE_SIZE, mg_mapped_page_size(s->map));
		expect_closed(_metadata, s, 0);
	}
	EXPECT_EQ(0, mg_write_file("/proc/sys/vm/compact_memory", "1"));
	EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN));
	/* A mapping that ends inside a huge page has to take it in parts. */
	if (s->mem != MG_HUGETLB) {
		ASSERT_EQ(0, munmap(s->map + MG_LEN - 4096, 4096));
		EXPECT_TRUE(mg_matches(s->map, 0, MG_LEN - 4096));
	}
	expect_closed(_metadata, s, MG_HUGE_SIZE);
	EXPECT_EQ(0, mg_write_file("/proc/sys/vm/drop_caches", "2"));
	expect_closed(_metadata, s, 0);
}

TEST_HARNESS_MAIN
