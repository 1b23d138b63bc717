// SPDX-License-Identifier: GPL-2.0-only
/*
 * File access that is more than one call: loop devices over the memfd and
 * holes through a mapping.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"

/* A loop device of each age; the new one is made under a policy. */
static int disks[MG_AGES] = { -1, -1 };
static char *maps[MG_AGES];
static char buf[MG_BYTES] __attribute__((aligned(4096)));

static int make_loop(int fd, long arg, int flags)
{
	int *disk = &disks[MG_ARG_AGE(arg)];

	if (*disk >= 0)
		close(*disk);
	*disk = mg_loop_open(fd, flags | O_DIRECT);
	return *disk < 0 ? -errno : 0;
}

static long loop_read_only(int fd, long arg)
{
	return make_loop(fd, arg, O_RDONLY);
}

static long loop_writable(int fd, long arg)
{
	return make_loop(fd, arg, O_RDWR);
}

static long try_loop_read(int fd, long arg)
{
	int disk = disks[MG_ARG_AGE(arg)];
	ssize_t n;

	memset(buf, 0, sizeof(buf));
	n = pread(disk, buf, MG_BYTES, MG_AT);
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -errno;
	return mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static long try_loop_write(int fd, long arg)
{
	int disk = disks[MG_ARG_AGE(arg)];
	ssize_t n;

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	n = pwrite(disk, buf, MG_BYTES, MG_AT);
	return n < 0 ? -errno : n == MG_BYTES ? 0 : -EIO;
}

/* Discards the second half of the disk: a hole in the memfd. */
static long loop_hole(long arg, unsigned long request)
{
	uint64_t range[2] = { MG_HUGE_SIZE, MG_HUGE_SIZE };

	return ioctl(disks[MG_ARG_AGE(arg)], request, range) ? -errno : 0;
}

static long try_loop_discard(int fd, long arg)
{
	return loop_hole(arg, BLKDISCARD);
}

static long map_it(int fd, long arg)
{
	char **map = &maps[MG_ARG_AGE(arg)];

	if (*map)
		munmap(*map, MG_LEN);
	*map = mg_map(MG_ARG_MEM(arg), fd, MG_LEN, PROT_READ | PROT_WRITE,
		      MAP_SHARED, 0);
	if (*map != MAP_FAILED)
		return 0;
	*map = NULL;
	return -errno;
}

static long try_madv_remove(int fd, long arg)
{
	return madvise(maps[MG_ARG_AGE(arg)] + MG_HUGE_SIZE, MG_HUGE_SIZE,
		       MADV_REMOVE) ? -errno : 0;
}

static bool hole_punched(const char *map)
{
	const char *p = map + MG_HUGE_SIZE;

	return !p[0] && !memcmp(p, p + 1, MG_HUGE_SIZE - 1);
}

MG_SCENE_FIXTURE(more)

#define MORE_TEST(name, set_up, errno_seen, ...)			\
	TEST_F_TIMEOUT(more, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_FILE,				\
			.prepare = set_up,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

/* The block layer knows one error for all.  There are none on hugetlbfs. */
MORE_TEST(loop_read, loop_read_only, EIO, .lacks = 1 << MG_HUGETLB)
MORE_TEST(loop_write, loop_writable, EIO, .changed = mg_marked,
	  .lacks = 1 << MG_HUGETLB)
MORE_TEST(loop_discard, loop_writable, EIO, .changed = hole_punched,
	  .lacks = 1 << MG_HUGETLB)
MORE_TEST(madv_remove, map_it, EACCES, .changed = hole_punched)

TEST_HARNESS_MAIN
