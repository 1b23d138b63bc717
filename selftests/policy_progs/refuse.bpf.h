/* SPDX-License-Identifier: GPL-2.0-only */
/* Refuses everything with one errno, so that it is known who refused. */
#ifndef _REFUSE_BPF_H
#define _REFUSE_BPF_H

#include <memgate/policy.bpf.h>

#define REFUSE_POLICY(name, errno)					\
char _license[] SEC("license") = "GPL";					\
									\
int MEMGATE_PROG(may_attach, name##_may_attach)				\
{									\
	return -(errno);						\
}									\
									\
int MEMGATE_PROG(may_map, name##_may_map)				\
{									\
	return -(errno);						\
}									\
									\
MEMGATE_POLICY(name,							\
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,		\
	.may_attach = (void *)name##_may_attach,			\
	.may_map = (void *)name##_may_map,				\
)

#endif /* _REFUSE_BPF_H */
