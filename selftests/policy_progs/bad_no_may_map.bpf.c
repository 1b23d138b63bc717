// SPDX-License-Identifier: GPL-2.0-only
/* Decides MAP without may_map: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, bad_no_may_map_may_attach)
{
	return 0;
}

MEMGATE_POLICY(bad_no_may_map,
	.decides = MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_KVM),
	.may_attach = (void *)bad_no_may_map_may_attach,
);
