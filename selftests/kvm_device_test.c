// SPDX-License-Identifier: GPL-2.0-only
/*
 * One gate, a VM, a device that is trusted and one that is not: they arrive
 * in every order, and work on the same bytes.
 */
#include "kselftest_harness.h"
#include "edu_world.h"
#include "kvm_util.h"

#define ALL_OFF	0x40		/* where the guest writes, behind EDU_FROM */

FIXTURE(together) {
	struct edu_world w;
	struct guest guest;
	int allow;		/* the link of the policy beside answer_dev */
};

FIXTURE_VARIANT(together) {
	enum mg_mem mem;
	bool iommufd;
};

FIXTURE_VARIANT_ADD(together, page_4k_type1) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(together, thp_type1) { .mem = MG_THP };
FIXTURE_VARIANT_ADD(together, hugetlb_type1) { .mem = MG_HUGETLB };
FIXTURE_VARIANT_ADD(together, thp_iommufd) { .mem = MG_THP, .iommufd = true };

static void close_all(struct edu_world *w, struct guest *guest, int *allow)
{
	guest_close(guest);
	edu_world_close(allow);
	edu_world_down(w);
}

FIXTURE_SETUP(together)
{
	self->allow = -1;
	self->guest.nr_cpus = 0;
	self->guest.vm_fd = self->guest.kvm_fd = -1;
	self->guest.low = MAP_FAILED;
	memset(&self->w, 0, sizeof(self->w));
	ASSERT_EQ(NULL, guest_missing());
}

FIXTURE_TEARDOWN(together)
{
	close_all(&self->w, &self->guest, &self->allow);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(together) *self,				\
		const FIXTURE_VARIANT(together) *variant

/* answer_dev says nothing of KVM: that is allowed by another. */
static void set_up(SELF, unsigned int trusted, bool gated)
{
	struct edu_world *w = &self->w;
	struct mg_policy answer;

	close_all(w, &self->guest, &self->allow);
	edu_world_up(_metadata, w, variant->mem);
	ASSERT_EQ(0, guest_open(&self->guest, 1, 0));
	if (!gated)
		return;
	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	self->allow = mg_install(&answer, w->fd);
	ASSERT_LE(0, self->allow);
	ASSERT_EQ(0, edu_trust(w, trusted));
}

/* Who arrives; each returns 0 or -errno *************************************/

static int vm_arrives(FIXTURE_DATA(together) *self)
{
	uint32_t val;
	int err = guest_memslot(&self->guest, 1, GUEST_GPA, self->w.map,
				EDU_LEN, 0);

	return err ?: guest_read(&self->guest, 0, GUEST_GPA + EDU_FROM, &val,
				 NULL);
}

static int type1_arrives(struct edu_world *w, enum edu_nr nr)
{
	bool first = w->container[0] < 0;
	int err = type1_use(w, 0, nr);

	if (!err && first)
		err = type1_map(w, 0);
	return err;
}

/* An IOAS for each, the container of the compatibility layer aside. */
static int cdev_arrives(struct edu_world *w, enum edu_nr nr)
{
	int i = nr == EDU_B;

	return cdev_use(w, i, nr) ?: cdev_map(w, i);
}

static int device_arrives(struct edu_world *w, enum edu_nr nr, bool iommufd)
{
	return iommufd ? cdev_arrives(w, nr) : type1_arrives(w, nr);
}

/* It has come to nothing: lets go of what it has opened. */
static void device_leaves(struct edu_world *w, enum edu_nr nr, bool iommufd)
{
	edu_close(&w->edu[nr]);
	edu_world_close(&w->group[nr]);
	if (!iommufd && w->edu[EDU_A].fd < 0 && w->edu[EDU_B].fd < 0)
		edu_world_close(&w->container[0]);
}

/* What they do to the same bytes ********************************************/

static uint32_t word_at(const struct edu_world *w, size_t off)
{
	uint32_t word;

	memcpy(&word, w->map + off, sizeof(word));
	return word;
}

/* The guest writes, the device copies, the guest reads it there. */
static bool guest_and_device(FIXTURE_DATA(together) *self, enum edu_nr nr)
{
	struct edu_world *w = &self->w;
	uint32_t said = word_at(w, EDU_FROM) * 5 + 1, read = 0;
	bool same;

	if (guest_write(&self->guest, 0, GUEST_GPA + EDU_FROM + ALL_OFF, said,
			NULL) ||
	    edu_load(&w->edu[nr], EDU_IOVA + EDU_FROM) ||
	    edu_store(&w->edu[nr], EDU_IOVA + EDU_TO) ||
	    guest_read(&self->guest, 0, GUEST_GPA + EDU_TO + ALL_OFF, &read,
		       NULL))
		return false;
	same = read == said;
	mg_fill(w->map + EDU_FROM, EDU_FROM, EDU_BYTES);
	mg_fill(w->map + EDU_TO, EDU_TO, EDU_BYTES);
	return same;
}

/* In every order ************************************************************/

enum who { VM, TRUSTED, REFUSED, ALL };

static const enum who orders[][ALL] = {
	{ VM, TRUSTED, REFUSED }, { VM, REFUSED, TRUSTED },
	{ TRUSTED, VM, REFUSED }, { TRUSTED, REFUSED, VM },
	{ REFUSED, VM, TRUSTED }, { REFUSED, TRUSTED, VM },
};

static void refused_arrives(SELF)
{
	struct edu_world *w = &self->w;
	int attached = edu_attachments(w), err;
	long pins = edu_pins();

	err = device_arrives(w, EDU_B, variant->iommufd);
	EXPECT_TRUE(err == -EPERM || err == -EACCES) {
		TH_LOG("the untrusted device: %s", strerror(-err));
	}
	EXPECT_TRUE(edu_excluded(w, EDU_B));
	device_leaves(w, EDU_B, variant->iommufd);
	EXPECT_EQ(attached, edu_attachments(w));
	EXPECT_EQ(0, edu_shown(w, EDU_B));
	EXPECT_TRUE(edu_no_more_pins(pins));
}

static void arrives(SELF, enum who who)
{
	struct edu_world *w = &self->w;

	switch (who) {
	case VM:
		EXPECT_EQ(0, vm_arrives(self));
		break;
	case TRUSTED:
		EXPECT_EQ(0, device_arrives(w, EDU_A, variant->iommufd));
		EXPECT_TRUE(edu_copies(w, EDU_A));
		break;
	default:
		refused_arrives(_metadata, self, variant);
	}
}

TEST_F(together, orders)
{
	unsigned int i, n;

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		set_up(_metadata, self, variant, EDU_BIT(EDU_A), true);
		for (n = 0; n < ALL; n++)
			arrives(_metadata, self, variant, orders[i][n]);
		EXPECT_EQ(2, edu_attachments(&self->w));
		EXPECT_TRUE(guest_and_device(self, EDU_A)) {
			TH_LOG("order %u", i);
		}
	}
}

/* What each of them does where nobody is refused. */
TEST_F(together, both_devices)
{
	struct edu_world *w = &self->w;
	int gated;

	for (gated = 0; gated < 2; gated++) {
		set_up(_metadata, self, variant, EDU_BIT(EDU_A) |
						 EDU_BIT(EDU_B), gated);
		ASSERT_EQ(0, vm_arrives(self));
		ASSERT_EQ(0, device_arrives(w, EDU_A, variant->iommufd));
		ASSERT_EQ(0, device_arrives(w, EDU_B, variant->iommufd));
		EXPECT_TRUE(guest_and_device(self, EDU_A));
		EXPECT_TRUE(guest_and_device(self, EDU_B));
	}
}

/* The end of one is not that of the other. */
TEST_F(together, leave)
{
	struct edu_world *w = &self->w;
	uint32_t val;

	set_up(_metadata, self, variant, EDU_BIT(EDU_A), true);
	arrives(_metadata, self, variant, VM);
	arrives(_metadata, self, variant, TRUSTED);
	edu_world_leave(w);
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_EQ(0, guest_read(&self->guest, 0, GUEST_GPA + EDU_FROM, &val,
				NULL));
	EXPECT_EQ(word_at(w, EDU_FROM), val);
	arrives(_metadata, self, variant, TRUSTED);
	guest_close(&self->guest);
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	refused_arrives(_metadata, self, variant);
}

/* KVM is closed, the device is not; and the other way round. */
TEST_F(together, only_one_class)
{
	struct edu_world *w = &self->w;
	struct mg_policy answer;

	set_up(_metadata, self, variant, 0, false);
	ASSERT_EQ(0, edu_trust(w, EDU_BIT(EDU_A)));
	EXPECT_EQ(-EACCES, vm_arrives(self));
	ASSERT_EQ(0, device_arrives(w, EDU_A, variant->iommufd));
	EXPECT_TRUE(edu_copies(w, EDU_A));

	set_up(_metadata, self, variant, 0, false);
	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	ASSERT_EQ(0, mg_param(&answer, "allow_classes",
			      MEMGATE_CLASS(MEMGATE_KVM)));
	ASSERT_EQ(0, edu_install(w, &answer));
	EXPECT_EQ(0, vm_arrives(self));
	EXPECT_EQ(-EACCES, device_arrives(w, EDU_A, variant->iommufd));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
	EXPECT_EQ(1, edu_attachments(w));
}

TEST_HARNESS_MAIN
