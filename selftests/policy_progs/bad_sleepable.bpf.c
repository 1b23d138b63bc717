// SPDX-License-Identifier: GPL-2.0-only
/* A sleepable program: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

SEC("struct_ops.s/may_map")
int BPF_PROG(bad_sleepable_may_map)
{
	return 0;
}

MEMGATE_POLICY(bad_sleepable,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_sleepable_may_map,
);
