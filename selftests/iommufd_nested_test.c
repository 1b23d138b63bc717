// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd: a device whose page table is nested in a page table of an IOAS
 * reaches what the IOAS has.  No IOMMU that QEMU 7.2 emulates can do that, so
 * these are the mock devices of CONFIG_IOMMUFD_TEST, which move no bytes.
 *
 * Linux 6.12 finds no driver for them where there is an IOMMU of Intel's: the
 * kernel wants intel_iommu=off.
 */
#include <linux/iommufd.h>
#include <sys/ioctl.h>

#include <drivers/iommu/iommufd/iommufd_test.h>

#include "kselftest_harness.h"
#include "edu_world.h"

static int test_ioctl(int iommufd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(iommufd, IOMMU_TEST_CMD, cmd) < 0 ? -errno : 0;
}

FIXTURE(mocks) {
	struct edu_world w;
};

FIXTURE_SETUP(mocks)
{
	memset(&self->w, 0, sizeof(self->w));
	if (!access("/sys/class/iommu/dmar0", F_OK))
		SKIP(return, "mock devices want intel_iommu=off");
	edu_world_memory(_metadata, &self->w, MG_THP);
}

FIXTURE_TEARDOWN(mocks)
{
	edu_world_down(&self->w);
}

/* A mock device that is attached to @ioas. */
struct mock {
	__u32 dev, id;
};

static int open_mock(struct edu_world *w, int ioas, struct mock *mock)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas,
	};
	int err = test_ioctl(w->iommufd, &cmd);

	mock->dev = cmd.mock_domain.out_stdev_id;
	mock->id = cmd.mock_domain.out_idev_id;
	return err;
}

static int move_mock(struct edu_world *w, const struct mock *mock, int hwpt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = mock->dev,
		.mock_domain_replace = { .pt_id = hwpt },
	};

	return test_ioctl(w->iommufd, &cmd);
}

static int new_hwpt(struct edu_world *w, const struct mock *mock, int parent,
		    bool nested)
{
	struct iommu_hwpt_selftest data = { .iotlb = 1 };
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = mock->id,
		.pt_id = parent,
		.flags = nested ? 0 : IOMMU_HWPT_ALLOC_NEST_PARENT,
		.data_type = nested ? IOMMU_HWPT_DATA_SELFTEST : 0,
		.data_len = nested ? sizeof(data) : 0,
		.data_uptr = nested ? (uintptr_t)&data : 0,
	};

	if (ioctl(w->iommufd, IOMMU_HWPT_ALLOC, &alloc) < 0)
		return -errno;
	return alloc.out_hwpt_id;
}

/* The page table has the memory, page by page (compares what is mapped). */
static int has_memory(struct edu_world *w, int hwpt)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_MD_CHECK_MAP,
		.id = hwpt,
		.check_map = {
			.iova = EDU_IOVA,
			.length = EDU_LEN,
			.uptr = (uintptr_t)w->map,
		},
	};

	return test_ioctl(w->iommufd, &cmd);
}

/*
 * Of two mock devices the first has an IOAS with the memory, and the second
 * one is moved to a table that is nested in a table of that IOAS.
 */
struct nest {
	struct mock mock[2];
	int ioas[2], parent, nested;
};

static int nest_up(struct edu_world *w, struct nest *n)
{
	int err, i;

	w->iommufd = iommufd_open();
	for (i = 0; i < 2; i++) {
		n->ioas[i] = iommufd_ioas(w->iommufd);
		err = open_mock(w, n->ioas[i], &n->mock[i]);
		if (err)
			return err;
	}
	err = iommufd_map(w->iommufd, n->ioas[0], w->map, EDU_IOVA, EDU_LEN,
			  EDU_RW);
	if (err)
		return err;
	n->parent = new_hwpt(w, &n->mock[0], n->ioas[0], false);
	if (n->parent < 0)
		return n->parent;
	n->nested = new_hwpt(w, &n->mock[1], n->parent, true);
	return n->nested < 0 ? n->nested : 0;
}

#define MOCK_NAME(i)	((i) ? "iommufd_mock1" : "iommufd_mock0")

static int trust_mocks(struct edu_world *w, int nr)
{
	struct answer_dev_params *params;
	struct mg_policy policy;

	if (mg_policy_load(&policy, "answer_dev"))
		return -ENOENT;
	params = (void *)policy.params;
	strcpy(params->name, MOCK_NAME(0));
	if (nr > 1)
		strcpy(params->name_2, MOCK_NAME(1));
	return edu_install(w, &policy);
}

TEST_F(mocks, nested)
{
	struct edu_world *w = &self->w;
	struct mg_policy allow;
	struct nest n;
	long pins;

	ASSERT_EQ(0, nest_up(w, &n));
	ASSERT_EQ(0, has_memory(w, n.parent));
	ASSERT_EQ(0, move_mock(w, &n.mock[1], n.nested));
	edu_world_down(w);

	/* The check of the pages is a pin of the test's own. */
	edu_world_memory(_metadata, w, MG_THP);
	ASSERT_EQ(0, mg_policy_load(&allow, "allow"));
	ASSERT_EQ(0, edu_install(w, &allow));
	ASSERT_EQ(0, nest_up(w, &n));
	ASSERT_EQ(0, has_memory(w, n.parent));
	edu_world_down(w);

	edu_world_memory(_metadata, w, MG_THP);
	ASSERT_EQ(0, trust_mocks(w, 2));
	ASSERT_EQ(0, nest_up(w, &n));
	ASSERT_EQ(0, move_mock(w, &n.mock[1], n.nested));
	EXPECT_EQ(1, edu_lines(w, "memgate-device:", MOCK_NAME(1)));
	ASSERT_EQ(0, move_mock(w, &n.mock[1], n.ioas[1]));
	EXPECT_EQ(0, edu_lines(w, "memgate-device:", MOCK_NAME(1)));
	edu_world_down(w);

	edu_world_memory(_metadata, w, MG_THP);
	ASSERT_EQ(0, trust_mocks(w, 1));
	ASSERT_EQ(0, nest_up(w, &n));
	pins = edu_pins();
	EXPECT_EQ(-EPERM, move_mock(w, &n.mock[1], n.nested));
	EXPECT_EQ(-EPERM, move_mock(w, &n.mock[1], n.parent));
	EXPECT_EQ(-EPERM, move_mock(w, &n.mock[1], n.ioas[0]));
	EXPECT_EQ(0, edu_lines(w, "memgate-device:", MOCK_NAME(1)));
	EXPECT_EQ(1, edu_lines(w, "memgate-device:", MOCK_NAME(0)));
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_TRUE(edu_no_more_pins(pins));
	/* it is where it was: that IOAS cannot go */
	EXPECT_EQ(-EBUSY, iommufd_destroy(w->iommufd, n.ioas[1]));
}

TEST_HARNESS_MAIN
