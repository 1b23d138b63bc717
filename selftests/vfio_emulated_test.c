// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device without hardware (the module emulated_vfio, standing for
 * mediated devices): the kernel reads, writes and pins memory for it, in a
 * type1 container and by iommufd.  The policy is asked about its device.
 */
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "edu_util.h"
#include "mediated.h"
#include "module_util.h"
#include "trace_util.h"

#define DEVICE		"memgate-emulated"
#define EMULATED_PIN	_IO(VFIO_TYPE, VFIO_BASE + 200)
#define IOVA		0x100000

FIXTURE(emulated) {
	int fd;
	char *map;
	int container, group, device;
	struct mg_policy trusted, other, trace;
};

FIXTURE_VARIANT(emulated) {
	bool iommufd;
	enum memgate_class class;
};

FIXTURE_VARIANT_ADD(emulated, type1) { .class = MEMGATE_VFIO };
FIXTURE_VARIANT_ADD(emulated, iommufd) {
	.iommufd = true, .class = MEMGATE_IOMMUFD,
};

static int open_emulated_group(void)
{
	char link[256], path[64];
	ssize_t n;

	n = readlink("/sys/devices/platform/" DEVICE "/iommu_group", link,
		     sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);
	n = open(path, O_RDWR | O_CLOEXEC);
	return n < 0 ? -errno : n;
}

static void trust(struct __test_metadata *const _metadata,
		  struct mg_policy *policy, const char *name)
{
	mg_load(_metadata, policy, "answer_dev");
	/* The only parameter. */
	ASSERT_LT(strlen(name), policy->params_size);
	memset(policy->params, 0, policy->params_size);
	memcpy(policy->params, name, strlen(name));
}

FIXTURE_SETUP(emulated)
{
	/* One that a test before did not get rid of will do as well. */
	int err = mg_module_load("emulated_vfio", "");

	ASSERT_TRUE(!err || err == -EEXIST);
	trust(_metadata, &self->trusted, DEVICE);
	trust(_metadata, &self->other, "0000:00:10.0");
	mg_load(_metadata, &self->trace, "trace");
	self->fd = mg_memfd(MG_4K, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(MG_4K, self->fd, MG_LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->container = variant->iommufd ? iommufd_open() : vfio_container();
	ASSERT_LE(0, self->container);
	self->group = open_emulated_group();
	ASSERT_LE(0, self->group) {
		TH_LOG("no group: %s", strerror(-self->group));
	}
	ASSERT_EQ(0, vfio_join(self->group, self->container));
	ASSERT_EQ(0, vfio_set_iommu(self->container));
	self->device = ioctl(self->group, VFIO_GROUP_GET_DEVICE_FD, DEVICE);
	ASSERT_LE(0, self->device);
}

FIXTURE_TEARDOWN(emulated)
{
	if (self->device > 0)
		close(self->device);
	if (self->group > 0)
		close(self->group);
	if (self->container > 0)
		close(self->container);
	munmap(self->map, MG_LEN);
	close(self->fd);
	mg_policy_free(&self->trusted);
	mg_policy_free(&self->other);
	mg_policy_free(&self->trace);
	EXPECT_EQ(0, mg_module_remove("emulated_vfio"));
}

/* All that the device can do; the memory is as before afterwards. */
static void expect_works(struct __test_metadata *const _metadata,
			 FIXTURE_DATA(emulated) *self)
{
	static char buf[MG_BYTES];

	ASSERT_EQ(MG_BYTES, pread(self->device, buf, MG_BYTES, IOVA + MG_AT));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	ASSERT_EQ(MG_BYTES, pwrite(self->device, buf, MG_BYTES, IOVA + MG_AT));
	EXPECT_TRUE(mg_marked(self->map));
	mg_fill(self->map + MG_AT, MG_AT, MG_BYTES);
	EXPECT_EQ((unsigned char)self->map[MG_AT],
		  ioctl(self->device, EMULATED_PIN, IOVA + MG_AT));
}

static void expect_refused(struct __test_metadata *const _metadata,
			   FIXTURE_DATA(emulated) *self)
{
	static char buf[MG_BYTES];
	struct mg_gate gate;

	EXPECT_EQ(-1, pread(self->device, buf, MG_BYTES, IOVA + MG_AT));
	EXPECT_FALSE(mg_matches(buf, MG_AT, MG_BYTES));
	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	EXPECT_EQ(-1, pwrite(self->device, buf, MG_BYTES, IOVA + MG_AT));
	EXPECT_EQ(-1, ioctl(self->device, EMULATED_PIN, IOVA + MG_AT));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(mg_pages_match(self->map, 0, MG_LEN));
	EXPECT_TRUE(mg_matches(self->map + MG_AT, MG_AT, MG_BYTES));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(0, gate.nr_consumers);
}

static void map_all(struct __test_metadata *const _metadata,
		    FIXTURE_DATA(emulated) *self)
{
	ASSERT_EQ(0, vfio_map(self->container, self->map, IOVA, MG_LEN,
			      MEMGATE_READ | MEMGATE_WRITE));
}

/* Nothing is pinned when it is mapped: the seal comes after that as well. */
TEST_F(emulated, closed)
{
	map_all(_metadata, self);
	expect_works(_metadata, self);
	ASSERT_EQ(0, mg_seal(self->fd));
	expect_refused(_metadata, self);
	ASSERT_EQ(0, vfio_unmap(self->container, IOVA, MG_LEN));
	map_all(_metadata, self);
	expect_refused(_metadata, self);
}

TEST_F(emulated, trusted)
{
	struct mg_gate gate;

	map_all(_metadata, self);
	expect_works(_metadata, self);
	ASSERT_LE(0, mg_install(&self->trusted, self->fd));
	expect_works(_metadata, self);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(1, gate.nr_consumers);
	EXPECT_EQ(variant->class, gate.consumer[0].kind);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, gate.consumer[0].rights);
	EXPECT_EQ(1, gate.nr_devices);
	EXPECT_EQ(gate.consumer[0].id, gate.device[0].consumer);
	EXPECT_STREQ(DEVICE, gate.device[0].name);

	/* It ends with what was opened. */
	close(self->device);
	close(self->group);
	close(self->container);
	self->device = self->group = self->container = -1;
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(0, gate.nr_consumers);
}

TEST_F(emulated, another_is_trusted)
{
	map_all(_metadata, self);
	expect_works(_metadata, self);
	ASSERT_LE(0, mg_install(&self->other, self->fd));
	expect_refused(_metadata, self);
}

/* What a read asks for, and what a write asks for after that. */
TEST_F(emulated, questions)
{
	struct trace_event e = { 0 };
	static char buf[MG_BYTES];

	map_all(_metadata, self);
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
	ASSERT_EQ(MG_BYTES, pread(self->device, buf, MG_BYTES, IOVA));
	ASSERT_EQ(MG_BYTES, pread(self->device, buf, MG_BYTES, IOVA));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   variant->class, &e));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	EXPECT_EQ(MEMGATE_READ, e.rights);
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
	ASSERT_EQ(MG_BYTES, pwrite(self->device, buf, MG_BYTES, IOVA));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   variant->class, &e));
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_LE(0, ioctl(self->device, EMULATED_PIN, IOVA));
	EXPECT_EQ(1, mg_trace_count(&self->trace));
}

TEST_HARNESS_MAIN
