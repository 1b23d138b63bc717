// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that mirror page tables (HMM), take pages over (migration to device
 * memory) or lock the CPU out of them (device-exclusive access), by the
 * kernel's own test driver for all three.  None of them goes through GUP for
 * its pages, no class covers them, and so they are closed on gated memory
 * whatever its policies say.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "perf_util.h"
#include "trace_util.h"
#include "../../../lib/test_hmm_uapi.h"

#define PAGES	4
#define BYTES	(PAGES * 4096)

static char buf[BYTES] __attribute__((aligned(4096)));

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("trace");
}

FIXTURE(hmm) {
	int fd, dev;
	char *map;
	struct mg_policy allow;
};

FIXTURE_VARIANT(hmm) {
	enum mg_mem mem;
	int flags;
};

#define VARIANT(name, its_mem, its_flags)				\
	FIXTURE_VARIANT_ADD(hmm, name) {				\
		.mem = its_mem, .flags = its_flags,			\
	}

VARIANT(page_4k, MG_4K, MAP_SHARED);
VARIANT(page_4k_private, MG_4K, MAP_PRIVATE);
VARIANT(thp, MG_THP, MAP_SHARED);
VARIANT(thp_private, MG_THP, MAP_PRIVATE);
VARIANT(hugetlb, MG_HUGETLB, MAP_SHARED);
VARIANT(hugetlb_private, MG_HUGETLB, MAP_PRIVATE);

FIXTURE_SETUP(hmm)
{
	self->dev = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev) {
		TH_LOG("no /dev/hmm_dmirror0 (CONFIG_TEST_HMM): %s",
		       strerror(errno));
	}
	self->fd = mg_memfd(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, MG_LEN,
			   PROT_READ | PROT_WRITE, variant->flags, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	mg_load(_metadata, &self->allow, "allow");
}

FIXTURE_TEARDOWN(hmm)
{
	if (self->map)
		munmap(self->map, MG_LEN);
	close(self->fd);
	close(self->dev);
	mg_policy_free(&self->allow);
}

/* Lets the device do something with PAGES pages at @p; it and @buf. */
static int device(int dev, unsigned long what, const void *p)
{
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)p, .ptr = (uintptr_t)buf, .npages = PAGES,
	};

	return ioctl(dev, what, &cmd) ? -errno : 0;
}

/* 0: the device has read what is there; -errno: it got nothing of it. */
static int device_read(FIXTURE_DATA(hmm) *self, off_t off)
{
	int ret;

	memset(buf, 0, BYTES);
	ret = device(self->dev, HMM_DMIRROR_READ, self->map + off);
	if (ret)
		return mg_matches(buf, off, 64) ? -ENOTRECOVERABLE : ret;
	return mg_matches(buf, off, BYTES) ? 0 : -EBADMSG;
}

/* The same for what it writes. */
static int device_write(FIXTURE_DATA(hmm) *self, off_t off)
{
	int ret;

	mg_fill(buf, off + MG_MARK, BYTES);
	ret = device(self->dev, HMM_DMIRROR_WRITE, self->map + off);
	if (ret)
		return mg_matches(self->map + off, off, BYTES) ? ret :
								 -EBADMSG;
	if (!mg_matches(self->map + off, off + MG_MARK, BYTES))
		return -EBADMSG;
	mg_fill(self->map + off, off, BYTES);
	return 0;
}

/* Looks at the page tables without a wish to use the pages. */
static int device_snapshot(FIXTURE_DATA(hmm) *self, off_t off)
{
	int ret, i;

	/* Only what is mapped is seen. */
	mg_matches(self->map + off, off, BYTES);
	memset(buf, 0, BYTES);
	ret = device(self->dev, HMM_DMIRROR_SNAPSHOT, self->map + off);
	for (i = 0; !ret && i < PAGES; i++)
		if ((unsigned char)buf[i] == HMM_DMIRROR_PROT_ERROR)
			ret = -EFAULT;
		else if (!(buf[i] & (HMM_DMIRROR_PROT_READ |
				     HMM_DMIRROR_PROT_WRITE)))
			ret = -EBADMSG;
	return ret;
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(hmm) *self

#define OLD_AT	0x3000
#define NEW_AT	(MG_HUGE_SIZE + 0x3000)

/* All the device could do with mirrored pages, at an offset. */
static void try_mirror(SELF, off_t off, int expected, const char *state)
{
	static int (*const tries[])(FIXTURE_DATA(hmm) *self, off_t off) = {
		device_read, device_write, device_snapshot, device_read,
	};
	static const char *const names[] = {
		"read", "write", "snapshot", "second read"
	};
	size_t i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		ret = tries[i](self, off);
		EXPECT_EQ(-expected, ret) {
			TH_LOG("%s, %s at %#lx: %s, wanted %s", state, names[i],
			       off, strerror(-ret), strerror(expected));
		}
	}
}

/* What the device had mirrored before the seal is gone as well. */
TEST_F_TIMEOUT(hmm, mirror, 60)
{
	int link;

	try_mirror(_metadata, self, OLD_AT, 0, "no gate");
	EXPECT_EQ(0, device_read(self, OLD_AT));
	ASSERT_EQ(0, mg_seal(self->fd)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	try_mirror(_metadata, self, OLD_AT, EFAULT, "sealed, mirrored before");
	try_mirror(_metadata, self, NEW_AT, EFAULT, "sealed");
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	try_mirror(_metadata, self, OLD_AT, EFAULT, "allowed, mirrored before");
	try_mirror(_metadata, self, NEW_AT, EFAULT, "allowed");
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	close(link);
}

/* The mapping is newer than the seal. */
TEST_F_TIMEOUT(hmm, mirror_sealed_first, 60)
{
	int link = mg_install(&self->allow, self->fd);

	ASSERT_LE(0, link);
	munmap(self->map, MG_LEN);
	self->map = mg_map(variant->mem, self->fd, MG_LEN,
			   PROT_READ | PROT_WRITE, variant->flags, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	try_mirror(_metadata, self, OLD_AT, EFAULT, "allowed");
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	close(link);
}

/* The memory beside it is not touched by the gate. */
TEST_F_TIMEOUT(hmm, mirror_neighbour, 60)
{
	char *map, *beside;
	int other;

	other = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, other);
	ASSERT_EQ(0, mg_seal(self->fd));
	beside = self->map + MG_HUGE_SIZE;
	munmap(beside, MG_HUGE_SIZE);
	ASSERT_EQ(beside, mg_map_at(variant->mem, beside, other, MG_HUGE_SIZE,
				    PROT_READ | PROT_WRITE, variant->flags,
				    0));
	map = self->map;
	self->map = beside;
	EXPECT_EQ(0, device_read(self, 0));
	EXPECT_EQ(0, device_write(self, 0));
	self->map = map;
	/* Half of this range is gated. */
	memset(buf, 0, BYTES);
	EXPECT_EQ(-EFAULT, device(self->dev, HMM_DMIRROR_READ,
				  beside - BYTES / 2));
	EXPECT_FALSE(mg_matches(buf, MG_HUGE_SIZE - BYTES / 2, 64));
	close(other);
}

/* @copies: for how many pages the driver makes room, to copy them to. */
static int migrate(FIXTURE_DATA(hmm) *self, off_t off, long *copies)
{
	int counter = mg_perf_kprobe("zone_device_page_init");
	int ret;

	/* They must be mapped to be found. */
	mg_matches(self->map + off, off, BYTES);
	memset(buf, 0, BYTES);
	ret = device(self->dev, HMM_DMIRROR_MIGRATE_TO_DEV, self->map + off);
	*copies = mg_perf_count(counter);
	close(counter);
	if (mg_matches(buf, off, 64))
		return -ENOTRECOVERABLE;
	return ret;
}

/*
 * Pages of files cannot be migrated to a device's own memory, but the core
 * finds that out when the driver has copied them already.  The gate's answer
 * comes before.
 */
TEST_F_TIMEOUT(hmm, migrate, 60)
{
	bool hugetlb = variant->mem == MG_HUGETLB;
	long copies = 0;
	int link, i;

	/* The first tries only split a transparent huge page. */
	for (i = 0; variant->mem == MG_THP && copies != PAGES && i < 10; i++)
		migrate(self, OLD_AT, &copies);
	EXPECT_EQ(hugetlb ? -EINVAL : -ENOENT,
		  migrate(self, OLD_AT, &copies));
	EXPECT_EQ(hugetlb ? 0 : PAGES, copies);
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(-EINVAL, migrate(self, OLD_AT, &copies));
	EXPECT_EQ(0, copies);
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(-EINVAL, migrate(self, OLD_AT, &copies));
	EXPECT_EQ(-EINVAL, migrate(self, NEW_AT, &copies));
	EXPECT_EQ(0, copies);
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	close(link);
}

/*
 * Exclusive access takes the pages by GUP, which asks, and is for anonymous
 * memory only: the driver says EBUSY for those of any memfd.
 */
TEST_F_TIMEOUT(hmm, exclusive, 60)
{
	/* What is written to a private mapping is no file's any more. */
	bool anon = variant->flags == MAP_PRIVATE && variant->mem != MG_HUGETLB;
	struct trace_event e = { 0 };
	struct mg_policy trace;
	int link;

	EXPECT_EQ(anon ? 0 : -EBUSY, device(self->dev, HMM_DMIRROR_EXCLUSIVE,
					    self->map + OLD_AT));
	ASSERT_EQ(0, mg_seal(self->fd));
	mg_load(_metadata, &trace, "trace");
	link = mg_install(&trace, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, mg_trace_reset(&trace));
	EXPECT_EQ(anon ? 0 : -EBUSY, device(self->dev, HMM_DMIRROR_EXCLUSIVE,
					    self->map + NEW_AT));
	/* GUP itself does not split pages of hugetlbfs: it fails before. */
	if (variant->flags == MAP_SHARED && variant->mem != MG_HUGETLB) {
		EXPECT_LE(1, mg_trace_find(&trace, TRACE_MAY_ATTACH,
					   MEMGATE_OWN_PIN, &e));
		EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	}
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	close(link);
	mg_policy_free(&trace);
}

TEST_HARNESS_MAIN
