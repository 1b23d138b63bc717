// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways that look as if they led to a memfd's memory, and that this kernel
 * does not have, gate or not.  A kernel that gets one of them needs a hook.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/tcp.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memgate_util.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef UFFDIO_MOVE
#define _UFFDIO_MOVE	0x05
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};
#define UFFDIO_MOVE	_IOWR(UFFDIO, _UFFDIO_MOVE, struct uffdio_move)
#endif
#define FEATURE_MOVE	(1 << 16)

#define LEN	MG_HUGE_SIZE

FIXTURE(never) {
	int fd, other;
	char *map;
};

MG_MEM_VARIANTS(never);

FIXTURE_SETUP(never)
{
	self->fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, self->fd);
	self->other = mg_memfd_empty(variant->mem, LEN);
	ASSERT_LE(0, self->other);
	self->map = mg_map(variant->mem, self->fd, LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(never)
{
	EXPECT_TRUE(mg_matches(self->map, 0, LEN));
	munmap(self->map, LEN);
	close(self->fd);
	close(self->other);
}

/* Moves pages from one mapping to another. */
static int try_move(int uffd, char *to, char *from, size_t len)
{
	struct uffdio_register reg = {
		.range = { (uintptr_t)to, len },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_move move = {
		.dst = (uintptr_t)to, .src = (uintptr_t)from, .len = len,
	};
	int err;

	if (ioctl(uffd, UFFDIO_REGISTER, &reg))
		return -EPROTO;
	err = ioctl(uffd, UFFDIO_MOVE, &move) ? -errno : 0;
	ioctl(uffd, UFFDIO_UNREGISTER, &reg.range);
	return err;
}

static char *anonymous(void)
{
	return mg_map(MG_4K, -1, LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, 0);
}

TEST_F(never, userfault_move)
{
	struct uffdio_api api = { .api = UFFD_API, .features = FEATURE_MOVE };
	int uffd = syscall(__NR_userfaultfd, O_CLOEXEC), i;
	char *to = anonymous(), *from = anonymous();

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	ASSERT_NE(MAP_FAILED, to);
	ASSERT_NE(MAP_FAILED, from);
	mg_fill(from, 0, LEN);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, try_move(uffd, to, from, 4096));
		EXPECT_TRUE(mg_matches(to, 0, 4096));
		madvise(to, LEN, MADV_DONTNEED);
		mg_fill(from, 0, LEN);
		EXPECT_EQ(-EINVAL, try_move(uffd, to, self->map, LEN));
		EXPECT_EQ(-EINVAL, try_move(uffd, self->map, from, LEN));
		mg_seal(self->fd);
	}
	munmap(to, LEN);
	munmap(from, LEN);
	close(uffd);
}

/* Blocks that two files share. */
TEST_F(never, clone)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-1, ioctl(self->other, FICLONE, self->fd));
		EXPECT_EQ(EOPNOTSUPP, errno);
		EXPECT_EQ(-1, ioctl(self->fd, FICLONE, self->other));
		EXPECT_EQ(EOPNOTSUPP, errno);
		mg_seal(self->fd);
	}
}

/* Received data, mapped where it was received: in a socket's mapping only. */
TEST_F(never, tcp_receive)
{
	struct tcp_zerocopy_receive zc = {
		.address = (uintptr_t)self->map, .length = 4096,
	};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), i;
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof(any), size = sizeof(zc);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), from;
	/* With less than a page the kernel does not look for a mapping. */
	static const char data[4 * 4096];
	void *own;

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, bind(listener, (struct sockaddr *)&any, sizeof(any)));
	ASSERT_EQ(0, getsockname(listener, (struct sockaddr *)&any, &len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, connect(sock, (struct sockaddr *)&any, sizeof(any)));
	from = accept(listener, NULL, NULL);
	ASSERT_LE(0, from);
	own = mmap(NULL, LEN, PROT_READ, MAP_SHARED, sock, 0);
	ASSERT_NE(MAP_FAILED, own);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(sizeof(data), write(from, data, sizeof(data)));
		zc.address = (uintptr_t)own;
		zc.length = 4096;
		EXPECT_EQ(0, getsockopt(sock, IPPROTO_TCP,
					TCP_ZEROCOPY_RECEIVE, &zc, &size));
		zc.address = (uintptr_t)self->map;
		zc.length = 4096;
		EXPECT_EQ(-1, getsockopt(sock, IPPROTO_TCP,
					 TCP_ZEROCOPY_RECEIVE, &zc, &size));
		EXPECT_EQ(EINVAL, errno);
		mg_seal(self->fd);
	}
	munmap(own, LEN);
	close(from);
	close(listener);
	close(sock);
}

/* Mappings that grow by themselves. */
TEST_F(never, grows_down)
{
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, LEN, PROT_READ,
					   MAP_SHARED | MAP_GROWSDOWN,
					   self->fd, 0));
		EXPECT_EQ(EINVAL, errno);
		/* There is nobody to ask about it. */
		mg_seal(self->fd);
	}
}

TEST_HARNESS_MAIN
