// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy owner, all of it that policy_test.c leaves: what it decides,
 * parties of every kind, several of them, their rights, and parameters that
 * make no sense.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "may.h"
#include "param_util.h"

FIXTURE(owner)
{
	int fd;
	struct mg_policy policy;
	struct mg_peer peer;
};

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("owner");
}

#define MINE()	what_may(self->fd, 0)
#define PEERS()	mg_peer_call(&self->peer, what_may, self->fd, 0)
#define INSTALL() ASSERT_LE(0, mg_install(&self->policy, self->fd))
#define OWNER_IS(field, value)						\
	ASSERT_EQ(0, mg_param(&self->policy, field, value))
#define PARTY(nr, field, value)						\
	ASSERT_EQ(0, mg_param_at(&self->policy, "party", nr, field, value))

FIXTURE_SETUP(owner)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_memfd(MG_4K, MAY_LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->policy, "owner")) {
		TH_LOG("%s", self->policy.log);
	}
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(0, mg_peer_call(&self->peer, may_hold, self->fd, 0));
	ASSERT_EQ(MAY_ALL, MINE());
	ASSERT_EQ(MAY_ALL, PEERS());
}

FIXTURE_TEARDOWN(owner)
{
	mg_peer_stop(&self->peer);
	mg_policy_free(&self->policy);
	close(self->fd);
}

/* One party ******************************************************************/

TEST_F(owner, all_that_it_decides)
{
	OWNER_IS("tgid", getpid());
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	EXPECT_EQ(0, PEERS());
}

static long join_group(int fd, long gid)
{
	return setresgid(gid, gid, gid) ? -errno : 0;
}

TEST_F(owner, group)
{
	OWNER_IS("by_gid", 1);
	OWNER_IS("gid", 65534);
	INSTALL();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(0, PEERS());
	ASSERT_EQ(0, mg_peer_call(&self->peer, join_group, -1, 65534));
	EXPECT_EQ(MAY_ALL, PEERS());
}

TEST_F(owner, group_zero)
{
	OWNER_IS("by_gid", 1);
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	ASSERT_EQ(0, mg_peer_call(&self->peer, join_group, -1, 65534));
	EXPECT_EQ(0, PEERS());
}

/* A program ******************************************************************/

#define CAT	"/bin/cat"

/* Runs cat on the memfd: 0, -EACCES, or what else went wrong. */
static int run_cat(int fd)
{
	char buf[MAY_PAGE];
	int p[2], status;
	ssize_t n;
	pid_t pid;

	lseek(fd, 0, SEEK_SET);
	if (pipe2(p, O_CLOEXEC))
		return -EIO;
	pid = fork();
	if (!pid) {
		dup2(fd, 0);
		dup2(p[1], 1);
		dup2(open("/dev/null", O_WRONLY), 2);
		execl(CAT, "cat", NULL);
		_exit(127);
	}
	close(p[1]);
	n = read(p[0], buf, MAY_PAGE);
	close(p[0]);
	if (waitpid(pid, &status, 0) != pid)
		return -EIO;
	if (!n && WIFEXITED(status) && WEXITSTATUS(status) == 1)
		return -EACCES;
	return n == MAY_PAGE && mg_matches(buf, 0, MAY_PAGE) ? 0 : -EBADMSG;
}

static __u64 kernel_dev(dev_t dev)
{
	return (__u64)major(dev) << 20 | minor(dev);
}

TEST_F(owner, program)
{
	struct stat st;

	ASSERT_EQ(0, stat(CAT, &st));
	ASSERT_EQ(0, run_cat(self->fd));
	OWNER_IS("exe_ino", st.st_ino);
	OWNER_IS("exe_dev", kernel_dev(st.st_dev));
	INSTALL();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(0, PEERS());
	EXPECT_EQ(0, run_cat(self->fd));
}

TEST_F(owner, program_of_other_device)
{
	struct stat st;

	ASSERT_EQ(0, stat(CAT, &st));
	OWNER_IS("exe_ino", st.st_ino);
	OWNER_IS("exe_dev", kernel_dev(st.st_dev) + 1);
	INSTALL();
	EXPECT_EQ(-EACCES, run_cat(self->fd));
}

TEST_F(owner, program_is_not_this)
{
	struct stat st;

	ASSERT_EQ(0, stat("/proc/self/exe", &st));
	OWNER_IS("exe_ino", st.st_ino);
	OWNER_IS("exe_dev", kernel_dev(st.st_dev));
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	EXPECT_EQ(MAY_ALL, PEERS());
	EXPECT_EQ(-EACCES, run_cat(self->fd));
}

TEST_F(owner, program_of_process)
{
	struct stat st;

	ASSERT_EQ(0, stat("/proc/self/exe", &st));
	OWNER_IS("tgid", getpid());
	OWNER_IS("exe_ino", st.st_ino);
	OWNER_IS("exe_dev", kernel_dev(st.st_dev));
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	EXPECT_EQ(0, PEERS());
}

TEST_F(owner, process_of_other_program)
{
	struct stat st;

	ASSERT_EQ(0, stat(CAT, &st));
	OWNER_IS("tgid", getpid());
	OWNER_IS("exe_ino", st.st_ino);
	OWNER_IS("exe_dev", kernel_dev(st.st_dev));
	INSTALL();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(-EACCES, run_cat(self->fd));
}

/* Several parties and their rights *******************************************/

TEST_F(owner, two_parties)
{
	OWNER_IS("tgid", getpid());
	PARTY(7, "tgid", self->peer.pid);
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	EXPECT_EQ(MAY_ALL, PEERS());
	EXPECT_EQ(-EACCES, run_cat(self->fd));
}

TEST_F(owner, no_first_party)
{
	PARTY(0, "tgid", self->peer.pid);
	PARTY(2, "by_uid", 1);
	PARTY(2, "uid", 1);
	INSTALL();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(MAY_ALL, PEERS());
}

TEST_F(owner, read_only)
{
	OWNER_IS("tgid", getpid());
	PARTY(0, "tgid", self->peer.pid);
	PARTY(0, "read_only", 1);
	INSTALL();
	EXPECT_EQ(MAY_ALL, MINE());
	EXPECT_EQ(MAY_LOOK, PEERS());
}

/* A mapping for reading does not widen. */
static long widen(int fd, long prot)
{
	char *map = mmap(NULL, MAY_LEN, PROT_READ, MAP_SHARED, fd, 0);
	long ret;

	if (map == MAP_FAILED)
		return -EIO;
	ret = mprotect(map, MAY_LEN, PROT_READ | prot) ? -errno : 0;
	munmap(map, MAY_LEN);
	return ret;
}

TEST_F(owner, read_only_stays)
{
	ASSERT_EQ(0, mg_peer_call(&self->peer, widen, self->fd, PROT_WRITE));
	ASSERT_EQ(0, mg_peer_call(&self->peer, widen, self->fd, PROT_EXEC));
	PARTY(0, "tgid", self->peer.pid);
	PARTY(0, "read_only", 1);
	INSTALL();
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, widen, self->fd,
					PROT_WRITE));
	EXPECT_EQ(-EACCES, mg_peer_call(&self->peer, widen, self->fd,
					PROT_EXEC));
	EXPECT_EQ(0, mg_peer_call(&self->peer, widen, self->fd, 0));
}

/* Who is two parties has what either of them has. */
TEST_F(owner, rights_of_both)
{
	PARTY(0, "tgid", getpid());
	PARTY(0, "read_only", 1);
	PARTY(1, "by_uid", 1);
	PARTY(1, "classes", MEMGATE_CLASS(MEMGATE_FILE));
	INSTALL();
	EXPECT_EQ(MAY_LOOK | MAY_WRITE, MINE());
	EXPECT_EQ(MAY_READ | MAY_WRITE, PEERS());
}

TEST_F(owner, classes)
{
	PARTY(0, "tgid", self->peer.pid);
	PARTY(0, "classes", MEMGATE_CLASS(MEMGATE_MAP) |
			    MEMGATE_CLASS(MEMGATE_IO_URING));
	PARTY(1, "tgid", getpid());
	PARTY(1, "classes", MEMGATE_CLASS(MEMGATE_VHOST) |
			    MEMGATE_CLASS(MEMGATE_OWN_PIN));
	INSTALL();
	EXPECT_EQ(MAY_PIN | MAY_VHOST, MINE());
	EXPECT_EQ(MAY_MAP_READ | MAY_MAP_WRITE | MAY_RING, PEERS());
}

/* Whose ring it is ***********************************************************/

static long make_ring(int fd, long arg)
{
	struct io_uring_params params = { 0 };

	return syscall(__NR_io_uring_setup, 1, &params);
}

/* The peer's ring, here. */
static int take_ring(struct mg_peer *peer)
{
	int pidfd = syscall(__NR_pidfd_open, peer->pid, 0), ring;
	long theirs = mg_peer_call(peer, make_ring, -1, 0);

	ring = syscall(__NR_pidfd_getfd, pidfd, (int)theirs, 0);
	close(pidfd);
	return ring;
}

TEST_F(owner, owner_on_strange_ring)
{
	int ring = take_ring(&self->peer);

	ASSERT_LE(0, ring);
	ASSERT_EQ(0, may_register(ring));
	ASSERT_EQ(0, syscall(__NR_io_uring_register, ring,
			     IORING_UNREGISTER_BUFFERS, NULL, 0));
	OWNER_IS("tgid", getpid());
	INSTALL();
	EXPECT_EQ(-EACCES, may_register(ring));
	EXPECT_EQ(MAY_ALL, MINE());
}

TEST_F(owner, stranger_on_owners_ring)
{
	int ring = take_ring(&self->peer);

	ASSERT_LE(0, ring);
	OWNER_IS("tgid", self->peer.pid);
	INSTALL();
	EXPECT_EQ(0, MINE());
	EXPECT_EQ(0, may_register(ring));
}

/* Parameters that make no sense **********************************************/

struct field {
	const char *name;
	__u64 value;
};

FIXTURE(senseless)
{
	int fd;
	struct mg_policy policy;
};

FIXTURE_VARIANT(senseless)
{
	struct field field[2];
	bool fine;
};

/* That the others are refused is not for the way in which they are said. */
FIXTURE_VARIANT_ADD(senseless, nothing) { .fine = true };
FIXTURE_VARIANT_ADD(senseless, somebody_else) {
	{ { "by_uid", 1 }, { "uid", 1 } }, .fine = true
};
FIXTURE_VARIANT_ADD(senseless, start) { { { "start", 5 } } };
FIXTURE_VARIANT_ADD(senseless, start_of_user) {
	{ { "start", 5 }, { "by_uid", 1 } }
};
FIXTURE_VARIANT_ADD(senseless, uid) { { { "uid", 5 } } };
FIXTURE_VARIANT_ADD(senseless, uid_of_group) {
	{ { "uid", 5 }, { "by_gid", 1 } }
};
FIXTURE_VARIANT_ADD(senseless, gid) { { { "gid", 5 } } };
FIXTURE_VARIANT_ADD(senseless, exe_dev) { { { "exe_dev", 5 } } };
FIXTURE_VARIANT_ADD(senseless, rights_of_nobody) { { { "read_only", 1 } } };
FIXTURE_VARIANT_ADD(senseless, classes_of_nobody) {
	{ { "classes", MEMGATE_CLASS(MEMGATE_MAP) } }
};
FIXTURE_VARIANT_ADD(senseless, class_of_others) {
	{ { "by_uid", 1 }, { "classes", MEMGATE_CLASS(MEMGATE_KVM) } }
};
FIXTURE_VARIANT_ADD(senseless, neither_true_nor_false) {
	{ { "by_uid", 1 }, { "read_only", 2 } }
};
FIXTURE_VARIANT_ADD(senseless, user_neither_true_nor_false) {
	{ { "by_uid", 2 } }
};
FIXTURE_VARIANT_ADD(senseless, process_and_user) {
	{ { "tgid", 5 }, { "by_uid", 1 } }
};
FIXTURE_VARIANT_ADD(senseless, process_and_group) {
	{ { "tgid", 5 }, { "by_gid", 1 } }
};
FIXTURE_VARIANT_ADD(senseless, process_and_cgroup) {
	{ { "tgid", 5 }, { "cgroup", 1 } }
};
FIXTURE_VARIANT_ADD(senseless, user_and_group) {
	{ { "by_uid", 1 }, { "by_gid", 1 } }
};

FIXTURE_SETUP(senseless)
{
	self->fd = mg_memfd(MG_4K, MAY_LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->policy, "owner"));
	ASSERT_EQ(0, may_hold(self->fd, 0));
	ASSERT_EQ(MAY_ALL, MINE());
}

FIXTURE_TEARDOWN(senseless)
{
	mg_policy_free(&self->policy);
	close(self->fd);
}

TEST_F(senseless, beside_an_owner)
{
	const struct field *f;

	OWNER_IS("tgid", getpid());
	for (f = variant->field; f < variant->field + 2 && f->name; f++)
		PARTY(3, f->name, f->value);
	INSTALL();
	EXPECT_EQ(variant->fine ? MAY_ALL : 0, MINE());
}

TEST_F(senseless, alone)
{
	const struct field *f;

	PARTY(3, "tgid", getpid());
	for (f = variant->field; f < variant->field + 2 && f->name; f++)
		OWNER_IS(f->name, f->value);
	INSTALL();
	EXPECT_EQ(variant->fine ? MAY_ALL : 0, MINE());
}

TEST_HARNESS_MAIN
