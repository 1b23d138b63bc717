// SPDX-License-Identifier: GPL-2.0-only
/* Reads beyond the bytes of parameters it asked for: refused at load. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_beyond_may_map, struct memgate *gate)
{
	const __u8 *params = bpf_memgate_params(gate, 8);

	return params ? -(int)params[8] : -EACCES;
}

MEMGATE_POLICY(bad_beyond,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = 8,
	.may_map = (void *)bad_beyond_may_map,
);
