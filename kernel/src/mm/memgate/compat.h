/* SPDX-License-Identifier: GPL-2.0-only */
/* memgate - differences between the kernels that it is built for */
#ifndef _MM_MEMGATE_COMPAT_H
#define _MM_MEMGATE_COMPAT_H

#include <linux/bpf.h>
#include <linux/types.h>

/*
 * Is this a program of the struct_ops type with that BTF id?  From 6.17 on
 * prog->aux->st_ops says it, for programs of modules too.
 */
static inline bool memgate_prog_of_type(const struct bpf_prog *prog,
					u32 type_id)
{
	return prog->type == BPF_PROG_TYPE_STRUCT_OPS &&
	       prog->aux->attach_btf_id == type_id;
}

#endif /* _MM_MEMGATE_COMPAT_H */
