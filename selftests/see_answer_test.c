// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoint memgate_decision: whose answer it tells, and what it tells
 * of consumers that stay.
 */
#include <stdio.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "see_scene.h"
#include "see_access.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer");
	mg_policy_preload("answer_access");
	mg_policy_preload("answer_map");
	mg_policy_preload("answer_kvm");
}

FIXTURE(answer)
{
	struct see_scene scene;
};

FIXTURE_SETUP(answer)
{
	see_scene_up(_metadata, &self->scene, MG_4K);
}

FIXTURE_TEARDOWN(answer)
{
	see_scene_down(&self->scene);
}

/* Of several policies *******************************************************/

/* The policy's own errno, and one that the kernel does not pass on. */
TEST_F(answer, of_one_policy)
{
	struct see_scene *s = &self->scene;
	const int said[] = { -EXDEV, -EAGAIN, 1 };
	const int wanted[] = { -EXDEV, -EACCES, -EACCES };
	int i, link;

	ASSERT_EQ(0, mg_policy_load(&s->policy[0], "answer"));
	for (i = 0; i < (int)ARRAY_SIZE(said); i++) {
		ASSERT_EQ(0, mg_param(&s->policy[0], "map_answer",
				      said[i]));
		ASSERT_EQ(0, mg_param(&s->policy[0], "attach_answer",
				      said[i]));
		link = mg_install(&s->policy[0], s->fd);
		ASSERT_LE(0, link);
		see_learn_gate(_metadata, s);
		EXPECT_EQ(wanted[i], do_mmap(s));
		EXPECT_MAP(MEMGATE_OP_MMAP, R, MG_HUGE_SIZE, MG_HUGE_SIZE,
			   "answer", wanted[i]);
		EXPECT_EQ(wanted[i], do_read(s));
		EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "answer", wanted[i]);
		EXPECT_EQ(-EACCES, do_pin(s));
		EXPECT_ACCESS(MEMGATE_OWN_PIN, R, OFF, PAGE, "answer",
			      wanted[i]);
		see_expect(_metadata, s, "refused");
		/* Another memfd for the next answer. */
		close(link);
		close(s->fd);
		munmap(s->map, LEN);
		s->fd = mg_memfd(MG_4K, LEN);
		s->map = mg_map(MG_4K, s->fd, LEN,
				   PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		ASSERT_NE(MAP_FAILED, s->map);
	}
}

/* The last that allows, or the first that refuses. */
TEST_F(answer, several_policies)
{
	struct see_scene *s = &self->scene;
	int link = see_install(_metadata, s, 0, "answer");

	see_install(_metadata, s, 1, "answer_access");
	EXPECT_EQ(0, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "answer_access", 0);
	EXPECT_EQ(0, do_fork(s));
	EXPECT_MAP(MEMGATE_OP_FORK, R | W, 0, LEN, "answer", 0);
	see_expect(_metadata, s, "two policies");

	close(link);
	EXPECT_EQ(-EACCES, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "answer", -EACCES);
	see_expect(_metadata, s, "the first is lost");
}

TEST_F(answer, second_refuses)
{
	struct see_scene *s = &self->scene;
	int link;

	see_install(_metadata, s, 0, "answer");
	link = see_install(_metadata, s, 1, "deny");
	EXPECT_EQ(-EACCES, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "deny", -EACCES);
	mg_policy_free(&s->policy[0]);
	ASSERT_EQ(0, mg_policy_load(&s->policy[0], "allow"));
	ASSERT_EQ(0, mg_link_update(link, s->policy[0].map_fd));
	EXPECT_EQ(0, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "allow", 0);
	see_expect(_metadata, s, "updated");
}

/* Nobody decides it, as it was not decided when the gate was frozen. */
TEST_F(answer, decided_after_freezing)
{
	struct see_scene *s = &self->scene;
	see_install(_metadata, s, 0, "answer_map");
	ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SEAL));
	see_install(_metadata, s, 1, "answer_access");
	EXPECT_EQ(-EACCES, do_read(s));
	EXPECT_ACCESS(MEMGATE_FILE, R, OFF, 64, "", -EACCES);
	EXPECT_EQ(0, do_mprotect(s));
	EXPECT_MAP(MEMGATE_OP_MPROTECT, R | W, 0, LEN, "answer_map", 0);
	see_expect(_metadata, s, "frozen");
}

/* A mapping that may not be widened: refusals, and the mmap succeeds. */
TEST_F(answer, not_to_be_widened)
{
	struct see_scene *s = &self->scene;
	ASSERT_EQ(0, mg_policy_load(&s->policy[0], "answer"));
	ASSERT_EQ(0, mg_param(&s->policy[0], "allow_rights", R));
	ASSERT_LE(0, mg_install(&s->policy[0], s->fd));
	see_learn_gate(_metadata, s);
	EXPECT_EQ(0, do_mmap(s));
	EXPECT_MAP(MEMGATE_OP_MMAP, R, MG_HUGE_SIZE, MG_HUGE_SIZE, "answer",
		   0);
	EXPECT_MAP(MEMGATE_OP_MPROTECT, R | W, MG_HUGE_SIZE, MG_HUGE_SIZE,
		   "answer", -EACCES);
	EXPECT_MAP(MEMGATE_OP_MPROTECT, R | X, MG_HUGE_SIZE, MG_HUGE_SIZE,
		   "answer", -EACCES);
	see_expect(_metadata, s, "for reading only");
}

/* Consumers that stay *******************************************************/

static int attach(struct guest *guest, char *map, int flags)
{
	return guest_memslot(guest, 1, GUEST_GPA, map, LEN, flags);
}

/* Uses the memory from the guest, also after its page tables are gone. */
static int use(struct see_scene *s, struct guest *guest)
{
	uint32_t val;
	int ret;

	ret = guest_read(guest, 0, GUEST_GPA + OFF, &val, NULL);
	ret = ret ?: guest_write(guest, 0, GUEST_GPA + OFF, val, NULL);
	if (!ret && madvise(s->map, LEN, MADV_DONTNEED))
		ret = -errno;
	return ret ?: guest_read(guest, 0, GUEST_GPA + MG_HUGE_SIZE, &val,
				 NULL);
}

TEST_F(answer, attached)
{
	struct see_scene *s = &self->scene;
	struct guest guest[2] = { 0 };
	struct mg_gate gate;
	int i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	see_install(_metadata, s, 0, "exclusive_kvm");
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, guest_open(&guest[i], 1, 0));
	see_expect(_metadata, s, "VMs without the memory");

	ASSERT_EQ(0, attach(&guest[0], s->map, 0));
	ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
	ASSERT_EQ(1, gate.nr_consumers);
	EXPECT_EVENT(.class = MEMGATE_KVM, .rights = gate.consumer[0].rights,
		     .len = LEN, .consumer = gate.consumer[0].id,
		     .policy = "exclusive_kvm");
	see_expect(_metadata, s, "attached");
	EXPECT_EQ(0, use(s, &guest[0]));
	ASSERT_EQ(0, guest_memslot(&guest[0], 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(0, attach(&guest[0], s->map, 0));
	EXPECT_EQ(0, use(s, &guest[0]));
	see_expect(_metadata, s, "in use");

	/* One that was refused is asked about again. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EACCES, attach(&guest[1], s->map, 0));
		EXPECT_EVENT(.class = MEMGATE_KVM,
			     .rights = gate.consumer[0].rights, .len = LEN,
			     .consumer = gate.consumer[0].id + 1,
			     .policy = "exclusive_kvm", .ret = -EACCES);
	}
	see_expect(_metadata, s, "refused");

	/* The end of an attachment is no decision. */
	guest_close(&guest[0]);
	see_expect(_metadata, s, "gone");
	EXPECT_EQ(0, attach(&guest[1], s->map, 0));
	EXPECT_EVENT(.class = MEMGATE_KVM, .rights = gate.consumer[0].rights,
		     .len = LEN, .consumer = gate.consumer[0].id + 1,
		     .policy = "exclusive_kvm");
	see_expect(_metadata, s, "attached next");
	guest_close(&guest[1]);
}

/* More rights are asked for together with those that it has. */
TEST_F(answer, attached_with_more_rights)
{
	struct see_scene *s = &self->scene;
	struct guest guest = { 0 };
	unsigned int few, all;
	struct mg_gate gate;
	unsigned long long id;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	see_install(_metadata, s, 0, "answer_kvm");
	ASSERT_EQ(0, guest_open(&guest, 1, 0));
	ASSERT_EQ(0, attach(&guest, s->map, KVM_MEM_READONLY));
	ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
	ASSERT_EQ(1, gate.nr_consumers);
	id = gate.consumer[0].id;
	few = gate.consumer[0].rights;
	EXPECT_EVENT(.class = MEMGATE_KVM, .rights = few, .len = LEN,
		     .consumer = id, .policy = "answer_kvm");
	see_expect(_metadata, s, "for reading");

	ASSERT_EQ(0, guest_memslot(&guest, 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(0, attach(&guest, s->map, 0));
	ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
	all = gate.consumer[0].rights;
	EXPECT_EQ(W, all & ~few);
	EXPECT_EVENT(.class = MEMGATE_KVM, .rights = all, .len = LEN,
		     .consumer = id, .policy = "answer_kvm");
	see_expect(_metadata, s, "for writing");
	EXPECT_EQ(0, use(s, &guest));
	see_expect(_metadata, s, "in use");
	guest_close(&guest);
}

/* A VM of another process: its pid, not that of the memfd's owner. */
static long attach_elsewhere(int fd, long mem)
{
	struct guest guest = { 0 };
	char *map;
	long ret;

	map = mg_map(mem, fd, LEN, PROT_READ, MAP_SHARED, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret = guest_open(&guest, 1, 0);
	if (!ret)
		ret = attach(&guest, map, KVM_MEM_READONLY);
	guest_close(&guest);
	munmap(map, LEN);
	return ret;
}

TEST_F(answer, attached_elsewhere)
{
	struct see_scene *s = &self->scene;
	const struct see_event *last;
	int i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	see_install(_metadata, s, 0, "answer_map");
	see_install(_metadata, s, 1, "answer_kvm");
	EXPECT_EQ(0, mg_peer_call(&s->peer, attach_elsewhere, s->fd,
				  MG_4K));
	EXPECT_MAP(MEMGATE_OP_MMAP, R, 0, LEN, "answer_map", 0);
	EXPECT_MAP(MEMGATE_OP_MPROTECT, R | W, 0, LEN, "answer_map", 0);
	EXPECT_MAP(MEMGATE_OP_MPROTECT, R | X, 0, LEN, "answer_map", 0);
	EXPECT_EVENT(.class = MEMGATE_KVM, .len = LEN, .policy = "answer_kvm");
	for (i = 0; i < s->expected.nr; i++)
		s->expected.event[i].pid = s->peer.pid;
	/* Its id and rights are gone with it: they are as the event says. */
	ASSERT_EQ(0, see_watch_collect(&s->watch));
	ASSERT_EQ(4, s->watch.bpf.nr);
	last = &s->watch.bpf.event[3];
	EXPECT_LT(0, last->consumer);
	EXPECT_EQ(R, last->rights & (R | W));
	s->expected.event[3].consumer = last->consumer;
	s->expected.event[3].rights = last->rights;
	see_expect_list(_metadata, s, "BPF", &s->watch.bpf, "elsewhere");
	see_expect_list(_metadata, s, "tracefs", &s->watch.text,
		    "elsewhere");
}

TEST_HARNESS_MAIN
