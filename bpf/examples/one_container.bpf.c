// SPDX-License-Identifier: GPL-2.0-only
/*
 * one_container: the tasks of one container map the memory, and no others.
 *
 * Decides MAP, by the mount namespace of the task.
 *
 * Parameters:
 *   mnt_ns	its number: stat -L -c %i /proc/PID/ns/mnt; must be given
 *
 * When something fails: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

/* What memgate/types.bpf.h has not got. */
#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)
struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct task_struct___ns {
	struct nsproxy *nsproxy;
};
#pragma clang attribute pop

struct one_container_params {
	__u32 mnt_ns MEMGATE_DOC("number of the mount namespace");
};
MEMGATE_PARAMS(struct one_container_params);

int MEMGATE_PROG(may_map, one_container_may_map, struct memgate *gate)
{
	struct task_struct___ns *me = (void *)bpf_get_current_task_btf();
	const struct one_container_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct one_container_params);
	if (!params || !params->mnt_ns ||
	    BPF_CORE_READ(me, nsproxy, mnt_ns, ns.inum) != params->mnt_ns)
		return -EACCES;
	return 0;
}

MEMGATE_RULE(MEMGATE_MAP, "tasks of the mount namespace mnt_ns");

MEMGATE_POLICY(one_container,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct one_container_params),
	.may_map = (void *)one_container_may_map,
);
