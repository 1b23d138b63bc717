// SPDX-License-Identifier: GPL-2.0-only
/*
 * No policy: copies memory of another process, as the map peek says, when its
 * iterator over that process is read.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "look.h"

char _license[] SEC("license") = "GPL";

struct task_struct;
struct bpf_iter_meta;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct peek);
} peek SEC(".maps");

SEC("iter.s/task")
int peek_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 key = 0;
	struct peek *p = bpf_map_lookup_elem(&peek, &key);

	if (!task || !p)
		return 0;
	p->ret = bpf_copy_from_user_task(p->bytes, sizeof(p->bytes),
					 (void *)p->addr, task, 0);
	return 0;
}
