// SPDX-License-Identifier: GPL-2.0-only
/* Decides a class that no kernel knows: refused when it is registered. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, bad_class_may_attach)
{
	return 0;
}

MEMGATE_POLICY(bad_class,
	.decides = MEMGATE_CLASS(MEMGATE_KVM) | MEMGATE_CLASS(63),
	.may_attach = (void *)bad_class_may_attach,
);
