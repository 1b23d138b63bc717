// SPDX-License-Identifier: GPL-2.0-only
/*
 * two_vms_one_cgroup: a few VMs share the memory, and only the members of
 * one cgroup may map it.
 *
 * Decides KVM and MAP.  A VM may use the memory if fewer than max_vms others
 * do.  A process may map it if it is in the cgroup or below it.
 *
 * Parameters:
 *   max_vms	how many VMs at the same time (default 0: two)
 *   cgroup	the inode number of the cgroup's directory (v2); must be given
 *
 * When something fails, or the cgroup is gone: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct two_vms_params {
	__u32 max_vms MEMGATE_DOC("VMs at the same time; 0: two");
	__u64 cgroup MEMGATE_DOC("inode number of the cgroup's directory");
};
MEMGATE_PARAMS(struct two_vms_params);

int MEMGATE_PROG(may_attach, two_vms_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	const struct two_vms_params *params;
	__u64 vm = consumer->id;
	struct memgate_consumer *c;
	__u32 others = 0;

	params = MEMGATE_GET_PARAMS(gate, struct two_vms_params);
	if (!params)
		return -EACCES;
	bpf_for_each(memgate_consumer, c, gate)
		if (c->kind == MEMGATE_KVM && c->id != vm)
			others++;
	return others < (params->max_vms ?: 2) ? 0 : -EACCES;
}

int MEMGATE_PROG(may_map, two_vms_may_map, struct memgate *gate)
{
	const struct two_vms_params *params;
	struct task_struct *me = bpf_get_current_task_btf();

	params = MEMGATE_GET_PARAMS(gate, struct two_vms_params);
	if (!params || !memgate_task_in_cgroup(me, params->cgroup))
		return -EACCES;
	return 0;
}

MEMGATE_RULE(MEMGATE_KVM, "max_vms VMs at the same time");
MEMGATE_RULE(MEMGATE_MAP, "processes of the cgroup, or below it");

MEMGATE_POLICY(two_vms_one_cgroup,
	.decides = MEMGATE_CLASS(MEMGATE_KVM) | MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct two_vms_params),
	.may_attach = (void *)two_vms_may_attach,
	.may_map = (void *)two_vms_may_map,
);
