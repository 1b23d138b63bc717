// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gated memory by system calls alone, as Documentation/userspace-api/
 * memgate.rst shows it.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "memgate_util.h"

/* The manual shows this, so errors are left to the test, which sees them. */
static int gated_memory(size_t size, int policy, const void *params,
			unsigned int params_len, int *link)
{
	union bpf_attr attr;
	int fd;

	fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ftruncate(fd, size);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_ACCESS);
	/* closed: nobody can do anything with it, the caller included */

	memset(&attr, 0, sizeof(attr));
	attr.link_create.attach_type = BPF_STRUCT_OPS;
	attr.link_create.flags = BPF_F_STRUCT_OPS_FD;
	attr.link_create.map_fd = policy;	/* BPF_OBJ_GET of its pin */
	attr.link_create.target_fd = fd;
	attr.link_create.iter_info = (uintptr_t)params;
	attr.link_create.iter_info_len = params_len;
	*link = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL);	/* and that is final */
	/* now the descriptor can be given to others */
	return fd;
}

static int try_map(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, size);
	return 0;
}

TEST(allowed)
{
	struct mg_policy allow = { 0 };
	int fd, link;

	ASSERT_EQ(0, mg_policy_load(&allow, "allow"));
	fd = gated_memory(4096, allow.map_fd, NULL, 0, &link);
	EXPECT_LE(0, link);
	EXPECT_EQ(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_ACCESS | F_SEAL_SEAL,
		  fcntl(fd, F_GET_SEALS));
	EXPECT_EQ(0, try_map(fd, 4096));
	/* Final: also without its link. */
	close(link);
	EXPECT_EQ(0, try_map(fd, 4096));
	close(fd);
	mg_policy_free(&allow);
}

TEST(closed_without_a_policy)
{
	int fd, link;

	fd = gated_memory(4096, -1, NULL, 0, &link);
	EXPECT_EQ(-1, link);
	EXPECT_EQ(-EACCES, try_map(fd, 4096));
	close(fd);
}

TEST_HARNESS_MAIN
