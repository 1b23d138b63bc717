// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which policies the kernel takes: bad ones are refused when they are loaded
 * or registered, each for its own reason; the reach of memgate's kfuncs
 */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "memgate_util.h"
#include "policy_progs/policy_progs.h"

/* What must be refused ******************************************************/

FIXTURE(bad)
{
	struct mg_policy policy;
};

FIXTURE_VARIANT(bad)
{
	const char *name;
	int err;
	const char *says;	/* by the verifier; NULL: registration fails */
};

#define BAD(variant, object, error, text)				\
	FIXTURE_VARIANT_ADD(bad, variant) {				\
		.name = "bad_" object, .err = error, .says = text,	\
	}

BAD(sleepable, "sleepable", -EOPNOTSUPP,
	"may_map of struct memgate_ops cannot be a sleepable program");
BAD(license, "license", -EINVAL, "GPL compatible license");
BAD(kfunc_in_tcp, "kfunc_tcp", -EACCES,
	"calling kernel function bpf_memgate_id is not allowed");
BAD(kfunc_in_fentry, "kfunc_fentry", -EACCES,
	"calling kernel function bpf_memgate_id is not allowed");
BAD(params_unchecked, "params_unchecked", -EACCES, "rdonly_mem_or_null");
BAD(params_beyond, "params_beyond", -EACCES, "invalid access to memory");
BAD(params_variable, "params_variable", -EINVAL, "R2 is not a const");
BAD(params_write, "params_write", -EACCES, "cannot write into rdonly_mem");
BAD(null_device, "null_device", -EACCES, "trusted_ptr_or_null_");
BAD(task_leak, "task_leak", -EINVAL, "Unreleased reference");
BAD(write, "write", -EACCES, "memgate_consumer");
BAD(class, "class", -EINVAL, NULL);
BAD(decides_nothing, "decides_nothing", -EINVAL, NULL);
BAD(no_may_attach, "no_may_attach", -EINVAL, NULL);
BAD(no_may_map, "no_may_map", -EINVAL, NULL);
BAD(name_empty, "name_empty", -EINVAL, NULL);
BAD(name_long, "name_long", -EINVAL, NULL);
BAD(name_space, "name_space", -EINVAL, NULL);
BAD(params_size, "params_size", -E2BIG, NULL);

FIXTURE_SETUP(bad)
{
	memset(&self->policy, 0, sizeof(self->policy));
}

FIXTURE_TEARDOWN(bad)
{
	mg_policy_free(&self->policy);
}

/*
 * That the refusal is for the reason meant: the errno, and the text if there
 * is one.  A policy that only fails to register has passed the verifier.
 */
TEST_F(bad, refused)
{
	int err = mg_policy_load(&self->policy, variant->name);

	ASSERT_EQ(variant->err, err) {
		TH_LOG("%s", self->policy.log);
	}
	if (variant->says) {
		ASSERT_NE(NULL, strstr(self->policy.log, variant->says)) {
			TH_LOG("not said: %s\n%s", variant->says,
			       self->policy.log);
		}
	} else {
		ASSERT_LE(0, self->policy.map_fd);
	}
}

/* What must be taken ********************************************************/

FIXTURE(good)
{
	struct mg_policy policy;
	int fd;
};

FIXTURE_VARIANT(good)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(good, allow) { "allow" };
FIXTURE_VARIANT_ADD(good, deny) { "deny" };
FIXTURE_VARIANT_ADD(good, exclusive_kvm) { "exclusive_kvm" };
FIXTURE_VARIANT_ADD(good, owner) { "owner" };
FIXTURE_VARIANT_ADD(good, trusted_devices) { "trusted_devices" };
FIXTURE_VARIANT_ADD(good, confidential) { "confidential" };
FIXTURE_VARIANT_ADD(good, two_vms_one_cgroup) { "two_vms_one_cgroup" };
FIXTURE_VARIANT_ADD(good, one_vendor) { "one_vendor" };
FIXTURE_VARIANT_ADD(good, one_container) { "one_container" };
FIXTURE_VARIANT_ADD(good, snapshot) { "snapshot" };
FIXTURE_VARIANT_ADD(good, answer) { "answer" };
FIXTURE_VARIANT_ADD(good, trace) { "trace" };
FIXTURE_VARIANT_ADD(good, slow) { "slow" };
FIXTURE_VARIANT_ADD(good, params_max) { "params_max" };

FIXTURE_SETUP(good)
{
	self->fd = mg_memfd_empty(MG_4K, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->policy, variant->name)) {
		TH_LOG("%s", self->policy.log);
	}
}

FIXTURE_TEARDOWN(good)
{
	mg_policy_free(&self->policy);
	close(self->fd);
}

TEST_F(good, installed_and_shown)
{
	struct mg_gate gate;

	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	ASSERT_EQ(1, gate.nr_policies);
	EXPECT_STREQ(variant->name, gate.policy[0].name);
	EXPECT_STREQ("live", gate.policy[0].state);
	EXPECT_NE(0, gate.policy[0].map);
	EXPECT_NE(0, gate.policy[0].link);
	EXPECT_NE(0, gate.policy[0].classes);
	EXPECT_EQ(gate.classes, gate.policy[0].classes);
}

/* Parameters ****************************************************************/

FIXTURE(params)
{
	struct mg_policy policy;
	int fd;
};

FIXTURE_SETUP(params)
{
	memset(&self->policy, 0, sizeof(self->policy));
	self->fd = mg_memfd_empty(MG_4K, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(params)
{
	mg_policy_free(&self->policy);
	close(self->fd);
}

/* The policies of these tests answer to an mmap(). */
static int try_map(int fd)
{
	void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, 4096);
	return 0;
}

TEST_F(params, all_of_4096_bytes)
{
	ASSERT_EQ(0, mg_policy_load(&self->policy, "params_max"));
	ASSERT_EQ(4096, self->policy.params_size);
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(-EACCES, try_map(self->fd));

	close(self->fd);
	self->fd = mg_memfd_empty(MG_4K, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	self->policy.params[0] = 0x5a;
	self->policy.params[4095] = 0x5a;
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(0, try_map(self->fd));
	/* They were copied: the caller's are its own again. */
	memset(self->policy.params, 0, 4096);
	ASSERT_EQ(0, try_map(self->fd));
}

TEST_F(params, more_than_there_are)
{
	ASSERT_EQ(0, mg_policy_load(&self->policy, "params_short"));
	self->policy.params_size = 8;
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(-ENODATA, try_map(self->fd));
}

TEST_F(params, by_field_name)
{
	ASSERT_EQ(0, mg_policy_load(&self->policy, "params_types"));
	ASSERT_EQ(0, mg_param(&self->policy, "u8", 200));
	ASSERT_EQ(0, mg_param(&self->policy, "s16", -300));
	ASSERT_EQ(0, mg_param(&self->policy, "u32", 4000000000));
	ASSERT_EQ(0, mg_param(&self->policy, "s64", -5000000000));
	ASSERT_EQ(0, mg_param(&self->policy, "flag", 1));
	ASSERT_EQ(0, mg_param(&self->policy, "colour", 7));
	ASSERT_EQ(0, mg_param(&self->policy, "text", 0x6f6c6c6568));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(0, try_map(self->fd));
}

TEST_HARNESS_MAIN
