// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allows everything in the classes in which devices come, and writes down what
 * memgate/device.bpf.h says of the device that it was asked about last, and of
 * devices that would be below it.
 */
#include <memgate/policy.bpf.h>
#include <memgate/device.bpf.h>

#include "device_info.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INFO_LEVELS);
	__type(key, __u32);
	__type(value, struct device_info);
} info SEC(".maps");

/* Devices made up: all that they have is a parent. */
static char made_up[INFO_LEVELS - 1][4096];

static __always_inline void set_parent(char *dev, void *parent)
{
	__u32 at = bpf_core_field_offset(struct device, parent);

	if (at <= 4096 - sizeof(parent))
		*(__u64 *)(dev + at) = (__u64)parent;
}

static __always_inline __u32 count(struct memgate_consumer *consumer)
{
	struct device *d;
	__u32 n = 0;

	bpf_for_each(memgate_device, d, consumer)
		n++;
	return n;
}

static __noinline int write_down(__u32 level, struct device *dev, __u32 n)
{
	struct device_info *i = bpf_map_lookup_elem(&info, &level);
	struct memgate_pci pci;

	if (!i)
		return 0;
	i->has_pci = memgate_device_pci(dev, &pci);
	i->domain = pci.domain;
	i->bus = pci.bus;
	i->slot = pci.slot;
	i->func = pci.func;
	i->bridge = pci.bridge;
	i->vendor = pci.vendor;
	i->device = pci.device;
	i->class = pci.class;
	i->group = memgate_device_group(dev);
	i->of_consumer = n;
	memgate_device_name(dev, i->name, sizeof(i->name));
	memgate_device_driver(dev, i->driver, sizeof(i->driver));
	memgate_device_net(dev, i->net, sizeof(i->net));
	memgate_device_rdma(dev, i->rdma, sizeof(i->rdma));
	return 0;
}

int MEMGATE_PROG(may_attach, device_info_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	__u32 n = count(consumer);

	set_parent(made_up[0], dev);
	set_parent(made_up[1], made_up[0]);
	write_down(0, dev, n);
	write_down(1, (struct device *)made_up[0], n);
	write_down(2, (struct device *)made_up[1], n);
	return 0;
}

MEMGATE_POLICY(device_info,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO) |
		   MEMGATE_CLASS(MEMGATE_IOMMUFD) |
		   MEMGATE_CLASS(MEMGATE_RDMA) |
		   MEMGATE_CLASS(MEMGATE_VDPA) |
		   MEMGATE_CLASS(MEMGATE_XDP) |
		   MEMGATE_CLASS(MEMGATE_DMABUF),
	.may_attach = (void *)device_info_may_attach,
);
