/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One access of each kind that leaves nothing behind, to the memory of a
 * struct see_scene: 0 or -errno.  Each is one question, or with mmap three.
 */
#ifndef SEE_ACCESS_H
#define SEE_ACCESS_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/udmabuf.h>

#include "see_scene.h"
#include "../../../mm/gup_test.h"

static inline int do_mmap(struct see_scene *s)
{
	void *map = mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED, s->fd,
			 MG_HUGE_SIZE);

	if (map == MAP_FAILED)
		return -errno;
	return munmap(map, MG_HUGE_SIZE);
}

static inline int do_fork(struct see_scene *s)
{
	unsigned char vec;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(mincore(s->map, PAGE, &vec) ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	/* The mapping is absent where it was refused. */
	status = WEXITSTATUS(status);
	return status == ENOMEM ? -EACCES : -status;
}

static inline int do_mprotect(struct see_scene *s)
{
	if (mprotect(s->ro, LEN, PROT_READ | PROT_WRITE))
		return -errno;
	/* Narrowing is nobody's business. */
	return mprotect(s->ro, LEN, PROT_READ) ? -errno : 0;
}

static inline int do_mremap(struct see_scene *s)
{
	char *map = mremap(s->half, MG_HUGE_SIZE, LEN, MREMAP_MAYMOVE);

	if (map == MAP_FAILED)
		return -errno;
	s->half = map;
	return mremap(map, LEN, MG_HUGE_SIZE, 0) == map ? 0 : -errno;
}

static inline int do_read(struct see_scene *s)
{
	char buf[64];

	return pread(s->fd, buf, 64, OFF) == 64 ? 0 : -errno;
}

static inline int do_write(struct see_scene *s)
{
	char buf[64];

	mg_fill(buf, OFF, 64);
	return pwrite(s->fd, buf, 64, OFF) == 64 ? 0 : -errno;
}

static inline int do_fallocate(struct see_scene *s)
{
	return fallocate(s->fd, 0, MG_HUGE_SIZE, MG_HUGE_SIZE) ? -errno : 0;
}

static inline int do_pin(struct see_scene *s)
{
	struct iovec v = { s->map + OFF, PAGE };
	int p[2], ret;

	if (pipe(p))
		return -errno;
	ret = vmsplice(p[1], &v, 1, 0) == PAGE ? 0 : -errno;
	close(p[0]);
	close(p[1]);
	return ret;
}

/* By the kernel's test driver: drivers of no class pin so. */
static inline int do_longterm(struct see_scene *s)
{
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)s->map + OFF, .size = PAGE,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	int dev = open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC), ret;

	if (dev < 0)
		return -errno;
	ret = ioctl(dev, PIN_LONGTERM_TEST_START, &pin) ? -errno : 0;
	ioctl(dev, PIN_LONGTERM_TEST_STOP);
	close(dev);
	return ret;
}

static inline long read_parent(int fd, long addr)
{
	char buf[PAGE];
	struct iovec to = { buf, PAGE }, from = { (void *)addr, PAGE };

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == PAGE ?
	       0 : -errno;
}

static inline int do_remote(struct see_scene *s)
{
	long ret = mg_peer_call(&s->peer, read_parent, -1,
				(long)s->map + OFF);

	return ret == -EFAULT ? -EACCES : ret;
}

static inline int do_udmabuf(struct see_scene *s)
{
	struct udmabuf_create create = {
		.memfd = s->fd, .flags = UDMABUF_FLAGS_CLOEXEC,
		.size = MG_HUGE_SIZE,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf, ret;

	if (dev < 0)
		return -errno;
	buf = ioctl(dev, UDMABUF_CREATE, &create);
	ret = buf < 0 ? -errno : 0;
	close(buf);
	close(dev);
	return ret;
}

#endif /* SEE_ACCESS_H */
