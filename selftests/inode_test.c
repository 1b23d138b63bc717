// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other files of the same memfd: the gate is the inode's, so no way to
 * another struct file, made before the seal or after it, leads around it.
 * That the peer's file came with SCM_RIGHTS is so in every table of accesses;
 * here it is sent once more.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "map_util.h"

/* Each: a new file of the memfd behind @file, or -1 and errno. */

static int by_proc_fd(int file, long arg)
{
	return mg_reopen(file, O_RDWR);
}

static int by_path(int file, long arg)
{
	int path = mg_reopen(file, O_PATH), got;

	if (path < 0)
		return -1;
	got = mg_reopen(path, O_RDWR);
	close(path);
	return got;
}

static int by_map_files(int file, long arg)
{
	unsigned long start = (unsigned long)map_of(arg);
	char path[96];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start,
		 start + MG_LEN);
	return open(path, O_RDWR | O_CLOEXEC);
}

/* A handle names the inode; its mount is named by the memfd itself. */
static int by_handle(int file, long arg)
{
	union {
		struct file_handle handle;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} h = { .handle.handle_bytes = MAX_HANDLE_SZ };
	int mount;

	if (name_to_handle_at(file, "", &h.handle, &mount, AT_EMPTY_PATH))
		return -1;
	return open_by_handle_at(file, &h.handle, O_RDWR | O_CLOEXEC);
}

static int by_pidfd(int file, long arg)
{
	int pidfd = syscall(__NR_pidfd_open, getpid(), 0), got;

	if (pidfd < 0)
		return -1;
	got = syscall(__NR_pidfd_getfd, pidfd, file, 0);
	close(pidfd);
	return got;
}

static int by_message(int file, long arg)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int sock[2], got = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -1;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &file, sizeof(file));
	if (sendmsg(sock[0], &msg, 0) == 1 && recvmsg(sock[1], &msg, 0) == 1)
		memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(got));
	close(sock[0]);
	close(sock[1]);
	return got;
}

static long map_by(long arg, int (*way)(int file, long arg))
{
	int file = way(file_of(arg), arg);
	long ret;

	if (file < 0)
		return -ENOENT;
	ret = map_file(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(file);
	return ret;
}

static long read_by(long arg, int (*way)(int file, long arg))
{
	int file = way(file_of(arg), arg);
	char buf[MG_BYTES] = { 0 };
	ssize_t n;
	long ret;

	if (file < 0)
		return -ENOENT;
	n = pread(file, buf, sizeof(buf), MG_AT);
	ret = n < 0 ? -errno : 0;
	if (mg_matches(buf, MG_AT, 64) == (n < 0))
		ret = n < 0 ? -ENOTRECOVERABLE : -EBADMSG;
	close(file);
	return ret;
}

MG_SCENE_FIXTURE(inode)

/* The file by that way is mapped, and read. */
#define INODE_TEST(way, set_up, ...)					\
	static long try_map_##way(int fd, long arg)			\
	{								\
		return map_by(arg, by_##way);				\
	}								\
									\
	static long try_read_##way(int fd, long arg)			\
	{								\
		return read_by(arg, by_##way);				\
	}								\
									\
	TEST_F_TIMEOUT(inode, map_##way, 60)				\
	{								\
		MAP_ACCESS(map_##way, set_up, .class = MEMGATE_MAP,	\
			   .rights = MEMGATE_WRITE, __VA_ARGS__);	\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}								\
									\
	TEST_F_TIMEOUT(inode, read_##way, 60)				\
	{								\
		MAP_ACCESS(read_##way, set_up, .class = MEMGATE_FILE,	\
			   __VA_ARGS__);				\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

INODE_TEST(proc_fd, open_file)
INODE_TEST(path, open_file)
INODE_TEST(map_files, have_all)
/* hugetlbfs has no handles. */
INODE_TEST(handle, open_file, .lacks = NOT_HUGETLB)
INODE_TEST(pidfd, open_file)
INODE_TEST(message, open_file)

/* No file system that others see can have it: gated or not, it has no name. */
TEST_F(inode, no_name)
{
	char from[64], to[] = "/tmp/memgate-name-XXXXXX", name[64];
	int sealed, file = mkstemp(to);

	ASSERT_LE(0, file);
	close(file);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", self->scene.fd);
	snprintf(name, sizeof(name), "%s.link", to);
	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(self->scene.fd));
		EXPECT_EQ(-1, linkat(self->scene.fd, "", AT_FDCWD, name,
				     AT_EMPTY_PATH));
		EXPECT_EQ(-1, linkat(AT_FDCWD, from, AT_FDCWD, name,
				     AT_SYMLINK_FOLLOW));
		EXPECT_EQ(-1, mount(from, to, NULL, MS_BIND, NULL));
		EXPECT_EQ(EINVAL, errno);
	}
	unlink(to);
}

TEST_HARNESS_MAIN
