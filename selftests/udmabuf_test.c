// SPDX-License-Identifier: GPL-2.0-only
/*
 * udmabuf makes a buffer for devices of a memfd's pages, which it takes
 * without a mapping (memfd_pin_folios()): a consumer of class DMABUF, asked
 * about for reading and writing, as nobody knows yet what will be done with
 * it.  dmabuf_test is about that.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "dev_lines.h"
#include "dmabuf_util.h"
#include "probe.h"
#include "stay.h"
#include "trace_util.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

/* By a device; a mapping would be asked about as MAP. */
static long look_into(int buf)
{
	char bytes[MG_BYTES];
	int dev = dmabuf_import(buf);
	long ret = 0;

	if (dev < 0)
		return dev;
	if (pread(dev, bytes, MG_BYTES, MG_AT) != MG_BYTES)
		ret = -EIO;
	else if (!mg_matches(bytes, MG_AT, MG_BYTES))
		ret = -EBADMSG;
	close(dev);
	return ret;
}

/* Makes one, looks through it at the memory, and lets go of it. */
static long try_create(int fd, long arg)
{
	int buf = dmabuf_create(fd, MG_LEN);
	long ret;

	if (buf < 0)
		return dev_attached(fd, MEMGATE_DMABUF) ? -EUSERS : buf;
	ret = look_into(buf);
	close(buf);
	return dev_left(fd, MEMGATE_DMABUF, 0) ? -EUSERS : ret;
}

/* udmabuf wants a memfd that cannot shrink. */
static long fix_size(int fd, long arg)
{
	return mg_add_seals(fd, F_SEAL_SHRINK) ? -errno : 0;
}

MG_SCENE_FIXTURE(udmabuf)

TEST_F_TIMEOUT(udmabuf, create, 60)
{
	static const struct mg_access access = {
		.class = MEMGATE_DMABUF,
		.prepare = fix_size,
		.attempt = try_create,
		.refused = EACCES,
		.rights = MEMGATE_WRITE,
	};

	mg_mediated(_metadata, &self->scene, &access);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(udmabuf) *self

/* Installs a policy on the memfd of the scene, and returns the link. */
static int install(SELF, const char *name, struct mg_policy *policy)
{
	int link;

	EXPECT_EQ(0, fix_size(self->scene.fd, 0));
	mg_load(_metadata, policy, name);
	link = mg_install(policy, self->scene.fd);
	EXPECT_LE(0, link);
	EXPECT_TRUE(strcmp(name, "trace") || !mg_trace_reset(policy));
	return link;
}

/* Once, however many pages and folios it has. */
TEST_F(udmabuf, question)
{
	struct trace_event e = { 0 }, end = { 0 };
	struct mg_scene *s = &self->scene;
	struct mg_policy trace;
	int link, buf;

	link = install(_metadata, self, "trace", &trace);
	buf = dmabuf_create(s->fd, MG_LEN);
	ASSERT_LE(0, buf);
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_MAY_ATTACH, MEMGATE_DMABUF,
				   &e));
	EXPECT_EQ(1, mg_trace_count(&trace));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_EQ(0, e.device);
	EXPECT_NE(0, e.consumer);
	EXPECT_EQ(0, e.start);
	EXPECT_EQ(MG_LEN, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	EXPECT_EQ(1, dev_attached(s->fd, MEMGATE_DMABUF));
	close(buf);
	EXPECT_EQ(0, dev_left(s->fd, MEMGATE_DMABUF, 0));
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_DETACHED, MEMGATE_DMABUF,
				   &end));
	EXPECT_EQ(e.consumer, end.consumer);
	close(link);
}

/* Pins and attachments are there while a buffer is, and no longer. */
TEST_F(udmabuf, nothing_left)
{
	struct mg_policy refuse, allow;
	int fd = self->scene.fd, link, buf;
	long pins = stay_pins();

	ASSERT_EQ(0, fix_size(fd, 0));
	buf = dmabuf_create(fd, MG_LEN);
	ASSERT_LE(0, buf);
	EXPECT_LT(pins, stay_pins());
	close(buf);
	EXPECT_TRUE(stay_pins_back_to(pins));

	link = install(_metadata, self, "refuse_perm", &refuse);
	EXPECT_EQ(-EACCES, dmabuf_create(fd, MG_LEN));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(0, dev_attached(fd, MEMGATE_DMABUF));

	mg_load(_metadata, &allow, "allow");
	ASSERT_EQ(0, mg_link_update(link, allow.map_fd));
	buf = dmabuf_create(fd, MG_LEN);
	ASSERT_LE(0, buf);
	EXPECT_LT(pins, stay_pins());
	EXPECT_EQ(1, dev_attached(fd, MEMGATE_DMABUF));
	EXPECT_EQ(0, look_into(buf));
	close(buf);
	EXPECT_EQ(0, dev_left(fd, MEMGATE_DMABUF, 0));
	EXPECT_TRUE(stay_pins_back_to(pins));
	close(link);
}

/* One that is refused leaves no pages behind in an empty memfd. */
TEST_F(udmabuf, nothing_allocated)
{
	int fd = mg_memfd_empty(variant->mem, MG_LEN);
	struct stat st;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, fix_size(fd, 0));
	ASSERT_EQ(0, mg_seal(fd));
	EXPECT_EQ(-EACCES, dmabuf_create(fd, MG_LEN));
	ASSERT_EQ(0, fstat(fd, &st));
	EXPECT_EQ(0, st.st_blocks);
	close(fd);
}

/* It keeps the pages: no seal while there is one, made before. */
TEST_F(udmabuf, older_than_seal)
{
	int buf;

	ASSERT_EQ(0, fix_size(self->scene.fd, 0));
	buf = dmabuf_create(self->scene.fd, MG_LEN);
	ASSERT_LE(0, buf);
	EXPECT_EQ(-1, mg_seal(self->scene.fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, look_into(buf));
	close(buf);
	EXPECT_EQ(0, mg_seal(self->scene.fd));
}

/* One of two memfds: all or nothing, whichever refuses. */
TEST_F(udmabuf, list)
{
	int other = mg_memfd(variant->mem, MG_HUGE_SIZE), link, buf;
	const int other_last[] = { self->scene.fd, other };
	const int other_first[] = { other, self->scene.fd };
	struct mg_policy allow, refuse;
	long pins = stay_pins();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, fix_size(other, 0));
	ASSERT_EQ(0, fix_size(self->scene.fd, 0));
	buf = dmabuf_create_list(other_last, 2, MG_HUGE_SIZE);
	ASSERT_LE(0, buf);
	EXPECT_EQ(0, look_into(buf));
	close(buf);
	ASSERT_TRUE(stay_pins_back_to(pins));

	link = install(_metadata, self, "allow", &allow);
	buf = dmabuf_create_list(other_first, 2, MG_HUGE_SIZE);
	ASSERT_LE(0, buf);
	EXPECT_EQ(1, dev_attached(self->scene.fd, MEMGATE_DMABUF));
	close(buf);
	ASSERT_TRUE(stay_pins_back_to(pins));

	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, other));
	EXPECT_EQ(-EACCES, dmabuf_create_list(other_last, 2, MG_HUGE_SIZE));
	EXPECT_EQ(0, dev_attached(self->scene.fd, MEMGATE_DMABUF));
	EXPECT_EQ(-EACCES, dmabuf_create_list(other_first, 2, MG_HUGE_SIZE));
	EXPECT_EQ(0, dev_attached(self->scene.fd, MEMGATE_DMABUF));
	EXPECT_EQ(0, dev_attached(other, MEMGATE_DMABUF));
	EXPECT_TRUE(stay_pins_back_to(pins));
	close(link);
	close(other);
}

/* Who dies first ***********************************************************/

/* The pages live as long as the buffer, the gate only as the memfd. */
TEST_F(udmabuf, memfd_dies_first)
{
	struct mg_policy trace;
	int link, buf;
	long kb;

	link = install(_metadata, self, "trace", &trace);
	kb = probe_used_kb();
	buf = dmabuf_create(self->scene.fd, MG_LEN);
	ASSERT_LE(0, buf);
	mg_scene_down(&self->scene);
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_DETACHED, MEMGATE_DMABUF,
				   NULL));
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_RELEASED, ~0U, NULL));
	close(buf);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_DETACHED, MEMGATE_DMABUF,
				   NULL));
	close(link);
}

/* A process with a buffer, which tells that it is ready and waits. */
static void hold_buffer(int fd, int ready)
{
	if (dmabuf_create(fd, MG_LEN) < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(udmabuf, killed)
{
	struct mg_policy trace;
	int ready[2], status, link;
	long pins = stay_pins();
	pid_t pid;
	char byte;

	link = install(_metadata, self, "trace", &trace);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold_buffer(self->scene.fd, ready[1]);
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, dev_attached(self->scene.fd, MEMGATE_DMABUF));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, dev_left(self->scene.fd, MEMGATE_DMABUF, 0));
	EXPECT_TRUE(stay_pins_back_to(pins));
	close(link);
}

TEST_HARNESS_MAIN
