// SPDX-License-Identifier: GPL-2.0-only
/*
 * deny: nobody, nothing.
 *
 * Decides every class of access and refuses them all: the same as a gate
 * without any policy, but on the record.  Swap it in (an update of an
 * install) to stop new accesses to a memfd that is in use; what was granted
 * before stays.
 *
 * Parameters: none.  Failure: there is nothing in it that can fail.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

int MEMGATE_PROG(may_attach, deny_may_attach)
{
	return -EACCES;
}

int MEMGATE_PROG(may_map, deny_may_map)
{
	return -EACCES;
}

MEMGATE_RULE(MEMGATE_MAP, "nobody");
MEMGATE_RULE(MEMGATE_FILE, "nobody");
MEMGATE_RULE(MEMGATE_OWN_PIN, "nobody");
MEMGATE_RULE(MEMGATE_OWN_LONGTERM, "nobody");
MEMGATE_RULE(MEMGATE_REMOTE, "nobody");
MEMGATE_RULE(MEMGATE_OTHER, "nobody");
MEMGATE_RULE(MEMGATE_KVM, "nobody");
MEMGATE_RULE(MEMGATE_VFIO, "nobody");
MEMGATE_RULE(MEMGATE_IOMMUFD, "nobody");
MEMGATE_RULE(MEMGATE_RDMA, "nobody");
MEMGATE_RULE(MEMGATE_VDPA, "nobody");
MEMGATE_RULE(MEMGATE_VHOST, "nobody");
MEMGATE_RULE(MEMGATE_IO_URING, "nobody");
MEMGATE_RULE(MEMGATE_XDP, "nobody");
MEMGATE_RULE(MEMGATE_DMABUF, "nobody");

MEMGATE_POLICY(deny,
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,
	.may_attach = (void *)deny_may_attach,
	.may_map = (void *)deny_may_map,
);
