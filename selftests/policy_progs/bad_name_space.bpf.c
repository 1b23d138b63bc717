// SPDX-License-Identifier: GPL-2.0-only
/* The name has a space, a separator in fdinfo: refused at registration. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_name_space_may_map)
{
	return 0;
}

SEC(".struct_ops.link")
struct memgate_ops bad_name_space = {
	.name = "a policy",
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_name_space_may_map,
};
