// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rule "only this thread group may map this memfd" as a policy, to be
 * measured against bench_lsm.bpf.c and plain-c.patch, which say the same.
 *
 * Decides MAP.  Parameters: tgid, the thread group.  Without: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct rule_params {
	__u32 tgid;
};
MEMGATE_PARAMS(struct rule_params);

int MEMGATE_PROG(may_map, rule_may_map, struct memgate *gate)
{
	const struct rule_params *rule;

	rule = MEMGATE_GET_PARAMS(gate, struct rule_params);
	if (!rule || rule->tgid != bpf_get_current_pid_tgid() >> 32)
		return -EACCES;
	return 0;
}

MEMGATE_POLICY(bench_rule,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct rule_params),
	.may_map = (void *)rule_may_map,
);
