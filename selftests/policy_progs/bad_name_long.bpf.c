// SPDX-License-Identifier: GPL-2.0-only
/* The name fills its field, with no final NUL: refused at registration. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_name_long_may_map)
{
	return 0;
}

SEC(".struct_ops.link")
struct memgate_ops bad_name_long = {
	.name = "0123456789abcdef0123456789abcdef",
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_name_long_may_map,
};
