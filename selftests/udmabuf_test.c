// SPDX-License-Identifier: GPL-2.0-only
/*
 * udmabuf makes a buffer for devices of a memfd's pages, which it takes
 * without a mapping (memfd_pin_folios()): class OTHER, for reading and
 * writing, as nobody knows yet what will be done with it.
 */
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "trace_util.h"

static int create(int fd)
{
	struct udmabuf_create create = {
		.memfd = fd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = MG_LEN,
	};
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf, err;

	if (dev < 0)
		return -1;
	buf = ioctl(dev, UDMABUF_CREATE, &create);
	err = errno;
	close(dev);
	errno = err;
	return buf;
}

/* Makes one, looks through it at the memory, and lets go of it. */
static long try_create(int fd, long arg)
{
	int buf = create(fd);
	long ret = 0;
	char *map;

	if (buf < 0)
		return -errno;
	map = mmap(NULL, MG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
	if (map == MAP_FAILED)
		ret = -errno;
	else if (!mg_matches(map, 0, MG_LEN))
		ret = -EBADMSG;
	if (map != MAP_FAILED)
		munmap(map, MG_LEN);
	close(buf);
	return ret;
}

FIXTURE(udmabuf) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(udmabuf);

FIXTURE_SETUP(udmabuf)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(udmabuf)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

/* udmabuf wants a memfd that cannot shrink. */
static long fix_size(int fd, long arg)
{
	return mg_add_seals(fd, F_SEAL_SHRINK) ? -errno : 0;
}

TEST_F_TIMEOUT(udmabuf, create, 60)
{
	static const struct mg_access access = {
		.class = MEMGATE_OTHER,
		.prepare = fix_size,
		.attempt = try_create,
		.refused = EACCES,
		.rights = MEMGATE_WRITE,
	};

	mg_mediated(_metadata, &self->scene, &access);
}

TEST_F(udmabuf, question)
{
	struct mg_scene *s = &self->scene;
	struct trace_event e = { 0 };
	struct mg_policy trace;
	int link;

	ASSERT_EQ(0, fix_size(s->fd, 0));
	mg_load(_metadata, &trace, "trace");
	link = mg_install(&trace, s->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_trace_reset(&trace));
	ASSERT_EQ(0, try_create(s->fd, 0));
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_MAY_ATTACH, MEMGATE_OTHER,
				   &e));
	EXPECT_EQ(1, mg_trace_count(&trace));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_EQ(0, e.start);
	EXPECT_EQ(MG_LEN, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	close(link);
	mg_policy_free(&trace);
}

/* One that is refused leaves no pages behind in an empty memfd. */
TEST_F(udmabuf, nothing_allocated)
{
	int fd = mg_memfd_empty(variant->mem, MG_LEN);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fix_size(fd, 0));
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(-1, create(fd));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_blocks);
	close(fd);
}

/* It keeps the pages: no seal while there is one, made before. */
TEST_F(udmabuf, older_than_seal)
{
	int buf;

	ASSERT_EQ(0, fix_size(self->scene.fd, 0));
	buf = create(self->scene.fd);
	ASSERT_LE(0, buf);
	EXPECT_EQ(-1, mg_seal(self->scene.fd));
	EXPECT_EQ(EBUSY, errno);
	close(buf);
	EXPECT_EQ(0, mg_seal(self->scene.fd));
}

TEST_HARNESS_MAIN
