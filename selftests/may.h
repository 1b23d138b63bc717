/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a process may do with memory, found out by doing it: for tests of
 * policies that judge tasks.
 */
#ifndef MAY_H
#define MAY_H

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memgate_util.h"

#define MAY_LEN		MG_HUGE_SIZE
#define MAY_PAGE	4096

/* What a process may do with the memory, as far as it was seen to do it. */
enum {
	MAY_MAP_READ = 1,
	MAY_MAP_WRITE = 2,
	MAY_READ = 4,
	MAY_WRITE = 8,
	MAY_PIN = 16,		/* to read from it */
	MAY_RING = 32,
	MAY_VHOST = 64,
	MAY_ALL = 127,
	MAY_LOOK = MAY_MAP_READ | MAY_READ | MAY_PIN,
};

/* A mapping that is older than the gate. */
static char *may_held;

static inline long may_hold(int fd, long arg)
{
	may_held = mmap(NULL, MAY_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return may_held == MAP_FAILED ? -errno : 0;
}

static inline int may_try_map(int fd, int prot)
{
	char *map = mmap(NULL, MAY_LEN, prot, MAP_SHARED, fd, 0);
	int ret;

	if (map == MAP_FAILED)
		return -errno;
	ret = mg_matches(map, 0, MAY_PAGE) ? 0 : -EBADMSG;
	munmap(map, MAY_LEN);
	return ret;
}

static inline int may_try_read(int fd)
{
	char buf[MAY_PAGE];

	if (pread(fd, buf, MAY_PAGE, 0) < 0)
		return -errno;
	return mg_matches(buf, 0, MAY_PAGE) ? 0 : -EBADMSG;
}

/* The bytes that are there already. */
static inline int may_try_write(int fd)
{
	char buf[MAY_PAGE];

	mg_fill(buf, 0, MAY_PAGE);
	return pwrite(fd, buf, MAY_PAGE, 0) < 0 ? -errno : 0;
}

static inline int may_try_pin(void)
{
	struct iovec v = { may_held, MAY_PAGE };
	int p[2], ret = 0;
	char buf[MAY_PAGE];

	if (pipe(p))
		return -EIO;
	if (vmsplice(p[1], &v, 1, 0) < 0)
		ret = -errno;
	else if (read(p[0], buf, MAY_PAGE) != MAY_PAGE || !mg_matches(buf, 0, MAY_PAGE))
		ret = -EBADMSG;
	close(p[0]);
	close(p[1]);
	return ret;
}

static inline int may_register(int ring)
{
	struct iovec v = { may_held, MAY_PAGE };

	return syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS,
		       &v, 1) ? -errno : 0;
}

static inline void *may_use_ring(void *ret)
{
	struct io_uring_params params = { 0 };
	int ring = syscall(__NR_io_uring_setup, 1, &params);

	*(int *)ret = ring < 0 ? -EIO : may_register(ring);
	/* Closed, it would keep the page for a moment. */
	syscall(__NR_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL,
		0);
	close(ring);
	return NULL;
}

/* A ring that is closed interrupts its thread later: let that be another. */
static inline int may_try_ring(void)
{
	pthread_t thread;
	int ret;

	if (pthread_create(&thread, NULL, may_use_ring, &ret) ||
	    pthread_join(thread, NULL))
		return -EIO;
	return ret;
}

static inline int may_try_vhost(void)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC), ret = 0;
	struct {
		struct vhost_memory mem;
		struct vhost_memory_region region;
	} table = {
		.mem.nregions = 1,
		.region.memory_size = MAY_LEN,
		.region.userspace_addr = (unsigned long)may_held,
	};

	if (fd < 0 || ioctl(fd, VHOST_SET_OWNER))
		return -EIO;
	if (ioctl(fd, VHOST_SET_MEM_TABLE, &table))
		ret = -errno;
	close(fd);
	return ret;
}

/* MAY_*; -EPROTO if something fails for another reason than a refusal. */
static inline long what_may(int fd, long arg)
{
	int ret[] = {
		may_try_map(fd, PROT_READ), may_try_map(fd, PROT_READ | PROT_WRITE),
		may_try_read(fd), may_try_write(fd), may_try_pin(), may_try_ring(),
		may_try_vhost(),
	};
	long may = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ret); i++) {
		if (!ret[i])
			may |= 1 << i;
		else if (ret[i] != -EACCES)
			return -EPROTO;
	}
	return may;
}

#endif /* MAY_H */
