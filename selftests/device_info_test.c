// SPDX-License-Identifier: GPL-2.0-only
/*
 * What memgate/device.bpf.h tells policies of a device is what sysfs says, and
 * is true of devices below it as well.
 */
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#include "kselftest_harness.h"
#include "edu_util.h"
#include "memgate_util.h"
#include "policy_progs/device_info.h"

#define LEN	MG_HUGE_SIZE
#define RW	(MEMGATE_READ | MEMGATE_WRITE)

FIXTURE(info) {
	int fd;
	char *map;
	struct mg_policy policy;
	int container, group[2];
	struct device_info level[INFO_LEVELS];
};

FIXTURE_SETUP(info)
{
	ASSERT_EQ(0, edu_ready());
	ASSERT_EQ(0, mg_policy_load(&self->policy, "device_info")) {
		TH_LOG("%s", self->policy.log);
	}
	self->fd = mg_memfd(MG_4K, LEN);
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	self->container = vfio_container();
	self->group[0] = self->group[1] = -1;
}

FIXTURE_TEARDOWN(info)
{
	close(self->group[0]);
	close(self->group[1]);
	close(self->container);
	munmap(self->map, LEN);
	mg_policy_free(&self->policy);
	close(self->fd);
}

static int read_info(struct mg_policy *policy, struct device_info *level)
{
	int map = mg_policy_map(policy, "info");
	__u32 i, err = 0;

	for (i = 0; i < INFO_LEVELS && !err; i++)
		err = bpf_map_lookup_elem(map, &i, level + i);
	return err;
}

/* A hexadecimal number of sysfs. */
static unsigned int sysfs_number(const char *dev, const char *file)
{
	char path[128];
	unsigned int n = ~0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", dev, file);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%x", &n) != 1)
		n = ~0;
	if (f)
		fclose(f);
	return n;
}

/* The group of @nr joins, and the memory is mapped for it. */
static int use(FIXTURE_DATA(info) *self, int i, enum edu_nr nr)
{
	self->group[i] = vfio_group(nr);
	return vfio_join(self->group[i], self->container) ?:
	       (i ? 0 : vfio_set_iommu(self->container)) ?:
	       (i ? 0 : vfio_map(self->container, self->map, 0x1000000, LEN,
				 RW)) ?:
	       read_info(&self->policy, self->level);
}

static void expect_pci(struct __test_metadata *_metadata,
		       const struct device_info *d, const char *dev)
{
	unsigned int domain, bus, slot, func;

	ASSERT_EQ(4, sscanf(dev, "%x:%x:%x.%x", &domain, &bus, &slot, &func));
	EXPECT_EQ(1, d->has_pci);
	EXPECT_EQ(domain, d->domain);
	EXPECT_EQ(bus, d->bus);
	EXPECT_EQ(slot, d->slot);
	EXPECT_EQ(func, d->func);
	EXPECT_EQ(sysfs_number(dev, "vendor"), d->vendor);
	EXPECT_EQ(sysfs_number(dev, "device"), d->device);
	EXPECT_EQ(sysfs_number(dev, "class"), d->class);
	EXPECT_STREQ("", d->net);
	EXPECT_STREQ("", d->rdma);
}

TEST_F(info, pci)
{
	int i;

	ASSERT_EQ(0, use(self, 0, EDU_B));
	EXPECT_STREQ(edu_name(EDU_B), self->level[0].name);
	for (i = 0; i < INFO_LEVELS; i++) {
		expect_pci(_metadata, self->level + i, edu_name(EDU_B));
		EXPECT_EQ(edu_group_nr(EDU_B), self->level[i].group);
		EXPECT_STREQ("vfio-pci", self->level[i].driver);
		EXPECT_EQ(0, self->level[i].bridge);
	}
	/* Those below have no name. */
	EXPECT_STREQ("", self->level[1].name);
	EXPECT_STREQ("", self->level[2].name);
}

/* Its last device is asked about last. */
TEST_F(info, behind_bridge)
{
	const struct device_info *d = self->level;
	int i;

	ASSERT_EQ(0, use(self, 0, EDU_BRIDGED));
	ASSERT_TRUE(d->bridge || !strcmp(d->name, edu_name(EDU_BRIDGED)) ||
		    !strcmp(d->name, edu_name(EDU_BRIDGED_2)));
	for (i = 0; i < INFO_LEVELS; i++) {
		expect_pci(_metadata, d + i, d->name);
		EXPECT_EQ(edu_group_nr(EDU_BRIDGED), d[i].group);
	}
	EXPECT_EQ(sysfs_number(d->name, "class") >> 8 == 0x0604, d->bridge);
}

/* The iterator shows who is there before the one that is asked about. */
TEST_F(info, devices_of_consumer)
{
	ASSERT_EQ(0, use(self, 0, EDU_A));
	EXPECT_EQ(1, self->level[0].of_consumer);
	ASSERT_EQ(0, use(self, 1, EDU_B));
	EXPECT_STREQ(edu_name(EDU_B), self->level[0].name);
	EXPECT_EQ(1, self->level[0].of_consumer);
}

TEST_F(info, netdev)
{
	struct xdp_umem_reg reg = {
		.addr = (unsigned long)self->map, .len = LEN,
		.chunk_size = 4096,
	};
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY,
	};
	int fd = socket(AF_XDP, SOCK_RAW, 0), size = 64, i;

	if (!if_nametoindex("mgi0"))
		ASSERT_EQ(0, system("ip link add mgi0 type dummy"));
	to.sxdp_ifindex = if_nametoindex("mgi0");
	ASSERT_EQ(0, setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)));
	/* No device, so nothing of all this. */
	ASSERT_EQ(0, read_info(&self->policy, self->level));
	EXPECT_EQ(0, self->level[0].has_pci);
	EXPECT_EQ(-1, self->level[0].group);
	EXPECT_STREQ("", self->level[0].name);
	ASSERT_EQ(0, setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size,
				sizeof(size)));
	ASSERT_EQ(0, setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size,
				sizeof(size)));
	ASSERT_EQ(0, setsockopt(fd, SOL_XDP, XDP_TX_RING, &size,
				sizeof(size)));
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&to, sizeof(to)));
	ASSERT_EQ(0, read_info(&self->policy, self->level));
	EXPECT_STREQ("mgi0", self->level[0].name);
	EXPECT_STREQ("mgi0", self->level[0].net);
	for (i = 0; i < INFO_LEVELS; i++) {
		EXPECT_EQ(0, self->level[i].has_pci);
		EXPECT_EQ(-1, self->level[i].group);
		EXPECT_STREQ("", self->level[i].driver);
	}
	/* What is below an interface is none. */
	EXPECT_STREQ("", self->level[1].net);
	close(fd);
}

TEST_HARNESS_MAIN
