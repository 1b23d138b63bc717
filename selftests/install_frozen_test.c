// SPDX-License-Identifier: GPL-2.0-only
/*
 * F_SEAL_SEAL and the gate: after it nobody changes the policies, and before
 * it came the gate only where the administrator made one
 */
#include <linux/bpf.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "memgate_util.h"
#include "policy_progs/policy_progs.h"
#include "probe.h"

FIXTURE(frozen)
{
	int fd;
	struct mg_policy allow, deny, map;
};

MG_MEM_VARIANTS(frozen);

FIXTURE_SETUP(frozen)
{
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->allow, "allow"));
	ASSERT_EQ(0, mg_policy_load(&self->deny, "deny"));
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
}

FIXTURE_TEARDOWN(frozen)
{
	mg_policy_free(&self->allow);
	mg_policy_free(&self->deny);
	mg_policy_free(&self->map);
	close(self->fd);
}

static int frozen(int fd)
{
	struct mg_gate gate;
	int err = mg_gate_read(0, fd, &gate);

	return err ? err : (int)gate.frozen;
}

/* State of install @nr, as fdinfo shows it. */
static const char *state_of(int fd, int nr)
{
	static struct mg_gate gate;

	if (mg_gate_read(0, fd, &gate) || nr >= gate.nr_policies)
		return "none";
	return gate.policy[nr].state;
}

/* Runs fn(arg, fd) as user nobody; what it returned, 0 or -errno. */
static int as_nobody(int (*fn)(const struct mg_policy *, int),
		     const struct mg_policy *policy, int fd)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (mg_drop_privileges())
			_exit(255);
		_exit(-fn(policy, fd));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EPROTO;
	return -WEXITSTATUS(status);
}

static int freeze(const struct mg_policy *policy, int fd)
{
	return mg_add_seals(fd, F_SEAL_SEAL) ? -errno : 0;
}

/* A frozen gate *************************************************************/

TEST_F(frozen, keeps_the_policy)
{
	int link;

	ASSERT_EQ(0, mg_param(&self->map, "allow_rights", MEMGATE_READ));
	link = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, frozen(self->fd));
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(1, frozen(self->fd));
	EXPECT_STREQ("live", state_of(self->fd, 0));
	EXPECT_EQ(0, probe_map(self->fd));

	close(link);
	mg_policy_free(&self->map);
	EXPECT_STREQ("kept", state_of(self->fd, 0));
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_HUGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-EACCES, probe_read(self->fd));
}

TEST_F(frozen, no_update_no_detach)
{
	int link = mg_install(&self->allow, self->fd);

	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-1, mg_link_update(link, self->deny.map_fd));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, probe_map(self->fd));
	/* The link may go, the policy does not. */
	mg_link_detach(link);
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	close(link);
	EXPECT_EQ(0, probe_map(self->fd));
}

TEST_F(frozen, no_install_by_others)
{
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	EXPECT_EQ(0, as_nobody(probe_install, &self->map, self->fd));
	/* which closes MAP, so take a new one */
	close(self->fd);
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-EPERM, as_nobody(probe_install, &self->map, self->fd));
	EXPECT_EQ(-EPERM, as_nobody(probe_install, &self->allow, self->fd));
	EXPECT_EQ(0, probe_map(self->fd));
}

/* The administrator may refuse more, by a policy that stays like the rest. */
TEST_F(frozen, admin_refuses_more)
{
	int link;

	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(0, probe_map(self->fd));
	ASSERT_EQ(0, mg_param(&self->map, "map_answer", -EXDEV));
	link = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(-EXDEV, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	close(link);
	EXPECT_STREQ("kept", state_of(self->fd, 1));
	EXPECT_EQ(-EXDEV, probe_map(self->fd));
}

TEST_F(frozen, admin_opens_nothing)
{
	struct mg_gate gate;
	int link;

	link = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	EXPECT_EQ(0, probe_map(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(MEMGATE_CLASS(MEMGATE_MAP), gate.classes);
}

/* Frozen without any policy: closed for ever. */
TEST_F(frozen, empty)
{
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_ACCESS | F_SEAL_SEAL));
	EXPECT_EQ(1, frozen(self->fd));
	EXPECT_EQ(-EPERM, as_nobody(probe_install, &self->allow, self->fd));
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
}

/* What was lost before stays closed; what was live before is kept. */
TEST_F(frozen, after_a_loss)
{
	int lost = mg_install(&self->map, self->fd);
	int live = mg_install(&self->allow, self->fd);

	ASSERT_LE(0, lost);
	ASSERT_LE(0, live);
	close(lost);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	close(live);
	EXPECT_STREQ("closed", state_of(self->fd, 0));
	EXPECT_STREQ("kept", state_of(self->fd, 1));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
}

/* Without a gate F_SEAL_SEAL is what it always was. */
TEST_F(frozen, ungated)
{
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-EPERM, freeze(NULL, self->fd));
	EXPECT_EQ(-1, mg_seal(self->fd));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
}

/* F_SEAL_SEAL is older than the gate ****************************************/

/* A memfd as some VMMs make it: it had F_SEAL_SEAL from the beginning. */
static int memfd_without_sealing(enum mg_mem mem)
{
	unsigned int flags = MFD_CLOEXEC;
	int fd;

	if (mem == MG_HUGETLB)
		flags |= MFD_HUGETLB | 21U << 26;
	fd = memfd_create("no-sealing", flags);
	if (fd >= 0 && ftruncate(fd, MG_HUGE_SIZE)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void expect_late_gate(struct __test_metadata *const _metadata, int fd,
			     struct mg_policy *map, struct mg_policy *allow)
{
	int link, read_only = mg_reopen(fd, O_RDONLY);

	ASSERT_EQ(0, probe_map(fd));
	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-EPERM, as_nobody(probe_install, allow, fd));
	ASSERT_LE(0, read_only);
	EXPECT_EQ(-EPERM, probe_install(allow, read_only));
	EXPECT_EQ(0, probe_untouched(fd));

	/* The administrator may, and it is as on any other memfd. */
	link = mg_install(map, fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(F_SEAL_ACCESS | F_SEAL_SEAL, fcntl(fd, F_GET_SEALS) &
					       (F_SEAL_ACCESS | F_SEAL_SEAL));
	EXPECT_EQ(0, frozen(fd));
	EXPECT_EQ(0, probe_map(fd));
	EXPECT_EQ(-EACCES, probe_read(fd));
	EXPECT_EQ(-EPERM, as_nobody(probe_install, allow, fd));
	EXPECT_EQ(0, mg_link_update(link, map->map_fd));
	link = mg_install(allow, fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_read(fd));

	/* Frozen by adding the seal once more, and only once. */
	EXPECT_EQ(-EPERM, freeze(NULL, read_only));
	EXPECT_EQ(0, frozen(fd));
	ASSERT_EQ(0, freeze(NULL, fd));
	EXPECT_EQ(1, frozen(fd));
	EXPECT_EQ(-EPERM, freeze(NULL, fd));
	close(link);
	EXPECT_EQ(0, probe_read(fd));
	EXPECT_STREQ("kept", state_of(fd, 1));
}

TEST_F(frozen, gate_after_seal)
{
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	expect_late_gate(_metadata, self->fd, &self->map, &self->allow);
}

TEST_F(frozen, gate_without_sealing)
{
	int fd = memfd_without_sealing(variant->mem);

	ASSERT_LE(0, fd);
	expect_late_gate(_metadata, fd, &self->map, &self->allow);
	close(fd);
}

/* A place that is lost before the gate is frozen is closed. */
TEST_F(frozen, late_gate_lost)
{
	int link;

	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_map(self->fd));
	close(link);
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_STREQ("closed", state_of(self->fd, 0));
}

/* Other seals stay what they were, with a gate and without. */
TEST_F(frozen, no_other_seals_afterwards)
{
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SHRINK));
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_GROW));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_GROW | F_SEAL_SEAL));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, fcntl(self->fd, F_GET_SEALS) & F_SEAL_GROW);
}

TEST_HARNESS_MAIN
