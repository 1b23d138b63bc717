// SPDX-License-Identifier: GPL-2.0-only
/*
 * one_vendor: PCI devices of one vendor reach the memory by VFIO or iommufd,
 * and no others.  Some of that vendor can be excepted by their addresses.
 *
 * Decides VFIO and IOMMUFD.  A container or IOAS without a device may have
 * the memory, as it is asked about again with each device that joins.
 *
 * Parameters:
 *   vendor	the PCI vendor id, such as 0x8086; must be given
 *   but_not	addresses of devices that do not, such as 0000:03:00.0
 *
 * A device says itself whose it is.  When something fails: refused.
 */
#include <memgate/policy.bpf.h>
#include <memgate/device.bpf.h>

char _license[] SEC("license") = "GPL";

struct one_vendor_params {
	__u32 vendor MEMGATE_DOC("PCI vendor id");
	memgate_pci_addr_t but_not[8] MEMGATE_DOC("devices that may not");
};
MEMGATE_PARAMS(struct one_vendor_params);

static __always_inline bool
may_have_it(struct device *dev, const struct one_vendor_params *params)
{
	struct memgate_pci pci;
	int i;

	if (!memgate_device_pci(dev, &pci) || pci.vendor != params->vendor)
		return false;
	for (i = 0; i < 8; i++)
		if (memgate_pci_addr(&pci) == params->but_not[i])
			return false;
	return true;
}

int MEMGATE_PROG(may_attach, one_vendor_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	const struct one_vendor_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct one_vendor_params);
	if (!params || !params->vendor)
		return -EACCES;
	return !dev || may_have_it(dev, params) ? 0 : -EACCES;
}

MEMGATE_RULE(MEMGATE_VFIO, "PCI devices of the vendor, but for but_not");
MEMGATE_RULE(MEMGATE_IOMMUFD, "PCI devices of the vendor, but for but_not");

MEMGATE_POLICY(one_vendor,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO) |
		   MEMGATE_CLASS(MEMGATE_IOMMUFD),
	.params_size = sizeof(struct one_vendor_params),
	.may_attach = (void *)one_vendor_may_attach,
);
