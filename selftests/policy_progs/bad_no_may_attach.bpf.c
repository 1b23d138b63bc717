// SPDX-License-Identifier: GPL-2.0-only
/* Decides KVM without may_attach: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_map, bad_no_may_attach_may_map)
{
	return 0;
}

MEMGATE_POLICY(bad_no_may_attach,
	.decides = MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_KVM),
	.may_map = (void *)bad_no_may_attach_may_map,
);
