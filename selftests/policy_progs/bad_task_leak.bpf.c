// SPDX-License-Identifier: GPL-2.0-only
/* Keeps the consumer's task: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, bad_task_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	return bpf_memgate_consumer_task(consumer) ? 0 : -EACCES;
}

MEMGATE_POLICY(bad_task_leak,
	.decides = MEMGATE_CLASS(MEMGATE_KVM),
	.may_attach = (void *)bad_task_may_attach,
);
