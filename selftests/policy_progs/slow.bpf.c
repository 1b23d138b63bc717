// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides every class, and allows after a while: as many turns of a loop as
 * its parameter says, at most 8388608.  For races with a question that is
 * being answered.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct slow_params {
	__u32 turns;
};
MEMGATE_PARAMS(struct slow_params);

static long turn(__u32 nr, void *context)
{
	return 0;
}

static __always_inline int answer(struct memgate *gate)
{
	const struct slow_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct slow_params);
	if (!params)
		return -EACCES;
	return bpf_loop(params->turns, turn, NULL, 0) < 0 ? -EACCES : 0;
}

int MEMGATE_PROG(may_attach, slow_may_attach, struct memgate *gate)
{
	return answer(gate);
}

int MEMGATE_PROG(may_map, slow_may_map, struct memgate *gate)
{
	return answer(gate);
}

MEMGATE_POLICY(slow,
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,
	.params_size = sizeof(struct slow_params),
	.may_attach = (void *)slow_may_attach,
	.may_map = (void *)slow_may_map,
);
