// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many bytes of parameters as there can be.  Allows a mapping if the
 * first and the last are both 0x5a.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct params_max_params {
	char bytes[MEMGATE_PARAMS_MAX];
};
MEMGATE_PARAMS(struct params_max_params);

int MEMGATE_PROG(may_map, params_max_may_map, struct memgate *gate)
{
	const struct params_max_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct params_max_params);
	if (!params || params->bytes[0] != 0x5a ||
	    params->bytes[MEMGATE_PARAMS_MAX - 1] != 0x5a)
		return -EACCES;
	return 0;
}

MEMGATE_POLICY(params_max,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct params_max_params),
	.may_map = (void *)params_max_may_map,
);
