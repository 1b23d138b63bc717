// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins by a task of its own mapping: class OWN_PIN.  Direct I/O, vmsplice, a
 * FUSE server's buffer, zero-copy sends: what takes references to the pages
 * behind a mapping, by the fast way (the page is mapped) and by the slow one
 * (it is not).  The mapping itself is allowed in each of these, so the seal did
 * not take it away.  For OWN_LONGTERM see gup_test.c.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fuse.h>
#include <liburing.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"
#include "own_map.h"

/* What direct I/O goes to: a loop device over an ordinary memfd. */
static int disk = -1, backing = -1;
static char buf[MG_BYTES] __attribute__((aligned(4096)));

static long have_disk(void)
{
	if (disk >= 0)
		return 0;
	backing = memfd_create("disk", MFD_CLOEXEC);
	if (backing < 0 || ftruncate(backing, MG_LEN))
		return -errno;
	disk = mg_loop_open(backing, O_RDWR | O_DIRECT);
	return disk < 0 ? -errno : 0;
}

static long map_and_disk(int fd, long arg)
{
	return have_disk() ?: map_it(fd, arg);
}

/* Too small for a huge page table entry, so a huge page is mapped in parts. */
static long map_small_and_disk(int fd, long arg)
{
	if (MG_ARG_MEM(arg) == MG_HUGETLB)
		return map_and_disk(fd, arg);
	return have_disk() ?: map_part(fd, arg, 0x10000, 4096);
}

static char touch(const char *p)
{
	return *(const volatile char *)p;
}

/* The page is mapped for reading and writing: the fast way. */
static void present(char *p)
{
	*(volatile char *)p = touch(p);
}

/* Nothing is mapped: the slow way, with a fault in it. */
static void absent(char *p)
{
	char *base = (char *)((uintptr_t)p & ~(MG_HUGE_SIZE - 1));

	madvise(base, MG_HUGE_SIZE, MADV_DONTNEED);
}

/* The gated memory goes out, to a place that can be looked at. */
static long went_out(ssize_t n, int fd)
{
	int err = errno;

	memset(buf, 0, sizeof(buf));
	if (pread(fd, buf, MG_BYTES, 0) != MG_BYTES)
		return -EIO;
	/* A refusal that let the bytes through is none. */
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -err;
	return n == MG_BYTES && mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static long came_in(ssize_t n)
{
	return n < 0 ? -errno : n == MG_BYTES ? 0 : -EIO;
}

/* Forgets what an earlier attempt wrote to the disk. */
static int disk_is(bool marked)
{
	memset(buf, 0, sizeof(buf));
	if (marked)
		mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	return pwrite(backing, buf, MG_BYTES, 0) == MG_BYTES ? 0 : -EIO;
}

static long try_direct_out(int fd, long arg)
{
	char *p = place_of(arg);

	present(p);
	if (disk_is(false))
		return -EIO;
	return went_out(pwrite(disk, p, MG_BYTES, 0), backing);
}

static long try_direct_out_part(int fd, long arg)
{
	return try_direct_out(fd, arg);
}

static long try_direct_out_slow(int fd, long arg)
{
	char *p = place_of(arg);

	absent(p);
	if (disk_is(false))
		return -EIO;
	return went_out(pwrite(disk, p, MG_BYTES, 0), backing);
}

static long try_direct_in(int fd, long arg)
{
	char *p = place_of(arg);

	present(p);
	if (disk_is(true))
		return -EIO;
	return came_in(pread(disk, p, MG_BYTES, 0));
}

static long try_direct_in_slow(int fd, long arg)
{
	char *p = place_of(arg);

	absent(p);
	if (disk_is(true))
		return -EIO;
	return came_in(pread(disk, p, MG_BYTES, 0));
}

static long try_aio_out(int fd, long arg)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = disk,
		.aio_buf = (uintptr_t)place_of(arg), .aio_nbytes = MG_BYTES,
	}, *cbs = &cb;
	aio_context_t ctx = 0;
	struct io_event ev;
	ssize_t n = -1;
	int err;

	if (disk_is(false) || syscall(__NR_io_setup, 1, &ctx))
		return -EIO;
	if (syscall(__NR_io_submit, ctx, 1, &cbs) == 1 &&
	    syscall(__NR_io_getevents, ctx, 1, 1, &ev, NULL) == 1) {
		n = ev.res < 0 ? -1 : ev.res;
		errno = ev.res < 0 ? -ev.res : 0;
	}
	err = errno;
	syscall(__NR_io_destroy, ctx);
	errno = err;
	return went_out(n, backing);
}

/* By a worker of the ring, which has the memory of the task but is not it. */
static long try_uring_out(int fd, long arg)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret;

	ret = disk_is(false) ?: io_uring_queue_init(2, &ring, 0);
	if (ret)
		return ret;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, disk, place_of(arg), MG_BYTES, 0);
	sqe->flags |= IOSQE_ASYNC;
	ret = io_uring_submit_and_wait(&ring, 1);
	if (ret >= 0 && !io_uring_peek_cqe(&ring, &cqe))
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	errno = ret < 0 ? -ret : 0;
	return went_out(ret < 0 ? -1 : ret, backing);
}

static long try_vmsplice(int fd, long arg)
{
	struct iovec v = { place_of(arg), MG_BYTES };
	long ret = 0;
	int p[2];

	present(v.iov_base);
	memset(buf, 0, sizeof(buf));
	if (pipe(p))
		return -errno;
	if (vmsplice(p[1], &v, 1, 0) != MG_BYTES)
		ret = errno ? -errno : -EIO;
	else if (read(p[0], buf, MG_BYTES) != MG_BYTES)
		ret = -EIO;
	else if (!mg_matches(buf, MG_AT, MG_BYTES))
		ret = -EBADMSG;
	close(p[0]);
	close(p[1]);
	return ret;
}

/* A vector whose second half alone is gated: the first may go. */
static long try_vmsplice_vector(int fd, long arg)
{
	static char own[MG_BYTES] __attribute__((aligned(4096)));
	struct iovec v[2] = { { own, MG_BYTES }, { place_of(arg), MG_BYTES } };
	ssize_t n, got;
	long ret;
	int p[2];

	if (pipe(p))
		return -errno;
	n = vmsplice(p[1], v, 2, 0);
	ret = n == 2 * MG_BYTES ? 0 : n == MG_BYTES ? -EACCES : -EIO;
	got = read(p[0], buf, MG_BYTES);
	if (got != MG_BYTES)
		ret = -EIO;
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	memset(buf, 0, sizeof(buf));
	got = read(p[0], buf, MG_BYTES);
	if (ret && (got > 0 || mg_matches(buf, MG_AT, 64)))
		ret = -ENOTRECOVERABLE;
	if (!ret && !mg_matches(buf, MG_AT, MG_BYTES))
		ret = -EBADMSG;
	close(p[0]);
	close(p[1]);
	return ret;
}

static long try_zerocopy_send(int fd, long arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	int in, out, one = 1;
	ssize_t n;
	long ret;

	memset(buf, 0, sizeof(buf));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	out = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(in, (struct sockaddr *)&to, sizeof(to)) ||
	    getsockname(in, (struct sockaddr *)&to, &len) ||
	    setsockopt(out, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return -errno;
	n = sendto(out, place_of(arg), MG_BYTES, MSG_ZEROCOPY,
		   (struct sockaddr *)&to, sizeof(to));
	ret = n < 0 ? -errno : 0;
	if (n >= 0 && (recv(in, buf, MG_BYTES, 0) != MG_BYTES ||
		       !mg_matches(buf, MG_AT, MG_BYTES)))
		ret = -EBADMSG;
	close(in);
	close(out);
	return ret;
}

/* The first thing that a FUSE server reads is the kernel's INIT request. */
static long try_fuse_read(int fd, long arg)
{
	char dir[] = "/tmp/memgate-fuse-XXXXXX", opts[128];
	int dev = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;
	long ret;

	if (dev < 0 || !mkdtemp(dir))
		return -errno;
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0",
		 dev);
	if (mount("memgate", dir, "fuse", 0, opts))
		return -errno;
	n = read(dev, place_of(arg), 16384);
	ret = n < 0 ? -errno : 0;
	umount2(dir, MNT_DETACH);
	close(dev);
	rmdir(dir);
	return ret;
}

static bool got_init(const char *map)
{
	const struct fuse_in_header *in = (const void *)(map + MG_AT);

	return in->opcode == FUSE_INIT;
}

FIXTURE(pin) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(pin);

FIXTURE_SETUP(pin)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(pin)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define PIN_TEST(name, set_up, errno_seen, ...)				\
	TEST_F_TIMEOUT(pin, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_OWN_PIN,			\
			.prepare = set_up,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

PIN_TEST(direct_out, map_and_disk, EACCES)
PIN_TEST(direct_out_slow, map_and_disk, EACCES)
PIN_TEST(direct_out_part, map_small_and_disk, EACCES)
PIN_TEST(direct_in, map_and_disk, EACCES, .changed = mg_marked)
PIN_TEST(direct_in_slow, map_and_disk, EACCES, .changed = mg_marked)
PIN_TEST(aio_out, map_and_disk, EACCES)
PIN_TEST(uring_out, map_and_disk, EACCES)
PIN_TEST(vmsplice, map_it, EACCES)
PIN_TEST(vmsplice_vector, map_it, EACCES)
/* The network flattens every failure to take pages to EFAULT. */
PIN_TEST(zerocopy_send, map_it, EFAULT)
PIN_TEST(fuse_read, map_it, EACCES, .changed = got_init)

TEST_HARNESS_MAIN
