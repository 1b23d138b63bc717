// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pins by others than the caller, for its own mapping, and pins that outlive
 * the call: a ring's own thread, data that is queued in a socket.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"
#include "own_map.h"

static char buf[MG_BYTES] __attribute__((aligned(4096)));
static int disk = -1, backing = -1;

static long map_and_disk(int fd, long arg)
{
	if (disk < 0) {
		backing = memfd_create("disk", MFD_CLOEXEC);
		if (backing < 0 || ftruncate(backing, MG_LEN))
			return -errno;
		disk = mg_loop_open(backing, O_RDWR | O_DIRECT);
	}
	return disk < 0 ? -errno : map_it(fd, arg);
}

/* The answer to a request whose result says @n, with what came of it in buf. */
static long sent(long n)
{
	bool same = mg_matches(buf, MG_AT, n < 0 ? 64 : MG_BYTES);

	if (n < 0)
		return same ? -ENOTRECOVERABLE : n;
	return n == MG_BYTES && same ? 0 : -EBADMSG;
}

/* A thread of the kernel looks for requests; it has the mm of the task. */
static long try_uring_sqpoll(int fd, long arg)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 1000,
	};
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	long ret;

	memset(buf, 0, sizeof(buf));
	if (pwrite(backing, buf, MG_BYTES, 0) != MG_BYTES)
		return -EIO;
	ret = io_uring_queue_init_params(2, &ring, &params);
	if (ret)
		return ret;
	io_uring_prep_write(io_uring_get_sqe(&ring), disk, place_of(arg),
			    MG_BYTES, 0);
	io_uring_submit(&ring);
	ret = io_uring_wait_cqe(&ring, &cqe);
	if (!ret)
		ret = cqe->res;
	io_uring_queue_exit(&ring);
	if (pread(backing, buf, MG_BYTES, 0) != MG_BYTES)
		return -EIO;
	return sent(ret);
}

/* A connection to itself. */
static int connect_pair(int pair[2])
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(to);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair[1] = -1;
	if (bind(listener, (struct sockaddr *)&to, sizeof(to)) ||
	    getsockname(listener, (struct sockaddr *)&to, &len) ||
	    listen(listener, 1) ||
	    connect(pair[0], (struct sockaddr *)&to, sizeof(to)))
		err = -errno;
	else
		pair[1] = accept(listener, NULL, NULL);
	close(listener);
	return err ? err : pair[1] < 0 ? -errno : 0;
}

static void close_pair(int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

/* What arrives at the other end; nothing may after a refusal. */
static void arrived(int end, long n)
{
	memset(buf, 0, sizeof(buf));
	recv(end, buf, sizeof(buf), n > 0 ? MSG_WAITALL : MSG_DONTWAIT);
}

static long try_tcp_zerocopy(int fd, long arg)
{
	struct pollfd done = { .events = 0 };
	int pair[2], one = 1;
	long n;

	n = connect_pair(pair);
	if (n)
		return n;
	if (setsockopt(pair[0], SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return -errno;
	n = send(pair[0], place_of(arg), MG_BYTES, MSG_ZEROCOPY);
	if (n < 0)
		n = -errno;
	arrived(pair[1], n);
	/* The pages are let go of before the next state of the gate. */
	done.fd = pair[0];
	if (n > 0 && poll(&done, 1, 10000) != 1)
		n = -ETIMEDOUT;
	close_pair(pair);
	return sent(n);
}

static long try_uring_send_zc(int fd, long arg)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	bool more = true;
	int pair[2];
	long n;

	n = connect_pair(pair) ?: io_uring_queue_init(2, &ring, 0);
	if (n)
		return n;
	io_uring_prep_send_zc(io_uring_get_sqe(&ring), pair[0], place_of(arg),
			      MG_BYTES, 0, 0);
	io_uring_submit(&ring);
	if (io_uring_wait_cqe(&ring, &cqe))
		return -EIO;
	n = cqe->res;
	more = cqe->flags & IORING_CQE_F_MORE;
	io_uring_cqe_seen(&ring, cqe);
	arrived(pair[1], n);
	/* The second answer: the pages are not needed any more. */
	if (more && io_uring_wait_cqe(&ring, &cqe))
		return -EIO;
	io_uring_queue_exit(&ring);
	close_pair(pair);
	return sent(n);
}

FIXTURE(pin_late) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(pin_late);

FIXTURE_SETUP(pin_late)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(pin_late)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define PIN_TEST(name, set_up, errno_seen)				\
	TEST_F_TIMEOUT(pin_late, name, 60)				\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_OWN_PIN,			\
			.prepare = set_up,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

PIN_TEST(uring_sqpoll, map_and_disk, EACCES)
/* The network flattens every failure to take pages to EFAULT. */
PIN_TEST(tcp_zerocopy, map_it, EFAULT)
PIN_TEST(uring_send_zc, map_it, EFAULT)

TEST_HARNESS_MAIN
