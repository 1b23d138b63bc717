// SPDX-License-Identifier: GPL-2.0-only
/* Writes to its parameters: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_params_write_may_map, struct memgate *gate)
{
	__u8 *params = (__u8 *)bpf_memgate_params(gate, 8);

	if (!params)
		return -EACCES;
	params[0] = 1;
	return 0;
}

MEMGATE_POLICY(bad_params_wr,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = 8,
	.may_map = (void *)bad_params_write_may_map,
);
