// SPDX-License-Identifier: GPL-2.0-only
/* Allows every class as far as it reads. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, read_only_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev,
		 __u32 rights)
{
	return rights & ~MEMGATE_READ ? -EACCES : 0;
}

int MEMGATE_PROG(may_map, read_only_may_map, struct memgate *gate, __u32 op,
		 __u32 rights)
{
	return rights & ~MEMGATE_READ ? -EACCES : 0;
}

MEMGATE_POLICY(read_only,
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,
	.may_attach = (void *)read_only_may_attach,
	.may_map = (void *)read_only_may_map,
);
