// SPDX-License-Identifier: GPL-2.0-only
/* Declares more than 4 KiB of parameters: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_params_size_may_map)
{
	return 0;
}

MEMGATE_POLICY(bad_params_size,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = MEMGATE_PARAMS_MAX + 1,
	.may_map = (void *)bad_params_size_may_map,
);
