// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy confidential: the VMM loads the guest, then a VM runs and the
 * memory is closed to everybody but it and its devices.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "may.h"
#include "param_util.h"
#include "probe.h"
#include "take.h"

/* What the VMM has while it loads, and what it has left when a VM ran. */
#define LOADING	(MAY_MAP_READ | MAY_MAP_WRITE | MAY_READ | MAY_WRITE | MAY_PIN)
#define RUNNING	MAY_PIN

FIXTURE(confidential)
{
	int fd;
	struct mg_policy policy;
	struct mg_peer peer;
	struct guest guest[2];
};

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("confidential");
}

#define MINE()	what_may(self->fd, 0)
#define PEERS()	mg_peer_call(&self->peer, what_may, self->fd, 0)
#define SET(field, value)						\
	ASSERT_EQ(0, mg_param(&self->policy, field, value))
#define INSTALL() ASSERT_LE(0, mg_install(&self->policy, self->fd))
/* VM @nr gets the memory. */
#define START(nr)							\
	guest_memslot(&self->guest[nr], 1, GUEST_GPA, may_held, MAY_LEN, 0)

/*
 * The peer has a mapping that is older than the gate, and could do all; the
 * test maps the memory when it has a gate.
 */
FIXTURE_SETUP(confidential)
{
	int i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_memfd(MG_4K, MAY_LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SHRINK));
	ASSERT_EQ(0, mg_policy_load(&self->policy, "confidential")) {
		TH_LOG("%s", self->policy.log);
	}
	ASSERT_EQ(0, mg_peer_call(&self->peer, may_hold, self->fd, 0));
	ASSERT_EQ(MAY_ALL, PEERS());
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(MAY_ALL, MINE());
	munmap(may_held, MAY_LEN);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, guest_open(&self->guest[i], 1, 0));
	SET("tgid", getpid());
	SET("premapped", 1);
}

FIXTURE_TEARDOWN(confidential)
{
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	mg_peer_stop(&self->peer);
	mg_policy_free(&self->policy);
	close(self->fd);
}

/* What VM @nr reads at the start of the memory is what belongs there. */
static int guest_sees(struct guest *guest)
{
	uint32_t val = 0;
	int err = guest_read(guest, 0, GUEST_GPA, &val, NULL);

	return err ?: mg_matches(&val, 0, sizeof(val)) ? 0 : -EBADMSG;
}

TEST_F(confidential, loading)
{
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(LOADING, MINE());
	EXPECT_EQ(0, PEERS());
}

TEST_F(confidential, running)
{
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, START(0));
	EXPECT_EQ(0, guest_sees(&self->guest[0]));
	EXPECT_EQ(RUNNING, MINE());
	EXPECT_EQ(0, PEERS());
	/* The mapping that KVM needs stays, for the VMM too. */
	EXPECT_TRUE(mg_matches(may_held, 0, MAY_PAGE));
	EXPECT_EQ(0, guest_sees(&self->guest[0]));
}

TEST_F(confidential, one_vm)
{
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, START(0));
	ASSERT_EQ(0, START(1));
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	ASSERT_EQ(0, guest_open(&self->guest[0], 1, 0));
	ASSERT_EQ(0, guest_open(&self->guest[1], 1, 0));
	SET("premapped", 2);
	INSTALL();
	EXPECT_EQ(0, START(0));
	EXPECT_EQ(-EACCES, START(1));
	EXPECT_EQ(0, guest_sees(&self->guest[0]));
}

/* What a VM left behind is nobody's, but for another VM of the VMM. */
TEST_F(confidential, gone)
{
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, START(0));
	guest_close(&self->guest[0]);
	EXPECT_EQ(RUNNING, MINE());
	EXPECT_EQ(0, PEERS());
	EXPECT_EQ(0, START(1));
	EXPECT_EQ(0, guest_sees(&self->guest[1]));
	EXPECT_EQ(RUNNING, MINE());
}

/* Memory of another guest, which is still to be loaded. */
TEST_F(confidential, two_guests)
{
	int other = mg_memfd(MG_4K, MAY_LEN);

	ASSERT_LE(0, other);
	INSTALL();
	ASSERT_LE(0, mg_install(&self->policy, other));
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, START(0));
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	EXPECT_EQ(0, probe_map(other));
	EXPECT_EQ(0, probe_read(other));
	close(other);
}

TEST_F(confidential, older_mapping)
{
	SET("premapped", 0);
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(LOADING, MINE());
	EXPECT_EQ(-EACCES, START(0));
	/* No VM has run. */
	EXPECT_EQ(LOADING, MINE());
}

static long vm_with_it(int fd, long arg)
{
	struct guest guest;
	int err;

	err = guest_open(&guest, 1, 0) ?:
	      guest_memslot(&guest, 1, GUEST_GPA, may_held, MAY_LEN, 0);
	guest_close(&guest);
	return err;
}

TEST_F(confidential, strange_vm)
{
	ASSERT_EQ(0, mg_peer_call(&self->peer, vm_with_it, -1, 0));
	INSTALL();
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, vm_with_it, -1, 0));
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(LOADING, MINE());
	EXPECT_EQ(0, START(0));
}

/* 0: the child has it mapped; -EFAULT: there is nothing at that address. */
static int child_has(const char *map)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(!access(map, F_OK) || errno != EFAULT ? 0 : EFAULT);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -EIO;
	return -WEXITSTATUS(status);
}

TEST_F(confidential, child)
{
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, child_has(may_held));
	munmap(may_held, MAY_LEN);
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(-EFAULT, child_has(may_held));
	ASSERT_EQ(0, START(0));
	EXPECT_EQ(-EFAULT, child_has(may_held));
}

static long read_remote(int fd, long arg)
{
	char path[64], buf[MAY_PAGE];
	int mem;
	long ret;

	snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	ret = pread(mem, buf, MAY_PAGE, arg) == MAY_PAGE &&
	      mg_matches(buf, 0, MAY_PAGE) ? 0 : -EACCES;
	close(mem);
	return ret;
}

TEST_F(confidential, debugger)
{
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, mg_peer_call(&self->peer, read_remote, -1,
				  (long)may_held));
	munmap(may_held, MAY_LEN);
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, read_remote, -1,
					(long)may_held));
}

/* Who the VMM is *************************************************************/

TEST_F(confidential, nobody_named)
{
	SET("tgid", 0);
	INSTALL();
	EXPECT_EQ(0, PEERS());
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
}

TEST_F(confidential, other_start)
{
	SET("start", 1);
	INSTALL();
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
}

/* Devices ********************************************************************/

static long udmabuf(int fd, long arg)
{
	return take_by_udmabuf(fd);
}

TEST_F(confidential, no_device)
{
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, take_by_vfio(may_held, EDU_A));
	munmap(may_held, MAY_LEN);
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(-EACCES, take_by_vfio(may_held, EDU_A));
}

TEST_F(confidential, trusted_device)
{
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, mg_param_text(&self->policy, "trust", 0,
				   "pci:0000:00:10.0"));
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(0, take_by_vfio(may_held, EDU_A));
	EXPECT_EQ(-EACCES, take_by_vfio(may_held, EDU_B));
	ASSERT_EQ(0, START(0));
	EXPECT_EQ(0, take_by_vfio(may_held, EDU_A));
	EXPECT_EQ(-EACCES, take_by_vfio(may_held, EDU_B));
}

TEST_F(confidential, malformed_rule)
{
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, mg_param_text(&self->policy, "trust", 0, "pci:*"));
	ASSERT_EQ(0, mg_param_text(&self->policy, "trust", 1, "pci"));
	INSTALL();
	ASSERT_EQ(0, may_hold(self->fd, 0));
	EXPECT_EQ(-EACCES, take_by_vfio(may_held, EDU_A));
	EXPECT_NE(0, take_by_udmabuf(self->fd));
}

/* Without a mapping, to whoever has the descriptor. */
TEST_F(confidential, strange_udmabuf)
{
	ASSERT_EQ(0, mg_peer_call(&self->peer, udmabuf, self->fd, 0));
	INSTALL();
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, udmabuf, self->fd, 0));
	EXPECT_EQ(0, take_by_udmabuf(self->fd));
}

TEST_HARNESS_MAIN
