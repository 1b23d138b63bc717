// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declares 8 bytes of parameters and asks for 16: gets none, and says so
 * with an errno that nothing else gives.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, params_short_may_map, struct memgate *gate)
{
	if (!bpf_memgate_params(gate, 8))
		return -EACCES;
	return bpf_memgate_params(gate, 16) ? 0 : -ENODATA;
}

MEMGATE_POLICY(params_short,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = 8,
	.may_map = (void *)params_short_may_map,
);
