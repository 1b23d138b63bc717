/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the author of a memgate policy includes, and all of it.
 *
 * Types of the kernel are declared with only the members that policies have
 * used so far and are relocated at load (CO-RE), so a policy builds on a
 * machine that has no memgate kernel.  A policy that needs more can include
 * the vmlinux.h of a memgate kernel before this file.
 *
 * How to write a policy is told in Documentation/userspace-api/
 * memgate-policy.rst; examples are in bpf/.
 */
#ifndef _MEMGATE_POLICY_BPF_H
#define _MEMGATE_POLICY_BPF_H

#ifdef __VMLINUX_H__
/* Constants that BTF, and so vmlinux.h, does not carry. */
#define F_SEAL_ACCESS		0x00010000
#define MEMGATE_NAME_LEN	32
#define MEMGATE_PARAMS_MAX	4096
#define MEMGATE_CLASS(class)	(1ULL << (class))
#else
#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/memgate.h>
#endif

#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#ifndef __VMLINUX_H__
#include <memgate/types.bpf.h>
#endif
#include <memgate/kfuncs.bpf.h>

#ifndef PF_KTHREAD
#define PF_KTHREAD		0x00200000
#endif

/**
 * MEMGATE_PROG() - declare one program of a policy
 * @op: the member of struct memgate_ops that it implements: may_attach,
 *	may_map, detached or released
 * @name: name of the program
 * @args: its arguments, as struct memgate_ops declares them; a program that
 *	needs only the first ones may leave the others out
 *
 * Put the return type (int or void) in front.  A question is answered with
 * 0 to allow or a negative errno to refuse.  A program cannot sleep.
 */
#define MEMGATE_PROG(op, name, args...)					\
	SEC("struct_ops/" #op) BPF_PROG(name, ##args)

/**
 * MEMGATE_POLICY() - define the policy of this object file
 * @pname: what people call it; at most 31 characters
 * @members: initializers of struct memgate_ops: .decides and the programs,
 *	each cast to (void *); .params_size if MEMGATE_PARAMS() is used
 *
 * One object file holds one policy.
 */
#define MEMGATE_POLICY(pname, members...)				\
	_Static_assert(sizeof(#pname) <= MEMGATE_NAME_LEN,		\
		       "the name " #pname " has more than 31 characters"); \
	SEC(".struct_ops.link")						\
	struct memgate_ops pname = {					\
		.name = #pname,						\
		members							\
	}

/**
 * MEMGATE_PARAMS() - declare the type of the policy's parameters
 * @type: a struct, given as "struct NAME", of integers (1, 2, 4, 8 bytes),
 *	bool, enums and char arrays; at most MEMGATE_PARAMS_MAX bytes
 *
 * Every install of the policy brings a value of this type, fixed for its
 * life.  Members that an install does not name are zero, so make zero the
 * sensible, or the most restrictive, value.
 *
 * The constant that this defines carries the type into the BTF of the
 * loaded policy, where loaders find it, and is not read by anyone; programs
 * use MEMGATE_GET_PARAMS().
 */
#define MEMGATE_PARAMS(type)						\
	_Static_assert(sizeof(type) <= MEMGATE_PARAMS_MAX,		\
		       "parameters have more than 4096 bytes");		\
	const type memgate_params SEC(".rodata.memgate") = {}

/**
 * MEMGATE_GET_PARAMS() - the parameters of the install that asks
 * @gate: the gate, as the program got it
 * @type: as in MEMGATE_PARAMS()
 *
 * Return: a read-only pointer; NULL if the install brought fewer bytes,
 * which the kernel rules out where .params_size is sizeof(@type).  The
 * verifier insists on the check: answer -EACCES.
 */
#define MEMGATE_GET_PARAMS(gate, type)					\
	((const type *)bpf_memgate_params(gate, sizeof(type)))

/**
 * memgate_task_in_cgroup() - is a task in a cgroup or below it?
 * @task: a task that the verifier trusts: bpf_get_current_task_btf() or
 *	bpf_memgate_consumer_task()
 * @id: id of a cgroup (v2): the inode number of its directory
 *
 * Return: false also if there is no such cgroup (any more).
 */
static __always_inline bool
memgate_task_in_cgroup(struct task_struct *task, __u64 id)
{
	struct cgroup *cgrp = bpf_cgroup_from_id(id);
	bool in;

	if (!cgrp)
		return false;
	in = bpf_task_under_cgroup(task, cgrp) == 1;
	bpf_cgroup_release(cgrp);
	return in;
}

#endif /* _MEMGATE_POLICY_BPF_H */
