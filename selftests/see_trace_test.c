// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoint memgate_decision, for every kind of access that leaves
 * nothing behind: each question, with its answer, once and in order.
 */
#include <stdio.h>

#include "kselftest_harness.h"
#include "see_scene.h"
#include "see_access.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer");
	mg_policy_preload("deny");
}

FIXTURE(trace)
{
	struct see_scene scene;
};

MG_MEM_VARIANTS(trace);

FIXTURE_SETUP(trace)
{
	see_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(trace)
{
	see_scene_down(&self->scene);
}

/* Does it all; each is asked once with that answer of that policy. */
static void do_all(SELF, enum mg_mem mem, const char *policy, int ret,
		   const char *state)
{
	struct see_event named = { 0 };

	snprintf(named.policy, sizeof(named.policy), "%s", policy);

#define EXPECT_ALL(its_class, its_op, its_rights, from, bytes) do {	\
	EXPECT_EVENT(.class = its_class, .op = its_op,			\
		     .rights = its_rights, .start = from, .len = bytes,	\
		     .ret = ret);					\
	memcpy(s->expected.event[s->expected.nr - 1].policy,	\
	       named.policy, sizeof(named.policy));			\
} while (0)

	EXPECT_EQ(ret, do_mmap(s));
	EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_MMAP, R, MG_HUGE_SIZE, MG_HUGE_SIZE);
	if (!ret) {
		/* What the mapping may become. */
		EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_MPROTECT, R | W,
			   MG_HUGE_SIZE, MG_HUGE_SIZE);
		EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_MPROTECT, R | X,
			   MG_HUGE_SIZE, MG_HUGE_SIZE);
	}
	EXPECT_EQ(ret, do_fork(s));
	EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_FORK, R | W, 0, LEN);
	EXPECT_EQ(ret, do_mprotect(s));
	EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_MPROTECT, R | W, 0, LEN);
	if (mem != MG_HUGETLB) {
		EXPECT_EQ(ret, do_mremap(s));
		EXPECT_ALL(MEMGATE_MAP, MEMGATE_OP_MREMAP, R, 0, LEN);
	}
	see_expect(_metadata, s, state);

	EXPECT_EQ(ret, do_read(s));
	EXPECT_ALL(MEMGATE_FILE, 0, R, OFF, 64);
	if (mem != MG_HUGETLB) {
		EXPECT_EQ(ret, do_write(s));
		EXPECT_ALL(MEMGATE_FILE, 0, W, OFF, 64);
	}
	EXPECT_EQ(ret, do_fallocate(s));
	EXPECT_ALL(MEMGATE_FILE, 0, W, MG_HUGE_SIZE, MG_HUGE_SIZE);
	see_expect(_metadata, s, state);

	/* Callers of GUP are told EACCES, the event says what the policy did */
	EXPECT_EQ(ret ? -EACCES : 0, do_pin(s));
	EXPECT_ALL(MEMGATE_OWN_PIN, 0, R, OFF, PAGE);
	EXPECT_EQ(ret ? -EACCES : 0, do_longterm(s));
	EXPECT_ALL(MEMGATE_OWN_LONGTERM, 0, R | W, OFF, PAGE);
	EXPECT_EQ(ret ? -EACCES : 0, do_remote(s));
	EXPECT_ALL(MEMGATE_REMOTE, 0, R, OFF, PAGE);
	s->expected.event[s->expected.nr - 1].pid = s->peer.pid;
	EXPECT_EQ(ret ? -EACCES : 0, do_udmabuf(s));
	EXPECT_ALL(MEMGATE_DMABUF, 0, R | W, 0, MG_HUGE_SIZE);
	s->expected.event[s->expected.nr - 1].consumer = SEE_SOMEBODY;
	see_expect(_metadata, s, state);
#undef EXPECT_ALL
}

/* States of a gate **********************************************************/

TEST_F(trace, ungated)
{
	struct see_scene *s = &self->scene;
	EXPECT_EQ(0, do_mmap(s));
	EXPECT_EQ(0, do_fork(s));
	EXPECT_EQ(0, do_mprotect(s));
	if (variant->mem != MG_HUGETLB) {
		EXPECT_EQ(0, do_mremap(s));
		EXPECT_EQ(0, do_write(s));
	}
	EXPECT_EQ(0, do_read(s));
	EXPECT_EQ(0, do_fallocate(s));
	EXPECT_EQ(0, do_pin(s));
	EXPECT_EQ(0, do_longterm(s));
	EXPECT_EQ(0, do_remote(s));
	EXPECT_EQ(0, do_udmabuf(s));
	see_expect(_metadata, s, "no gate");
	/* Nor is anybody asked about the seal, or about other memory. */
	see_seal(_metadata, s);
	see_expect(_metadata, s, "while it is sealed");
	EXPECT_EQ(-EACCES, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "", -EACCES);
	see_expect(_metadata, s, "sealed");
}

TEST_F(trace, closed_by_default)
{
	struct see_scene *s = &self->scene;
	see_seal(_metadata, s);
	do_all(_metadata, s, variant->mem, "", -EACCES, "sealed");
	ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SEAL));
	do_all(_metadata, s, variant->mem, "", -EACCES, "frozen");
}

TEST_F(trace, allowed)
{
	struct see_scene *s = &self->scene;
	int link = see_install(_metadata, s, 0, "answer");

	do_all(_metadata, s, variant->mem, "answer", 0, "allowed");
	ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SEAL));
	close(link);
	/* The policy stays, without its link. */
	do_all(_metadata, s, variant->mem, "answer", 0, "kept");
}

TEST_F(trace, refused)
{
	struct see_scene *s = &self->scene;
	int link = see_install(_metadata, s, 0, "deny");

	do_all(_metadata, s, variant->mem, "deny", -EACCES, "denied");
	close(link);
	/* It is the lost one that refuses. */
	do_all(_metadata, s, variant->mem, "deny", -EACCES, "lost");
}

TEST_HARNESS_MAIN
