// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot: a tool takes one image of a VM's memory, and no second one.
 *
 * Decides MAP and FILE.  One process, the VMM, may map the memory.  One user
 * may read it through the memfd, as many bytes as an image has, so that the
 * tool cannot go on to watch the guest.  Nobody may write through the memfd,
 * and nobody else may read.
 *
 * Parameters:
 *   vmm	process id of the VMM
 *   start	when it started, field 22 of /proc/PID/stat (0: not looked at)
 *   uid	the tool's user, who is not root (0: nobody)
 *   limit	how many bytes it may read (0: as many as the memory has)
 *
 * Who is somebody else gets EACCES, who has read enough EDQUOT.  When
 * something fails: refused.  The policy remembers up to 65536 memfds; on one
 * more, the tool may read nothing.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct snapshot_params {
	__u32 vmm MEMGATE_DOC("process id of the VMM");
	__u64 start MEMGATE_DOC("when it started, field 22 of /proc/PID/stat");
	__u32 uid MEMGATE_DOC("the tool's user, who is not root");
	__u64 limit MEMGATE_DOC("bytes that it may read; 0: all, once");
};
MEMGATE_PARAMS(struct snapshot_params);

/* id of a gate -> bytes that were read */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} bytes_read SEC(".maps");

/* Questions about reads are asked on many processors at the same time. */
static __always_inline int spend(struct memgate *gate, __u64 len, __u64 limit)
{
	__u64 id = bpf_memgate_id(gate), nothing = 0;
	__u64 *spent;

	bpf_map_update_elem(&bytes_read, &id, &nothing, BPF_NOEXIST);
	spent = bpf_map_lookup_elem(&bytes_read, &id);
	if (!spent)
		return -EACCES;
	if (__sync_fetch_and_add(spent, len) + len <= limit)
		return 0;
	__sync_fetch_and_sub(spent, len);
	return -EDQUOT;
}

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
		 __u32 rights, __u64 start, __u64 len)
{
	const struct snapshot_params *params;
	struct task_struct *task = consumer->task;
	__u64 size = bpf_memgate_size(gate);

	params = MEMGATE_GET_PARAMS(gate, struct snapshot_params);
	if (!params || rights != MEMGATE_READ || task->flags & PF_KTHREAD)
		return -EACCES;
	if (!params->uid || task->cred->euid.val != params->uid)
		return -EACCES;

	/* There is nothing behind the end.  A length of 0 is not known. */
	if (start >= size)
		return 0;
	if (!len || len > size - start)
		len = size - start;
	return spend(gate, len, params->limit ?: size);
}

void MEMGATE_PROG(released, snapshot_released, struct memgate *gate)
{
	__u64 id = bpf_memgate_id(gate);

	bpf_map_delete_elem(&bytes_read, &id);
}

MEMGATE_RULE(MEMGATE_MAP, "the process vmm");
MEMGATE_RULE(MEMGATE_FILE, "reading, by the user uid, of one image");

MEMGATE_POLICY(snapshot,
	.decides = MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_FILE),
	.params_size = sizeof(struct snapshot_params),
	.may_attach = (void *)snapshot_may_attach,
	.may_map = (void *)snapshot_may_map,
	.released = (void *)snapshot_released,
);
