// SPDX-License-Identifier: GPL-2.0-only
/*
 * File access from file to file, without a buffer of the process: splice, tee,
 * sendfile, copy_file_range.  Class FILE.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "file_util.h"

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

/* Ends a pipe that has or has not got the bytes. */
static long good_pipe(int p[2], ssize_t n)
{
	long ret = n < 0 ? -errno : good_read(read(p[0], buf, MG_BYTES));

	close(p[0]);
	close(p[1]);
	return ret;
}

/* A hint that the kernel ignores today: pages are never moved out. */
static long try_splice_move(int fd, long arg)
{
	loff_t off = MG_AT;
	ssize_t n;
	int p[2];

	wipe();
	if (pipe(p))
		return -errno;
	n = splice(file_of(arg), &off, p[1], NULL, MG_BYTES,
		   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
	return good_pipe(p, n);
}

/* By a worker of a ring; the refusal comes with the completion. */
static ssize_t uring_splice(int in, int64_t in_off, int out, int64_t out_off)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int ret;

	ret = io_uring_queue_init(2, &ring, 0);
	if (!ret) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_splice(sqe, in, in_off, out, out_off, MG_BYTES,
				     0);
		ret = io_uring_submit_and_wait(&ring, 1);
		if (ret >= 0 && !io_uring_peek_cqe(&ring, &cqe))
			ret = cqe->res;
		io_uring_queue_exit(&ring);
	}
	errno = ret < 0 ? -ret : 0;
	return ret < 0 ? -1 : ret;
}

static long try_uring_splice_from(int fd, long arg)
{
	int p[2];

	wipe();
	if (pipe(p))
		return -errno;
	return good_pipe(p, uring_splice(file_of(arg), MG_AT, p[1], -1));
}

static long try_uring_splice_to(int fd, long arg)
{
	long ret;
	int p[2];

	mark();
	if (pipe(p))
		return -errno;
	if (write(p[1], buf, MG_BYTES) != MG_BYTES)
		return -EIO;
	ret = good_write(uring_splice(p[0], -1, file_of(arg), MG_AT));
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

/* The socket takes the pages themselves. */
static long try_sendfile_to_socket(int fd, long arg)
{
	off_t off = MG_AT;
	int sock[2];
	ssize_t n;

	wipe();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -errno;
	n = sendfile(sock[1], file_of(arg), &off, MG_BYTES);
	return good_pipe(sock, n);
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

MG_SCENE_FIXTURE(file)

FILE_TEST(splice_from, .lacks = NOT_HUGETLB)
FILE_TEST(splice_tee, .lacks = NOT_HUGETLB)
FILE_TEST(splice_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(splice_move, .lacks = NOT_HUGETLB)
FILE_TEST(uring_splice_from, .lacks = NOT_HUGETLB)
FILE_TEST(uring_splice_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(sendfile_from, .lacks = NOT_HUGETLB)
FILE_TEST(sendfile_to_socket, .lacks = NOT_HUGETLB)
FILE_TEST(sendfile_to, .changed = mg_marked, .lacks = NOT_HUGETLB)
FILE_TEST(copy_from, .lacks = NOT_HUGETLB)
FILE_TEST(copy_to, .changed = mg_marked, .lacks = NOT_HUGETLB)

/*
 * A pipe that was filled while the policy allowed it holds pages, and whoever
 * has the pipe may tee them on: that was granted.  Nothing comes after it.
 */
TEST_F_TIMEOUT(file, tee_of_granted, 60)
{
	struct mg_policy allow, deny;
	loff_t off = MG_AT;
	int p[2], q[2], link;

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, pipe(q));
	if (variant->mem == MG_HUGETLB) {
		EXPECT_EQ(-1, splice(self->scene.fd, &off, p[1], NULL,
				     MG_BYTES, SPLICE_F_NONBLOCK));
		EXPECT_EQ(EINVAL, errno);
		return;
	}
	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &deny, "deny");
	link = mg_install(&allow, self->scene.fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(MG_BYTES, splice(self->scene.fd, &off, p[1], NULL, MG_BYTES,
				   SPLICE_F_NONBLOCK));
	ASSERT_EQ(0, mg_link_update(link, deny.map_fd));
	EXPECT_EQ(MG_BYTES, tee(p[0], q[1], MG_BYTES, SPLICE_F_NONBLOCK));
	wipe();
	EXPECT_EQ(0, good_read(read(q[0], buf, MG_BYTES)));
	EXPECT_EQ(-1, splice(self->scene.fd, &off, p[1], NULL, MG_BYTES,
			     SPLICE_F_NONBLOCK));
	EXPECT_EQ(EACCES, errno);
	close(p[0]);
	close(p[1]);
	close(q[0]);
	close(q[1]);
	close(link);
}

TEST_HARNESS_MAIN
