// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing memory that somebody holds: EBUSY, nothing changed, and success as
 * soon as it is let go.
 */
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "fuse_util.h"

FIXTURE(held) {
	struct mg_scene scene;
	int fd;
	char *page;
};

MG_MEM_VARIANTS(held);

FIXTURE_SETUP(held)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->fd = self->scene.fd;
	self->page = self->scene.map + MG_AT;
}

FIXTURE_TEARDOWN(held)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

static void expect_busy(struct __test_metadata *const _metadata, int fd)
{
	struct mg_gate gate;
	char buf[64];
	void *map;

	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(-ENOENT, mg_gate_read(0, fd, &gate));
	EXPECT_EQ((ssize_t)sizeof(buf), pread(fd, buf, sizeof(buf), MG_AT));
	EXPECT_TRUE(mg_matches(buf, MG_AT, sizeof(buf)));
	map = mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_NE(MAP_FAILED, map);
	if (map != MAP_FAILED)
		munmap(map, MG_HUGE_SIZE);
}

static void expect_sealed(struct __test_metadata *const _metadata, int fd)
{
	struct mg_gate gate;
	char buf[64];

	EXPECT_EQ(0, mg_seal(fd));
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(0, mg_gate_read(0, fd, &gate));
	EXPECT_EQ(-1, pread(fd, buf, sizeof(buf), MG_AT));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(held, by_vmsplice)
{
	struct iovec v = { self->page, MG_BYTES };
	char buf[MG_BYTES];
	int p[2];

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(MG_BYTES, vmsplice(p[1], &v, 1, 0));
	expect_busy(_metadata, self->fd);
	ASSERT_EQ(MG_BYTES, read(p[0], buf, MG_BYTES));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	expect_sealed(_metadata, self->fd);
	close(p[0]);
	close(p[1]);
}

/* A reference of the page cache's own page; hugetlbfs does not splice. */
TEST_F(held, by_splice)
{
	loff_t off = MG_AT;
	int p[2];

	ASSERT_EQ(0, pipe(p));
	if (variant->mem == MG_HUGETLB) {
		EXPECT_EQ(-1, splice(self->fd, &off, p[1], NULL, MG_BYTES, 0));
		EXPECT_EQ(EINVAL, errno);
	} else {
		ASSERT_EQ(MG_BYTES, splice(self->fd, &off, p[1], NULL,
					   MG_BYTES, 0));
		expect_busy(_metadata, self->fd);
	}
	/* A pipe that is closed lets go of what is in it. */
	close(p[0]);
	close(p[1]);
	expect_sealed(_metadata, self->fd);
}

TEST_F(held, by_registered_buffer)
{
	struct iovec v = { self->page, MG_BYTES };
	struct io_uring ring;

	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	ASSERT_EQ(0, io_uring_register_buffers(&ring, &v, 1));
	expect_busy(_metadata, self->fd);
	ASSERT_EQ(0, io_uring_unregister_buffers(&ring));
	expect_sealed(_metadata, self->fd);
	io_uring_queue_exit(&ring);
}

struct reader {
	int fd;
	char *page;
	ssize_t got;
};

static void *read_direct(void *arg)
{
	struct reader *r = arg;

	r->got = pread(r->fd, r->page, MG_BYTES, 0);
	return NULL;
}

/* Direct I/O in flight: the file system has the pages until it answers. */
TEST_F(held, by_direct_io)
{
	struct reader r = { .page = self->page };
	struct mg_fuse fuse;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, mg_fuse_mount(&fuse, -1));
	r.fd = open(fuse.file, O_RDONLY | O_CLOEXEC);
	EXPECT_LE(0, r.fd) {
		mg_fuse_unmount(&fuse);
	}
	ASSERT_LE(0, r.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_direct, &r));
	for (i = 0; i < 5000 && !fuse.held; i++)
		usleep(1000);
	EXPECT_EQ(1, (int)fuse.held);
	expect_busy(_metadata, self->fd);
	mg_fuse_let_go(&fuse);
	pthread_join(thread, NULL);
	EXPECT_EQ(MG_BYTES, r.got);
	/* It answers with zeros: the direct I/O did what it was for. */
	EXPECT_EQ(0, self->page[0]);
	EXPECT_EQ(0, memcmp(self->page, self->page + 1, MG_BYTES - 1));
	expect_sealed(_metadata, self->fd);
	close(r.fd);
	mg_fuse_unmount(&fuse);
}

/* A failed seal is no half seal: it can be had by an install too. */
TEST_F(held, install)
{
	struct iovec v = { self->page, MG_BYTES };
	struct mg_policy allow;
	int p[2], link;

	ASSERT_EQ(0, mg_seal(mg_memfd_empty(MG_4K, 4096)));
	mg_load(_metadata, &allow, "allow");
	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(MG_BYTES, vmsplice(p[1], &v, 1, 0));
	link = mg_install(&allow, self->fd);
	EXPECT_EQ(-1, link);
	EXPECT_EQ(EBUSY, errno);
	expect_busy(_metadata, self->fd);
	close(p[0]);
	close(p[1]);
	link = mg_install(&allow, self->fd);
	EXPECT_LE(0, link);
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(self->fd, F_GET_SEALS));
	close(link);
	mg_policy_free(&allow);
}

TEST_HARNESS_MAIN
