// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link of an install: update, loss, and the death of the memfd
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "kselftest_harness.h"
#include "memgate_util.h"
#include "policy_progs/policy_progs.h"
#include "probe.h"
#include "trace_util.h"

#define PIN	"/sys/fs/bpf/memgate-install-link-test"

FIXTURE(link)
{
	int fd;
	struct mg_policy allow, deny, map;
};

MG_MEM_VARIANTS(link);

FIXTURE_SETUP(link)
{
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->allow, "allow"));
	ASSERT_EQ(0, mg_policy_load(&self->deny, "deny"));
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
}

FIXTURE_TEARDOWN(link)
{
	mg_policy_free(&self->allow);
	mg_policy_free(&self->deny);
	mg_policy_free(&self->map);
	close(self->fd);
	unlink(PIN);
}

static int link_info(int link, struct bpf_link_info *info)
{
	__u32 len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_link_get_info_by_fd(link, info, &len);
}

/* Update ********************************************************************/

TEST_F(link, updated)
{
	int link = mg_install(&self->allow, self->fd);
	struct mg_gate before, after;

	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_map(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &before));
	ASSERT_EQ(0, mg_link_update(link, self->deny.map_fd));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &after));
	EXPECT_EQ(1, after.nr_policies);
	EXPECT_STREQ("deny", after.policy[0].name);
	EXPECT_STREQ("live", after.policy[0].state);
	EXPECT_EQ(before.policy[0].link, after.policy[0].link);
	EXPECT_NE(before.policy[0].map, after.policy[0].map);
	ASSERT_EQ(0, mg_link_update(link, self->allow.map_fd));
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
}

/* An update may decide other classes; those that it drops are closed. */
TEST_F(link, updated_classes)
{
	int array, link = mg_install(&self->allow, self->fd);
	struct mg_policy access, answer;

	ASSERT_LE(0, link);
	/* the parameters stay, so they must fit */
	EXPECT_EQ(-1, mg_link_update(link, self->map.map_fd));
	EXPECT_EQ(EMSGSIZE, errno);
	array = bpf_map_create(BPF_MAP_TYPE_ARRAY, "no_policy", 4, 4, 1, NULL);
	ASSERT_LE(0, array);
	EXPECT_EQ(-1, mg_link_update(link, array));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, probe_map(self->fd));
	close(link);

	close(self->fd);
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&access, "answer_access"));
	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	link = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_link_update(link, access.map_fd));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	ASSERT_EQ(0, mg_link_update(link, answer.map_fd));
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	mg_policy_free(&access);
	mg_policy_free(&answer);
}

/* The parameters of the install are those of the policy that comes. */
TEST_F(link, updated_keeps_params)
{
	struct mg_policy answer;
	int link;

	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	ASSERT_EQ(0, mg_param(&self->map, "map_answer", -EXDEV));
	link = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(-EXDEV, probe_map(self->fd));
	ASSERT_EQ(0, mg_link_update(link, answer.map_fd));
	EXPECT_EQ(-EXDEV, probe_map(self->fd));
	mg_policy_free(&answer);
}

/* Who asks while an update is made gets the old answer or the new one. */
struct asker {
	int fd, expected;
	atomic_bool stop;
	atomic_long asked, wrong;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;

	while (!asker->stop) {
		if (probe_map(asker->fd) != asker->expected)
			asker->wrong++;
		asker->asked++;
	}
	return NULL;
}

/* Updates back and forth between two policies that answer alike. */
static void expect_constant(struct __test_metadata *const _metadata, int fd,
			    const char *name, int expected)
{
	struct asker asker = { .fd = fd, .expected = expected };
	struct mg_policy policy[2];
	pthread_t thread;
	int i, link;

	ASSERT_EQ(0, mg_policy_load(&policy[0], name));
	ASSERT_EQ(0, mg_policy_load(&policy[1], name));
	link = mg_install(&policy[0], fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask, &asker));
	while (!asker.asked)
		usleep(1000);
	for (i = 1; i <= 200; i++)
		EXPECT_EQ(0, mg_link_update(link, policy[i % 2].map_fd));
	asker.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(1, asker.asked);
	EXPECT_EQ(0, asker.wrong);
	close(link);
	mg_policy_free(&policy[0]);
	mg_policy_free(&policy[1]);
}

TEST_F(link, updated_without_a_closed_moment)
{
	expect_constant(_metadata, self->fd, "allow", 0);
}

TEST_F(link, updated_without_an_open_moment)
{
	expect_constant(_metadata, self->fd, "deny", -EACCES);
}

/* Loss **********************************************************************/

/* Closed for good what the lost policy decided; the rest can be opened. */
static void expect_lost(struct __test_metadata *const _metadata, int fd,
			const struct mg_policy *allow)
{
	struct mg_gate gate;

	EXPECT_EQ(-EACCES, probe_map(fd));
	ASSERT_EQ(0, mg_gate_read(0, fd, &gate));
	ASSERT_EQ(1, gate.nr_policies);
	EXPECT_STREQ("answer_map", gate.policy[0].name);
	EXPECT_STREQ("closed", gate.policy[0].state);
	EXPECT_EQ(0, gate.policy[0].map);
	EXPECT_EQ(0, gate.policy[0].link);
	EXPECT_EQ(MEMGATE_CLASS(MEMGATE_MAP), gate.policy[0].classes);

	EXPECT_EQ(-EACCES, probe_read(fd));
	ASSERT_LE(0, mg_install(allow, fd));
	EXPECT_EQ(-EACCES, probe_map(fd));
	EXPECT_EQ(0, probe_read(fd));
}

TEST_F(link, closed)
{
	int link = mg_install(&self->map, self->fd);

	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_map(self->fd));
	close(link);
	expect_lost(_metadata, self->fd, &self->allow);
}

TEST_F(link, detached)
{
	int link = mg_install(&self->map, self->fd);

	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_map(self->fd));
	ASSERT_EQ(0, mg_link_detach(link));
	expect_lost(_metadata, self->fd, &self->allow);
	EXPECT_EQ(-1, mg_link_update(link, self->map.map_fd));
	EXPECT_EQ(ENOLINK, errno);
	mg_link_detach(link);
	close(link);
	EXPECT_EQ(-EACCES, probe_map(self->fd));
}

TEST_F(link, pinned)
{
	int link = mg_install(&self->map, self->fd);

	ASSERT_LE(0, link);
	ASSERT_EQ(0, bpf_obj_pin(link, PIN));
	close(link);
	EXPECT_EQ(0, probe_map(self->fd));
	link = bpf_obj_get(PIN);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, unlink(PIN));
	EXPECT_EQ(0, probe_map(self->fd));
	close(link);
	expect_lost(_metadata, self->fd, &self->allow);
}

/* The link is what keeps a policy: it needs no other descriptor of it. */
TEST_F(link, keeps_the_policy)
{
	int link = mg_install(&self->map, self->fd);

	ASSERT_LE(0, link);
	mg_policy_free(&self->map);
	EXPECT_EQ(0, probe_map(self->fd));
	close(link);
	EXPECT_EQ(-EACCES, probe_map(self->fd));
}

/* What others say does not reopen it, nor does it harm what they decide. */
TEST_F(link, lost_among_others)
{
	int first, second;

	first = mg_install(&self->map, self->fd);
	second = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	EXPECT_EQ(0, probe_map(self->fd));
	close(first);
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	ASSERT_EQ(0, mg_link_update(second, self->deny.map_fd));
	ASSERT_EQ(0, mg_link_update(second, self->allow.map_fd));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
}

/* Death of the memfd ********************************************************/

static bool hung_up(int link)
{
	struct pollfd wait = { .fd = link, .events = POLLIN };

	return poll(&wait, 1, 3000) == 1 && wait.revents & POLLHUP;
}

TEST_F(link, told_when_the_memfd_dies)
{
	int link = mg_install(&self->allow, self->fd), other;
	struct pollfd now = { .fd = link };
	struct bpf_link_info info;

	ASSERT_LE(0, link);
	ASSERT_EQ(0, link_info(link, &info));
	EXPECT_EQ(BPF_LINK_TYPE_STRUCT_OPS, info.type);
	EXPECT_NE(0, info.struct_ops.map_id);
	EXPECT_NE(0, info.struct_ops.target_id);
	EXPECT_EQ(0, poll(&now, 1, 100));

	/* The last descriptor, not the first. */
	other = dup(self->fd);
	close(self->fd);
	EXPECT_EQ(0, poll(&now, 1, 100));
	close(other);
	EXPECT_TRUE(hung_up(link));
	ASSERT_EQ(0, link_info(link, &info));
	EXPECT_EQ(0, info.struct_ops.map_id);
	EXPECT_EQ(0, info.struct_ops.target_id);
	EXPECT_EQ(-1, mg_link_update(link, self->deny.map_fd));
	EXPECT_EQ(ENOLINK, errno);
	self->fd = -1;
	close(link);
}

/* A mapping, not a descriptor, is the last that holds it. */
TEST_F(link, told_when_the_mapping_dies)
{
	int link = mg_install(&self->allow, self->fd);
	struct pollfd now = { .fd = link };
	char *map;

	ASSERT_LE(0, link);
	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE, PROT_READ,
		     MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, poll(&now, 1, 100));
	EXPECT_TRUE(mg_matches(map, 0, MG_HUGE_SIZE));
	ASSERT_EQ(0, munmap(map, MG_HUGE_SIZE));
	EXPECT_TRUE(hung_up(link));
	close(link);
}

/* Neither a link nor a policy keeps the memory of a dead memfd. */
TEST_F(link, keeps_no_memory)
{
	const size_t len = 16 * MG_HUGE_SIZE;
	long before, with;
	int link;

	before = probe_used_kb();
	close(self->fd);
	self->fd = mg_memfd(variant->mem, len);
	ASSERT_LE(0, self->fd);
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	with = probe_used_kb();
	EXPECT_LE(before + (long)len / 2048, with);
	close(self->fd);
	self->fd = -1;
	EXPECT_TRUE(probe_back_to(before));
	EXPECT_TRUE(hung_up(link));
	close(link);
}

TEST_F(link, released_tells)
{
	struct mg_policy trace;
	struct trace_event event;
	struct mg_gate gate;
	int link;

	ASSERT_EQ(0, mg_policy_load(&trace, "trace"));
	link = mg_install(&trace, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(0, mg_trace_find(&trace, TRACE_RELEASED, ~0U, NULL));
	close(self->fd);
	self->fd = -1;
	ASSERT_TRUE(hung_up(link));
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_RELEASED, ~0U, &event));
	EXPECT_EQ(gate.id, event.gate);
	close(link);
	EXPECT_EQ(1, mg_trace_find(&trace, TRACE_RELEASED, ~0U, NULL));
	mg_policy_free(&trace);
}

TEST_HARNESS_MAIN
