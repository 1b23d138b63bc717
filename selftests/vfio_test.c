// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: class VFIO.  A container is asked about with every device of
 * every iommu_group in it, whoever comes first: the memory or the device.
 */
#include <fcntl.h>

#include "kselftest_harness.h"
#include "edu_world.h"
#include "trace_util.h"

/* Memory after the device ***************************************************/

static int use_a(struct edu_world *w)
{
	return type1_use(w, 0, EDU_A);
}

static int map(struct edu_world *w)
{
	return type1_map(w, 0);
}

static int range_is_free_for_a(struct edu_world *w)
{
	return type1_range_is_free(w, EDU_A);
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
		.after = range_is_free_for_a,
	};

	edu_try(_metadata, &self->w, &way);
}

/* The device after memory ***************************************************/

static int use_a_map(struct edu_world *w)
{
	return use_a(w) ?: map(w);
}

static int use_b(struct edu_world *w)
{
	return type1_use(w, 0, EDU_B);
}

static int b_elsewhere(struct edu_world *w)
{
	return type1_elsewhere(w, EDU_B);
}

TEST_F(kinds, device_after_memory)
{
	static const struct edu_way way = {
		.set_up = use_a_map,
		.attempt = use_b,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_B,
		.late = true,
		.error = EPERM,
		.after = b_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

/* Groups of several *********************************************************/

FIXTURE(group) {
	struct edu_world w;
};

FIXTURE_SETUP(group)
{
	edu_world_up(_metadata, &self->w, MG_THP);
}

FIXTURE_TEARDOWN(group)
{
	edu_world_down(&self->w);
}

static int use_bridged(struct edu_world *w)
{
	return type1_use(w, 0, EDU_BRIDGED);
}

static int use_pair(struct edu_world *w)
{
	return type1_use(w, 0, EDU_PAIR);
}

static int bridged_elsewhere(struct edu_world *w)
{
	return type1_elsewhere(w, EDU_BRIDGED);
}

static int pair_elsewhere(struct edu_world *w)
{
	return type1_elsewhere(w, EDU_PAIR);
}

static int range_is_free_for_pair(struct edu_world *w)
{
	return type1_range_is_free(w, EDU_PAIR);
}

static int range_is_free_for_bridged(struct edu_world *w)
{
	return type1_range_is_free(w, EDU_BRIDGED);
}

/* Of two devices that share a group the other one is refused. */
TEST_F(group, sibling_refused)
{
	static const struct edu_way way = {
		.set_up = use_pair,
		.attempt = map,
		.devices = EDU_PAIR_GROUP,
		.refused = EDU_PAIR_2,
		.user = EDU_PAIR,
		.error = EACCES,
		.after = range_is_free_for_pair,
	};

	edu_try(_metadata, &self->w, &way);
}

TEST_F(group, sibling_of_late_one_refused)
{
	static const struct edu_way way = {
		.set_up = use_a_map,
		.attempt = use_pair,
		.devices = EDU_BIT(EDU_A) | EDU_PAIR_GROUP,
		.refused = EDU_PAIR_2,
		.user = EDU_PAIR,
		.late = true,
		.error = EPERM,
		.after = pair_elsewhere,
	};

	edu_try(_metadata, &self->w, &way);
}

/* Behind a bridge the bridge is one of them. */
TEST_F(group, bridge_refused)
{
	static const struct edu_way way = {
		.set_up = use_bridged,
		.attempt = map,
		.devices = EDU_BRIDGE_GROUP,
		.refused = EDU_BRIDGE,
		.user = EDU_BRIDGED,
		.error = EACCES,
		.after = range_is_free_for_bridged,
	};

	edu_needs_bridge();
	edu_try(_metadata, &self->w, &way);
}

TEST_F(group, behind_bridge_refused)
{
	static const struct edu_way way = {
		.set_up = use_a_map,
		.attempt = use_bridged,
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

static int use_a_and_b(struct edu_world *w)
{
	return use_a(w) ?: use_b(w);
}

/* What was refused because of one is granted when that one has left. */
static int without_b(struct edu_world *w)
{
	int err = type1_range_is_free(w, EDU_A);

	edu_close(&w->edu[EDU_B]);
	if (!err)
		err = vfio_unmap(w->container[0],
				 EDU_IOVA + EDU_LEN - EDU_PAGE, EDU_PAGE);
	if (!err)
		err = vfio_leave(*edu_group(w, EDU_B));
	if (err || w->link < 0)
		return err;	/* closed to everybody */
	err = map(w);
	return err || edu_copies(w, EDU_A) ? err : -EIO;
}

TEST_F(group, one_of_two_groups_refused)
{
	static const struct edu_way way = {
		.set_up = use_a_and_b,
		.attempt = map,
		.devices = EDU_BIT(EDU_A) | EDU_BIT(EDU_B),
		.refused = EDU_B,
		.user = EDU_A,
		.error = EACCES,
		.after = without_b,
	};

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

/* It has joined its group, and does DMA without anybody's further doing. */
static bool sibling_joined(struct edu_world *w)
{
	bool copied;

	if (edu_group_nr(EDU_PAIR_2) != edu_group_nr(EDU_PAIR) ||
	    edu_open_raw(&w->edu[EDU_PAIR_2], EDU_PAIR_2))
		return false;
	copied = edu_copies(w, EDU_PAIR_2);
	edu_close(&w->edu[EDU_PAIR_2]);
	return copied && !edu_bind(EDU_PAIR_2) && !type1_open(w, EDU_PAIR_2) &&
	       edu_copies(w, EDU_PAIR_2) && edu_copies(w, EDU_PAIR);
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
	ASSERT_EQ(0, edu_rescan());
	EXPECT_TRUE(sibling_joined(&self->w));
	EXPECT_EQ(1, edu_attachments(&self->w));
}

/* Neither by itself, nor through VFIO; its sibling goes on. */
static bool sibling_is_out(struct edu_world *w)
{
	return edu_group_nr(EDU_PAIR_2) == -ENOENT &&
	       edu_excluded(w, EDU_PAIR_2) && edu_bind(EDU_PAIR_2) &&
	       type1_open(w, EDU_PAIR_2) && edu_copies(w, EDU_PAIR) &&
	       edu_attachments(w) == 1;
}

TEST_F(sibling, refused)
{
	ASSERT_EQ(0, edu_trust(&self->w, EDU_BIT(EDU_PAIR)));
	ASSERT_EQ(0, use_pair_map(&self->w));
	ASSERT_EQ(0, edu_rescan());
	EXPECT_TRUE(sibling_is_out(&self->w));

	/* When the memory is gone it may come. */
	edu_world_leave(&self->w);
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, type1_use(&self->w, 0, EDU_PAIR_2));
	EXPECT_FALSE(edu_knows(&self->w, EDU_PAIR_2));
	EXPECT_TRUE(edu_scratches(&self->w, EDU_PAIR_2));
}

TEST_F(sibling, closed)
{
	ASSERT_EQ(0, edu_trust(&self->w, EDU_PAIR_GROUP));
	ASSERT_EQ(0, use_pair_map(&self->w));
	edu_world_close(&self->w.link);
	ASSERT_EQ(0, edu_rescan());
	EXPECT_TRUE(sibling_is_out(&self->w));
}

/* Rights ********************************************************************/

static int map_to_read(struct edu_world *w)
{
	return vfio_map(w->container[0], w->map, EDU_IOVA, EDU_LEN,
			MEMGATE_READ);
}

/* Reads what is there, and writes nothing. */
static bool only_reads(struct edu_world *w, enum edu_nr nr)
{
	return edu_excluded(w, nr) && edu_knows(w, nr);
}

TEST_F(group, read_only)
{
	struct edu_world *w = &self->w;
	struct mg_policy answer;

	ASSERT_EQ(0, use_a(w));
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_TRUE(only_reads(w, EDU_A));
	ASSERT_EQ(0, vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN));

	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	ASSERT_EQ(0, mg_param(&answer, "allow_rights", MEMGATE_READ));
	ASSERT_EQ(0, edu_install(w, &answer));
	EXPECT_EQ(-EACCES, map(w));
	EXPECT_EQ(0, edu_attachments(w));
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_TRUE(only_reads(w, EDU_A));
	ASSERT_EQ(0, vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN));
	EXPECT_EQ(-EACCES, map(w));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
}

/* Ranges that are in part another's *****************************************/

TEST_F(group, beside_other_memory)
{
	struct edu_world *w = &self->w;
	char *area = mmap(NULL, 2 * EDU_LEN, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long pins;

	ASSERT_NE(MAP_FAILED, area);
	w->map = mremap(w->map, EDU_LEN, EDU_LEN,
			MREMAP_MAYMOVE | MREMAP_FIXED, area + EDU_LEN);
	ASSERT_EQ(area + EDU_LEN, w->map);
	ASSERT_EQ(0, use_a(w));
	pins = edu_pins();
	ASSERT_EQ(0, vfio_map(w->container[0], area, EDU_IOVA - EDU_LEN,
			      2 * EDU_LEN, EDU_RW));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	ASSERT_EQ(0, vfio_unmap(w->container[0], EDU_IOVA - EDU_LEN,
				2 * EDU_LEN));

	ASSERT_EQ(0, edu_trust(w, EDU_BIT(EDU_B)));
	EXPECT_EQ(-EACCES, vfio_map(w->container[0], area, EDU_IOVA - EDU_LEN,
				    2 * EDU_LEN, EDU_RW));
	EXPECT_TRUE(edu_no_more_pins(pins));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
	EXPECT_FALSE(edu_knows(w, EDU_A));
	EXPECT_EQ(0, edu_attachments(w));
	munmap(area, EDU_LEN);
}

/* A memfd that has died while a container holds its pages *******************/

/* Only the container has the memory any more. */
static void forget(struct edu_world *w)
{
	munmap(w->map, EDU_LEN);
	close(w->fd);
	w->fd = -1;
	w->map = mmap(NULL, EDU_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What is at EDU_FROM in a container, as the device sees it. */
static bool still_knows(struct edu_world *w, enum edu_nr nr)
{
	return !edu_load(&w->edu[nr], EDU_IOVA + EDU_FROM) && edu_knows(w, nr);
}

TEST_F(group, orphan_ungated)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	forget(w);
	ASSERT_EQ(0, use_b(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
}

TEST_F(group, orphan)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, use_a_map(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	forget(w);
	EXPECT_EQ(-EACCES, use_b(w));
	EXPECT_TRUE(still_knows(w, EDU_A));
	ASSERT_EQ(0, type1_use(w, 1, EDU_B));
	EXPECT_TRUE(edu_scratches(w, EDU_B));
}

/* Pages that the memfd has given up, and a container has not ****************/

static int punch(struct edu_world *w)
{
	return fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 EDU_LEN) ? -errno : 0;
}

TEST_F(kinds, punched)
{
	struct edu_world *w = &self->w;
	enum mg_mem mem = w->mem;

	ASSERT_EQ(0, use_a_map(w));
	ASSERT_EQ(0, punch(w));
	ASSERT_EQ(0, use_b(w));
	EXPECT_TRUE(still_knows(w, EDU_B));
	edu_world_down(w);

	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, use_a_map(w));
	ASSERT_EQ(0, punch(w));
	edu_world_close(&w->link);
	EXPECT_EQ(-EACCES, use_b(w));
	EXPECT_TRUE(still_knows(w, EDU_A));
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
				      MEMGATE_VFIO, &self->e)

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

	ASSERT_EQ(0, vfio_map(w->container[0], w->map, EDU_IOVA + EDU_LEN,
			      EDU_LEN, EDU_RW));
	EXPECT_EQ(1, ASKED_ALL());

	ASSERT_EQ(0, use_b(w));
	EXPECT_EQ(1, ASKED(EDU_B));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_EQ(EDU_RW, self->e.rights);
	EXPECT_STREQ(edu_name(EDU_B), self->e.dev_name);
}

TEST_F(question, whole_group)
{
	edu_needs_bridge();
	ASSERT_EQ(0, use_bridged(&self->w));
	ASSERT_EQ(0, map(&self->w));
	EXPECT_EQ(1, ASKED(EDU_BRIDGE));
	EXPECT_EQ(1, ASKED(EDU_BRIDGED));
	EXPECT_EQ(1, ASKED(EDU_BRIDGED_2));
	EXPECT_EQ(3, ASKED_ALL());
	/* nobody is new */
	ASSERT_EQ(0, type1_open(&self->w, EDU_BRIDGED_2));
	EXPECT_EQ(3, ASKED_ALL());
	EXPECT_TRUE(edu_copies(&self->w, EDU_BRIDGED_2));
}

/* For the rights of the mapping, and again for more. */
TEST_F(question, rights)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a(w));
	EXPECT_EQ(0, ASKED_ALL());
	ASSERT_EQ(0, map_to_read(w));
	EXPECT_EQ(1, ASKED_ALL());
	EXPECT_EQ(MEMGATE_READ, self->e.rights);
	ASSERT_EQ(0, use_b(w));
	EXPECT_EQ(2, ASKED_ALL());
	EXPECT_EQ(MEMGATE_READ, self->e.rights);
	ASSERT_EQ(0, vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN));
	ASSERT_EQ(0, map(w));
	EXPECT_EQ(2, ASKED(EDU_A));
	EXPECT_EQ(2, ASKED(EDU_B));
	EXPECT_EQ(4, ASKED_ALL());
	EXPECT_EQ(EDU_RW, self->e.rights);
	EXPECT_EQ(1, edu_attachments(w));
}

/* A group that leaves is asked about when it comes again. */
TEST_F(question, left_and_back)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	ASSERT_EQ(0, use_b(w));
	edu_close(&w->edu[EDU_B]);
	ASSERT_EQ(0, vfio_leave(*edu_group(w, EDU_B)));
	ASSERT_EQ(0, use_b(w));
	EXPECT_EQ(2, ASKED(EDU_B));
	EXPECT_EQ(1, ASKED(EDU_A));
	EXPECT_TRUE(edu_copies(w, EDU_B));
}

/* The seal *******************************************************************/

/* Memory that a container has cannot be gated. */
TEST_F(group, older_than_seal)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, use_a_map(w));
	EXPECT_EQ(-1, mg_seal(w->fd));
	EXPECT_EQ(EBUSY, errno);
	ASSERT_EQ(0, vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN));
	EXPECT_EQ(0, mg_seal(w->fd));
	EXPECT_EQ(-EACCES, map(w));
}

TEST_HARNESS_MAIN
