// SPDX-License-Identifier: GPL-2.0-only
/*
 * owner: the memory is one party's own.
 *
 * Decides MAP, FILE, OWN_PIN and OWN_LONGTERM.  The owner may map the memory,
 * read and write the memfd, and pin its own mappings of it (direct I/O and
 * the like).  Nobody else may, root included.
 *
 * Parameters, of which exactly one owner must be named:
 *   tgid	a process: its id in the initial pid namespace
 *   start	with tgid: when that process started, field 22 of
 *		/proc/PID/stat, so that a later process with the same id is
 *		not taken for it (default 0: not looked at)
 *   by_uid	every process of a user ...
 *   uid	... with this effective user id, in the initial user namespace
 *   cgroup	every process in this cgroup (v2) or below it: the inode
 *		number of the cgroup's directory
 *
 * A fork of an owner named by tgid is somebody else: the child does not
 * inherit the mapping.  Kernel threads own nothing: what they do for others
 * (a loop device on the memfd) is refused.
 *
 * When something fails, when no owner or more than one is named, or when the
 * cgroup is gone: refused.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

/* /proc counts time in ticks of USER_HZ, which is 100 on every kernel. */
#define NSEC_PER_TICK	(1000000000ULL / 100)

struct owner_params {
	__u32 tgid;
	__u64 start;
	bool by_uid;
	__u32 uid;
	__u64 cgroup;
};
MEMGATE_PARAMS(struct owner_params);

static __always_inline bool is_process(const struct owner_params *params,
				       struct task_struct *task)
{
	__u64 ticks;

	if (task->tgid != params->tgid)
		return false;
	ticks = task->group_leader->start_boottime / NSEC_PER_TICK;
	return !params->start || params->start == ticks;
}

/* A value without what gives it a meaning is a mistake, not a default. */
static __always_inline bool is_valid(const struct owner_params *params)
{
	if ((params->start && !params->tgid) ||
	    (params->uid && !params->by_uid))
		return false;
	return !!params->tgid + !!params->by_uid + !!params->cgroup == 1;
}

static __always_inline int check(struct memgate *gate,
				 struct task_struct *task, bool for_child)
{
	const struct owner_params *params;
	bool allowed;

	params = MEMGATE_GET_PARAMS(gate, struct owner_params);
	if (!params || !is_valid(params) || task->flags & PF_KTHREAD)
		return -EACCES;

	if (params->tgid)
		allowed = !for_child && is_process(params, task);
	else if (params->by_uid)
		allowed = task->cred->euid.val == params->uid;
	else
		allowed = memgate_task_in_cgroup(task, params->cgroup);
	return allowed ? 0 : -EACCES;
}

int MEMGATE_PROG(may_attach, owner_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	struct task_struct *task = bpf_memgate_consumer_task(consumer);
	int ret;

	if (!task)
		return -EACCES;
	ret = check(gate, task, false);
	bpf_task_release(task);
	return ret;
}

int MEMGATE_PROG(may_map, owner_may_map, struct memgate *gate, __u32 op)
{
	return check(gate, bpf_get_current_task_btf(), op == MEMGATE_OP_FORK);
}

MEMGATE_POLICY(owner,
	.decides = MEMGATE_CLASS(MEMGATE_MAP) |
		   MEMGATE_CLASS(MEMGATE_FILE) |
		   MEMGATE_CLASS(MEMGATE_OWN_PIN) |
		   MEMGATE_CLASS(MEMGATE_OWN_LONGTERM),
	.params_size = sizeof(struct owner_params),
	.may_attach = (void *)owner_may_attach,
	.may_map = (void *)owner_may_map,
);
