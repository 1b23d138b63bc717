// SPDX-License-Identifier: GPL-2.0-only
/*
 * one_vendor: PCI devices of one vendor reach the memory by VFIO or iommufd,
 * and no others.
 *
 * Decides VFIO and IOMMUFD.  A container or IOAS without a device may have
 * the memory, as it is asked about again with each device that joins.
 *
 * Parameters:
 *   vendor	the PCI vendor id, such as 0x8086; must be given
 *
 * A device says itself whose it is.  When something fails: refused.
 */
#include <memgate/policy.bpf.h>
#include <memgate/device.bpf.h>

char _license[] SEC("license") = "GPL";

struct one_vendor_params {
	__u32 vendor;
};
MEMGATE_PARAMS(struct one_vendor_params);

int MEMGATE_PROG(may_attach, one_vendor_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	const struct one_vendor_params *params;
	struct memgate_pci pci;

	params = MEMGATE_GET_PARAMS(gate, struct one_vendor_params);
	if (!params || !params->vendor)
		return -EACCES;
	if (dev && (!memgate_device_pci(dev, &pci) ||
		    pci.vendor != params->vendor))
		return -EACCES;
	return 0;
}

MEMGATE_POLICY(one_vendor,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO) |
		   MEMGATE_CLASS(MEMGATE_IOMMUFD),
	.params_size = sizeof(struct one_vendor_params),
	.may_attach = (void *)one_vendor_may_attach,
);
