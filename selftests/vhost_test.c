// SPDX-License-Identifier: GPL-2.0-only
/*
 * vhost in the kernel: asked, class VHOST, when a device is told where the
 * memory of its guest is.  After that its thread reads and writes by the
 * mapping of the process whose it is, as that process may do itself.
 */
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "own_map.h"
#include "probe.h"
#include "stay.h"
#include "trace_util.h"
#include "vhost_util.h"
#include "wire_util.h"

#define SOON	5000	/* ms that what must come may take */
#define NEVER	50	/* ms in which what must not come would */

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

/* The network device of this process, and what is at its other end. */
static int tap = -1, wire = -1;

static long have_tap(void)
{
	char dev[IFNAMSIZ];

	if (tap >= 0)
		return 0;
	tap = vhost_tap(dev);
	if (tap < 0)
		return tap;
	wire = wire_open(dev);
	return wire < 0 ? wire : 0;
}

static long map_and_tap(int fd, long arg)
{
	return have_tap() ?: map_it(fd, arg);
}

/* The frame at @gpa goes out: 0 if the bytes are those of @off. */
static long goes_out(struct vhost *v, __u64 gpa, off_t off, int timeout)
{
	char frame[WIRE_FRAME];
	long ret;

	ret = vhost_offer(v, VHOST_TX, gpa) ?:
	      wire_receive(wire, frame, timeout);
	if (ret)
		return ret;
	if (!mg_matches(frame, off, WIRE_FRAME))
		return -EBADMSG;
	return vhost_done(v, VHOST_TX, timeout);
}

/* A frame with the bytes of @off comes in, to @gpa. */
static long comes_in(struct vhost *v, __u64 gpa, off_t off, int timeout)
{
	char frame[WIRE_FRAME];

	mg_fill(frame, off, WIRE_FRAME);
	return vhost_offer(v, VHOST_RX, gpa) ?: wire_send(wire, frame) ?:
	       vhost_done(v, VHOST_RX, timeout);
}

static bool came_in(const char *map)
{
	return mg_matches(map + MG_AT, MG_AT + MG_MARK, WIRE_FRAME);
}

/* Every way, in every state ************************************************/

/* One frame in or out of guest memory that may have been refused. */
static long moves(struct vhost *v, bool in, long refused)
{
	int timeout = refused ? NEVER : SOON;
	__u64 gpa = VHOST_GPA + MG_AT;
	long ret = in ? comes_in(v, gpa, MG_AT + MG_MARK, timeout) :
			goes_out(v, gpa, MG_AT, timeout);

	if (!refused)
		return ret;
	return ret == -ETIMEDOUT ? refused : -ENOTRECOVERABLE;
}

/* By the table of the whole guest memory. */
static long by_table(struct vhost *v, bool in, long arg)
{
	char *map = place_of(arg) - MG_AT;
	long refused = vhost_memory(v, map, MG_LEN);
	long ret;

	/* The frames of a device that has but its own memory go nowhere. */
	ret = refused ? vhost_memory(v, NULL, 0) : 0;
	return ret ?: vhost_start(v, tap) ?: moves(v, in, refused);
}

/* By an IOTLB, with as much access as that needs. */
static long by_iotlb(struct vhost *v, bool in, long arg)
{
	char *map = place_of(arg) - MG_AT;
	long ret, refused;

	ret = vhost_translate(v, VHOST_OWN_GPA, v->own, VHOST_OWN_LEN,
			      VHOST_ACCESS_RW) ?: vhost_start(v, tap);
	if (ret)
		return ret;
	refused = vhost_translate(v, VHOST_GPA, map, MG_LEN,
				  in ? VHOST_ACCESS_WO : VHOST_ACCESS_RO);
	return moves(v, in, refused);
}

/* A device for one attempt, and nothing of it is left after that. */
static long with_device(__u64 features, int fd, long arg, bool in,
			long (*use)(struct vhost *v, bool in, long arg))
{
	struct vhost v;
	long ret;

	ret = vhost_open(&v, "net", features) ?: use(&v, in, arg);
	if (ret && stay_attached(fd, MEMGATE_VHOST) > 0)
		ret = -EUSERS;
	vhost_close(&v);
	return stay_left(fd, MEMGATE_VHOST, 0) > 0 ? -EUSERS : ret;
}

static long try_table_out(int fd, long arg)
{
	return with_device(0, fd, arg, false, by_table);
}

static long try_table_in(int fd, long arg)
{
	return with_device(0, fd, arg, true, by_table);
}

static long try_iotlb_out(int fd, long arg)
{
	return with_device(VHOST_IOTLB_FEATURE, fd, arg, false, by_iotlb);
}

static long try_iotlb_in(int fd, long arg)
{
	return with_device(VHOST_IOTLB_FEATURE, fd, arg, true, by_iotlb);
}

/* A device of another kind, which has the same table. */
static long try_vsock(int fd, long arg)
{
	struct vhost v;
	long ret;

	ret = vhost_open(&v, "vsock", 0) ?:
	      vhost_memory(&v, place_of(arg) - MG_AT, MG_LEN);
	if (ret && stay_attached(fd, MEMGATE_VHOST) > 0)
		ret = -EUSERS;
	vhost_close(&v);
	return stay_left(fd, MEMGATE_VHOST, 0) > 0 ? -EUSERS : ret;
}

FIXTURE(vhost) {
	struct mg_scene scene;
	struct vhost dev;
	bool open;
	struct mg_policy policy, refuse;
	int link;
};

MG_MEM_VARIANTS(vhost);

FIXTURE_SETUP(vhost)
{
	ASSERT_EQ(0, wire_unshare());
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->open = false;
	self->link = -1;
}

FIXTURE_TEARDOWN(vhost)
{
	if (self->open)
		vhost_close(&self->dev);
	if (self->link >= 0)
		close(self->link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define VHOST_TEST(name, errno_seen, ...)				\
	TEST_F_TIMEOUT(vhost, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_VHOST,				\
			.prepare = map_and_tap,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

VHOST_TEST(table_out, EACCES, .rights = MEMGATE_WRITE)
VHOST_TEST(table_in, EACCES, .changed = came_in)
/* The device may be told that it only reads.  vhost has one errno for all. */
VHOST_TEST(iotlb_out, EFAULT)
VHOST_TEST(iotlb_in, EFAULT, .changed = came_in)
VHOST_TEST(vsock, EACCES, .rights = MEMGATE_WRITE)

/* What is refused *********************************************************/

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(vhost) *self

static void open_device(SELF, __u64 features)
{
	ASSERT_EQ(0, have_tap());
	ASSERT_EQ(0, vhost_open(&self->dev, "net", features));
	self->open = true;
	mg_fill(self->dev.own + VHOST_OWN_FRAME, MG_MARK, WIRE_FRAME);
}

static void close_device(FIXTURE_DATA(vhost) *self)
{
	vhost_close(&self->dev);
	self->open = false;
}

static void install(SELF, const char *policy)
{
	mg_load(_metadata, &self->policy, policy);
	mg_load(_metadata, &self->refuse, "refuse_perm");
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
}

static int attached(FIXTURE_DATA(vhost) *self)
{
	return stay_attached(self->scene.fd, MEMGATE_VHOST);
}

static long own_out(FIXTURE_DATA(vhost) *self)
{
	return goes_out(&self->dev, VHOST_OWN_GPA + VHOST_OWN_FRAME, MG_MARK,
			SOON);
}

static long gated_out(FIXTURE_DATA(vhost) *self, int timeout)
{
	return goes_out(&self->dev, VHOST_GPA + MG_AT, MG_AT, timeout);
}

/* A table that is refused leaves the one before it. */
TEST_F(vhost, table_before)
{
	struct mg_scene *s = &self->scene;

	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, NULL, 0));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, own_out(self));
	install(_metadata, self, "refuse_perm");
	EXPECT_EQ(-EPERM, vhost_memory(&self->dev, s->map, MG_LEN));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(0, own_out(self));
	EXPECT_EQ(-ETIMEDOUT, gated_out(self, NEVER));
}

/* Also where that one has some of the memory, which it keeps. */
TEST_F(vhost, table_with_more)
{
	struct mg_scene *s = &self->scene;
	struct mg_policy refuse;
	char *other;
	int fd;

	fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, fd);
	other = mg_map(variant->mem, fd, MG_HUGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, other);
	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, fd));

	install(_metadata, self, "allow");
	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, gated_out(self, SOON));
	EXPECT_EQ(-EPERM, vhost_memory(&self->dev, other, MG_HUGE_SIZE));
	EXPECT_EQ(0, stay_attached(fd, MEMGATE_VHOST));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(0, gated_out(self, SOON));
	munmap(other, MG_HUGE_SIZE);
	close(fd);
}

/* Two memfds under one region: all or nothing, whichever refuses. */
static void one_region(SELF, enum mg_mem mem, bool gated_first)
{
	struct mg_scene *s = &self->scene;
	char *map = mg_map(mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	int fd = mg_memfd(mem, MG_HUGE_SIZE);
	struct mg_policy refuse;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED,
		  mmap(gated_first ? map + MG_HUGE_SIZE : map, MG_HUGE_SIZE,
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, map, MG_LEN));
	ASSERT_EQ(0, vhost_memory(&self->dev, NULL, 0));

	install(_metadata, self, "allow");
	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, fd));
	EXPECT_EQ(-EPERM, vhost_memory(&self->dev, map, MG_LEN));
	EXPECT_EQ(0, stay_attached(fd, MEMGATE_VHOST));
	/* What allowed it before the other refused stays granted, unused. */
	EXPECT_EQ(gated_first, attached(self));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, own_out(self));
	EXPECT_EQ(-ETIMEDOUT, gated_out(self, NEVER));
	close_device(self);
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_VHOST, 0));
	munmap(map, MG_LEN);
	close(fd);
}

TEST_F(vhost, region_refused_last)
{
	one_region(_metadata, self, variant->mem, true);
}

TEST_F(vhost, region_refused_first)
{
	one_region(_metadata, self, variant->mem, false);
}

/* A translation that is refused is not there; those before it are. */
TEST_F(vhost, iotlb_before)
{
	struct mg_scene *s = &self->scene;
	struct vhost *v = &self->dev;

	open_device(_metadata, self, VHOST_IOTLB_FEATURE);
	ASSERT_EQ(0, vhost_translate(v, VHOST_OWN_GPA, v->own, VHOST_OWN_LEN,
				     VHOST_ACCESS_RW));
	ASSERT_EQ(0, vhost_start(v, tap));
	EXPECT_EQ(0, own_out(self));
	install(_metadata, self, "refuse_perm");
	EXPECT_EQ(-EFAULT, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
					   VHOST_ACCESS_RO));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(0, own_out(self));
	EXPECT_EQ(-ETIMEDOUT, gated_out(self, NEVER));
}

/* Reading was granted: writing is another question. */
TEST_F(vhost, iotlb_more_rights)
{
	struct mg_scene *s = &self->scene;
	struct vhost *v = &self->dev;
	struct mg_gate gate;

	install(_metadata, self, "read_only");
	open_device(_metadata, self, VHOST_IOTLB_FEATURE);
	ASSERT_EQ(0, vhost_translate(v, VHOST_OWN_GPA, v->own, VHOST_OWN_LEN,
				     VHOST_ACCESS_RW));
	ASSERT_EQ(0, vhost_start(v, tap));
	ASSERT_EQ(0, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
				     VHOST_ACCESS_RO));
	EXPECT_EQ(0, gated_out(self, SOON));
	EXPECT_EQ(-EFAULT, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
					   VHOST_ACCESS_RW));
	EXPECT_EQ(-EFAULT, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
					   VHOST_ACCESS_WO));
	ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
	ASSERT_EQ(1, gate.nr_consumers);
	EXPECT_EQ(MEMGATE_READ, gate.consumer[0].rights);
	EXPECT_EQ(-ETIMEDOUT, comes_in(v, VHOST_GPA + MG_AT, MG_MARK, NEVER));
	EXPECT_TRUE(mg_matches(s->map + MG_AT, MG_AT, WIRE_FRAME));
	EXPECT_EQ(0, gated_out(self, SOON));
}

/* What is asked ***********************************************************/

static void trace_on(SELF)
{
	install(_metadata, self, "trace");
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
}

static long asked(FIXTURE_DATA(vhost) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_MAY_ATTACH, MEMGATE_VHOST,
			     event);
}

static long ended(FIXTURE_DATA(vhost) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_VHOST,
			     event);
}

TEST_F(vhost, question)
{
	struct trace_event e = { 0 }, end = { 0 }, other = { 0 };
	struct mg_scene *s = &self->scene;
	struct vhost second;

	trace_on(_metadata, self);
	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, NULL, 0));
	EXPECT_EQ(0, mg_trace_count(&self->policy));
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_NE(0, e.consumer);
	EXPECT_EQ(0, e.device);
	EXPECT_EQ(0, e.start);
	EXPECT_EQ(MG_LEN, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	/* Once for a device. */
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_HUGE_SIZE));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_EQ(1, attached(self));
	/* Another device is another consumer. */
	ASSERT_EQ(0, vhost_open(&second, "vsock", 0));
	ASSERT_EQ(0, vhost_memory(&second, s->map, MG_LEN));
	EXPECT_EQ(2, asked(self, &other));
	EXPECT_NE(e.consumer, other.consumer);
	EXPECT_EQ(2, attached(self));
	vhost_close(&second);
	EXPECT_EQ(1, stay_left(s->fd, MEMGATE_VHOST, 1));
	close_device(self);
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_VHOST, 0));
	EXPECT_EQ(2, ended(self, &end));
	EXPECT_EQ(e.consumer, end.consumer);
}

/* What the translation says that the device will do. */
TEST_F(vhost, question_iotlb)
{
	struct mg_scene *s = &self->scene;
	struct vhost *v = &self->dev;
	struct trace_event e = { 0 };

	trace_on(_metadata, self);
	open_device(_metadata, self, VHOST_IOTLB_FEATURE);
	ASSERT_EQ(0, vhost_translate(v, VHOST_GPA, s->map + MG_AT, MG_BYTES,
				     VHOST_ACCESS_RO));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(MEMGATE_READ, e.rights);
	EXPECT_EQ(MG_AT, e.start);
	EXPECT_EQ(MG_BYTES, e.len);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	ASSERT_EQ(0, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
				     VHOST_ACCESS_RW));
	EXPECT_EQ(2, asked(self, &e));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	/* It has them now, and goes on having them. */
	ASSERT_EQ(0, vhost_forget(v, VHOST_GPA, MG_LEN));
	ASSERT_EQ(0, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
				     VHOST_ACCESS_WO));
	EXPECT_EQ(2, mg_trace_count(&self->policy));
	EXPECT_EQ(1, attached(self));
}

static long translate_for_owner(int fd, long addr)
{
	struct vhost v = { .fd = fd, .iotlb = true };

	return vhost_translate(&v, VHOST_GPA, (void *)addr, MG_LEN,
			       VHOST_ACCESS_RO);
}

/* Whoever has the device may tell it, of the memory of its owner. */
TEST_F(vhost, told_by_another)
{
	struct mg_scene *s = &self->scene;
	struct vhost *v = &self->dev;
	struct trace_event e = { 0 };
	long map = (long)s->map;

	open_device(_metadata, self, VHOST_IOTLB_FEATURE);
	ASSERT_EQ(0, vhost_translate(v, VHOST_OWN_GPA, v->own, VHOST_OWN_LEN,
				     VHOST_ACCESS_RW));
	ASSERT_EQ(0, vhost_start(v, tap));
	ASSERT_EQ(0, mg_peer_call(&s->peer, translate_for_owner, v->fd, map));
	EXPECT_EQ(0, gated_out(self, SOON));
	ASSERT_EQ(0, vhost_forget(v, VHOST_GPA, MG_LEN));

	ASSERT_EQ(0, mg_seal(s->fd));
	EXPECT_EQ(-EFAULT, mg_peer_call(&s->peer, translate_for_owner, v->fd,
					map));
	EXPECT_EQ(0, attached(self));
	trace_on(_metadata, self);
	EXPECT_EQ(0, mg_peer_call(&s->peer, translate_for_owner, v->fd, map));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ((__u32)s->peer.pid, e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	EXPECT_EQ(0, gated_out(self, SOON));
	/* It stays when the other process is gone. */
	mg_peer_stop(&s->peer);
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(0, gated_out(self, SOON));
}

/* Who dies first **********************************************************/

/* Who has no owner has no memory either, and can be told of none. */
TEST_F(vhost, reset)
{
	struct mg_scene *s = &self->scene;
	struct vhost *v = &self->dev;

	trace_on(_metadata, self);
	open_device(_metadata, self, VHOST_IOTLB_FEATURE);
	ASSERT_EQ(0, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
				     VHOST_ACCESS_RW));
	EXPECT_EQ(1, attached(self));
	ASSERT_EQ(0, ioctl(v->fd, VHOST_RESET_OWNER));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_GT(0, vhost_translate(v, VHOST_GPA, s->map, MG_LEN,
				     VHOST_ACCESS_RW));
	EXPECT_EQ(-EPERM, vhost_memory(v, s->map, MG_LEN));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(1, asked(self, NULL));
	/* The next owner is asked about anew. */
	ASSERT_EQ(0, ioctl(v->fd, VHOST_SET_OWNER));
	ASSERT_EQ(0, vhost_memory(v, s->map, MG_LEN));
	EXPECT_EQ(2, asked(self, NULL));
	EXPECT_EQ(1, attached(self));
}

/* What was granted stays when the policy would say no now. */
TEST_F(vhost, granted_stays)
{
	struct mg_scene *s = &self->scene;

	install(_metadata, self, "allow");
	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, gated_out(self, SOON));
	close_device(self);
	open_device(_metadata, self, 0);
	EXPECT_EQ(-EPERM, vhost_memory(&self->dev, s->map, MG_LEN));
	EXPECT_EQ(0, attached(self));
}

/* Rings and all in gated memory. */
TEST_F(vhost, rings_too)
{
	struct mg_scene *s = &self->scene;

	install(_metadata, self, "allow");
	open_device(_metadata, self, 0);
	vhost_rings_at(&self->dev, s->map + MG_HUGE_SIZE);
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, gated_out(self, SOON));
	EXPECT_EQ(0, comes_in(&self->dev, VHOST_GPA + MG_AT, MG_AT + MG_MARK,
			      SOON));
	EXPECT_TRUE(came_in(s->map));
}

/* It holds none of the memory when nobody has that mapped. */
TEST_F(vhost, memfd_dies_first)
{
	struct mg_scene *s = &self->scene;
	long kb;

	trace_on(_metadata, self);
	open_device(_metadata, self, 0);
	ASSERT_EQ(0, vhost_memory(&self->dev, s->map, MG_LEN));
	ASSERT_EQ(0, vhost_start(&self->dev, tap));
	EXPECT_EQ(0, gated_out(self, SOON));
	kb = probe_used_kb();
	mg_scene_down(s);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U, NULL));
	EXPECT_EQ(-ETIMEDOUT, gated_out(self, NEVER));
	close_device(self);
	EXPECT_EQ(1, ended(self, NULL));
}

/* A process with a device, which tells that it is ready and waits. */
static void hold_device(char *map, int ready)
{
	struct vhost v;

	if (vhost_open(&v, "net", 0) || vhost_memory(&v, map, MG_LEN) ||
	    vhost_start(&v, tap) || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(vhost, killed)
{
	struct mg_scene *s = &self->scene;
	int ready[2], status;
	pid_t pid;
	char byte;

	ASSERT_EQ(0, have_tap());
	trace_on(_metadata, self);
	ASSERT_EQ(0, pipe(ready));
	/* With MAP_SHARED the child has the mapping too: asked as MAP. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold_device(s->map, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, attached(self));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_VHOST, 0));
	EXPECT_EQ(1, ended(self, NULL));
}

TEST_HARNESS_MAIN
