// SPDX-License-Identifier: GPL-2.0-only
/*
 * Installing a policy on a memfd: what it wants, how it fails (every errno of
 * <linux/memgate.h>), what the answers of a policy become, and how several
 * policies on one gate decide together.  Updates and losses are in
 * install_link_test.c, frozen gates in install_frozen_test.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "memgate_util.h"
#include "policy_progs/policy_progs.h"
#include "probe.h"
#include "trace_util.h"

/* Errors ********************************************************************/

FIXTURE(errors)
{
	int fd;
	struct mg_policy answer;	/* has parameters */
	struct mg_policy allow;		/* has none */
};

MG_MEM_VARIANTS(errors);

FIXTURE_SETUP(errors)
{
	memset(&self->answer, 0, sizeof(self->answer));
	memset(&self->allow, 0, sizeof(self->allow));
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->answer, "answer"));
	ASSERT_EQ(0, mg_policy_load(&self->allow, "allow"));
}

FIXTURE_TEARDOWN(errors)
{
	mg_policy_free(&self->answer);
	mg_policy_free(&self->allow);
	close(self->fd);
}

TEST_F(errors, target_not_open)
{
	int path = mg_reopen(self->fd, O_PATH);

	EXPECT_EQ(-EBADF, probe_install(&self->allow, 12345));
	EXPECT_EQ(-EBADF, probe_install(&self->allow, -1));
	ASSERT_LE(0, path);
	EXPECT_EQ(-EBADF, probe_install(&self->allow, path));
	EXPECT_EQ(0, probe_untouched(self->fd));
}

static int some_file(void)
{
	char path[] = "/tmp/no-memfd-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

/* Shared anonymous memory: of shmem as a memfd is, and yet none. */
static int some_shared_memory(void)
{
	char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)map, (unsigned long)map + 4096);
	return open(path, O_RDWR);
}

TEST_F(errors, target_no_memfd)
{
	int pipes[2], shared = some_shared_memory();

	EXPECT_EQ(-EINVAL, probe_install(&self->allow,
					 open("/dev/null", O_RDWR)));
	EXPECT_EQ(-EINVAL, probe_install(&self->allow, some_file()));
	EXPECT_EQ(-EINVAL, probe_install(&self->allow,
					 open("/tmp", O_RDONLY)));
	EXPECT_EQ(-EINVAL, probe_install(&self->allow,
					 open("/dev/zero", O_RDWR)));
	EXPECT_EQ(-EINVAL, probe_install(&self->allow, self->allow.map_fd));
	ASSERT_LE(0, shared);
	EXPECT_EQ(-EINVAL, probe_install(&self->allow, shared));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-EINVAL, probe_install(&self->allow, pipes[1]));
}

TEST_F(errors, map_no_policy)
{
	int array, type = BPF_MAP_TYPE_ARRAY;

	array = bpf_map_create(type, "no_policy", 4, 4, 1, NULL);
	ASSERT_LE(0, array);
	EXPECT_EQ(-EINVAL, probe_install_raw(array, self->fd,
					     BPF_F_STRUCT_OPS_FD, NULL, 0));
	EXPECT_EQ(-EBADF, probe_install_raw(12345, self->fd,
					    BPF_F_STRUCT_OPS_FD, NULL, 0));
	EXPECT_EQ(-EINVAL, probe_install_raw(self->fd, self->fd,
					     BPF_F_STRUCT_OPS_FD, NULL, 0));
	EXPECT_EQ(0, probe_untouched(self->fd));
}

/* A policy that was loaded, but whose map nobody has filled. */
TEST_F(errors, map_not_registered)
{
	struct mg_policy policy;

	ASSERT_EQ(0, mg_policy_load_unregistered(&policy, "allow"));
	EXPECT_EQ(-EINVAL, probe_install(&policy, self->fd));
	EXPECT_EQ(0, probe_untouched(self->fd));
	mg_policy_free(&policy);
}

TEST_F(errors, unknown_flag)
{
	EXPECT_EQ(-EINVAL, probe_install_raw(self->allow.map_fd, self->fd,
					     BPF_F_STRUCT_OPS_FD | 1U << 29,
					     NULL, 0));
	EXPECT_EQ(0, probe_untouched(self->fd));
}

TEST_F(errors, target_read_only)
{
	int fd = mg_reopen(self->fd, O_RDONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, probe_install(&self->allow, fd));
	EXPECT_EQ(0, probe_untouched(self->fd));
	/* nor on a gate that is there */
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(-EPERM, probe_install(&self->allow, fd));
	EXPECT_EQ(0, probe_install(&self->allow, self->fd));
}

/* A page in a pipe is pinned by nobody knows whom. */
TEST_F(errors, pinned)
{
	struct iovec iov = { .iov_len = 4096 };
	int pipes[2];
	char *map;

	map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE,
		     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	iov.iov_base = map;
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(4096, vmsplice(pipes[1], &iov, 1, 0));
	EXPECT_EQ(-EBUSY, probe_install(&self->allow, self->fd));
	EXPECT_EQ(0, probe_untouched(self->fd));
	close(pipes[0]);
	close(pipes[1]);
	EXPECT_EQ(0, probe_install(&self->allow, self->fd));
}

TEST_F(errors, params_wrong_size)
{
	static char zero[MEMGATE_PARAMS_MAX + 1];
	const unsigned int size = self->answer.params_size;
	const unsigned int flag = BPF_F_STRUCT_OPS_FD;
	int map = self->answer.map_fd;

	ASSERT_NE(0, size);
	EXPECT_EQ(-EMSGSIZE, probe_install_raw(map, self->fd, flag, NULL, 0));
	EXPECT_EQ(-EMSGSIZE, probe_install_raw(map, self->fd, flag, zero,
					       size - 1));
	EXPECT_EQ(-EMSGSIZE, probe_install_raw(map, self->fd, flag, zero,
					       size + 1));
	EXPECT_EQ(-EMSGSIZE, probe_install_raw(map, self->fd, flag, zero,
					       MEMGATE_PARAMS_MAX));
	EXPECT_EQ(-EMSGSIZE, probe_install_raw(self->allow.map_fd, self->fd,
					       flag, zero, 1));
	EXPECT_EQ(-E2BIG, probe_install_raw(map, self->fd, flag, zero,
					    MEMGATE_PARAMS_MAX + 1));
	EXPECT_EQ(-E2BIG, probe_install_raw(map, self->fd, flag, zero,
					    UINT_MAX));
	EXPECT_EQ(0, probe_untouched(self->fd));
	EXPECT_EQ(0, probe_install_raw(map, self->fd, flag, zero, size));
}

TEST_F(errors, params_no_memory)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(-EFAULT, probe_install_raw(self->answer.map_fd, self->fd,
					     BPF_F_STRUCT_OPS_FD, page,
					     self->answer.params_size));
	EXPECT_EQ(-EFAULT, probe_install_raw(self->answer.map_fd, self->fd,
					     BPF_F_STRUCT_OPS_FD, NULL,
					     self->answer.params_size));
	EXPECT_EQ(0, probe_untouched(self->fd));
}

TEST_F(errors, too_many)
{
	struct mg_gate gate;
	int i, link;

	for (i = 0; i < MEMGATE_MAX_INSTALLS; i++) {
		link = mg_install(&self->allow, self->fd);
		ASSERT_LE(0, link);
		if (i % 2)	/* a place that was lost is a place */
			close(link);
	}
	EXPECT_EQ(-ENOSPC, probe_install(&self->allow, self->fd));
	EXPECT_EQ(-E2BIG, mg_gate_read(0, self->fd, &gate));
}

/* Good installs *************************************************************/

TEST_F(errors, seals)
{
	struct mg_gate gate;

	ASSERT_EQ(0, probe_untouched(self->fd));
	ASSERT_LE(0, mg_install(&self->allow, self->fd));
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(self->fd, F_GET_SEALS) & F_SEAL_ACCESS);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(1, gate.nr_policies);
	EXPECT_EQ(0, gate.frozen);
	EXPECT_EQ(0, gate.nr_consumers);
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
}

/* A link without the flag keeps the policy loaded and does nothing else. */
TEST_F(errors, without_flag)
{
	int link;

	link = mg_install_raw(self->allow.map_fd, self->fd, 0, NULL, 0);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, probe_untouched(self->fd));
	link = mg_install_raw(self->allow.map_fd, 0, 0, NULL, 0);
	ASSERT_LE(0, link);
}

/* The number 0 is a descriptor like any other. */
TEST_F(errors, descriptor_0)
{
	ASSERT_EQ(0, dup2(self->fd, 0));
	ASSERT_LE(0, mg_install(&self->allow, 0));
	EXPECT_EQ(F_SEAL_ACCESS, fcntl(self->fd, F_GET_SEALS) & F_SEAL_ACCESS);
	ASSERT_EQ(0, close(0));
	EXPECT_EQ(-EBADF, probe_install(&self->allow, 0));
}

/* The gate is of the inode: whoever opens it anew meets it. */
TEST_F(errors, other_descriptors)
{
	int fd = mg_reopen(self->fd, O_RDWR), old = dup(self->fd);
	struct mg_gate gate[2];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_param(&self->answer, "map_answer", -EPERM));
	ASSERT_LE(0, mg_install(&self->answer, fd));
	EXPECT_EQ(-EPERM, probe_map(self->fd));
	EXPECT_EQ(-EPERM, probe_map(old));
	EXPECT_EQ(-EPERM, probe_map(mg_reopen(self->fd, O_RDONLY)));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate[0]));
	ASSERT_EQ(0, mg_gate_read(0, fd, &gate[1]));
	EXPECT_EQ(gate[0].id, gate[1].id);
}

/* One policy, two memfds, each with its own parameters. */
TEST_F(errors, two_gates)
{
	int other = mg_memfd(variant->mem, MG_HUGE_SIZE);
	struct mg_gate gate[2];

	ASSERT_LE(0, other);
	ASSERT_EQ(0, mg_param(&self->answer, "map_answer", -EPERM));
	ASSERT_LE(0, mg_install(&self->answer, self->fd));
	ASSERT_EQ(0, mg_param(&self->answer, "map_answer", 0));
	ASSERT_EQ(0, mg_param(&self->answer, "attach_answer", -ENOENT));
	ASSERT_LE(0, mg_install(&self->answer, other));

	EXPECT_EQ(-EPERM, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	EXPECT_EQ(0, probe_map(other));
	EXPECT_EQ(-ENOENT, probe_read(other));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate[0]));
	ASSERT_EQ(0, mg_gate_read(0, other, &gate[1]));
	EXPECT_NE(gate[0].id, gate[1].id);
	EXPECT_EQ(gate[0].policy[0].map, gate[1].policy[0].map);
	EXPECT_NE(gate[0].policy[0].link, gate[1].policy[0].link);
}

/* Loading is the administrator's, installing everybody's on his own memfd. */
static int unprivileged_install(const struct mg_policy *policy,
				enum mg_mem mem)
{
	int fd;

	if (mg_drop_privileges())
		return -errno;
	fd = mg_memfd(mem, MG_HUGE_SIZE);
	if (fd < 0)
		return -errno;
	if (mg_install(policy, fd) < 0)
		return -errno;
	return probe_map(fd) == -EPERM && !probe_read(fd) ? 0 : -EPROTO;
}

TEST_F(errors, unprivileged)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, mg_param(&self->answer, "map_answer", -EPERM));
	pid = fork();
	if (!pid)
		_exit(-unprivileged_install(&self->answer, variant->mem));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

/* What an answer becomes ****************************************************/

FIXTURE(clamp)
{
	int fd;
	struct mg_policy policy;
};

FIXTURE_VARIANT(clamp)
{
	int says, becomes;
};

#define CLAMP(name, answer, result)					\
	FIXTURE_VARIANT_ADD(clamp, name) { .says = answer, .becomes = result }

CLAMP(allow, 0, 0);
CLAMP(eperm, -EPERM, -EPERM);
CLAMP(enoent, -ENOENT, -ENOENT);
CLAMP(eio, -EIO, -EIO);
CLAMP(exdev, -EXDEV, -EXDEV);
CLAMP(positive_1, 1, -EACCES);
CLAMP(positive_4096, 4096, -EACCES);
CLAMP(int_max, INT_MAX, -EACCES);
CLAMP(int_min, INT_MIN, -EACCES);
CLAMP(minus_4095, -4095, -EACCES);
CLAMP(minus_4096, -4096, -EACCES);
CLAMP(eagain, -EAGAIN, -EACCES);
CLAMP(eintr, -EINTR, -EACCES);
CLAMP(ebusy, -EBUSY, -EACCES);
CLAMP(enomem, -ENOMEM, -EACCES);
CLAMP(ehwpoison, -EHWPOISON, -EACCES);
/* The kernel's own, which no system call may return. */
CLAMP(erestartsys, -512, -EACCES);
CLAMP(eiocbqueued, -529, -EACCES);
CLAMP(erestart_restartblock, -516, -EACCES);

FIXTURE_SETUP(clamp)
{
	self->fd = mg_memfd(MG_4K, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->policy, "answer"));
}

FIXTURE_TEARDOWN(clamp)
{
	mg_policy_free(&self->policy);
	close(self->fd);
}

TEST_F(clamp, map)
{
	ASSERT_EQ(0, mg_param(&self->policy, "map_answer", variant->says));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	EXPECT_EQ(variant->becomes, probe_map(self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
}

TEST_F(clamp, attach)
{
	ASSERT_EQ(0, mg_param(&self->policy, "attach_answer", variant->says));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	EXPECT_EQ(variant->becomes, probe_read(self->fd));
	EXPECT_EQ(0, probe_map(self->fd));
}

/* Several policies **********************************************************/

FIXTURE(stack)
{
	int fd;
	struct mg_policy map, access, trace;
};

FIXTURE_SETUP(stack)
{
	memset(&self->trace, 0, sizeof(self->trace));
	self->fd = mg_memfd(MG_4K, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
	ASSERT_EQ(0, mg_policy_load(&self->access, "answer_access"));
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
}

FIXTURE_TEARDOWN(stack)
{
	mg_policy_free(&self->map);
	mg_policy_free(&self->access);
	mg_policy_free(&self->trace);
	close(self->fd);
}

#define INSTALL_MAP(answer) do {					\
	ASSERT_EQ(0, mg_param(&self->map, "map_answer", answer));	\
	ASSERT_LE(0, mg_install(&self->map, self->fd));			\
} while (0)

TEST_F(stack, undecided_is_closed)
{
	struct mg_gate gate;

	INSTALL_MAP(0);
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_EQ(-EACCES, probe_read(self->fd));
	ASSERT_LE(0, mg_install(&self->access, self->fd));
	EXPECT_EQ(0, probe_read(self->fd));
	EXPECT_EQ(0, probe_map(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(2, gate.nr_policies);
	EXPECT_EQ(gate.policy[0].classes | gate.policy[1].classes,
		  gate.classes);
	EXPECT_STREQ("answer_map", gate.policy[0].name);
	EXPECT_STREQ("answer_access", gate.policy[1].name);
}

TEST_F(stack, all_must_allow)
{
	INSTALL_MAP(0);
	EXPECT_EQ(0, probe_map(self->fd));
	INSTALL_MAP(0);
	EXPECT_EQ(0, probe_map(self->fd));
	INSTALL_MAP(-EPERM);
	EXPECT_EQ(-EPERM, probe_map(self->fd));
	INSTALL_MAP(0);
	EXPECT_EQ(-EPERM, probe_map(self->fd));
}

TEST_F(stack, first_refusal_is_the_answer)
{
	INSTALL_MAP(0);
	INSTALL_MAP(-ENOENT);
	INSTALL_MAP(-EPERM);
	EXPECT_EQ(-ENOENT, probe_map(self->fd));
}

TEST_F(stack, not_asked_after_a_refusal)
{
	INSTALL_MAP(-ENOENT);
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	EXPECT_EQ(-ENOENT, probe_map(self->fd));
	EXPECT_EQ(0, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));
	/* but of what the first does not decide */
	EXPECT_EQ(0, probe_read(self->fd));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   MEMGATE_FILE, NULL));
}

TEST_F(stack, asked_in_order)
{
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	INSTALL_MAP(-ENOENT);
	EXPECT_EQ(-ENOENT, probe_map(self->fd));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));
}

/* The same policy twice: two places, each with its own parameters. */
TEST_F(stack, same_policy_twice)
{
	ASSERT_EQ(0, mg_param(&self->trace, "allow_rights", MEMGATE_READ));
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	ASSERT_EQ(0, mg_param(&self->trace, "allow_rights", 0));
	ASSERT_EQ(0, mg_param(&self->trace, "map_answer", -ENOENT));
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	EXPECT_EQ(-ENOENT, probe_map(self->fd));
	EXPECT_EQ(2, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_HUGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(3, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));
}

TEST_HARNESS_MAIN
