// SPDX-License-Identifier: GPL-2.0-only
/*
 * trusted_devices: only devices that are named.
 *
 * Decides what has a device: VFIO, IOMMUFD, RDMA, VDPA, XDP and DMABUF.  A
 * device may use the memory if one of the rules fits it.  Who uses the device
 * is not asked here: install owner, or another policy, for that.
 *
 * Parameters:
 *   trust	up to 64 rules KIND:PATTERN of at most 47 characters, such as
 *		pci:0000:00:10.0, id:8086:*, class:0c03*, group:7,
 *		driver:vfio-pci, rdma:rxe0, net:eth0; told in full in
 *		trust.bpf.h
 *
 * Every device of a consumer is asked about by itself: those of the same
 * iommu_group too, so all of them must be trusted.  PCI bridges among them
 * are let through.  A consumer that has no device yet (a container, a umem, a
 * udmabuf) may take the memory: nobody reaches it by that, and every device
 * that joins is asked about.
 *
 * When something fails: refused.  With EINVAL, and everything, when a rule is
 * malformed or there is none at all.
 */
#include <memgate/policy.bpf.h>

#include "trust.bpf.h"

char _license[] SEC("license") = "GPL";

struct trusted_devices_params {
	TRUST_PARAM;
};
MEMGATE_PARAMS(struct trusted_devices_params);

int MEMGATE_PROG(may_attach, trusted_devices_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	const struct trusted_devices_params *params;
	__u32 rules;
	int ret;

	params = MEMGATE_GET_PARAMS(gate, struct trusted_devices_params);
	if (!params)
		return -EINVAL;
	ret = trust_device(params->trust, consumer, dev, &rules);
	return rules ? ret : -EINVAL;
}

#define TRUST_RULE	"devices that a rule in trust fits"

MEMGATE_RULE(MEMGATE_VFIO, TRUST_RULE);
MEMGATE_RULE(MEMGATE_IOMMUFD, TRUST_RULE);
MEMGATE_RULE(MEMGATE_RDMA, TRUST_RULE);
MEMGATE_RULE(MEMGATE_VDPA, TRUST_RULE);
MEMGATE_RULE(MEMGATE_XDP, TRUST_RULE);
MEMGATE_RULE(MEMGATE_DMABUF, TRUST_RULE);

MEMGATE_POLICY(trusted_devices,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO) |
		   MEMGATE_CLASS(MEMGATE_IOMMUFD) |
		   MEMGATE_CLASS(MEMGATE_RDMA) |
		   MEMGATE_CLASS(MEMGATE_VDPA) |
		   MEMGATE_CLASS(MEMGATE_XDP) |
		   MEMGATE_CLASS(MEMGATE_DMABUF),
	.params_size = sizeof(struct trusted_devices_params),
	.may_attach = (void *)trusted_devices_may_attach,
);
