// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring: registered buffers of one ring, cloned into another.  Nothing is
 * pinned by that, but another consumer has the memory: asked again.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "stay.h"
#include "trace_util.h"
#include "uring_util.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

/* Two memfds, of which ring 0 registers one page each; none so far. */
FIXTURE(clone) {
	int fd[2], link[2];
	char *map[2];
	struct io_uring ring[3];
	bool ended[3];
	struct mg_policy allow, refuse, trace;
	long pins;
};

MG_MEM_VARIANTS(clone);

FIXTURE_SETUP(clone)
{
	int i;

	mg_load(_metadata, &self->allow, "allow");
	mg_load(_metadata, &self->refuse, "refuse_perm");
	mg_load(_metadata, &self->trace, "trace");
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
	for (i = 0; i < 2; i++) {
		self->link[i] = -1;
		self->fd[i] = mg_memfd(variant->mem, MG_HUGE_SIZE);
		ASSERT_LE(0, self->fd[i]);
		self->map[i] = mg_map(variant->mem, self->fd[i], MG_HUGE_SIZE,
				      PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		ASSERT_NE(MAP_FAILED, self->map[i]);
	}
	/* So that it is seen which memfd a byte has come from. */
	mg_fill(self->map[1], MG_MARK, MG_HUGE_SIZE);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, io_uring_queue_init(2, &self->ring[i], 0));
	self->pins = stay_pins();
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(clone) *self

static void end(FIXTURE_DATA(clone) *self, int nr)
{
	if (!self->ended[nr])
		io_uring_queue_exit(&self->ring[nr]);
	self->ended[nr] = true;
}

FIXTURE_TEARDOWN(clone)
{
	int i;

	for (i = 0; i < 3; i++)
		end(self, i);
	EXPECT_TRUE(stay_pins_back_to(self->pins));
	for (i = 0; i < 2; i++) {
		/* No consumer of a gate is left; nor is one of no gate. */
		EXPECT_LE(stay_left(self->fd[i], MEMGATE_IO_URING, 0), 0);
		munmap(self->map[i], MG_HUGE_SIZE);
		close(self->fd[i]);
		if (self->link[i] >= 0)
			close(self->link[i]);
	}
}

static void install(SELF, int nr, const struct mg_policy *policy)
{
	self->link[nr] = mg_install(policy, self->fd[nr]);
	ASSERT_LE(0, self->link[nr]);
}

static void update(SELF, int nr, const struct mg_policy *policy)
{
	ASSERT_EQ(0, mg_link_update(self->link[nr], policy->map_fd));
}

/* The first @nr memfds are its buffers. */
static void register_first(SELF, int ring, int nr)
{
	struct iovec v[2] = {
		{ self->map[0] + MG_AT, MG_BYTES },
		{ self->map[1] + MG_AT, MG_BYTES },
	};

	ASSERT_EQ(0, io_uring_register_buffers(&self->ring[ring], v, nr));
}

static void expect_works(SELF, int ring, int nr)
{
	struct io_uring *r = &self->ring[ring];
	char *p = self->map[nr] + MG_AT;
	off_t off = nr * MG_MARK + MG_AT;
	int file = uring_file(off + 2 * MG_MARK);

	EXPECT_EQ(0, uring_comes_out(r, nr, p, off));
	EXPECT_EQ(MG_BYTES, uring_in(r, nr, p, file));
	EXPECT_TRUE(mg_matches(p, off + 2 * MG_MARK, MG_BYTES));
	mg_fill(p, off, MG_BYTES);
	close(file);
}

/* It has nothing, and can still have something of its own. */
static void expect_empty(SELF, int ring)
{
	static char own[MG_BYTES];
	struct io_uring *r = &self->ring[ring];

	EXPECT_EQ(-EFAULT, uring_comes_out(r, 0, self->map[0] + MG_AT, MG_AT));
	mg_fill(own, MG_AT, MG_BYTES);
	EXPECT_EQ(0, uring_register(r, own));
	EXPECT_EQ(0, uring_comes_out(r, 0, own, MG_AT));
	EXPECT_EQ(0, io_uring_unregister_buffers(r));
}

static int attached(FIXTURE_DATA(clone) *self, int nr)
{
	return stay_attached(self->fd[nr], MEMGATE_IO_URING);
}

TEST_F(clone, ungated)
{
	register_first(_metadata, self, 0, 2);
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	expect_works(_metadata, self, 1, 0);
	expect_works(_metadata, self, 1, 1);
	/* It holds the memory by itself. */
	end(self, 0);
	expect_works(_metadata, self, 1, 0);
}

TEST_F(clone, allowed)
{
	struct trace_event first = { 0 }, second = { 0 };

	install(_metadata, self, 0, &self->trace);
	register_first(_metadata, self, 0, 1);
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   MEMGATE_IO_URING, &first));
	EXPECT_EQ(1, attached(self, 0));
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(2, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   MEMGATE_IO_URING, &second));
	EXPECT_EQ(2, mg_trace_count(&self->trace));
	EXPECT_NE(first.consumer, second.consumer);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, second.rights);
	EXPECT_EQ((__u32)getpid(), second.consumer_tgid);
	EXPECT_EQ(2, attached(self, 0));
	expect_works(_metadata, self, 1, 0);
	/* Each ends with its own ring. */
	end(self, 0);
	EXPECT_EQ(1, stay_left(self->fd[0], MEMGATE_IO_URING, 1));
	expect_works(_metadata, self, 1, 0);
	end(self, 1);
	EXPECT_EQ(0, stay_left(self->fd[0], MEMGATE_IO_URING, 0));
}

TEST_F(clone, refused)
{
	install(_metadata, self, 0, &self->allow);
	register_first(_metadata, self, 0, 1);
	update(_metadata, self, 0, &self->refuse);
	EXPECT_EQ(-EPERM, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(1, attached(self, 0));
	expect_empty(_metadata, self, 1);
	expect_works(_metadata, self, 0, 0);
	/* Its answer is not kept. */
	update(_metadata, self, 0, &self->allow);
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	expect_works(_metadata, self, 1, 0);
}

/* The link is gone: closed for good, and for other rings. */
TEST_F(clone, closed)
{
	install(_metadata, self, 0, &self->allow);
	register_first(_metadata, self, 0, 1);
	close(self->link[0]);
	self->link[0] = -1;
	EXPECT_EQ(-EACCES, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(1, attached(self, 0));
	expect_empty(_metadata, self, 1);
	expect_works(_metadata, self, 0, 0);
}

/* All or nothing, whichever memfd is the one that refuses. */
static void clone_of_two(SELF, int refusing)
{
	install(_metadata, self, 0, &self->allow);
	install(_metadata, self, 1, &self->allow);
	register_first(_metadata, self, 0, 2);
	update(_metadata, self, refusing, &self->refuse);
	EXPECT_EQ(-EPERM, uring_clone(&self->ring[1], &self->ring[0]));
	/* What allowed it before the other refused stays granted, unused. */
	EXPECT_EQ(refusing ? 2 : 1, attached(self, 0));
	EXPECT_EQ(1, attached(self, 1));
	expect_empty(_metadata, self, 1);
	expect_works(_metadata, self, 0, 0);
	expect_works(_metadata, self, 0, 1);
	update(_metadata, self, refusing, &self->allow);
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(2, attached(self, 0));
	EXPECT_EQ(2, attached(self, 1));
	expect_works(_metadata, self, 1, 0);
	expect_works(_metadata, self, 1, 1);
}

TEST_F(clone, first_refused)
{
	clone_of_two(_metadata, self, 0);
}

TEST_F(clone, second_refused)
{
	clone_of_two(_metadata, self, 1);
}

/* A ring that has the memory already is not asked about again. */
TEST_F(clone, attached_before)
{
	install(_metadata, self, 0, &self->trace);
	register_first(_metadata, self, 0, 1);
	register_first(_metadata, self, 1, 1);
	ASSERT_EQ(0, io_uring_unregister_buffers(&self->ring[1]));
	EXPECT_EQ(2, mg_trace_count(&self->trace));
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(2, mg_trace_count(&self->trace));
	EXPECT_EQ(2, attached(self, 0));
	expect_works(_metadata, self, 1, 0);
}

/* Only what is in the table now counts, and empty slots are nothing. */
TEST_F(clone, of_a_sparse_table)
{
	struct iovec v = { self->map[1] + MG_AT, MG_BYTES };
	struct iovec none = { 0 };
	__u64 tag = 0;

	install(_metadata, self, 0, &self->allow);
	install(_metadata, self, 1, &self->allow);
	register_first(_metadata, self, 0, 2);
	ASSERT_EQ(1, io_uring_register_buffers_update_tag(&self->ring[0], 0,
							  &none, &tag, 1));
	ASSERT_EQ(1, io_uring_register_buffers_update_tag(&self->ring[0], 1,
							  &v, &tag, 1));
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	expect_works(_metadata, self, 1, 1);
	EXPECT_EQ(-EFAULT, uring_comes_out(&self->ring[1], 0,
					   self->map[0] + MG_AT, MG_AT));
	EXPECT_EQ(2, attached(self, 1));
}

/* A clone is a source like any other, also when the first ring is gone. */
TEST_F(clone, of_a_clone)
{
	install(_metadata, self, 0, &self->allow);
	register_first(_metadata, self, 0, 1);
	ASSERT_EQ(0, uring_clone(&self->ring[1], &self->ring[0]));
	end(self, 0);
	EXPECT_EQ(1, stay_left(self->fd[0], MEMGATE_IO_URING, 1));
	update(_metadata, self, 0, &self->refuse);
	EXPECT_EQ(-EPERM, uring_clone(&self->ring[2], &self->ring[1]));
	expect_empty(_metadata, self, 2);
	update(_metadata, self, 0, &self->allow);
	ASSERT_EQ(0, uring_clone(&self->ring[2], &self->ring[1]));
	expect_works(_metadata, self, 2, 0);
	end(self, 1);
	EXPECT_EQ(1, stay_left(self->fd[0], MEMGATE_IO_URING, 1));
	expect_works(_metadata, self, 2, 0);
}

/* The memfd and its policies are gone: nobody can be asked any more. */
TEST_F(clone, memfd_dies_first)
{
	char *p = self->map[0] + MG_AT;

	install(_metadata, self, 0, &self->allow);
	register_first(_metadata, self, 0, 1);
	munmap(self->map[0], MG_HUGE_SIZE);
	close(self->fd[0]);
	EXPECT_EQ(-EACCES, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(-EFAULT, uring_comes_out(&self->ring[1], 0, p, MG_AT));
	EXPECT_EQ(0, uring_comes_out(&self->ring[0], 0, p, MG_AT));
	/* For the teardown. */
	self->fd[0] = dup(self->fd[1]);
}

/* The page has left the memfd; its bytes are what they were. */
TEST_F(clone, hole)
{
	char *p = self->map[0] + MG_AT;

	install(_metadata, self, 0, &self->allow);
	register_first(_metadata, self, 0, 1);
	ASSERT_EQ(0, fallocate(self->fd[0],
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			       MG_HUGE_SIZE));
	EXPECT_EQ(0, uring_comes_out(&self->ring[0], 0, p, MG_AT));
	update(_metadata, self, 0, &self->refuse);
	EXPECT_GT(0, uring_clone(&self->ring[1], &self->ring[0]));
	EXPECT_EQ(-EFAULT, uring_comes_out(&self->ring[1], 0, p, MG_AT));
}

TEST_HARNESS_MAIN
