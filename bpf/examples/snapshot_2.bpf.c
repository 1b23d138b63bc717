// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot_2: second step to the policy snapshot, which the manual builds.
 *
 * Decides MAP and FILE: one process, the VMM, may map the memory, and one
 * user may read it through the memfd.
 *
 * Parameters: those of snapshot_1, and
 *   uid	the user, who is not root (0: nobody)
 *
 * When something fails: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct snapshot_params {
	__u32 vmm MEMGATE_DOC("process id of the VMM");
	__u64 start MEMGATE_DOC("when it started, field 22 of /proc/PID/stat");
	__u32 uid MEMGATE_DOC("the tool's user, who is not root");
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

int MEMGATE_PROG(may_attach, snapshot_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev,
		 __u32 rights)
{
	const struct snapshot_params *params;
	struct task_struct *task = consumer->task;

	params = MEMGATE_GET_PARAMS(gate, struct snapshot_params);
	if (!params || rights != MEMGATE_READ || task->flags & PF_KTHREAD)
		return -EACCES;
	if (!params->uid || task->cred->euid.val != params->uid)
		return -EACCES;
	return 0;
}

MEMGATE_RULE(MEMGATE_MAP, "the process vmm");
MEMGATE_RULE(MEMGATE_FILE, "reading, by processes of the user uid");

MEMGATE_POLICY(snapshot_2,
	.decides = MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_FILE),
	.params_size = sizeof(struct snapshot_params),
	.may_attach = (void *)snapshot_may_attach,
	.may_map = (void *)snapshot_may_map,
);
