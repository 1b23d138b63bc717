// SPDX-License-Identifier: GPL-2.0-only
/*
 * allow: everybody, everything.
 *
 * Decides every class of access that this version knows and allows them
 * all.  Since every policy that decides a class must allow it, allow beside
 * others leaves the decision to them, and opens the classes that no other
 * policy decides: for tests, for memory that is merely to be watched, and as
 * the base of a policy that refuses only a few things.
 *
 * Parameters: none.  Failure: there is nothing in it that can fail.  A class
 * that a later kernel adds stays closed until allow is compiled again.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, allow_may_attach)
{
	return 0;
}

int MEMGATE_PROG(may_map, allow_may_map)
{
	return 0;
}

MEMGATE_RULE(MEMGATE_MAP, "everybody");
MEMGATE_RULE(MEMGATE_FILE, "everybody");
MEMGATE_RULE(MEMGATE_OWN_PIN, "everybody");
MEMGATE_RULE(MEMGATE_OWN_LONGTERM, "everybody");
MEMGATE_RULE(MEMGATE_REMOTE, "everybody");
MEMGATE_RULE(MEMGATE_OTHER, "everybody");
MEMGATE_RULE(MEMGATE_KVM, "everybody");
MEMGATE_RULE(MEMGATE_VFIO, "everybody");
MEMGATE_RULE(MEMGATE_IOMMUFD, "everybody");
MEMGATE_RULE(MEMGATE_RDMA, "everybody");
MEMGATE_RULE(MEMGATE_VDPA, "everybody");
MEMGATE_RULE(MEMGATE_VHOST, "everybody");
MEMGATE_RULE(MEMGATE_IO_URING, "everybody");
MEMGATE_RULE(MEMGATE_XDP, "everybody");
MEMGATE_RULE(MEMGATE_DMABUF, "everybody");

MEMGATE_POLICY(allow,
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,
	.may_attach = (void *)allow_may_attach,
	.may_map = (void *)allow_may_map,
);
