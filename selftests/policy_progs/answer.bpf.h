/* SPDX-License-Identifier: GPL-2.0-only */
/* The answers that struct answer_params asks for. */
#ifndef _ANSWER_BPF_H
#define _ANSWER_BPF_H

#include <memgate/policy.bpf.h>
#include "policy_progs.h"

#define ALL_CLASSES	(MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1)

static __always_inline bool
answer_is_for(const struct answer_params *params, __u32 kind, __u32 rights)
{
	if (params->allow_classes &&
	    !(params->allow_classes & MEMGATE_CLASS(kind)))
		return false;
	return !params->allow_rights || !(rights & ~params->allow_rights);
}

static __always_inline int
say_attach(struct memgate *gate, __u32 kind, __u32 rights)
{
	const struct answer_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct answer_params);
	if (!params || !answer_is_for(params, kind, rights))
		return -EACCES;
	return params->attach_answer;
}

static __always_inline int
say_map(struct memgate *gate, __u32 op, __u32 rights)
{
	const struct answer_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct answer_params);
	if (!params || !answer_is_for(params, MEMGATE_MAP, rights))
		return -EACCES;
	if (params->allow_ops && !(params->allow_ops & (1U << (op & 31))))
		return -EACCES;
	return params->map_answer;
}

/* A whole policy of these answers. */
#define ANSWER_POLICY(name, classes)					\
char _license[] SEC("license") = "GPL";					\
MEMGATE_PARAMS(struct answer_params);					\
									\
int MEMGATE_PROG(may_attach, name##_may_attach, struct memgate *gate,	\
		 struct memgate_consumer *consumer,			\
		 struct device *dev, __u32 rights)			\
{									\
	return say_attach(gate, consumer->kind, rights);		\
}									\
									\
int MEMGATE_PROG(may_map, name##_may_map, struct memgate *gate,		\
		 __u32 op, __u32 rights)				\
{									\
	return say_map(gate, op, rights);				\
}									\
									\
MEMGATE_POLICY(name,							\
	.decides = (classes),						\
	.params_size = sizeof(struct answer_params),			\
	.may_attach = (void *)name##_may_attach,			\
	.may_map = (void *)name##_may_map,				\
)

#endif /* _ANSWER_BPF_H */
