// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd: class IOMMUFD.  An IOAS is asked about with every device of every
 * iommu_group that is attached to it or to a page table (HWPT) of it, whoever
 * comes first: the memory or the device.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "edu_world.h"
#include "trace_util.h"

static int open_a(struct edu_world *w)
{
	return cdev_open(w, EDU_A);
}

static int use_a(struct edu_world *w)
{
	return cdev_use(w, 0, EDU_A);
}

static int use_b(struct edu_world *w)
{
	return cdev_use(w, 0, EDU_B);
}

static int map(struct edu_world *w)
{
	return cdev_map(w, 0);
}

static int use_a_map(struct edu_world *w)
{
	return use_a(w) ?: map(w);
}

/* A device that was refused works with what is its own, and knows nothing. */
static int knows_nothing(struct edu_world *w, enum edu_nr nr)
{
	if (edu_knows(w, nr))
		return -EBADMSG;
	return edu_scratches(w, nr) ? 0 : -EIO;
}

/* Memory after the device ***************************************************/

static int range_is_free(struct edu_world *w, int i, enum edu_nr nr)
{
	return knows_nothing(w, nr) ?:
	       iommufd_map(w->iommufd, w->ioas[i], w->scratch, EDU_IOVA,
			   EDU_PAGE, EDU_RW) ?:
	       iommufd_unmap(w->iommufd, w->ioas[i], EDU_IOVA, EDU_PAGE) ?:
	       iommufd_map(w->iommufd, w->ioas[i], w->scratch,
			   EDU_IOVA + EDU_LEN - EDU_PAGE, EDU_PAGE, EDU_RW);
}

static int free_for_a(struct edu_world *w)
{
	return range_is_free(w, 0, EDU_A);
}

EDU_WORLD_FIXTURE(kinds)

TEST_F(kinds, memory_after_device)
{
	static const struct edu_way way = {
		.set_up = use_a,
		.attempt = map,
		.devices = EDU_BIT(EDU_A),
		.refused = EDU_A,
		.user = EDU_A,
		.error = EACCES,
		.after = free_for_a,
	};

	edu_try(_metadata, &self->w, &way);
}

/* The device after memory ***************************************************/

static int open_a_map(struct edu_world *w)
{
	return open_a(w) ?: map(w);
}

static int attach_a(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_A], w->ioas[0]);
}

/* Without the memory it may. */
static int a_without_memory(struct edu_world *w)
{
	return iommufd_unmap(w->iommufd, w->ioas[0], EDU_IOVA, EDU_LEN) ?:
	       attach_a(w) ?: knows_nothing(w, EDU_A);
}

TEST_F(kinds, first_device)
{
	static const struct edu_way way = {
		.set_up = open_a_map,
		.attempt = attach_a,
		.devices = EDU_BIT(EDU_A),
		.refused = EDU_A,
		.user = EDU_A,
		.error = EACCES,
		.after = a_without_memory,
	};

	edu_try(_metadata, &self->w, &way);
}

static int use_a_map_open_b(struct edu_world *w)
{
	return use_a_map(w) ?: cdev_open(w, EDU_B);
}

static int attach_b(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_B], w->ioas[0]);
}

/* The old device goes on; the new one can go elsewhere. */
static int elsewhere(struct edu_world *w, enum edu_nr nr)
{
	int err = edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM);

	if (err || !edu_knows(w, EDU_A))
		return -EIO;
	return edu_attach(&w->edu[nr], w->ioas[1]) ?: knows_nothing(w, nr);
}

static int b_elsewhere(struct edu_world *w)
{
	return elsewhere(w, EDU_B);
}

TEST_F(kinds, second_device)
{
	static const struct edu_way way = {
		.set_up = use_a_map_open_b,
		.attempt = attach_b,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

FIXTURE(ioas) {
	struct edu_world w;
};

FIXTURE_SETUP(ioas)
{
	edu_world_up(_metadata, &self->w, MG_THP);
}

FIXTURE_TEARDOWN(ioas)
{
	edu_world_down(&self->w);
}

/* Page tables ***************************************************************/

static int new_hwpt(struct edu_world *w, int i, enum edu_nr nr)
{
	w->hwpt[i] = iommufd_hwpt(w->iommufd, &w->edu[nr], w->ioas[0]);
	return w->hwpt[i] < 0 ? w->hwpt[i] : 0;
}

static int map_hwpt(struct edu_world *w)
{
	return open_a_map(w) ?: new_hwpt(w, 0, EDU_A);
}

static int attach_hwpt(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_A], w->hwpt[0]);
}

static int a_elsewhere(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_A], w->ioas[1]) ?:
	       knows_nothing(w, EDU_A);
}

/* The table is filled while no device has it. */
TEST_F(ioas, hwpt_before_device)
{
	static const struct edu_way way = {
		.set_up = map_hwpt,
		.attempt = attach_hwpt,
		.devices = EDU_BIT(EDU_A),
		.refused = EDU_A,
		.user = EDU_A,
		.late = true,
		.error = EPERM,
		.after = a_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

/* A has one table of the IOAS, B is to have another. */
static int two_hwpts(struct edu_world *w)
{
	return open_a_map(w) ?: new_hwpt(w, 0, EDU_A) ?: attach_hwpt(w) ?:
	       cdev_open(w, EDU_B) ?: new_hwpt(w, 1, EDU_B);
}

static int attach_b_hwpt(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_B], w->hwpt[1]);
}

TEST_F(ioas, two_hwpts)
{
	static const struct edu_way way = {
		.set_up = two_hwpts,
		.attempt = attach_b_hwpt,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

/* One device of another IOAS is moved to the one that has the memory. */
static int a_has_it_b_not(struct edu_world *w)
{
	return use_a_map(w) ?: cdev_use(w, 1, EDU_B);
}

/* It is still where it was. */
static int b_not_moved(struct edu_world *w)
{
	return knows_nothing(w, EDU_B);
}

TEST_F(ioas, replace)
{
	static const struct edu_way way = {
		.set_up = a_has_it_b_not,
		.attempt = attach_b,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_not_moved,
	};

	edu_try(_metadata, &self->w, &way);
}

static int replace_by_hwpt(struct edu_world *w)
{
	return new_hwpt(w, 1, EDU_B) ?: attach_b_hwpt(w);
}

TEST_F(ioas, replace_by_hwpt)
{
	static const struct edu_way way = {
		.set_up = a_has_it_b_not,
		.attempt = replace_by_hwpt,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_not_moved,
	};

	edu_try(_metadata, &self->w, &way);
}

/* Copies of what another IOAS has *******************************************/

static int copy(struct edu_world *w)
{
	return iommufd_copy(w->iommufd, w->ioas[0], w->ioas[1], EDU_IOVA,
			    EDU_LEN);
}

static int free_for_b(struct edu_world *w)
{
	return range_is_free(w, 1, EDU_B);
}

TEST_F(kinds, copy)
{
	static const struct edu_way way = {
		.set_up = a_has_it_b_not,
		.attempt = copy,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = free_for_b,
	};

	edu_try(_metadata, &self->w, &way);
}

static int map_b_not(struct edu_world *w)
{
	return cdev_use(w, 1, EDU_B) ?: map(w);
}

/* Nobody has pinned it so far. */
TEST_F(ioas, copy_of_unused)
{
	static const struct edu_way way = {
		.set_up = map_b_not,
		.attempt = copy,
		.devices = EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.error = EACCES,
		.after = free_for_b,
	};

	edu_try(_metadata, &self->w, &way);
}

static int map_copy(struct edu_world *w)
{
	return use_a_map(w) ?: copy(w) ?: cdev_open(w, EDU_B);
}

static int attach_b_to_copy(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_B], w->ioas[1]);
}

/* The copy lies where no device is, until one comes. */
static int b_without_copy(struct edu_world *w)
{
	return iommufd_unmap(w->iommufd, w->ioas[1], EDU_IOVA, EDU_LEN) ?:
	       attach_b_to_copy(w) ?: knows_nothing(w, EDU_B);
}

TEST_F(ioas, device_to_copy)
{
	static const struct edu_way way = {
		.set_up = map_copy,
		.attempt = attach_b_to_copy,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_without_copy,
	};

	edu_try(_metadata, &self->w, &way);
}

/* Groups of several *********************************************************/

static int use_pair(struct edu_world *w)
{
	return cdev_use(w, 0, EDU_PAIR);
}

static int free_for_pair(struct edu_world *w)
{
	return range_is_free(w, 0, EDU_PAIR);
}

/* The sibling is asked about before anybody opens it. */
TEST_F(ioas, sibling_refused)
{
	static const struct edu_way way = {
		.set_up = use_pair,
		.attempt = map,
		.devices = EDU_PAIR_GROUP,
		.refused = EDU_PAIR_2,
		.user = EDU_PAIR,
		.error = EACCES,
		.after = free_for_pair,
	};

	edu_try(_metadata, &self->w, &way);
}

static int use_a_map_open_bridged(struct edu_world *w)
{
	return use_a_map(w) ?: cdev_open(w, EDU_BRIDGED);
}

static int attach_bridged(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_BRIDGED], w->ioas[0]);
}

static int bridged_elsewhere(struct edu_world *w)
{
	return elsewhere(w, EDU_BRIDGED);
}

TEST_F(ioas, behind_bridge_refused)
{
	static const struct edu_way way = {
		.set_up = use_a_map_open_bridged,
		.attempt = attach_bridged,
		.devices = EDU_BIT(EDU_A) | EDU_BRIDGE_GROUP,
		.refused = EDU_BRIDGED_2,
		.user = EDU_BRIDGED,
		.late = true,
		.error = EPERM,
		.after = bridged_elsewhere,
	};

	edu_needs_bridge();
	edu_try(_metadata, &self->w, &way);
}

/* A sibling that comes later ************************************************/

FIXTURE(sibling) {
	struct edu_world w;
};

/* Its group has the memory; it is not there yet. */
FIXTURE_SETUP(sibling)
{
	edu_world_up(_metadata, &self->w, MG_THP);
	ASSERT_EQ(0, edu_remove(EDU_PAIR_2));
	ASSERT_EQ(-ENOENT, edu_group_nr(EDU_PAIR_2));
}

FIXTURE_TEARDOWN(sibling)
{
	edu_world_down(&self->w);
	EXPECT_EQ(0, edu_ready());
}

static int use_pair_map(struct edu_world *w)
{
	return use_pair(w) ?: map(w);
}

/* It gets what its group has before anybody opens it. */
static bool sibling_joined(struct edu_world *w)
{
	bool copied;

	if (edu_group_nr(EDU_PAIR_2) != edu_group_nr(EDU_PAIR) ||
	    edu_open_raw(&w->edu[EDU_PAIR_2], EDU_PAIR_2))
		return false;
	copied = edu_copies(w, EDU_PAIR_2);
	edu_close(&w->edu[EDU_PAIR_2]);
	return copied && edu_copies(w, EDU_PAIR);
}

TEST_F(sibling, ungated)
{
	ASSERT_EQ(0, use_pair_map(&self->w));
	ASSERT_EQ(0, edu_rescan());
	EXPECT_TRUE(sibling_joined(&self->w));
}

TEST_F(sibling, trusted)
{
	ASSERT_EQ(0, edu_trust(&self->w, EDU_PAIR_GROUP));
	ASSERT_EQ(0, use_pair_map(&self->w));
	EXPECT_EQ(0, edu_shown(&self->w, EDU_PAIR_2));
	ASSERT_EQ(0, edu_rescan());
	EXPECT_TRUE(sibling_joined(&self->w));
	EXPECT_EQ(1, edu_attachments(&self->w));
	EXPECT_EQ(1, edu_shown(&self->w, EDU_PAIR_2));
}

TEST_F(sibling, refused)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust(w, EDU_BIT(EDU_PAIR)));
	ASSERT_EQ(0, use_pair_map(w));
	ASSERT_EQ(0, edu_rescan());
	EXPECT_EQ(-ENOENT, edu_group_nr(EDU_PAIR_2));
	EXPECT_TRUE(edu_excluded(w, EDU_PAIR_2));
	EXPECT_NE(0, edu_bind(EDU_PAIR_2));
	EXPECT_NE(0, cdev_open(w, EDU_PAIR_2));
	EXPECT_TRUE(edu_copies(w, EDU_PAIR));
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_EQ(0, edu_shown(w, EDU_PAIR_2));

	/* When the memory is gone it may come. */
	edu_world_leave(w);
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, cdev_use(w, 0, EDU_PAIR_2));
	EXPECT_EQ(0, knows_nothing(w, EDU_PAIR_2));
}

/* The compatibility layer: iommufd as the container of type1 ****************/

static int compat_use_a(struct edu_world *w)
{
	w->compat = true;
	return type1_use(w, 0, EDU_A);
}

static int compat_map(struct edu_world *w)
{
	return type1_map(w, 0);
}

static int compat_free_for_a(struct edu_world *w)
{
	return type1_range_is_free(w, EDU_A);
}

TEST_F(ioas, compat_memory_after_device)
{
	static const struct edu_way way = {
		.set_up = compat_use_a,
		.attempt = compat_map,
		.devices = EDU_BIT(EDU_A),
		.refused = EDU_A,
		.user = EDU_A,
		.error = EACCES,
		.after = compat_free_for_a,
	};

	edu_try(_metadata, &self->w, &way);
}

static int compat_join_a_map(struct edu_world *w)
{
	w->compat = true;
	return type1_join(w, 0, EDU_A) ?: type1_map(w, 0);
}

static int compat_open_a(struct edu_world *w)
{
	return type1_open(w, EDU_A);
}

static int compat_a_without_memory(struct edu_world *w)
{
	return vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN) ?:
	       type1_open(w, EDU_A) ?: knows_nothing(w, EDU_A);
}

/* The group is in the container, but what attaches it is its device. */
TEST_F(ioas, compat_first_device)
{
	static const struct edu_way way = {
		.set_up = compat_join_a_map,
		.attempt = compat_open_a,
		.devices = EDU_BIT(EDU_A),
		.refused = EDU_A,
		.user = EDU_A,
		.error = EACCES,
		.after = compat_a_without_memory,
	};

	edu_try(_metadata, &self->w, &way);
}

static int compat_use_a_map(struct edu_world *w)
{
	return compat_use_a(w) ?: type1_map(w, 0);
}

static int compat_use_b(struct edu_world *w)
{
	return type1_use(w, 0, EDU_B);
}

static int compat_b_elsewhere(struct edu_world *w)
{
	return type1_elsewhere(w, EDU_B);
}

TEST_F(ioas, compat_second_device)
{
	static const struct edu_way way = {
		.set_up = compat_use_a_map,
		.attempt = compat_use_b,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = compat_b_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

/* Rights ********************************************************************/

static int map_to_read(struct edu_world *w)
{
	return iommufd_map(w->iommufd, w->ioas[0], w->map, EDU_IOVA, EDU_LEN,
			   MEMGATE_READ);
}

static bool only_reads(struct edu_world *w, enum edu_nr nr)
{
	return edu_excluded(w, nr) && edu_knows(w, nr);
}

static int unmap(struct edu_world *w)
{
	return iommufd_unmap(w->iommufd, w->ioas[0], EDU_IOVA, EDU_LEN);
}

TEST_F(ioas, read_only)
{
	struct edu_world *w = &self->w;
	struct mg_policy answer;

	ASSERT_EQ(0, use_a(w));
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_TRUE(only_reads(w, EDU_A));
	ASSERT_EQ(0, unmap(w));

	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	ASSERT_EQ(0, mg_param(&answer, "allow_rights", MEMGATE_READ));
	ASSERT_EQ(0, edu_install(w, &answer));
	EXPECT_EQ(-EACCES, map(w));
	EXPECT_EQ(0, edu_attachments(w));
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_TRUE(only_reads(w, EDU_A));
	ASSERT_EQ(0, unmap(w));
	EXPECT_EQ(-EACCES, map(w));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
}

/* A memfd that has died while an IOAS holds its pages ***********************/

static void forget(struct edu_world *w)
{
	munmap(w->map, EDU_LEN);
	edu_world_close(&w->fd);
	w->map = mmap(NULL, EDU_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool still_knows(struct edu_world *w, enum edu_nr nr)
{
	return !edu_load(&w->edu[nr], EDU_IOVA + EDU_FROM) && edu_knows(w, nr);
}

TEST_F(ioas, orphan_ungated)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, a_has_it_b_not(w));
	forget(w);
	ASSERT_EQ(0, copy(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
	ASSERT_EQ(0, attach_b(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
}

TEST_F(ioas, orphan)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, a_has_it_b_not(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	forget(w);
	EXPECT_EQ(-EACCES, copy(w));
	EXPECT_EQ(-EACCES, attach_b(w));
	EXPECT_EQ(0, knows_nothing(w, EDU_B));
	EXPECT_TRUE(still_knows(w, EDU_A));
}

/* The same by a copy that was made in time, for a device that comes later. */
TEST_F(ioas, orphan_copy_ungated)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, map_copy(w));
	forget(w);
	ASSERT_EQ(0, attach_b_to_copy(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
}

TEST_F(ioas, orphan_copy)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, map_copy(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	forget(w);
	EXPECT_EQ(-EACCES, attach_b_to_copy(w));
	EXPECT_EQ(0, b_without_copy(w));
	EXPECT_TRUE(still_knows(w, EDU_A));
}

/* Pages that the memfd has given up, and an IOAS has not ********************/

static int punch(struct edu_world *w)
{
	return fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 EDU_LEN) ? -errno : 0;
}

TEST_F(kinds, punched_ungated)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, a_has_it_b_not(w));
	ASSERT_EQ(0, punch(w));
	ASSERT_EQ(0, copy(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
	ASSERT_EQ(0, attach_b(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
}

TEST_F(kinds, punched)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, a_has_it_b_not(w));
	ASSERT_EQ(0, punch(w));
	edu_world_close(&w->link);
	EXPECT_EQ(-EACCES, attach_b(w));
	EXPECT_EQ(-EACCES, copy(w));
	EXPECT_FALSE(still_knows(w, EDU_B));
	EXPECT_TRUE(still_knows(w, EDU_A));
}

/* The seal and the end ******************************************************/

TEST_F(ioas, older_than_seal)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	EXPECT_EQ(-1, mg_seal(w->fd));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, unmap(w));
	EXPECT_EQ(0, mg_seal(w->fd));
	EXPECT_EQ(-EACCES, map(w));
}

/* An attachment ends with the IOAS; a device that leaves takes no part. */
TEST_F(ioas, destroyed)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust(w, EDU_BIT(EDU_A)));
	ASSERT_EQ(0, use_a_map(w));
	EXPECT_EQ(1, edu_attachments(w));
	ASSERT_EQ(0, edu_detach(&w->edu[EDU_A]));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
	EXPECT_EQ(1, edu_attachments(w));
	ASSERT_EQ(0, iommufd_destroy(w->iommufd, w->ioas[0]));
	EXPECT_EQ(0, edu_attachments(w));
}

/* The questions *************************************************************/

FIXTURE(question) {
	struct edu_world w;
	struct mg_policy trace;
	struct trace_event e;
};

FIXTURE_SETUP(question)
{
	edu_world_up(_metadata, &self->w, MG_4K);
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
	ASSERT_EQ(0, edu_install(&self->w, &self->trace));
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
}

FIXTURE_TEARDOWN(question)
{
	edu_world_down(&self->w);
}

#define ASKED(nr)	mg_trace_asked(&self->trace, edu_name(nr))
#define ASKED_ALL()	mg_trace_find(&self->trace, TRACE_MAY_ATTACH,	\
				      MEMGATE_IOMMUFD, &self->e)

TEST_F(question, once_a_device)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	EXPECT_EQ(1, ASKED(EDU_A));
	EXPECT_EQ(1, ASKED_ALL());
	EXPECT_EQ(EDU_RW, self->e.rights);
	EXPECT_EQ(1, self->e.device);
	EXPECT_NE(0, self->e.consumer);
	EXPECT_EQ(getpid(), self->e.consumer_tgid);
	ASSERT_EQ(0, iommufd_map(w->iommufd, w->ioas[0], w->map,
				 EDU_IOVA + EDU_LEN, EDU_LEN, EDU_RW));
	EXPECT_EQ(1, ASKED_ALL());
	ASSERT_EQ(0, use_b(w));
	EXPECT_EQ(1, ASKED(EDU_B));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_STREQ(edu_name(EDU_B), self->e.dev_name);
}

/* Nothing is pinned for an IOAS that no device has. */
TEST_F(question, not_before_device)
{
	ASSERT_EQ(0, open_a_map(&self->w));
	EXPECT_EQ(0, ASKED_ALL());
	ASSERT_EQ(0, attach_a(&self->w));
	EXPECT_EQ(1, ASKED(EDU_A));
	EXPECT_EQ(1, ASKED_ALL());
}

/* A page table that no device has is filled: a question without a device. */
TEST_F(question, hwpt_before_device)
{
	ASSERT_EQ(0, map_hwpt(&self->w));
	EXPECT_EQ(1, ASKED_ALL());
	EXPECT_EQ(0, self->e.device);
	ASSERT_EQ(0, attach_hwpt(&self->w));
	EXPECT_EQ(1, ASKED(EDU_A));
	EXPECT_EQ(2, ASKED_ALL());
}

/* The whole group at once, its other device by itself no more. */
TEST_F(question, whole_group)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_pair(w));
	ASSERT_EQ(0, map(w));
	EXPECT_EQ(1, ASKED(EDU_PAIR));
	EXPECT_EQ(1, ASKED(EDU_PAIR_2));
	ASSERT_EQ(0, cdev_use(w, 0, EDU_PAIR_2));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_TRUE(edu_copies(w, EDU_PAIR_2));
}

/* From one page table of an IOAS to another nothing changes. */
TEST_F(question, other_hwpt)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	ASSERT_EQ(0, new_hwpt(w, 0, EDU_A));
	ASSERT_EQ(0, attach_hwpt(w));
	EXPECT_EQ(1, ASKED_ALL());
	EXPECT_TRUE(edu_copies(w, EDU_A));
}

TEST_F(question, away_and_back)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, a_has_it_b_not(w));
	ASSERT_EQ(0, attach_b(w));
	EXPECT_TRUE(edu_copies(w, EDU_B));
	EXPECT_EQ(1, ASKED(EDU_B));
	ASSERT_EQ(0, edu_attach(&w->edu[EDU_B], w->ioas[1]));
	EXPECT_TRUE(edu_excluded(w, EDU_B));
	ASSERT_EQ(0, attach_b(w));
	EXPECT_EQ(2, ASKED(EDU_B));
	EXPECT_EQ(1, ASKED(EDU_A));
	EXPECT_TRUE(edu_copies(w, EDU_B));
}

TEST_F(question, rights)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a(w));
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_EQ(1, ASKED_ALL());
	EXPECT_EQ(MEMGATE_READ, self->e.rights);
	ASSERT_EQ(0, unmap(w));
	ASSERT_EQ(0, map(w));
	EXPECT_EQ(2, ASKED(EDU_A));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_EQ(EDU_RW, self->e.rights);
	EXPECT_EQ(1, edu_attachments(w));
}

/* Each IOAS is a consumer of its own. */
TEST_F(question, copy)
{
	struct edu_world *w = &self->w;
	__u64 first;

	ASSERT_EQ(0, a_has_it_b_not(w));
	EXPECT_EQ(1, ASKED_ALL());
	first = self->e.consumer;
	ASSERT_EQ(0, copy(w));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_STREQ(edu_name(EDU_B), self->e.dev_name);
	EXPECT_NE(first, self->e.consumer);
	EXPECT_EQ(EDU_RW, self->e.rights);
	EXPECT_EQ(2, edu_attachments(w));
	EXPECT_TRUE(edu_copies(w, EDU_B));
}

TEST_HARNESS_MAIN
