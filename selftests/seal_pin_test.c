// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing memory that somebody holds: EBUSY, nothing changed, and success as
 * soon as it is let go.
 */
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "fuse_util.h"
#include "race_util.h"

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
	int seals = fcntl(fd, F_GET_SEALS);
	struct mg_gate gate;
	char buf[64];
	void *map;

	EXPECT_EQ(0, seals & F_SEAL_ACCESS);
	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(seals, fcntl(fd, F_GET_SEALS));
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
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(fd, F_GET_SEALS) & F_SEAL_ACCESS);
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

TEST_F(held, by_udmabuf)
{
	struct udmabuf_create create = { .memfd = self->fd, .size = MG_LEN };
	int dev, buf;

	dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, dev);
	/* What udmabuf insists on. */
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SHRINK));
	buf = ioctl(dev, UDMABUF_CREATE, &create);
	ASSERT_LE(0, buf) {
		TH_LOG("UDMABUF_CREATE: %s", strerror(errno));
	}
	expect_busy(_metadata, self->fd);
	close(buf);
	expect_sealed(_metadata, self->fd);
	close(dev);
}

/* Reads into the memfd's page, from a file that does not answer. */
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

static void *read_aio(void *arg)
{
	struct reader *r = arg;
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = r->fd,
		.aio_buf = (uintptr_t)r->page, .aio_nbytes = MG_BYTES,
	};
	struct iocb *cbs[] = { &cb };
	aio_context_t aio = 0;
	struct io_event event;

	r->got = -1;
	if (syscall(__NR_io_setup, 1, &aio))
		return NULL;
	if (syscall(__NR_io_submit, aio, 1, cbs) == 1 &&
	    syscall(__NR_io_getevents, aio, 1, 1, &event, NULL) == 1)
		r->got = event.res;
	syscall(__NR_io_destroy, aio);
	return NULL;
}

/* I/O in flight: the file system has the pages until it answers. */
static void held_by_io(struct __test_metadata *const _metadata, int fd,
		       char *page, void *(*read_it)(void *))
{
	struct reader r = { .page = page };
	struct mg_fuse fuse;
	pthread_t thread;
	int i;

	ASSERT_EQ(0, mg_fuse_mount(&fuse, -1));
	r.fd = open(fuse.file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	EXPECT_LE(0, r.fd) {
		mg_fuse_unmount(&fuse);
	}
	ASSERT_LE(0, r.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_it, &r));
	for (i = 0; i < 5000 && !fuse.held; i++)
		usleep(1000);
	EXPECT_EQ(1, (int)fuse.held);
	expect_busy(_metadata, fd);
	mg_fuse_let_go(&fuse);
	pthread_join(thread, NULL);
	EXPECT_EQ(MG_BYTES, r.got);
	/* It answers with zeros: the I/O did what it was for. */
	EXPECT_EQ(0, page[0]);
	EXPECT_EQ(0, memcmp(page, page + 1, MG_BYTES - 1));
	expect_sealed(_metadata, fd);
	close(r.fd);
	mg_fuse_unmount(&fuse);
}

TEST_F(held, by_direct_io)
{
	held_by_io(_metadata, self->fd, self->page, read_direct);
}

TEST_F(held, by_aio)
{
	held_by_io(_metadata, self->fd, self->page, read_aio);
}

/*
 * No page is held here, but the address space of a process that has the memfd
 * mapped: what it does to its mappings right then could be anything.  Forking
 * holds it for as long as there are page tables to copy.
 */
struct forker {
	_Atomic bool forking;
	char *ballast;
	size_t len;
	double took;
};

static void *fork_for_long(void *arg)
{
	struct forker *f = arg;
	double start;
	pid_t pid;

	start = race_now();
	f->forking = true;
	pid = fork();
	if (!pid)
		_exit(0);
	f->took = race_now() - start;
	waitpid(pid, NULL, 0);
	return NULL;
}

#define BALLAST		(1UL << 30)
#define MAX_BALLAST	(32 * BALLAST)

/* Zero pages: page tables, and nothing behind them. */
static int more_ballast(struct forker *f)
{
	if (f->len == MAX_BALLAST)
		return 0;
	f->len += BALLAST;
	return madvise(f->ballast + f->len - BALLAST, BALLAST,
		       MADV_POPULATE_READ);
}

FIXTURE(busy) {
	struct forker forker;
};

FIXTURE_SETUP(busy)
{
	struct forker *f = &self->forker;

	f->ballast = mmap(NULL, MAX_BALLAST, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, f->ballast);
	ASSERT_EQ(0, madvise(f->ballast, MAX_BALLAST, MADV_NOHUGEPAGE));
	/* Without a page of its own there is nothing to copy for a child. */
	*f->ballast = 1;
}

FIXTURE_TEARDOWN(busy)
{
}

TEST_F_TIMEOUT(busy, by_fork, 240)
{
	struct forker *f = &self->forker;
	pthread_t thread;
	bool busy = false;
	int i, fd, ret;
	void *map;

	for (i = 0; i < 60 && !busy; i++) {
		if (f->took < 1)
			ASSERT_EQ(0, more_ballast(f));
		fd = mg_memfd(MG_4K, MG_LEN);
		ASSERT_LE(0, fd);
		map = mg_map(MG_4K, fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
		ASSERT_NE(MAP_FAILED, map);
		f->forking = false;
		ASSERT_EQ(0, pthread_create(&thread, NULL, fork_for_long, f));
		while (!f->forking)
			usleep(100);
		usleep(20000);
		ret = mg_seal(fd);
		busy = ret && errno == EBUSY;
		EXPECT_TRUE(!ret || busy);
		EXPECT_EQ(busy ? 0 : F_SEAL_ACCESS, fcntl(fd, F_GET_SEALS));
		pthread_join(thread, NULL);
		if (busy)
			expect_sealed(_metadata, fd);
		munmap(map, MG_LEN);
		close(fd);
	}
	EXPECT_TRUE(busy) {
		TH_LOG("never busy, the last fork took %.3f s", f->took);
	}
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
