// SPDX-License-Identifier: GPL-2.0-only
/* Two policies in one object: for loaders, which take one. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_two_may_map)
{
	return 0;
}

MEMGATE_POLICY(bad_two_first,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_two_may_map,
);

MEMGATE_POLICY(bad_two_second,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_two_may_map,
);
