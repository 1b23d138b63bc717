// SPDX-License-Identifier: GPL-2.0-only
/*
 * File access: class FILE.  Everything that moves bytes between the page
 * cache of a memfd and somewhere else, or destroys them, without a mapping.
 * What only tells sizes stays open.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/falloc.h>
#include <linux/loop.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"

/* hugetlbfs has neither write nor splice; its reads and falloc are its own. */
#define NOT_HUGETLB	(1 << MG_HUGETLB)

/* The files of this process: as it got it, and opened after the seal. */
static int files[MG_AGES] = { -1, -1 };
static char buf[MG_BYTES] __attribute__((aligned(4096)));

static int file_of(long arg)
{
	return files[MG_ARG_AGE(arg)];
}

static long open_file(int fd, long arg)
{
	int *file = &files[MG_ARG_AGE(arg)];

	if (*file >= 0)
		close(*file);
	*file = MG_ARG_AGE(arg) == MG_OLD ? fcntl(fd, F_DUPFD_CLOEXEC, 0) :
					     mg_reopen(fd, O_RDWR);
	return *file < 0 ? -errno : 0;
}

/* A read is good if all bytes came and are those of the place. */
static long good_read(ssize_t n)
{
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -errno;
	return n == MG_BYTES && mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static long good_write(ssize_t n)
{
	return n == MG_BYTES ? 0 : n < 0 ? -errno : -EBADMSG;
}

static void wipe(void)
{
	memset(buf, 0, sizeof(buf));
}

static void mark(void)
{
	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
}

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

static long try_splice_from(int fd, long arg)
{
	loff_t off = MG_AT;
	long ret;
	ssize_t n;
	int p[2];

	wipe();
	if (pipe(p))
		return -errno;
	n = splice(file_of(arg), &off, p[1], NULL, MG_BYTES, SPLICE_F_NONBLOCK);
	ret = n < 0 ? -errno : good_read(read(p[0], buf, MG_BYTES));
	close(p[0]);
	close(p[1]);
	return ret;
}

/* tee() copies references, so it may only ever see what splice() got. */
static long try_splice_tee(int fd, long arg)
{
	loff_t off = MG_AT;
	int p[2], q[2];
	ssize_t n;
	long ret;

	wipe();
	if (pipe(p) || pipe(q))
		return -errno;
	n = splice(file_of(arg), &off, p[1], NULL, MG_BYTES, SPLICE_F_NONBLOCK);
	ret = n < 0 ? -errno : 0;
	if (n >= 0) {
		n = tee(p[0], q[1], MG_BYTES, SPLICE_F_NONBLOCK);
		ret = n < 0 ? -errno : good_read(read(q[0], buf, MG_BYTES));
	}
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
	return ret;
}

static long try_splice_to(int fd, long arg)
{
	loff_t off = MG_AT;
	long ret;
	int p[2];

	mark();
	if (pipe(p))
		return -errno;
	if (write(p[1], buf, MG_BYTES) != MG_BYTES)
		return -EIO;
	ret = good_write(splice(p[0], NULL, file_of(arg), &off, MG_BYTES,
				SPLICE_F_NONBLOCK));
	close(p[0]);
	close(p[1]);
	return ret;
}

/* An ordinary memfd that has the bytes of @text, or is empty. */
static int plain_memfd(const char *text)
{
	int fd = memfd_create("plain", MFD_CLOEXEC);

	if (fd >= 0 && text && write(fd, text, MG_BYTES) != MG_BYTES) {
		close(fd);
		return -1;
	}
	return fd;
}

static long try_sendfile_from(int fd, long arg)
{
	int out = plain_memfd(NULL);
	off_t off = MG_AT;
	ssize_t n;
	long ret;

	wipe();
	n = sendfile(out, file_of(arg), &off, MG_BYTES);
	ret = n < 0 ? -errno : good_read(pread(out, buf, MG_BYTES, 0));
	close(out);
	return ret;
}

static long try_sendfile_to(int fd, long arg)
{
	off_t off = 0;
	int in;
	long ret;

	mark();
	in = plain_memfd(buf);
	if (lseek(file_of(arg), MG_AT, SEEK_SET) != MG_AT)
		return -ESPIPE;
	ret = good_write(sendfile(file_of(arg), in, &off, MG_BYTES));
	close(in);
	return ret;
}

static long try_copy_from(int fd, long arg)
{
	loff_t in_off = MG_AT, out_off = 0;
	int out = plain_memfd(NULL);
	ssize_t n;
	long ret;

	wipe();
	n = copy_file_range(file_of(arg), &in_off, out, &out_off, MG_BYTES, 0);
	ret = n < 0 ? -errno : good_read(pread(out, buf, MG_BYTES, 0));
	close(out);
	return ret;
}

static long try_copy_to(int fd, long arg)
{
	loff_t in_off = 0, out_off = MG_AT;
	int in;
	long ret;

	mark();
	in = plain_memfd(buf);
	ret = good_write(copy_file_range(in, &in_off, file_of(arg), &out_off,
					 MG_BYTES, 0));
	close(in);
	return ret;
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

FIXTURE(file) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(file);

FIXTURE_SETUP(file)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(file)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define FILE_TEST(name, ...)						\
	TEST_F_TIMEOUT(file, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_FILE,				\
			.prepare = open_file,				\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

FILE_TEST(read)
FILE_TEST(pread)
FILE_TEST(readv)
FILE_TEST(preadv2)
FILE_TEST(write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(pwrite, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(pwritev2, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(splice_from, .lacks = NOT_HUGETLB)
FILE_TEST(splice_tee, .lacks = NOT_HUGETLB)
FILE_TEST(splice_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(sendfile_from, .lacks = NOT_HUGETLB)
FILE_TEST(sendfile_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(copy_from, .lacks = NOT_HUGETLB)
FILE_TEST(copy_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(aio_read)
FILE_TEST(aio_write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(uring_read)
FILE_TEST(uring_read_async)
FILE_TEST(uring_write, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(uring_write_async, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(punch, .changed = hole_punched)
FILE_TEST(fallocate)
FILE_TEST(zero_range, .lacks = 1 << MG_4K | 1 << MG_THP | 1 << MG_HUGETLB)
FILE_TEST(ftruncate, .changed = hole_punched)
FILE_TEST(truncate, .changed = hole_punched)
FILE_TEST(o_trunc, .changed = hole_punched)
FILE_TEST(grow)

TEST_HARNESS_MAIN
