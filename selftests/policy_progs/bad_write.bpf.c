// SPDX-License-Identifier: GPL-2.0-only
/* Writes to the consumer that it judges: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, bad_write_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	consumer->id = 1;
	return 0;
}

MEMGATE_POLICY(bad_write,
	.decides = MEMGATE_CLASS(MEMGATE_KVM),
	.may_attach = (void *)bad_write_may_attach,
);
