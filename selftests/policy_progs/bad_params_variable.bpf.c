// SPDX-License-Identifier: GPL-2.0-only
/* Asks for a number of bytes that is no constant: refused at load. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_variable_may_map, struct memgate *gate,
		 __u32 op, __u32 rights)
{
	return bpf_memgate_params(gate, rights) ? 0 : -EACCES;
}

MEMGATE_POLICY(bad_variable,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = 8,
	.may_map = (void *)bad_variable_may_map,
);
