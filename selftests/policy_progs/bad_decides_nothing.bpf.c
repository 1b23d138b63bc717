// SPDX-License-Identifier: GPL-2.0-only
/* Decides no class at all: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, bad_decides_nothing_may_attach)
{
	return 0;
}

MEMGATE_POLICY(bad_nothing,
	.may_attach = (void *)bad_decides_nothing_may_attach,
);
