// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policies that memgate brings along: that each says what the text at
 * its top says.  This is owner for one party, and the manual's example; the
 * rest of it is in owner_test.c, the others in kvm_policy_test.c,
 * trusted_test.c and confidential_test.c.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "probe.h"

#define CGROUP		"/sys/fs/cgroup/memgate-policy-test"
#define SUBGROUP	CGROUP "/sub"
#define OTHER_CGROUP	"/sys/fs/cgroup/memgate-policy-test-2"

FIXTURE(owner)
{
	int fd;
	struct mg_policy policy;
	struct mg_peer peer;
};

MG_MEM_VARIANTS(owner);

FIXTURE_SETUP(owner)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->policy, "owner")) {
		TH_LOG("%s", self->policy.log);
	}
}

static void leave_cgroups(pid_t peer)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", peer);
	mg_write_file("/sys/fs/cgroup/cgroup.procs", pid);
	mg_write_file("/sys/fs/cgroup/cgroup.procs", "0");
	rmdir(SUBGROUP);
	rmdir(CGROUP);
	rmdir(OTHER_CGROUP);
}

FIXTURE_TEARDOWN(owner)
{
	leave_cgroups(self->peer.pid);
	mg_peer_stop(&self->peer);
	mg_policy_free(&self->policy);
	close(self->fd);
}

/* 0 if all of MAP and FILE are open, -EACCES if all are closed. */
static long all_of_it(int fd, long arg)
{
	int map = probe_map(fd), file = probe_read(fd);

	return map == file ? map : -EPROTO;
}

static long become_nobody(int fd, long arg)
{
	return mg_drop_privileges() ? -errno : 0;
}

#define OWNER_IS(field, value)						\
	ASSERT_EQ(0, mg_param(&self->policy, field, value))
#define INSTALL_OWNER() ASSERT_LE(0, mg_install(&self->policy, self->fd))
#define MINE()		all_of_it(self->fd, 0)
#define PEERS()		mg_peer_call(&self->peer, all_of_it, self->fd, 0)

/* Field 22 of /proc/self/stat. */
static long long start_time(void)
{
	unsigned long long start = 0;
	char buf[1024], *p;
	FILE *f = fopen("/proc/self/stat", "re");
	int n;

	if (f && fgets(buf, sizeof(buf), f)) {
		/* behind the name, which may have blanks: field 2 */
		p = strrchr(buf, ')');
		for (n = 2; p && n < 22; n++)
			p = strchr(p + 1, ' ');
		if (p)
			start = strtoull(p, NULL, 10);
	}
	if (f)
		fclose(f);
	return start;
}

TEST_F(owner, ungated)
{
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(0, PEERS());
}

TEST_F(owner, nobody_named)
{
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_EQ(-EACCES, PEERS());
}

TEST_F(owner, two_named)
{
	OWNER_IS("tgid", getpid());
	OWNER_IS("by_uid", 1);
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_EQ(-EACCES, PEERS());
}

TEST_F(owner, process)
{
	OWNER_IS("tgid", getpid());
	INSTALL_OWNER();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(-EACCES, PEERS());
}

TEST_F(owner, process_by_start)
{
	ASSERT_LT(0, start_time());
	OWNER_IS("tgid", getpid());
	OWNER_IS("start", start_time());
	INSTALL_OWNER();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(-EACCES, PEERS());
}

/* Another process with the same number, at another time. */
TEST_F(owner, process_by_other_start)
{
	OWNER_IS("tgid", getpid());
	OWNER_IS("start", start_time() + 1);
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
}

TEST_F(owner, start_without_process)
{
	OWNER_IS("by_uid", 1);
	OWNER_IS("start", start_time());
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
}

/* A fork is somebody else, and does not get the mapping. */
TEST_F(owner, child)
{
	char *map, seen;
	int status;
	pid_t pid;

	OWNER_IS("tgid", getpid());
	INSTALL_OWNER();
	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE, PROT_READ,
		     MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	pid = fork();
	if (!pid) {
		if (all_of_it(self->fd, 0) != -EACCES)
			_exit(1);
		/* EFAULT: there is nothing at that address. */
		if (!access(map, F_OK) || errno != EFAULT)
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	memcpy(&seen, map, 1);
	EXPECT_TRUE(mg_matches(&seen, 0, 1));
}

TEST_F(owner, user)
{
	OWNER_IS("by_uid", 1);
	OWNER_IS("uid", 0);
	INSTALL_OWNER();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(0, PEERS());
	ASSERT_EQ(0, mg_peer_call(&self->peer, become_nobody, -1, 0));
	EXPECT_EQ(-EACCES, PEERS());
}

TEST_F(owner, other_user)
{
	OWNER_IS("by_uid", 1);
	OWNER_IS("uid", 65534);
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_EQ(-EACCES, PEERS());
	ASSERT_EQ(0, mg_peer_call(&self->peer, become_nobody, -1, 0));
	EXPECT_EQ(0, PEERS());
}

TEST_F(owner, user_without_by_uid)
{
	OWNER_IS("uid", 65534);
	INSTALL_OWNER();
	ASSERT_EQ(0, mg_peer_call(&self->peer, become_nobody, -1, 0));
	EXPECT_EQ(-EACCES, PEERS());
	EXPECT_EQ(-EACCES, MINE());
}

/* Makes a cgroup and returns its number, or 0. */
static long long new_cgroup(const char *path)
{
	struct stat st;

	if ((mkdir(path, 0755) && errno != EEXIST) || stat(path, &st))
		return 0;
	return st.st_ino;
}

static int enter(const char *cgroup, pid_t who)
{
	char path[128], pid[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(pid, sizeof(pid), "%d", who);
	return mg_write_file(path, pid);
}

TEST_F(owner, cgroup)
{
	OWNER_IS("cgroup", new_cgroup(CGROUP));
	ASSERT_NE(0, new_cgroup(SUBGROUP));
	ASSERT_NE(0, new_cgroup(OTHER_CGROUP));
	INSTALL_OWNER();
	EXPECT_EQ(-EACCES, MINE());
	ASSERT_EQ(0, enter(CGROUP, self->peer.pid));
	EXPECT_EQ(0, PEERS());
	EXPECT_EQ(-EACCES, MINE());
	ASSERT_EQ(0, enter(SUBGROUP, self->peer.pid));
	EXPECT_EQ(0, PEERS());
	ASSERT_EQ(0, enter(OTHER_CGROUP, self->peer.pid));
	EXPECT_EQ(-EACCES, PEERS());
}

TEST_F(owner, cgroup_gone)
{
	long long cgroup = new_cgroup(CGROUP);

	ASSERT_NE(0, cgroup);
	OWNER_IS("cgroup", cgroup);
	INSTALL_OWNER();
	ASSERT_EQ(0, enter(CGROUP, getpid()));
	EXPECT_EQ(0, MINE());
	leave_cgroups(self->peer.pid);
	EXPECT_EQ(-EACCES, MINE());
	/* nor one that comes by the same name */
	ASSERT_NE(0, new_cgroup(CGROUP));
	ASSERT_EQ(0, enter(CGROUP, getpid()));
	EXPECT_EQ(-EACCES, MINE());
}

/* What owner does not decide is closed. */
TEST_F(owner, no_kvm)
{
	struct guest guest;
	char *map;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	OWNER_IS("tgid", getpid());
	INSTALL_OWNER();
	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE,
		     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, guest_open(&guest, 1, 0));
	EXPECT_EQ(-EACCES, guest_memslot(&guest, 1, GUEST_GPA, map,
					 MG_HUGE_SIZE, 0));
	guest_close(&guest);
}

/* exclusive_kvm *************************************************************/

/* A bool that is neither true nor false is no parameter to go on with. */
TEST_F(owner, sticky_is_malformed)
{
	struct mg_policy kvm;
	struct guest guest;
	int other = mg_memfd(variant->mem, MG_HUGE_SIZE), sticky;
	char *map;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_LE(0, other);
	ASSERT_EQ(0, mg_policy_load(&kvm, "exclusive_kvm"));
	for (sticky = 1; sticky <= 2; sticky++) {
		int fd = sticky == 1 ? other : self->fd;

		map = mg_map(variant->mem, fd, MG_HUGE_SIZE,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		ASSERT_NE(MAP_FAILED, map);
		ASSERT_EQ(0, mg_param(&kvm, "sticky", sticky));
		ASSERT_LE(0, mg_install(&kvm, fd));
		ASSERT_EQ(0, guest_open(&guest, 1, 0));
		EXPECT_EQ(sticky == 1 ? 0 : -EACCES,
			  guest_memslot(&guest, 1, GUEST_GPA, map,
					MG_HUGE_SIZE, 0));
		guest_close(&guest);
	}
	mg_policy_free(&kvm);
	close(other);
}

/* The manual's example ******************************************************/

TEST_F(owner, example_two_vms)
{
	enum { VMS = 4 };
	int i, expected[VMS] = { 0, 0, -EACCES, -EACCES };
	struct mg_policy example;
	struct guest guest[VMS];
	char *map;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_policy_load(&example, "two_vms_one_cgroup"));
	ASSERT_EQ(0, mg_param(&example, "cgroup", new_cgroup(CGROUP)));
	ASSERT_EQ(0, enter(CGROUP, getpid()));
	ASSERT_LE(0, mg_install(&example, self->fd));
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	EXPECT_EQ(-EACCES, PEERS());
	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE,
		     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	for (i = 0; i < VMS; i++) {
		ASSERT_EQ(0, guest_open(&guest[i], 1, 0));
		EXPECT_EQ(expected[i], guest_memslot(&guest[i], 1, GUEST_GPA,
						     map, MG_HUGE_SIZE, 0));
	}
	guest_close(&guest[0]);
	EXPECT_EQ(0, guest_memslot(&guest[2], 1, GUEST_GPA, map, MG_HUGE_SIZE,
				   0));
	EXPECT_EQ(-EACCES, guest_memslot(&guest[3], 1, GUEST_GPA, map,
					 MG_HUGE_SIZE, 0));
	for (i = 0; i < VMS; i++)
		guest_close(&guest[i]);
	mg_policy_free(&example);
}

TEST_F(owner, example_max_vms)
{
	struct mg_policy example;
	struct guest guest[2];
	char *map;
	int i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE,
		     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_policy_load(&example, "two_vms_one_cgroup"));
	ASSERT_EQ(0, mg_param(&example, "max_vms", 1));
	ASSERT_LE(0, mg_install(&example, self->fd));
	/* no cgroup named: nobody maps */
	EXPECT_EQ(-EACCES, probe_map(self->fd));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_open(&guest[i], 1, 0));
		EXPECT_EQ(i ? -EACCES : 0, guest_memslot(&guest[i], 1,
							 GUEST_GPA, map,
							 MG_HUGE_SIZE, 0));
	}
	for (i = 0; i < 2; i++)
		guest_close(&guest[i]);
	mg_policy_free(&example);
}

TEST_HARNESS_MAIN
