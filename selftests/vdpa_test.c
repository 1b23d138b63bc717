// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost-vdpa: a process gives memory to a vDPA device, class VDPA.  The kernel
 * pins pages for the device, or the device works by addresses of the process:
 * that is a parameter of the simulated one (vdpa_sim.use_va), and the other
 * way is a variant of the VM.  Whatever goes wrong with a message to the
 * device, it is answered with EFAULT.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "own_map.h"
#include "dev_lines.h"
#include "probe.h"
#include "stay.h"
#include "trace_util.h"
#include "vdpa_util.h"

#define SOON	5000	/* ms that what must come may take */
#define NEVER	50	/* ms in which what must not come would */

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_dev");
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

/* A frame goes out of the memory under test: 0 if it was that at @at. */
static long goes_out(struct vdpa *v, off_t at, int timeout)
{
	char *got = v->own + VDPA_OWN_IN;
	long ret;

	memset(got, 0, VDPA_FRAME);
	ret = vdpa_send(v, VDPA_IOVA + at, VDPA_OWN_IOVA + VDPA_OWN_IN,
			timeout);
	if (ret)
		return ret;
	return mg_matches(got, at, VDPA_FRAME) ? 0 : -EBADMSG;
}

/* A frame comes into it, with other bytes than there are. */
static long comes_in(struct vdpa *v, off_t at, int timeout)
{
	mg_fill(v->own + VDPA_OWN_OUT, at + MG_MARK, VDPA_FRAME);
	return vdpa_send(v, VDPA_OWN_IOVA + VDPA_OWN_OUT, VDPA_IOVA + at,
			 timeout);
}

static bool came_in(const char *map)
{
	return mg_matches(map + MG_AT, MG_AT + MG_MARK, VDPA_FRAME);
}

/* Every way, in every state ************************************************/

/* One frame; where the memory was refused, it must not move. */
static long moves(struct vdpa *v, bool in, long arg)
{
	long refused = vdpa_map(v, VDPA_IOVA, place_of(arg) - MG_AT, MG_LEN,
				in ? VHOST_ACCESS_WO : VHOST_ACCESS_RO);
	int timeout = refused ? NEVER : SOON;
	long ret = vdpa_start(v);

	if (!ret)
		ret = in ? comes_in(v, MG_AT, timeout) :
			   goes_out(v, MG_AT, timeout);
	if (!refused)
		return ret;
	return ret == -ETIMEDOUT ? refused : -ENOTRECOVERABLE;
}

/* The device for one attempt, and nothing of it is left after that. */
static long with_device(int fd, long arg, bool in)
{
	struct vdpa v;
	long ret;

	ret = vdpa_open(&v);
	if (ret)
		return ret;
	ret = moves(&v, in, arg);
	if (ret && dev_attached(fd, MEMGATE_VDPA))
		ret = -EUSERS;
	vdpa_close(&v);
	return dev_left(fd, MEMGATE_VDPA, 0) ? -EUSERS : ret;
}

static long try_out(int fd, long arg)
{
	return with_device(fd, arg, false);
}

static long try_in(int fd, long arg)
{
	return with_device(fd, arg, true);
}

FIXTURE(vdpa) {
	struct mg_scene scene;
	struct vdpa dev;
	bool open;
	struct mg_policy policy, refuse;
	int link;
};

MG_MEM_VARIANTS(vdpa);

FIXTURE_SETUP(vdpa)
{
	ASSERT_EQ(0, vdpa_device());
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->open = false;
	self->link = -1;
}

FIXTURE_TEARDOWN(vdpa)
{
	if (self->open)
		vdpa_close(&self->dev);
	if (self->link >= 0)
		close(self->link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define VDPA_TEST(name, ...)						\
	TEST_F_TIMEOUT(vdpa, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_VDPA,				\
			.prepare = map_it,				\
			.attempt = try_##name,				\
			.refused = EFAULT,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

VDPA_TEST(out)
VDPA_TEST(in, .changed = came_in)

/* What is refused **********************************************************/

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(vdpa) *self

static void open_device(SELF)
{
	ASSERT_EQ(0, vdpa_open(&self->dev));
	self->open = true;
}

static void close_device(FIXTURE_DATA(vdpa) *self)
{
	vdpa_close(&self->dev);
	self->open = false;
}

static void install(SELF, const char *policy)
{
	mg_load(_metadata, &self->policy, policy);
	mg_load(_metadata, &self->refuse, "refuse_perm");
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
	if (!strcmp(policy, "trace"))
		ASSERT_EQ(0, mg_trace_reset(&self->policy));
}

static long map_all(FIXTURE_DATA(vdpa) *self, int perm)
{
	return vdpa_map(&self->dev, VDPA_IOVA, self->scene.map, MG_LEN, perm);
}

static int attached(FIXTURE_DATA(vdpa) *self)
{
	return dev_attached(self->scene.fd, MEMGATE_VDPA);
}

static long asked(FIXTURE_DATA(vdpa) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_MAY_ATTACH, MEMGATE_VDPA,
			     event);
}

static long ended(FIXTURE_DATA(vdpa) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_VDPA,
			     event);
}

/* The address is free after a refusal, and the device goes on. */
TEST_F(vdpa, nothing_left)
{
	long pins, half = MG_LEN / 2 / 4096;
	struct mg_scene *s = &self->scene;
	struct mg_policy allow;

	open_device(_metadata, self);
	pins = stay_pins();
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	ASSERT_EQ(0, vdpa_start(&self->dev));
	EXPECT_EQ(0, goes_out(&self->dev, MG_AT, SOON));
	ASSERT_EQ(0, vdpa_unmap(&self->dev, VDPA_IOVA, MG_LEN));
	EXPECT_TRUE(stay_pins_back_to(pins));

	install(_metadata, self, "refuse_perm");
	EXPECT_EQ(-EFAULT, map_all(self, VHOST_ACCESS_RO));
	EXPECT_EQ(-EFAULT, map_all(self, VHOST_ACCESS_RW));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(0, dev_shown(s->fd, VDPA_NAME));

	mg_load(_metadata, &allow, "allow");
	ASSERT_EQ(0, mg_link_update(self->link, allow.map_fd));
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	/* Others pin a page now and then: half of it is clear enough. */
	EXPECT_EQ(vdpa_by_address(), stay_pins() < pins + half);
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, dev_shown(s->fd, VDPA_NAME));
	EXPECT_EQ(0, goes_out(&self->dev, MG_AT, SOON));
	EXPECT_EQ(0, comes_in(&self->dev, MG_AT, SOON));
	EXPECT_TRUE(came_in(s->map));
	close_device(self);
	EXPECT_EQ(0, dev_left(s->fd, MEMGATE_VDPA, 0));
	EXPECT_EQ(0, dev_shown(s->fd, VDPA_NAME));
}

/* A policy that trusts this device, or another. */
TEST_F(vdpa, trusted_device)
{
	struct mg_scene *s = &self->scene;
	int other;

	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(0, vdpa_unmap(&self->dev, VDPA_IOVA, MG_LEN));

	mg_load(_metadata, &self->policy, "answer_dev");
	dev_trust(&self->policy, VDPA_NAME);
	self->link = mg_install(&self->policy, s->fd);
	ASSERT_LE(0, self->link);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(0, vdpa_start(&self->dev));
	EXPECT_EQ(0, goes_out(&self->dev, MG_AT, SOON));
	close_device(self);

	mg_scene_down(s);
	mg_scene_up(_metadata, s, variant->mem);
	dev_trust(&self->policy, "vdpa1");
	other = mg_install(&self->policy, s->fd);
	ASSERT_LE(0, other);
	open_device(_metadata, self);
	EXPECT_EQ(-EFAULT, map_all(self, VHOST_ACCESS_RO));
	EXPECT_EQ(0, attached(self));
	close(other);
}

/* Two memfds in one range: all or nothing, whichever refuses. */
static void one_range(SELF, enum mg_mem mem, bool gated_first)
{
	struct mg_scene *s = &self->scene;
	char *map = mg_map(mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	int fd = mg_memfd(mem, MG_HUGE_SIZE);
	struct vdpa *v = &self->dev;
	struct mg_policy refuse;
	long pins;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED,
		  mmap(gated_first ? map + MG_HUGE_SIZE : map, MG_HUGE_SIZE,
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	open_device(_metadata, self);
	pins = stay_pins();
	ASSERT_EQ(0, vdpa_map(v, VDPA_IOVA, map, MG_LEN, VHOST_ACCESS_RO));
	ASSERT_EQ(0, vdpa_unmap(v, VDPA_IOVA, MG_LEN));

	install(_metadata, self, "allow");
	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, fd));
	EXPECT_EQ(-EFAULT, vdpa_map(v, VDPA_IOVA, map, MG_LEN,
				    VHOST_ACCESS_RO));
	EXPECT_EQ(0, dev_attached(fd, MEMGATE_VDPA));
	EXPECT_TRUE(stay_pins_back_to(pins));
	/* The first half is not mapped either. */
	ASSERT_EQ(0, vdpa_start(v));
	EXPECT_EQ(-ETIMEDOUT, goes_out(v, MG_AT, NEVER));
	EXPECT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	munmap(map, MG_LEN);
	close(fd);
}

TEST_F(vdpa, range_refused_last)
{
	one_range(_metadata, self, variant->mem, true);
}

TEST_F(vdpa, range_refused_first)
{
	one_range(_metadata, self, variant->mem, false);
}

/* Reading was granted: writing is another question. */
TEST_F(vdpa, more_rights)
{
	struct mg_scene *s = &self->scene;
	struct vdpa *v = &self->dev;

	install(_metadata, self, "read_only");
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(0, vdpa_start(v));
	EXPECT_EQ(0, goes_out(v, MG_AT, SOON));
	EXPECT_EQ(-EFAULT, vdpa_map(v, VDPA_IOVA + MG_LEN, s->map, MG_LEN,
				    VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, vdpa_map(v, VDPA_IOVA + MG_LEN, s->map, MG_LEN,
				    VHOST_ACCESS_WO));
	EXPECT_EQ(1, dev_attached(s->fd, MEMGATE_VDPA));
	EXPECT_EQ(0, goes_out(v, MG_AT, SOON));
	EXPECT_EQ(-ETIMEDOUT, comes_in(v, MG_AT, NEVER));
	EXPECT_TRUE(mg_pages_match(s->map, 0, MG_LEN));
}

/*
 * Who pins keeps the pages: no seal while it does.  Who works by addresses
 * has what its process has mapped, and goes on with that.
 */
TEST_F(vdpa, older_than_seal)
{
	struct vdpa *v = &self->dev;

	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(0, vdpa_start(v));
	if (!vdpa_by_address()) {
		EXPECT_EQ(-1, mg_seal(self->scene.fd));
		EXPECT_EQ(EBUSY, errno);
		EXPECT_EQ(0, goes_out(v, MG_AT, SOON));
		ASSERT_EQ(0, vdpa_unmap(v, VDPA_IOVA, MG_LEN));
	}
	ASSERT_EQ(0, mg_seal(self->scene.fd));
	if (vdpa_by_address())
		ASSERT_EQ(0, vdpa_unmap(v, VDPA_IOVA, MG_LEN));
	EXPECT_EQ(-EFAULT, map_all(self, VHOST_ACCESS_RO));
	EXPECT_EQ(-ETIMEDOUT, goes_out(v, MG_AT, NEVER));
}

/* What is asked ************************************************************/

TEST_F(vdpa, question)
{
	struct trace_event e = { 0 }, end = { 0 };
	struct mg_scene *s = &self->scene;
	struct vdpa *v = &self->dev;

	install(_metadata, self, "trace");
	open_device(_metadata, self);
	EXPECT_EQ(0, mg_trace_count(&self->policy));
	ASSERT_EQ(0, vdpa_map(v, VDPA_IOVA, s->map + MG_HUGE_SIZE,
			      MG_HUGE_SIZE, VHOST_ACCESS_RO));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_EQ(MEMGATE_READ, e.rights);
	EXPECT_EQ(1, e.device);
	EXPECT_STREQ(VDPA_NAME, e.dev_name);
	EXPECT_EQ(MG_HUGE_SIZE, e.start);
	EXPECT_LT(0, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	/* With what it has, and never again for that. */
	ASSERT_EQ(0, vdpa_map(v, VDPA_IOVA + MG_LEN, s->map, MG_HUGE_SIZE,
			      VHOST_ACCESS_WO));
	EXPECT_EQ(2, asked(self, &e));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	ASSERT_EQ(0, vdpa_unmap(v, 0, VDPA_IOVA + 2 * MG_LEN));
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	EXPECT_EQ(2, mg_trace_count(&self->policy));
	EXPECT_EQ(1, attached(self));
	close_device(self);
	EXPECT_EQ(0, dev_left(s->fd, MEMGATE_VDPA, 0));
	EXPECT_EQ(1, ended(self, &end));
	EXPECT_EQ(e.consumer, end.consumer);
	/* Opened again, it is another. */
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	EXPECT_EQ(3, asked(self, &e));
	EXPECT_NE(end.consumer, e.consumer);
}

/* Who dies first ***********************************************************/

/* What was granted stays when the policy would say no now. */
TEST_F(vdpa, granted_stays)
{
	struct vdpa *v = &self->dev;

	install(_metadata, self, "allow");
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
	ASSERT_EQ(0, vdpa_unmap(v, VDPA_IOVA, MG_LEN));
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	ASSERT_EQ(0, vdpa_start(v));
	EXPECT_EQ(0, goes_out(v, MG_AT, SOON));
	close_device(self);
	open_device(_metadata, self);
	EXPECT_EQ(-EFAULT, map_all(self, VHOST_ACCESS_RO));
	EXPECT_EQ(0, attached(self));
}

/* Rings and all in gated memory. */
TEST_F(vdpa, rings_too)
{
	struct mg_scene *s = &self->scene;
	struct vdpa *v = &self->dev;

	install(_metadata, self, "allow");
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RW));
	vdpa_rings_at(v, s->map + MG_HUGE_SIZE, VDPA_IOVA + MG_HUGE_SIZE);
	ASSERT_EQ(0, vdpa_start(v));
	EXPECT_EQ(0, goes_out(v, MG_AT, SOON));
	EXPECT_EQ(0, comes_in(v, MG_AT, SOON));
	EXPECT_TRUE(came_in(s->map));
}

/*
 * Pages that are pinned live as long as they are, the gate only as the memfd.
 * A device that works by addresses has a reference to the file.
 */
TEST_F(vdpa, memfd_closed_first)
{
	bool held = vdpa_by_address();
	long kb;

	install(_metadata, self, "trace");
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(1, attached(self));
	kb = probe_used_kb();
	mg_scene_down(&self->scene);
	EXPECT_EQ(!held, ended(self, NULL));
	EXPECT_EQ(!held, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U,
				       NULL));
	close_device(self);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U, NULL));
}

/* A process with the device, which tells that it is ready and waits. */
static void hold_device(char *map, int ready)
{
	struct vdpa v;

	if (vdpa_open(&v) ||
	    vdpa_map(&v, VDPA_IOVA, map, MG_LEN, VHOST_ACCESS_RW) ||
	    vdpa_start(&v) || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(vdpa, killed)
{
	int ready[2], status;
	long pins = stay_pins();
	pid_t pid;
	char byte;

	install(_metadata, self, "trace");
	ASSERT_EQ(0, pipe(ready));
	/* With MAP_SHARED the child has the mapping too: asked as MAP. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold_device(self->scene.map, ready[1]);
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, attached(self));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, dev_left(self->scene.fd, MEMGATE_VDPA, 0));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_TRUE(stay_pins_back_to(pins));
}

static long delete_device(int fd, long arg)
{
	return vdpa_device_del();
}

/* A device goes only when nobody has it open any more. */
TEST_F(vdpa, device_goes)
{
	struct mg_scene *s = &self->scene;
	struct pollfd done = { .fd = s->peer.sock, .events = POLLIN };

	install(_metadata, self, "trace");
	open_device(_metadata, self);
	ASSERT_EQ(0, map_all(self, VHOST_ACCESS_RO));
	ASSERT_EQ(0, mg_peer_begin(&s->peer, delete_device, -1, 0));
	EXPECT_EQ(0, poll(&done, 1, 300));
	EXPECT_EQ(1, dev_shown(s->fd, VDPA_NAME));
	close_device(self);
	EXPECT_EQ(0, mg_peer_end(&s->peer));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_EQ(-ENOENT, vdpa_open(&self->dev));
}

TEST_HARNESS_MAIN
