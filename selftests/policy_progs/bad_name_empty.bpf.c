// SPDX-License-Identifier: GPL-2.0-only
/* The name is empty: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_name_empty_may_map)
{
	return 0;
}

SEC(".struct_ops.link")
struct memgate_ops bad_name_empty = {
	.name = "",
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_name_empty_may_map,
};
