// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory regions of RDMA devices: each is a consumer of class RDMA and has
 * one device.  Bytes go over a device in software (rxe).
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
#include "rdma_util.h"
#include "stay.h"
#include "trace_util.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_dev");
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

/* Every way, in every state ************************************************/

/* The queues of this process. */
static struct rdma rdma;

static long have_rdma(void)
{
	return rdma.ctx ? 0 : rdma_open(&rdma, "rxe0");
}

static long map_and_open(int fd, long arg)
{
	return have_rdma() ?: map_it(fd, arg);
}

/* Moves MG_BYTES at MG_AT; what is written are the bytes of MG_MARK. */
static long move_it(struct rdma *r, enum rdma_op op, struct ibv_mr *mr,
		    char *map)
{
	long ret;

	mg_fill(r->own, MG_AT + MG_MARK, MG_BYTES);
	ret = rdma_move(r, op, mr, map + MG_AT, MG_BYTES);
	if (!ret && !rdma_writes(op) && !mg_matches(r->own, MG_AT, MG_BYTES))
		ret = -EBADMSG;
	return ret;
}

/* A region for one move, and nothing of it is left after that. */
static long try_op(enum rdma_op op, int fd, long arg)
{
	char *map = place_of(arg) - MG_AT;
	struct ibv_mr *mr;
	long ret;

	mr = ibv_reg_mr(rdma.pd, map, MG_LEN, rdma_access(op));
	if (!mr) {
		ret = -errno;
		return dev_attached(fd, MEMGATE_RDMA) ? -EUSERS : ret;
	}
	ret = move_it(&rdma, op, mr, map);
	ibv_dereg_mr(mr);
	return dev_left(fd, MEMGATE_RDMA, 0) ? -EUSERS : ret;
}

static long try_send_from(int fd, long arg)
{
	return try_op(RDMA_SEND_FROM, fd, arg);
}

static long try_read_from(int fd, long arg)
{
	return try_op(RDMA_READ_FROM, fd, arg);
}

static long try_read_to(int fd, long arg)
{
	return try_op(RDMA_READ_TO, fd, arg);
}

static long try_write_to(int fd, long arg)
{
	return try_op(RDMA_WRITE_TO, fd, arg);
}

FIXTURE(rdma) {
	struct mg_scene scene;
	struct mg_policy policy, refuse;
	struct ibv_mr *mr;
	int link;
};

MG_MEM_VARIANTS(rdma);

FIXTURE_SETUP(rdma)
{
	ASSERT_EQ(0, rdma_device(0));
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->link = -1;
	self->mr = NULL;
}

FIXTURE_TEARDOWN(rdma)
{
	if (self->mr)
		ibv_dereg_mr(self->mr);
	rdma_close(&rdma);
	if (self->link >= 0)
		close(self->link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define RDMA_TEST(name, ...)						\
	TEST_F_TIMEOUT(rdma, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_RDMA,				\
			.prepare = map_and_open,			\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

RDMA_TEST(send_from)
RDMA_TEST(read_from)
RDMA_TEST(read_to, .changed = mg_marked)
RDMA_TEST(write_to, .changed = mg_marked)

/* What is refused **********************************************************/

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(rdma) *self

static void install(SELF, const char *policy)
{
	mg_load(_metadata, &self->policy, policy);
	mg_load(_metadata, &self->refuse, "refuse_perm");
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
}

static void install_trace(SELF)
{
	install(_metadata, self, "trace");
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
}

/* A region of the whole memfd, in self->mr: 0 or -errno. */
static long region(FIXTURE_DATA(rdma) *self, int access)
{
	self->mr = ibv_reg_mr(rdma.pd, self->scene.map, MG_LEN, access);
	return self->mr ? 0 : -errno;
}

static long no_region(FIXTURE_DATA(rdma) *self)
{
	int err = self->mr ? ibv_dereg_mr(self->mr) : EBADF;

	self->mr = NULL;
	return -err;
}

static long moves(FIXTURE_DATA(rdma) *self, enum rdma_op op)
{
	return move_it(&rdma, op, self->mr, self->scene.map);
}

static int attached(FIXTURE_DATA(rdma) *self)
{
	return dev_attached(self->scene.fd, MEMGATE_RDMA);
}

/* Pins and attachments are there while a region is, and no longer. */
TEST_F(rdma, nothing_left)
{
	long pins;

	ASSERT_EQ(0, have_rdma());
	pins = stay_pins();
	ASSERT_EQ(0, region(self, 0));
	EXPECT_LT(pins, stay_pins());
	ASSERT_EQ(0, no_region(self));
	EXPECT_TRUE(stay_pins_back_to(pins));

	install(_metadata, self, "refuse_perm");
	EXPECT_EQ(-EACCES, region(self, 0));
	EXPECT_EQ(-EACCES, region(self, IBV_ACCESS_LOCAL_WRITE));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(0, attached(self));

	mg_load(_metadata, &self->policy, "allow");
	ASSERT_EQ(0, mg_link_update(self->link, self->policy.map_fd));
	ASSERT_EQ(0, region(self, 0));
	EXPECT_LT(pins, stay_pins());
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, dev_shown(self->scene.fd, "rxe0"));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(0, dev_shown(self->scene.fd, "rxe0"));
	EXPECT_TRUE(stay_pins_back_to(pins));
}

/* One policy trusts one of two devices. */
TEST_F(rdma, other_device)
{
	struct mg_scene *s = &self->scene;
	struct rdma other;

	ASSERT_EQ(0, have_rdma());
	ASSERT_EQ(0, rdma_device(1));
	ASSERT_EQ(0, rdma_open(&other, "rxe1"));
	self->mr = ibv_reg_mr(other.pd, s->map, MG_LEN,
			      rdma_access(RDMA_WRITE_TO));
	ASSERT_NE(NULL, self->mr);
	EXPECT_EQ(0, move_it(&other, RDMA_WRITE_TO, self->mr, s->map));
	EXPECT_TRUE(mg_marked(s->map));
	mg_fill(s->map, 0, MG_LEN);
	ASSERT_EQ(0, no_region(self));

	mg_load(_metadata, &self->policy, "answer_dev");
	dev_trust(&self->policy, "rxe0");
	self->link = mg_install(&self->policy, s->fd);
	ASSERT_LE(0, self->link);
	EXPECT_EQ(NULL, ibv_reg_mr(other.pd, s->map, MG_LEN, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, attached(self));
	ASSERT_EQ(0, region(self, rdma_access(RDMA_WRITE_TO)));
	EXPECT_EQ(1, dev_shown(s->fd, "rxe0"));
	EXPECT_EQ(0, moves(self, RDMA_WRITE_TO));
	EXPECT_TRUE(mg_marked(s->map));
	EXPECT_EQ(NULL, ibv_reg_mr(other.pd, s->map, MG_LEN, 0));
	EXPECT_EQ(0, dev_shown(s->fd, "rxe1"));
	EXPECT_EQ(1, attached(self));
	rdma_close(&other);
}

/* Two memfds in one region: all or nothing, whichever refuses. */
static void one_region(SELF, enum mg_mem mem, bool gated_first)
{
	struct mg_scene *s = &self->scene;
	char *map = mg_map(mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	int fd = mg_memfd(mem, MG_HUGE_SIZE);
	struct mg_policy refuse;
	long pins;

	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED,
		  mmap(gated_first ? map + MG_HUGE_SIZE : map, MG_HUGE_SIZE,
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, have_rdma());
	self->mr = ibv_reg_mr(rdma.pd, map, MG_LEN, 0);
	ASSERT_NE(NULL, self->mr);
	ASSERT_EQ(0, no_region(self));

	install(_metadata, self, "allow");
	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, fd));
	pins = stay_pins();
	EXPECT_EQ(NULL, ibv_reg_mr(rdma.pd, map, MG_LEN, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, dev_attached(fd, MEMGATE_RDMA));
	EXPECT_EQ(0, attached(self));
	EXPECT_TRUE(stay_pins_back_to(pins));
	munmap(map, MG_LEN);
	close(fd);
}

TEST_F(rdma, region_refused_last)
{
	one_region(_metadata, self, variant->mem, true);
}

TEST_F(rdma, region_refused_first)
{
	one_region(_metadata, self, variant->mem, false);
}

/* It keeps the pages: no seal while there is one, made before. */
TEST_F(rdma, older_than_seal)
{
	ASSERT_EQ(0, have_rdma());
	ASSERT_EQ(0, region(self, 0));
	EXPECT_EQ(-1, mg_seal(self->scene.fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, moves(self, RDMA_SEND_FROM));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(0, mg_seal(self->scene.fd));
	EXPECT_EQ(-EACCES, region(self, 0));
}

/*
 * A region that was made for reading gets no right to write: the kernel
 * refuses that itself, also where nothing is gated.  Everything else about it
 * may change.
 */
static void set_access(SELF)
{
	EXPECT_EQ(0, rdma_set_access(&rdma, self->mr, IBV_ACCESS_REMOTE_READ));
	EXPECT_EQ(0, moves(self, RDMA_READ_FROM));
	EXPECT_EQ(-EACCES, rdma_set_access(&rdma, self->mr,
					   rdma_access(RDMA_WRITE_TO)));
	EXPECT_NE(0, moves(self, RDMA_WRITE_TO));
	EXPECT_NE(0, moves(self, RDMA_READ_TO));
	EXPECT_TRUE(mg_pages_match(self->scene.map, 0, MG_LEN));
	EXPECT_EQ(0, moves(self, RDMA_READ_FROM));
}

TEST_F(rdma, more_access)
{
	struct trace_event e = { 0 };

	ASSERT_EQ(0, have_rdma());
	ASSERT_EQ(0, region(self, 0));
	set_access(_metadata, self);
	ASSERT_EQ(0, no_region(self));

	install_trace(_metadata, self);
	ASSERT_EQ(0, region(self, 0));
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	set_access(_metadata, self);
	EXPECT_EQ(0, mg_trace_count(&self->policy));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED,
				   MEMGATE_RDMA, &e));
	EXPECT_EQ(MEMGATE_READ, e.rights);
}

/* One that was made for writing may be without that right for a while. */
TEST_F(rdma, less_access)
{
	int writes = rdma_access(RDMA_WRITE_TO);
	struct mg_scene *s = &self->scene;

	ASSERT_EQ(0, have_rdma());
	install_trace(_metadata, self);
	ASSERT_EQ(0, region(self, writes));
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	EXPECT_EQ(0, rdma_set_access(&rdma, self->mr, 0));
	EXPECT_NE(0, moves(self, RDMA_WRITE_TO));
	EXPECT_TRUE(mg_pages_match(s->map, 0, MG_LEN));
	/* It was asked for that, when it was made. */
	EXPECT_EQ(0, rdma_set_access(&rdma, self->mr, writes));
	EXPECT_EQ(0, moves(self, RDMA_WRITE_TO));
	EXPECT_TRUE(mg_marked(s->map));
	EXPECT_EQ(0, mg_trace_count(&self->policy));
}

/* What is asked ************************************************************/

static long asked(FIXTURE_DATA(rdma) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_MAY_ATTACH, MEMGATE_RDMA,
			     event);
}

static long ended(FIXTURE_DATA(rdma) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_RDMA,
			     event);
}

/* Once for a region, however many pages it has. */
static void question(SELF, int access, __u32 rights)
{
	struct trace_event e = { 0 }, end = { 0 };

	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	ASSERT_EQ(0, region(self, access));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_EQ(rights, e.rights) {
		TH_LOG("access flags %x", access);
	}
	EXPECT_EQ(1, e.device);
	EXPECT_STREQ("rxe0", e.dev_name);
	EXPECT_EQ(0, e.start);
	EXPECT_LT(0, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(1, ended(self, &end));
	EXPECT_EQ(e.consumer, end.consumer);
	EXPECT_EQ(rights, end.rights);
}

TEST_F(rdma, question)
{
	__u32 rw = MEMGATE_READ | MEMGATE_WRITE;

	ASSERT_EQ(0, have_rdma());
	install_trace(_metadata, self);
	question(_metadata, self, 0, MEMGATE_READ);
	question(_metadata, self, IBV_ACCESS_REMOTE_READ, MEMGATE_READ);
	question(_metadata, self, IBV_ACCESS_LOCAL_WRITE, rw);
	question(_metadata, self, IBV_ACCESS_LOCAL_WRITE |
		 IBV_ACCESS_REMOTE_WRITE, rw);
	question(_metadata, self, IBV_ACCESS_LOCAL_WRITE |
		 IBV_ACCESS_REMOTE_ATOMIC, rw);
	/* A window bound to it may be for writing. */
	question(_metadata, self, IBV_ACCESS_MW_BIND, rw);
}

/* Two regions of one process are two consumers. */
TEST_F(rdma, second_region)
{
	struct trace_event e = { 0 }, other = { 0 }, end = { 0 };
	struct ibv_mr *mr;

	ASSERT_EQ(0, have_rdma());
	install_trace(_metadata, self);
	ASSERT_EQ(0, region(self, 0));
	ASSERT_EQ(1, asked(self, &e));
	mr = ibv_reg_mr(rdma.pd, self->scene.map, MG_LEN, 0);
	ASSERT_NE(NULL, mr);
	EXPECT_EQ(2, asked(self, &other));
	EXPECT_NE(e.consumer, other.consumer);
	EXPECT_EQ(2, attached(self));
	ASSERT_EQ(0, ibv_dereg_mr(mr));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, ended(self, &end));
	EXPECT_EQ(other.consumer, end.consumer);
	EXPECT_EQ(0, moves(self, RDMA_SEND_FROM));
}

/* Who dies first ***********************************************************/

/* What was granted stays when the policy would say no now. */
TEST_F(rdma, granted_stays)
{
	ASSERT_EQ(0, have_rdma());
	install(_metadata, self, "allow");
	ASSERT_EQ(0, region(self, rdma_access(RDMA_WRITE_TO)));
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
	EXPECT_EQ(0, moves(self, RDMA_WRITE_TO));
	EXPECT_TRUE(mg_marked(self->scene.map));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(-EACCES, region(self, 0));
	EXPECT_EQ(0, attached(self));
}

/* The pages live as long as the region, the gate only as the memfd. */
TEST_F(rdma, memfd_dies_first)
{
	struct mg_scene *s = &self->scene;
	long kb;

	ASSERT_EQ(0, have_rdma());
	install_trace(_metadata, self);
	kb = probe_used_kb();
	ASSERT_EQ(0, region(self, 0));
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	mg_scene_down(s);
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U, NULL));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
}

/* A region that is gone is no reason to keep the memory. */
TEST_F(rdma, memory_freed)
{
	long kb;

	ASSERT_EQ(0, have_rdma());
	install(_metadata, self, "allow");
	ASSERT_EQ(0, region(self, 0));
	ASSERT_EQ(0, no_region(self));
	kb = probe_used_kb();
	mg_scene_down(&self->scene);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
}

/* A child that does something with regions until it is killed. */
static pid_t start_child(SELF, void (*child)(char *map, int ready))
{
	char *map = self->scene.map;
	int ready[2];
	pid_t pid;
	char byte;

	ASSERT_EQ(0, pipe(ready));
	/* Both have the mapping: fork is asked as MAP. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (!rdma_open(&rdma, "rxe0"))
			child(map, ready[1]);
		_exit(1);
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	close(ready[0]);
	return pid;
}

static void kill_child(SELF, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

static void hold_region(char *map, int ready)
{
	if (!ibv_reg_mr(rdma.pd, map, MG_LEN, 0) || write(ready, "r", 1) != 1)
		return;
	for (;;)
		pause();
}

TEST_F(rdma, killed)
{
	long pins;
	pid_t pid;

	install_trace(_metadata, self);
	pins = stay_pins();
	pid = start_child(_metadata, self, hold_region);
	EXPECT_EQ(1, attached(self));
	kill_child(_metadata, self, pid);
	EXPECT_EQ(0, dev_left(self->scene.fd, MEMGATE_RDMA, 0));
	EXPECT_EQ(1, ended(self, NULL));
	EXPECT_TRUE(stay_pins_back_to(pins));
}

static void loop_regions(char *map, int ready)
{
	int access = IBV_ACCESS_LOCAL_WRITE;
	struct ibv_mr *mr = ibv_reg_mr(rdma.pd, map, MG_LEN, access);

	/* Only the first is waited for. */
	if (!mr || write(ready, "r", 1) != 1)
		return;
	while (mr) {
		ibv_dereg_mr(mr);
		mr = ibv_reg_mr(rdma.pd, map, MG_LEN, access);
	}
}

/* At any moment between two registrations, and within one. */
TEST_F(rdma, killed_registering)
{
	long pins, kb;
	int round;
	pid_t pid;

	install_trace(_metadata, self);
	pins = stay_pins();
	for (round = 0; round < 8; round++) {
		pid = start_child(_metadata, self, loop_regions);
		usleep(20000 + 7000 * round);
		kill_child(_metadata, self, pid);
		EXPECT_EQ(0, dev_left(self->scene.fd, MEMGATE_RDMA, 0));
	}
	EXPECT_EQ(asked(self, NULL), ended(self, NULL));
	EXPECT_TRUE(stay_pins_back_to(pins));
	kb = probe_used_kb();
	mg_scene_down(&self->scene);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
}

static long delete_device(int fd, long nr)
{
	return rdma_device_del(nr);
}

/* A device goes only when nobody has a region of it any more. */
TEST_F(rdma, device_goes)
{
	struct mg_scene *s = &self->scene;
	struct pollfd done = { .fd = s->peer.sock, .events = POLLIN };

	ASSERT_EQ(0, rdma_device(2));
	ASSERT_EQ(0, rdma_open(&rdma, "rxe2"));
	install_trace(_metadata, self);
	ASSERT_EQ(0, region(self, 0));
	EXPECT_EQ(1, dev_shown(s->fd, "rxe2"));
	/* Not a child of now, which would hold on to the device itself. */
	ASSERT_EQ(0, mg_peer_begin(&s->peer, delete_device, -1, 2));
	EXPECT_EQ(0, poll(&done, 1, 300));
	EXPECT_EQ(1, dev_shown(s->fd, "rxe2"));
	ASSERT_EQ(0, no_region(self));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(1, ended(self, NULL));
	rdma_close(&rdma);
	EXPECT_EQ(0, mg_peer_end(&s->peer));
	EXPECT_EQ(-ENODEV, rdma_open(&rdma, "rxe2"));
}

TEST_HARNESS_MAIN
