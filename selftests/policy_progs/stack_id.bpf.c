// SPDX-License-Identifier: GPL-2.0-only
/*
 * No policy: records the user stack, with build ids, of the process in the
 * map stack_of whenever it calls getppid().
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "look.h"

char _license[] SEC("license") = "GPL";

#define NR_GETPPID	110

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stack_id);
} stack_of SEC(".maps");

SEC("raw_tp/sys_enter")
int stack_id(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 key = 0;
	struct stack_id *s = bpf_map_lookup_elem(&stack_of, &key);

	if (!s || ctx->args[1] != NR_GETPPID ||
	    bpf_get_current_pid_tgid() >> 32 != s->tgid)
		return 0;
	s->size = bpf_get_stack(ctx, s->frames, sizeof(s->frames),
				BPF_F_USER_STACK | BPF_F_USER_BUILD_ID);
	return 0;
}
