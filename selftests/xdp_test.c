// SPDX-License-Identifier: GPL-2.0-only
/*
 * AF_XDP: asked, class XDP, when a socket registers memory for its frames,
 * and about each network device that it is bound to.
 */
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "own_map.h"
#include "probe.h"
#include "stay.h"
#include "trace_util.h"
#include "wire_util.h"
#include "xdp_util.h"

#define SOON	5000	/* ms that what must come may take */
#define NEVER	50	/* ms in which what must not come would */

/* Frames go out from MG_AT; they come in to this chunk. */
#define IN_CHUNK	0x5000
#define IN_AT		(IN_CHUNK + XDP_ROOM)

/* As much of the memory as the sockets get. */
#define UMEM_LEN	0x10000

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_dev");
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
	xdp_preload();
}

/* In every test's own network: two pairs of devices, and their other ends. */
static int wire, wire_b;

static void network_up(struct __test_metadata *const _metadata)
{
	ASSERT_EQ(0, wire_unshare());
	ASSERT_EQ(0, wire_pair("va"));
	ASSERT_EQ(0, wire_pair("vb"));
	wire = wire_open("va-end");
	ASSERT_LE(0, wire);
	wire_b = wire_open("vb-end");
	ASSERT_LE(0, wire_b);
	ASSERT_EQ(0, xdp_redirect("va"));
}

/* The frame at MG_AT goes out: 0 if it arrives with the bytes of @off. */
static long goes_out(struct xdp *x, int end, off_t off)
{
	char frame[WIRE_FRAME];
	long ret;

	ret = xdp_send(x, MG_AT) ?: wire_receive(end, frame, SOON);
	if (ret)
		return ret;
	return mg_matches(frame, off, WIRE_FRAME) ? 0 : -EBADMSG;
}

/* A frame comes in to IN_AT. */
static long comes_in(struct xdp *x)
{
	char frame[WIRE_FRAME];
	__u64 addr = 0;
	long ret;

	mg_fill(frame, IN_AT + MG_MARK, WIRE_FRAME);
	ret = xdp_take(x) ?: xdp_offer(x, IN_CHUNK) ?:
	      wire_send(wire, frame) ?: xdp_receive(x, &addr, SOON);
	return ret ?: addr == IN_AT ? 0 : -EBADMSG;
}

static bool came_in(const char *map)
{
	return mg_matches(map + IN_AT, IN_AT + MG_MARK, WIRE_FRAME);
}

/* Every way, in every state ************************************************/

static long use(struct xdp *x, bool in)
{
	return xdp_bind(x, "va", 0, XDP_COPY) ?:
	       in ? comes_in(x) : goes_out(x, wire, MG_AT);
}

/* A socket for one attempt, and nothing of it is left after that. */
static long with_socket(int fd, long arg, bool in)
{
	long pins = stay_pins(), ret;
	struct xdp x;

	ret = xdp_open(&x, place_of(arg) - MG_AT, UMEM_LEN);
	if (ret) {
		/* Without memory it can not be bound. */
		if (!use(&x, in))
			ret = -ENOTRECOVERABLE;
		if (!stay_pins_back_to(pins) ||
		    stay_attached(fd, MEMGATE_XDP) > 0)
			ret = -EUSERS;
	} else {
		ret = use(&x, in);
	}
	xdp_close(&x);
	if (!stay_pins_back_to(pins) || stay_left(fd, MEMGATE_XDP, 0) > 0)
		ret = -EUSERS;
	return ret;
}

static long try_out(int fd, long arg)
{
	return with_socket(fd, arg, false);
}

static long try_in(int fd, long arg)
{
	return with_socket(fd, arg, true);
}

#define MAX_SOCKETS	2

FIXTURE(xdp) {
	struct mg_scene scene;
	struct xdp x[MAX_SOCKETS];
	struct mg_policy policy, refuse;
	int link;
	long pins;
};

MG_MEM_VARIANTS(xdp);

FIXTURE_SETUP(xdp)
{
	int i;

	network_up(_metadata);
	mg_scene_up(_metadata, &self->scene, variant->mem);
	for (i = 0; i < MAX_SOCKETS; i++)
		self->x[i].fd = -1;
	self->link = -1;
	self->pins = stay_pins();
}

FIXTURE_TEARDOWN(xdp)
{
	int i;

	for (i = 0; i < MAX_SOCKETS; i++)
		xdp_close(&self->x[i]);
	EXPECT_TRUE(stay_pins_back_to(self->pins));
	if (self->scene.fd >= 0)
		EXPECT_GE(0, stay_left(self->scene.fd, MEMGATE_XDP, 0));
	if (self->link >= 0)
		close(self->link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define XDP_TEST(name, ...)						\
	TEST_F_TIMEOUT(xdp, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_XDP,				\
			.prepare = map_it,				\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			.rights = MEMGATE_WRITE,			\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

XDP_TEST(out)
XDP_TEST(in, .changed = came_in)

/* The memory first, then the device ****************************************/

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(xdp) *self

/* "answer_dev" trusts va. */
static void install(SELF, const char *policy)
{
	struct answer_dev_params *trust = (void *)self->policy.params;

	mg_load(_metadata, &self->policy, policy);
	mg_load(_metadata, &self->refuse, "refuse_perm");
	if (!strcmp(policy, "answer_dev"))
		strcpy(trust->name, "va");
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
	if (!strcmp(policy, "trace"))
		ASSERT_EQ(0, mg_trace_reset(&self->policy));
}

static void open_socket(SELF, int nr)
{
	ASSERT_EQ(0, xdp_open(&self->x[nr], nr ? NULL : self->scene.map,
			      UMEM_LEN));
}

static int attached(FIXTURE_DATA(xdp) *self)
{
	return stay_attached(self->scene.fd, MEMGATE_XDP);
}

/* How often a device is shown, now or when others have had time to go. */
static int shown(FIXTURE_DATA(xdp) *self, const char *dev)
{
	struct mg_gate gate;
	int i, nr = 0;

	if (mg_gate_read(0, self->scene.fd, &gate))
		return -1;
	for (i = 0; i < gate.nr_devices; i++)
		nr += gate.device[i].consumer == gate.consumer[0].id &&
		      !strcmp(gate.device[i].name, dev);
	return nr;
}

static int still_shown(FIXTURE_DATA(xdp) *self, const char *dev, int expected)
{
	int i;

	for (i = 0; i < 500 && shown(self, dev) > expected; i++)
		usleep(10000);
	return shown(self, dev);
}

/* Registering is allowed, the device is not; the socket can have another. */
TEST_F(xdp, bind_refused)
{
	struct mg_scene *s = &self->scene;
	struct xdp *x = &self->x[0];

	install(_metadata, self, "answer_dev");
	open_socket(_metadata, self, 0);
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(-EPERM, xdp_bind(x, "vb", 0, XDP_COPY));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(0, shown(self, "vb"));
	EXPECT_GT(0, xdp_send(x, MG_AT));
	/* The queue of that device is still anybody's. */
	ASSERT_EQ(0, xdp_open(&self->x[1],
			      mmap(NULL, UMEM_LEN, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
			      UMEM_LEN));
	EXPECT_EQ(0, xdp_bind(&self->x[1], "vb", 0, XDP_COPY));

	ASSERT_EQ(0, xdp_bind(x, "va", 0, XDP_COPY));
	EXPECT_EQ(1, shown(self, "va"));
	EXPECT_EQ(0, goes_out(x, wire, MG_AT));
	EXPECT_EQ(0, comes_in(x));
	EXPECT_TRUE(came_in(s->map));
}

/* The policy has changed its mind meanwhile, and changes it again. */
TEST_F(xdp, bind_after_update)
{
	struct xdp *x = &self->x[0];
	struct mg_policy allow;

	install(_metadata, self, "allow");
	mg_load(_metadata, &allow, "allow");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
	EXPECT_EQ(-EPERM, xdp_bind(x, "va", 0, XDP_COPY));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(0, shown(self, "va"));
	ASSERT_EQ(0, mg_link_update(self->link, allow.map_fd));
	ASSERT_EQ(0, xdp_bind(x, "va", 0, XDP_COPY));
	/* What is bound goes on. */
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
	EXPECT_EQ(0, goes_out(x, wire, MG_AT));
	EXPECT_EQ(1, shown(self, "va"));
}

/* The link is gone: closed for good, for devices that come later too. */
TEST_F(xdp, bind_when_closed)
{
	install(_metadata, self, "allow");
	open_socket(_metadata, self, 0);
	close(self->link);
	self->link = -1;
	EXPECT_EQ(-EACCES, xdp_bind(&self->x[0], "va", 0, XDP_COPY));
	EXPECT_EQ(1, attached(self));
}

/* A device that fails for its own reasons has not joined. */
TEST_F(xdp, bind_fails)
{
	struct xdp *x = &self->x[0];

	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	EXPECT_EQ(-EOPNOTSUPP, xdp_bind(x, "va", 0, XDP_ZEROCOPY));
	EXPECT_EQ(0, shown(self, "va"));
	EXPECT_EQ(-EINVAL, xdp_bind(x, "va", 7, XDP_COPY));
	EXPECT_EQ(0, shown(self, "va"));
	ASSERT_EQ(0, xdp_bind(x, "va", 0, XDP_COPY));
	EXPECT_EQ(1, shown(self, "va"));
	EXPECT_EQ(0, goes_out(x, wire, MG_AT));
}

/* Two memfds, one of which refuses: all or nothing. */
TEST_F(xdp, half_refused)
{
	struct mg_scene *s = &self->scene;
	struct mg_policy refuse;
	struct xdp x;
	char *map;
	int fd;

	fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, fd);
	map = mg_map(variant->mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
		     MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_NE(MAP_FAILED,
		  mmap(map + MG_HUGE_SIZE, MG_HUGE_SIZE,
		       PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0));
	ASSERT_EQ(0, xdp_open(&x, map, MG_LEN));
	xdp_close(&x);
	ASSERT_TRUE(stay_pins_back_to(self->pins));

	install(_metadata, self, "allow");
	mg_load(_metadata, &refuse, "refuse_perm");
	ASSERT_LE(0, mg_install(&refuse, fd));
	EXPECT_GT(0, xdp_open(&x, map, MG_LEN));
	EXPECT_TRUE(stay_pins_back_to(self->pins));
	EXPECT_EQ(0, attached(self));
	EXPECT_EQ(0, stay_attached(fd, MEMGATE_XDP));
	xdp_close(&x);
	munmap(map, MG_LEN);
	close(fd);
}

/* Sockets that share it ***************************************************/

static void share_ungated(SELF)
{
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(&self->x[0], "va", 0, XDP_COPY));
	open_socket(_metadata, self, 1);
	ASSERT_EQ(0, xdp_bind_shared(&self->x[1], "vb", 0, &self->x[0]));
	EXPECT_EQ(0, goes_out(&self->x[0], wire, MG_AT));
	EXPECT_EQ(0, goes_out(&self->x[1], wire_b, MG_AT));
	xdp_close(&self->x[0]);
	xdp_close(&self->x[1]);
	ASSERT_TRUE(stay_pins_back_to(self->pins));
}

/* A second device comes by another socket: asked again. */
TEST_F(xdp, shared_refused)
{
	struct xdp *first = &self->x[0], *second = &self->x[1];

	share_ungated(_metadata, self);
	install(_metadata, self, "answer_dev");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(first, "va", 0, XDP_COPY));
	open_socket(_metadata, self, 1);
	EXPECT_EQ(-EPERM, xdp_bind_shared(second, "vb", 0, first));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, shown(self, "va"));
	EXPECT_EQ(0, shown(self, "vb"));
	EXPECT_GT(0, xdp_send(second, MG_AT));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
	EXPECT_EQ(0, comes_in(first));
	EXPECT_TRUE(came_in(self->scene.map));
	/* The second one can still have what is allowed: another queue. */
	ASSERT_EQ(0, xdp_bind_shared(second, "va", 1, first));
	EXPECT_EQ(0, goes_out(second, wire, MG_AT));
	EXPECT_EQ(0, shown(self, "vb"));
	/* The device stays until the last socket lets go of it. */
	xdp_close(second);
	EXPECT_EQ(1, still_shown(self, "va", 1));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
}

/* The memory is everybody's until the last socket closes. */
TEST_F(xdp, shared_allowed)
{
	struct xdp *first = &self->x[0], *second = &self->x[1];

	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(first, "va", 0, XDP_COPY));
	open_socket(_metadata, self, 1);
	ASSERT_EQ(0, xdp_bind_shared(second, "vb", 0, first));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, shown(self, "va"));
	EXPECT_EQ(1, shown(self, "vb"));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
	EXPECT_EQ(0, goes_out(second, wire_b, MG_AT));

	xdp_close(first);
	EXPECT_EQ(0, still_shown(self, "va", 0));
	EXPECT_EQ(1, shown(self, "vb"));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(0, goes_out(second, wire_b, MG_AT));
	xdp_close(second);
	EXPECT_EQ(0, stay_left(self->scene.fd, MEMGATE_XDP, 0));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_XDP,
				   NULL));
}

/* What is asked ***********************************************************/

TEST_F(xdp, question)
{
	struct xdp *first = &self->x[0], *second = &self->x[1];
	struct trace_event e = { 0 }, dev = { 0 }, end = { 0 };

	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_MAY_ATTACH,
				   MEMGATE_XDP, &e));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_NE(0, e.consumer);
	EXPECT_EQ(0, e.device);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	EXPECT_EQ((__u32)getpid(), e.consumer_tgid);

	ASSERT_EQ(0, xdp_bind(first, "va", 0, XDP_COPY));
	EXPECT_EQ(2, mg_trace_find(&self->policy, TRACE_MAY_ATTACH,
				   MEMGATE_XDP, &dev));
	EXPECT_EQ(1, mg_trace_asked(&self->policy, "va"));
	EXPECT_EQ(1, dev.device);
	EXPECT_EQ(e.consumer, dev.consumer);
	EXPECT_EQ(e.rights, dev.rights);

	/* It has no memory yet. */
	open_socket(_metadata, self, 1);
	EXPECT_EQ(2, mg_trace_count(&self->policy));
	ASSERT_EQ(0, xdp_bind_shared(second, "vb", 0, first));
	EXPECT_EQ(1, mg_trace_asked(&self->policy, "vb"));
	EXPECT_EQ(3, mg_trace_count(&self->policy));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
	EXPECT_EQ(3, mg_trace_count(&self->policy));

	xdp_close(second);
	xdp_close(first);
	EXPECT_EQ(0, stay_left(self->scene.fd, MEMGATE_XDP, 0));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_XDP,
				   &end));
	EXPECT_EQ(e.consumer, end.consumer);
}

/* Who dies first **********************************************************/

TEST_F(xdp, device_dies_first)
{
	struct xdp *x = &self->x[0];

	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(x, "va", 0, XDP_COPY));
	EXPECT_EQ(0, goes_out(x, wire, MG_AT));
	/* Would wait for ever for a reference that is not given back. */
	ASSERT_EQ(0, wire_ip("link delete va"));
	EXPECT_EQ(0, still_shown(self, "va", 0));
	EXPECT_EQ(1, attached(self));
	EXPECT_GT(0, xdp_send(x, MG_AT));
	/* Another device of that name is another device. */
	ASSERT_EQ(0, wire_pair("va"));
	EXPECT_EQ(0, shown(self, "va"));
	xdp_close(x);
	EXPECT_EQ(0, stay_left(self->scene.fd, MEMGATE_XDP, 0));
}

/* The socket goes on with its frames; nobody else gets them. */
TEST_F(xdp, memfd_dies_first)
{
	struct xdp *first = &self->x[0], *second = &self->x[1];
	long kb;

	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(first, "va", 0, XDP_COPY));
	open_socket(_metadata, self, 1);
	kb = probe_used_kb();
	mg_scene_down(&self->scene);
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U, NULL));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_XDP,
				   NULL));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
	EXPECT_EQ(-EACCES, xdp_bind_shared(second, "vb", 0, first));
	EXPECT_EQ(0, goes_out(first, wire, MG_AT));
	xdp_close(second);
	xdp_close(first);
	EXPECT_TRUE(stay_pins_back_to(self->pins));
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
}

/* A process with a socket, which tells that it is ready and waits. */
static void hold_socket(char *map, int ready)
{
	struct xdp x;

	if (xdp_open(&x, map, UMEM_LEN) || xdp_bind(&x, "va", 0, XDP_COPY) ||
	    write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(xdp, killed)
{
	int ready[2], status;
	pid_t pid;
	char byte;

	install(_metadata, self, "trace");
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold_socket(self->scene.map, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, shown(self, "va"));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, stay_left(self->scene.fd, MEMGATE_XDP, 0));
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_XDP,
				   NULL));
	EXPECT_TRUE(stay_pins_back_to(self->pins));
	/* The queue is free for the next one. */
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(&self->x[0], "va", 0, XDP_COPY));
	EXPECT_EQ(0, goes_out(&self->x[0], wire, MG_AT));
}

/* The device leaves the network in which the socket is. */
TEST_F(xdp, device_moves)
{
	install(_metadata, self, "trace");
	open_socket(_metadata, self, 0);
	ASSERT_EQ(0, xdp_bind(&self->x[0], "va", 0, XDP_COPY));
	ASSERT_EQ(0, wire_ip("link set va netns 1"));
	EXPECT_EQ(0, still_shown(self, "va", 0));
	EXPECT_EQ(1, attached(self));
	EXPECT_GT(0, xdp_send(&self->x[0], MG_AT));
	ASSERT_EQ(0, wire_ip("link delete va-end"));
}

TEST_HARNESS_MAIN
