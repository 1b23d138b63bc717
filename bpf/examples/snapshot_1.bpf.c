// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot_1: first step to the policy snapshot, which the manual builds.
 *
 * Decides MAP: one process, the VMM, may map the memory.
 *
 * Parameters:
 *   vmm	its process id
 *   start	when it started, field 22 of /proc/PID/stat (0: not looked at)
 *
 * When something fails: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct snapshot_params {
	__u32 vmm MEMGATE_DOC("process id of the VMM");
	__u64 start MEMGATE_DOC("when it started, field 22 of /proc/PID/stat");
};
MEMGATE_PARAMS(struct snapshot_params);

int MEMGATE_PROG(may_map, snapshot_may_map, struct memgate *gate, __u32 op)
{
	struct task_struct *me = bpf_get_current_task_btf();
	const struct snapshot_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct snapshot_params);
	if (!params || op == MEMGATE_OP_FORK)
		return -EACCES;
	if (!memgate_task_is(me, params->vmm, params->start))
		return -EACCES;
	return 0;
}

MEMGATE_RULE(MEMGATE_MAP, "the process vmm");

MEMGATE_POLICY(snapshot_1,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct snapshot_params),
	.may_map = (void *)snapshot_may_map,
);
