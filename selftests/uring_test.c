// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: what a ring keeps of the memory, class IO_URING.  Registered
 * buffers, and the rings themselves where they lie in the memory.
 *
 * What a ring does once, by a request without such a buffer, is direct I/O
 * or the like: see pin_test.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "own_map.h"
#include "probe.h"
#include "stay.h"
#include "trace_util.h"
#include "uring_util.h"

static char own[2 * MG_BYTES] __attribute__((aligned(4096)));

/* Every way, in every state ************************************************/

/* A ring for one attempt, and nothing of it is left when that is over. */
static long with_ring(long (*use)(struct io_uring *ring, char *p), long arg)
{
	long pins = stay_pins(), ret;
	struct io_uring ring;

	ret = io_uring_queue_init(4, &ring, 0);
	if (ret)
		return ret;
	ret = use(&ring, place_of(arg));
	/* What was refused has left nothing, even while the ring lives. */
	if (ret && !stay_pins_back_to(pins))
		ret = -EUSERS;
	io_uring_queue_exit(&ring);
	return stay_pins_back_to(pins) ? ret : -EUSERS;
}

#define WITH_RING(name)							\
static long try_##name(int fd, long arg)				\
{									\
	return with_ring(name, arg);					\
}

/* A buffer that was refused can not be used. */
static long out_of(struct io_uring *ring, int nr, char *p, long refused)
{
	long ret = uring_comes_out(ring, nr, p, MG_AT);

	if (!refused)
		return ret;
	return ret == -EFAULT ? refused : -ENOTRECOVERABLE;
}

static long fixed_out(struct io_uring *ring, char *p)
{
	return out_of(ring, 0, p, uring_register(ring, p));
}
WITH_RING(fixed_out)

static long fixed_in(struct io_uring *ring, char *p)
{
	int file = uring_file(MG_AT + MG_MARK);
	long refused = uring_register(ring, p);
	long ret = uring_in(ring, 0, p, file);

	close(file);
	if (refused)
		return ret == -EFAULT ? refused : -ENOTRECOVERABLE;
	return ret == MG_BYTES ? 0 : ret < 0 ? ret : -EIO;
}
WITH_RING(fixed_in)

/* Many pages: huge ones are put together by the ring. */
static long fixed_all(struct io_uring *ring, char *p)
{
	struct iovec v = { p - MG_AT, MG_LEN };

	return out_of(ring, 0, p, io_uring_register_buffers(ring, &v, 1));
}
WITH_RING(fixed_all)

/* Into a table that was there before. */
static long fixed_update(struct io_uring *ring, char *p)
{
	struct iovec v = { p, MG_BYTES };
	__u64 tag = 0;
	long ret;

	ret = io_uring_register_buffers_sparse(ring, 2);
	if (ret)
		return ret;
	ret = io_uring_register_buffers_update_tag(ring, 1, &v, &tag, 1);
	return out_of(ring, 1, p, ret == 1 ? 0 : ret);
}
WITH_RING(fixed_update)

/* With others before and after it, which are refused with it. */
static long fixed_vector(struct io_uring *ring, char *p)
{
	struct iovec v[3] = {
		{ own, MG_BYTES }, { p, MG_BYTES }, { own, MG_BYTES },
	};
	__u64 tags[3] = { 0 };
	long ret = io_uring_register_buffers_tags(ring, v, tags, 3);

	return out_of(ring, ret ? 0 : 1, ret ? own : p, ret);
}
WITH_RING(fixed_vector)

/* A ring of buffers that the kernel may choose from, in the memory. */
static long choose_buffer(struct io_uring *ring, struct io_uring_buf *bufs)
{
	struct io_uring_buf_ring *br = (void *)bufs;
	struct io_uring_sqe *sqe;
	int ret, p[2];

	bufs[0] = (struct io_uring_buf){
		.addr = (uintptr_t)own, .len = MG_BYTES, .bid = 3,
	};
	__atomic_store_n(&br->tail, 1, __ATOMIC_RELEASE);
	if (pipe(p) || write(p[1], "chosen", 7) != 7)
		return -errno;
	memset(own, 0, sizeof(own));
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_read(sqe, p[0], NULL, MG_BYTES, -1);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 7;
	ret = uring_wait(ring);
	close(p[0]);
	close(p[1]);
	if (ret < 0)
		return ret;
	return ret == 7 && !strcmp(own, "chosen") ? 0 : -EBADMSG;
}

static long buffer_ring(struct io_uring *ring, char *p)
{
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)p, .ring_entries = 4, .bgid = 7,
	};
	long ret = io_uring_register_buf_ring(ring, &reg, 0);

	if (ret)
		return ret;
	ret = choose_buffer(ring, (void *)p);
	if (io_uring_unregister_buf_ring(ring, 7))
		ret = -EIO;
	mg_fill(p, MG_AT, MG_BYTES);
	return ret;
}
WITH_RING(buffer_ring)

/* One request by a ring without liburing: NOP, with a number. */
static long nop(int fd, const struct io_uring_params *p, char *rings,
		struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe = (void *)(rings + p->cq_off.cqes);
	__u32 *tail = (void *)(rings + p->sq_off.tail);

	/* The kernel clears nothing in memory that is not its own. */
	memset(rings + p->cq_off.head, 0, 4);
	memset(rings + p->cq_off.tail, 0, 4);
	memset(cqe, 0, sizeof(*cqe));
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = 0x600dc0de;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	return cqe->user_data == 0x600dc0de && !cqe->res ? 0 : -EBADMSG;
}

/* user_addr: the last member of both, which liburing 2.3 has as resv2. */
#define USER_ADDR(offsets)	(((__u64 *)(&(offsets) + 1))[-1])

/* The ring's own memory is that of the task. */
static long ring_in(void *rings, void *sqes, char *p, size_t len)
{
	struct io_uring_params params = {
		.flags = URING_SETUP_NO_MMAP | URING_SETUP_NO_SQARRAY,
	};
	long pins = stay_pins(), ret;
	int fd;

	USER_ADDR(params.cq_off) = (uintptr_t)rings;
	USER_ADDR(params.sq_off) = (uintptr_t)sqes;
	fd = syscall(__NR_io_uring_setup, 4, &params);
	ret = fd < 0 ? -errno : nop(fd, &params, rings, sqes);
	if (fd >= 0)
		close(fd);
	if (!stay_pins_back_to(pins))
		return -EUSERS;
	if (fd >= 0)
		mg_fill(p, MG_AT, len);
	return ret;
}

static long try_ring(int fd, long arg)
{
	char *p = place_of(arg);

	return ring_in(p, p + MG_BYTES, p, 2 * MG_BYTES);
}

/* One half of it is refused when the other has been taken. */
static long try_ring_requests(int fd, long arg)
{
	char *p = place_of(arg);

	return ring_in(own, p, p, MG_BYTES);
}

FIXTURE(uring) {
	struct mg_scene scene;
	struct mg_policy trace;
	int link;
};

MG_MEM_VARIANTS(uring);

FIXTURE_SETUP(uring)
{
	self->link = -1;
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(uring)
{
	if (self->link >= 0)
		close(self->link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define URING_TEST(name, ...)						\
	TEST_F_TIMEOUT(uring, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_IO_URING,			\
			.prepare = map_it,				\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			/* Whoever has the ring may read into it. */	\
			.rights = MEMGATE_WRITE,			\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

URING_TEST(fixed_out)
URING_TEST(fixed_in, .changed = mg_marked)
URING_TEST(fixed_all)
URING_TEST(fixed_update)
URING_TEST(fixed_vector)
URING_TEST(buffer_ring)
URING_TEST(ring)
URING_TEST(ring_requests)

/* What is refused *********************************************************/

/* A buffer that begins in front of the gated memory: none of it is left. */
TEST_F(uring, half_gated)
{
	struct iovec v = { .iov_len = 2 * MG_BYTES };
	struct mg_scene *s = &self->scene;
	struct io_uring ring;
	char *map, *front;
	long pins;

	/* The page in front of a new mapping of it. */
	map = mg_map(variant->mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
		     MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	front = mmap(map - MG_BYTES, MG_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(map - MG_BYTES, front);
	memset(front, 1, MG_BYTES);
	v.iov_base = front;
	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	pins = stay_pins();
	ASSERT_EQ(0, io_uring_register_buffers(&ring, &v, 1));
	EXPECT_EQ(0, uring_comes_out(&ring, 0, map, 0));
	ASSERT_EQ(0, io_uring_unregister_buffers(&ring));
	EXPECT_TRUE(stay_pins_back_to(pins));

	ASSERT_EQ(0, mg_seal(s->fd));
	EXPECT_GT(0, io_uring_register_buffers(&ring, &v, 1));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(0, stay_attached(s->fd, MEMGATE_IO_URING));
	EXPECT_EQ(-EFAULT, uring_comes_out(&ring, 0, map, 0));
	io_uring_queue_exit(&ring);
}

/* A slot keeps what it has when its replacement is refused. */
TEST_F(uring, update_refused)
{
	struct mg_scene *s = &self->scene;
	struct iovec v = { s->map + MG_AT, MG_BYTES };
	struct io_uring ring;
	__u64 tag = 0;

	mg_fill(own, MG_AT + MG_MARK, sizeof(own));
	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	ASSERT_EQ(0, uring_register(&ring, own));
	ASSERT_EQ(0, mg_seal(s->fd));
	EXPECT_EQ(-EACCES, io_uring_register_buffers_update_tag(&ring, 0, &v,
								&tag, 1));
	EXPECT_EQ(0, stay_attached(s->fd, MEMGATE_IO_URING));
	EXPECT_EQ(-EFAULT, uring_comes_out(&ring, 0, v.iov_base, MG_AT));
	EXPECT_EQ(0, uring_comes_out(&ring, 0, own, MG_AT + MG_MARK));
	io_uring_queue_exit(&ring);
}

/* What is asked ***********************************************************/

static void trace_on(struct __test_metadata *const _metadata,
		     FIXTURE_DATA(uring) *self)
{
	mg_load(_metadata, &self->trace, "trace");
	self->link = mg_install(&self->trace, self->scene.fd);
	ASSERT_LE(0, self->link);
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
}

static long asked(FIXTURE_DATA(uring) *self, struct trace_event *event)
{
	return mg_trace_find(&self->trace, TRACE_MAY_ATTACH, MEMGATE_IO_URING,
			     event);
}

/* May come a little after the end of a ring. */
static long heard(FIXTURE_DATA(uring) *self, enum trace_what what,
		  struct trace_event *event)
{
	const __u32 kind = what == TRACE_RELEASED ? ~0U : MEMGATE_IO_URING;
	long nr = 0;
	int i;

	for (i = 0; i < 300 && !nr; i++) {
		nr = mg_trace_find(&self->trace, what, kind, event);
		usleep(10000);
	}
	return nr;
}

static void expect_question(struct __test_metadata *const _metadata,
			    const struct trace_event *e)
{
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e->rights);
	EXPECT_NE(0, e->consumer);
	EXPECT_EQ(0, e->device);
	EXPECT_LE(e->start, MG_AT);
	EXPECT_LT(MG_AT, e->start + e->len);
	EXPECT_EQ((__u32)getpid(), e->consumer_tgid);
}

/* Once for a ring, whatever it keeps of the memory. */
TEST_F(uring, question)
{
	char *p = self->scene.map + MG_AT;
	struct io_uring_buf_reg reg = {
		.ring_addr = (uintptr_t)p, .ring_entries = 4, .bgid = 7,
	};
	struct trace_event e = { 0 }, end = { 0 }, other = { 0 };
	struct io_uring ring, second;

	trace_on(_metadata, self);
	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	EXPECT_EQ(0, mg_trace_count(&self->trace));
	ASSERT_EQ(0, uring_register(&ring, p));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	expect_question(_metadata, &e);
	EXPECT_EQ((__u32)getpid(), e.tgid);

	ASSERT_EQ(0, io_uring_unregister_buffers(&ring));
	ASSERT_EQ(0, uring_register(&ring, p + MG_HUGE_SIZE));
	ASSERT_EQ(0, io_uring_register_buf_ring(&ring, &reg, 0));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	EXPECT_EQ(1, stay_attached(self->scene.fd, MEMGATE_IO_URING));

	ASSERT_EQ(0, io_uring_queue_init(2, &second, 0));
	ASSERT_EQ(0, uring_register(&second, p));
	EXPECT_EQ(2, asked(self, &other));
	expect_question(_metadata, &other);
	EXPECT_NE(e.consumer, other.consumer);
	EXPECT_EQ(2, stay_attached(self->scene.fd, MEMGATE_IO_URING));

	io_uring_queue_exit(&ring);
	EXPECT_EQ(1, heard(self, TRACE_DETACHED, &end));
	EXPECT_EQ(e.consumer, end.consumer);
	EXPECT_EQ(1, stay_attached(self->scene.fd, MEMGATE_IO_URING));
	EXPECT_EQ(0, uring_comes_out(&second, 0, p, MG_AT));
	io_uring_queue_exit(&second);
	EXPECT_EQ(0, stay_left(self->scene.fd, MEMGATE_IO_URING, 0));
}

/* Its own memory is asked about before there is a ring to be used. */
TEST_F(uring, question_ring)
{
	char *p = self->scene.map + MG_AT;
	struct trace_event e = { 0 };

	trace_on(_metadata, self);
	ASSERT_EQ(0, ring_in(p, p + MG_BYTES, p, 2 * MG_BYTES));
	EXPECT_EQ(1, asked(self, &e));
	expect_question(_metadata, &e);
	EXPECT_EQ(1, heard(self, TRACE_DETACHED, NULL));
	EXPECT_EQ(2, mg_trace_count(&self->trace));
}

/* Who gets the ring's descriptor ******************************************/

/*
 * The peer was there before the ring; this tells it what that looks like.  It
 * takes the descriptor itself, as the kernel sends none of a ring.
 */
static struct passed {
	struct io_uring_params params;
	int fd;
	char *addr;		/* in the process that registered it */
} *passed;

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("trace");
}

static __attribute__((constructor)) void share_passed(void)
{
	passed = mmap(NULL, sizeof(*passed), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static int pass(struct io_uring *ring, char *addr)
{
	int ret;

	memset(passed, 0, sizeof(*passed));
	ret = io_uring_queue_init_params(2, ring, &passed->params);
	passed->fd = ring->ring_fd;
	passed->addr = addr;
	return ret;
}

/* The peer's own descriptor and mapping of it, once it has been taken. */
static struct io_uring taken;

static long take_passed(int fd, long arg)
{
	int parent = syscall(__NR_pidfd_open, getppid(), 0);
	int ring = syscall(__NR_pidfd_getfd, parent, passed->fd, 0);
	int ret;

	if (ring < 0)
		return -errno;
	close(parent);
	ret = io_uring_queue_mmap(ring, &passed->params, &taken);
	/* liburing 2.9 leaves this to the caller. */
	taken.ring_fd = ring;
	taken.enter_ring_fd = ring;
	return ret;
}

/* Reads and writes memory that it has no mapping and no descriptor of. */
static long use_passed(int fd, long arg)
{
	long ret = uring_comes_out(&taken, 0, passed->addr, MG_AT);
	int file;

	if (ret)
		return ret;
	file = uring_file(MG_AT + MG_MARK);
	ret = uring_in(&taken, 0, passed->addr, file);
	close(file);
	return ret == MG_BYTES ? 0 : ret;
}

/* It is the same consumer: who uses the ring is not asked about. */
TEST_F(uring, passed_on)
{
	struct mg_scene *s = &self->scene;
	struct io_uring ring;
	struct mg_policy deny;

	trace_on(_metadata, self);
	ASSERT_EQ(0, pass(&ring, s->map + MG_AT));
	ASSERT_EQ(0, uring_register(&ring, passed->addr));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	ASSERT_EQ(0, mg_peer_call(&s->peer, take_passed, -1, 0));
	EXPECT_EQ(0, mg_peer_call(&s->peer, use_passed, -1, 0));
	EXPECT_TRUE(mg_marked(s->map));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	mg_fill(s->map, 0, MG_LEN);

	/* What the ring was granted it keeps, and till its last descriptor. */
	mg_load(_metadata, &deny, "deny");
	ASSERT_LE(0, mg_install(&deny, s->fd));
	io_uring_queue_exit(&ring);
	EXPECT_EQ(0, mg_peer_call(&s->peer, use_passed, -1, 0));
	EXPECT_TRUE(mg_marked(s->map));
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	mg_peer_stop(&s->peer);
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_IO_URING, 0));
}

static long register_in_passed(int fd, long arg)
{
	long ret = uring_register(&taken, place_of(arg));

	return ret ?: uring_comes_out(&taken, 0, place_of(arg), MG_AT);
}

/* Somebody else registers his mapping: it is for whose ring it is. */
TEST_F(uring, question_of_another)
{
	struct mg_scene *s = &self->scene;
	struct trace_event e = { 0 };
	struct io_uring ring;

	ASSERT_EQ(0, mg_run(s, true, map_it, MG_OLD));
	trace_on(_metadata, self);
	ASSERT_EQ(0, pass(&ring, NULL));
	ASSERT_EQ(0, mg_peer_call(&s->peer, take_passed, -1, 0));
	ASSERT_EQ(0, mg_peer_call(&s->peer, register_in_passed, -1,
				  MG_ARG(variant->mem, MG_OLD)));
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	expect_question(_metadata, &e);
	EXPECT_EQ((__u32)s->peer.pid, e.tgid);
	/* It stays when the other process is gone. */
	mg_peer_stop(&s->peer);
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	io_uring_queue_exit(&ring);
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_IO_URING, 0));
}

/* Who dies first **********************************************************/

TEST_F(uring, ring_dies_first)
{
	struct mg_scene *s = &self->scene;
	long pins = stay_pins();
	struct io_uring ring;

	trace_on(_metadata, self);
	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	ASSERT_EQ(0, uring_register(&ring, s->map + MG_AT));
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	EXPECT_LT(pins, stay_pins());
	/* The buffer is gone; the ring may have another one. */
	ASSERT_EQ(0, io_uring_unregister_buffers(&ring));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	io_uring_queue_exit(&ring);
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_IO_URING, 0));
	EXPECT_EQ(1, heard(self, TRACE_DETACHED, NULL));
}

/* The ring goes on with what it has, and that is all that is left. */
TEST_F(uring, memfd_dies_first)
{
	struct mg_scene *s = &self->scene;
	char *addr = s->map + MG_AT;
	struct io_uring ring;
	int old_fd = s->fd;
	long kb;

	trace_on(_metadata, self);
	ASSERT_EQ(0, io_uring_queue_init(2, &ring, 0));
	ASSERT_EQ(0, uring_register(&ring, addr));
	kb = probe_used_kb();
	mg_scene_down(s);
	EXPECT_EQ(-1, fcntl(old_fd, F_GETFD));
	EXPECT_EQ(1, heard(self, TRACE_DETACHED, NULL));
	EXPECT_EQ(1, heard(self, TRACE_RELEASED, NULL));
	EXPECT_EQ(0, uring_comes_out(&ring, 0, addr, MG_AT));
	io_uring_queue_exit(&ring);
	EXPECT_TRUE(probe_back_to(kb - (long)(MG_LEN >> 10)));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_DETACHED,
				   MEMGATE_IO_URING, NULL));
}

/* A process with a ring, which tells that it is ready and waits. */
static void hold_ring(char *p, int ready)
{
	struct io_uring ring;

	if (io_uring_queue_init(2, &ring, 0) || uring_register(&ring, p) ||
	    write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(uring, killed)
{
	struct mg_scene *s = &self->scene;
	long pins = stay_pins();
	int ready[2], status;
	pid_t pid;
	char byte;

	trace_on(_metadata, self);
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold_ring(s->map + MG_AT, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, stay_attached(s->fd, MEMGATE_IO_URING));
	EXPECT_LT(pins, stay_pins());
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, stay_left(s->fd, MEMGATE_IO_URING, 0));
	EXPECT_TRUE(stay_pins_back_to(pins));
	EXPECT_EQ(1, heard(self, TRACE_DETACHED, NULL));
}

TEST_HARNESS_MAIN
