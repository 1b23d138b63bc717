// SPDX-License-Identifier: GPL-2.0-only
/*
 * File access: class FILE.  What moves bytes between the page cache of a memfd
 * and a buffer, or destroys them, without a mapping.  From file to file is in
 * splice_test.c; what only tells sizes stays open and is in own_use_test.c.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "file_util.h"

/* The file position is shared with the other process: always set it. */
static long try_read(int fd, long arg)
{
	wipe();
	if (lseek(file_of(arg), MG_AT, SEEK_SET) != MG_AT)
		return -ESPIPE;
	return good_read(read(file_of(arg), buf, MG_BYTES));
}

static long try_pread(int fd, long arg)
{
	wipe();
	return good_read(pread(file_of(arg), buf, MG_BYTES, MG_AT));
}

static struct iovec halves[2] = {
	{ buf, MG_BYTES / 2 }, { buf + MG_BYTES / 2, MG_BYTES / 2 },
};

static long try_readv(int fd, long arg)
{
	wipe();
	if (lseek(file_of(arg), MG_AT, SEEK_SET) != MG_AT)
		return -ESPIPE;
	return good_read(readv(file_of(arg), halves, 2));
}

static long try_preadv2(int fd, long arg)
{
	wipe();
	return good_read(preadv2(file_of(arg), halves, 2, MG_AT, 0));
}

/* No memfd reads without waiting: must not appear unmediated. */
static long try_preadv2_nowait(int fd, long arg)
{
	wipe();
	return good_read(preadv2(file_of(arg), halves, 2, MG_AT, RWF_NOWAIT));
}

static long try_read_direct(int fd, long arg)
{
	int direct = mg_reopen(file_of(arg), O_RDONLY | O_DIRECT);
	long ret;

	wipe();
	if (direct < 0)
		return -errno;
	ret = good_read(pread(direct, buf, MG_BYTES, MG_AT));
	close(direct);
	return ret;
}

static long try_write(int fd, long arg)
{
	mark();
	if (lseek(file_of(arg), MG_AT, SEEK_SET) != MG_AT)
		return -ESPIPE;
	return good_write(write(file_of(arg), buf, MG_BYTES));
}

static long try_pwrite(int fd, long arg)
{
	mark();
	return good_write(pwrite(file_of(arg), buf, MG_BYTES, MG_AT));
}

static long try_pwritev2(int fd, long arg)
{
	mark();
	return good_write(pwritev2(file_of(arg), halves, 2, MG_AT, 0));
}

static long try_aio(int fd, long arg, int opcode)
{
	struct iocb cb = {
		.aio_lio_opcode = opcode, .aio_fildes = file_of(arg),
		.aio_buf = (uintptr_t)buf, .aio_nbytes = MG_BYTES,
		.aio_offset = MG_AT,
	}, *cbs = &cb;
	aio_context_t ctx = 0;
	struct io_event ev;
	ssize_t n = -1;

	if (syscall(__NR_io_setup, 1, &ctx))
		return -errno;
	/* A refusal may come from the submission or with the event. */
	if (syscall(__NR_io_submit, ctx, 1, &cbs) == 1 &&
	    syscall(__NR_io_getevents, ctx, 1, 1, &ev, NULL) == 1) {
		n = ev.res < 0 ? -1 : ev.res;
		errno = ev.res < 0 ? -ev.res : 0;
	}
	fd = errno;
	syscall(__NR_io_destroy, ctx);
	errno = fd;
	return n;
}

static long try_aio_read(int fd, long arg)
{
	wipe();
	return good_read(try_aio(fd, arg, IOCB_CMD_PREAD));
}

static long try_aio_write(int fd, long arg)
{
	mark();
	return good_write(try_aio(fd, arg, IOCB_CMD_PWRITE));
}

/* @async: by a worker of the ring and not in the submission. */
static long try_uring(long arg, bool write, bool async)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret;

	ret = io_uring_queue_init(2, &ring, 0);
	if (ret)
		return ret;
	sqe = io_uring_get_sqe(&ring);
	if (write)
		io_uring_prep_write(sqe, file_of(arg), buf, MG_BYTES, MG_AT);
	else
		io_uring_prep_read(sqe, file_of(arg), buf, MG_BYTES, MG_AT);
	if (async)
		sqe->flags |= IOSQE_ASYNC;
	ret = io_uring_submit_and_wait(&ring, 1);
	if (ret >= 0 && !io_uring_peek_cqe(&ring, &cqe))
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	errno = ret < 0 ? -ret : 0;
	return ret < 0 ? -1 : ret;
}

static long try_uring_read(int fd, long arg)
{
	wipe();
	return good_read(try_uring(arg, false, false));
}

static long try_uring_read_async(int fd, long arg)
{
	wipe();
	return good_read(try_uring(arg, false, true));
}

static long try_uring_write(int fd, long arg)
{
	mark();
	return good_write(try_uring(arg, true, false));
}

static long try_uring_write_async(int fd, long arg)
{
	mark();
	return good_write(try_uring(arg, true, true));
}

static bool hole_punched(const char *map)
{
	const char *p = map + MG_HUGE_SIZE;

	return !p[0] && !memcmp(p, p + 1, MG_HUGE_SIZE - 1);
}

static long try_punch(int fd, long arg)
{
	return fallocate(file_of(arg),
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 MG_HUGE_SIZE, MG_HUGE_SIZE) ? -errno : 0;
}

static long try_fallocate(int fd, long arg)
{
	return fallocate(file_of(arg), 0, 0, MG_LEN) ? -errno : 0;
}

/* Neither shmem nor hugetlbfs have it: must not appear unmediated. */
static long try_zero_range(int fd, long arg)
{
	return fallocate(file_of(arg), FALLOC_FL_ZERO_RANGE, MG_HUGE_SIZE,
			 MG_HUGE_SIZE) ? -errno : 0;
}

/* Cuts off the second half and makes the file long again. */
static long cut(int file, int (*shrink)(int file))
{
	struct stat st;

	if (shrink(file))
		return -errno;
	if (fstat(file, &st) || st.st_size == MG_LEN)
		return -EBADMSG;
	return ftruncate(file, MG_LEN) ? -errno : 0;
}

static int by_ftruncate(int file)
{
	return ftruncate(file, MG_HUGE_SIZE);
}

static int by_truncate(int file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return truncate(path, MG_HUGE_SIZE);
}

static int by_o_trunc(int file)
{
	int fd = mg_reopen(file, O_RDWR | O_TRUNC);

	return fd < 0 ? -1 : close(fd);
}

static long try_ftruncate(int fd, long arg)
{
	return cut(file_of(arg), by_ftruncate);
}

static long try_truncate(int fd, long arg)
{
	return cut(file_of(arg), by_truncate);
}

static long try_o_trunc(int fd, long arg)
{
	return cut(file_of(arg), by_o_trunc);
}

static long try_grow(int fd, long arg)
{
	if (ftruncate(file_of(arg), 2 * MG_LEN))
		return -errno;
	return ftruncate(file_of(arg), MG_LEN) ? -errno : 0;
}

MG_SCENE_FIXTURE(file)

FILE_TEST(read)
FILE_TEST(pread)
FILE_TEST(readv)
FILE_TEST(preadv2)
FILE_TEST(preadv2_nowait, .lacks = NONE_HAS_IT)
FILE_TEST(read_direct, .lacks = NOT_HUGETLB)
FILE_TEST(write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(pwrite, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(pwritev2, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(aio_read)
FILE_TEST(aio_write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(uring_read)
FILE_TEST(uring_read_async)
FILE_TEST(uring_write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(uring_write_async, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(punch, .changed = hole_punched)
FILE_TEST(fallocate, .rights = MEMGATE_WRITE)
FILE_TEST(zero_range, .lacks = NONE_HAS_IT)
FILE_TEST(ftruncate, .changed = hole_punched)
FILE_TEST(truncate, .changed = hole_punched)
FILE_TEST(o_trunc, .changed = hole_punched)
FILE_TEST(grow, .rights = MEMGATE_WRITE)

TEST_HARNESS_MAIN
