// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy for a kernel that does not exist: it has a program, a class and
 * functions of its own.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

extern int bpf_memgate_dream(struct memgate *gate) __ksym;
extern int bpf_memgate_perhaps(struct memgate *gate) __weak __ksym;

struct memgate_ops___later {
	int (*may_map)(struct memgate *gate);
	int (*may_dream)(struct memgate *gate);
	__u64 decides;
	__u32 params_size;
	char name[MEMGATE_NAME_LEN];
};

int MEMGATE_PROG(may_map, later_may_map, struct memgate *gate)
{
	if (bpf_memgate_perhaps)
		bpf_memgate_perhaps(gate);
	return bpf_memgate_dream(gate);
}

int MEMGATE_PROG(may_dream, later_may_dream, struct memgate *gate)
{
	return -EACCES;
}

SEC(".struct_ops.link")
struct memgate_ops___later later = {
	.name = "later",
	.decides = MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(40),
	.may_map = (void *)later_may_map,
	.may_dream = (void *)later_may_dream,
};
