// SPDX-License-Identifier: GPL-2.0-only
/* Reads a device that may not be there: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct device___id {
	__u32 id;
} __attribute__((preserve_access_index));

int MEMGATE_PROG(may_attach, bad_device_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	return ((struct device___id *)dev)->id ? 0 : -EACCES;
}

MEMGATE_POLICY(bad_device,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO),
	.may_attach = (void *)bad_device_may_attach,
);
