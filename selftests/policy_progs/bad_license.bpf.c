// SPDX-License-Identifier: GPL-2.0-only
/* Declares a licence that is not the kernel's: refused when it is loaded. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "Proprietary";

int MEMGATE_PROG(may_map, bad_license_may_map)
{
	return 0;
}

MEMGATE_POLICY(bad_license,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.may_map = (void *)bad_license_may_map,
);
