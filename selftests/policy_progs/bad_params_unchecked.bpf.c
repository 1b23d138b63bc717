// SPDX-License-Identifier: GPL-2.0-only
/* Reads its parameters without a look whether it got any: refused at load. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct unchecked_params {
	__s32 answer;
};
MEMGATE_PARAMS(struct unchecked_params);

int MEMGATE_PROG(may_map, bad_unchecked_may_map, struct memgate *gate)
{
	return MEMGATE_GET_PARAMS(gate, struct unchecked_params)->answer;
}

MEMGATE_POLICY(bad_unchecked,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct unchecked_params),
	.may_map = (void *)bad_unchecked_may_map,
);
