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
#include <memgate/successor.h>

#ifndef PF_KTHREAD
#define PF_KTHREAD		0x00200000
#endif

/*
 * Types of parameters that users give in words of their own.  To programs they
 * are numbers; loaders know them by the name of the typedef, so do not give
 * them another.  An array of them is given as a list.
 */

/* A set of classes, MEMGATE_CLASS(); given as map|file. */
typedef __u64 memgate_classes_t;

/*
 * The address of a PCI device, domain << 16 | bus << 8 | slot << 3 | func;
 * given as 0000:03:00.0.  memgate_pci_addr() is what to compare it with.
 */
typedef __u64 memgate_pci_addr_t;

/*
 * Vendor and device of a PCI device, vendor << 16 | device; given as
 * 8086:1572.  memgate_pci_id() is what to compare it with.
 */
typedef __u32 memgate_pci_id_t;

/**
 * MEMGATE_FLAGS - after the name of a member: values of its enum are or-ed
 *
 * Such a parameter is given as A|B.  An enum of two or more values each of
 * which is a single bit is taken for flags without this.
 */
#define MEMGATE_FLAGS	__attribute__((btf_decl_tag("memgate_flags")))

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
 * @type: a struct, given as "struct NAME", of integers (1, 2, 4, 8 bytes, or
 *	bitfields), bool, enums, char arrays, structs, and arrays of these; at
 *	most MEMGATE_PARAMS_MAX bytes
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
 * MEMGATE_DOC() - say what a parameter is
 * @text: one short line, a string
 *
 * Stands after the name of a member of the struct given to MEMGATE_PARAMS(),
 * or of a struct within it:
 *
 *	struct my_params {
 *		__u32 max_vms MEMGATE_DOC("VMs at a time");
 *	};
 *
 * The BTF of the loaded policy keeps it; 'memgate policy show' prints it.
 */
#define MEMGATE_DOC(text)						\
	__attribute__((btf_decl_tag("memgate_doc:" text)))

/**
 * MEMGATE_RULE() - say in one sentence what the policy answers for a class
 * @class: an enumerator of enum memgate_class that the policy decides
 * @text: whom it allows, a string, such as "one VM at a time"
 *
 * Stands at file level, once for each class.  The constant that this defines
 * carries the sentence into the BTF of the loaded policy, where those who
 * explain a refusal find it; as an array it has one element more than the
 * number of the class, which is not in its name.
 */
#define MEMGATE_RULE(class, text)					\
	const char memgate_rule_##class[(class) + 1]			\
	__attribute__((btf_decl_tag("memgate_rule:" text)))		\
	SEC(".rodata.memgate") = {}

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
 * memgate_is_bool() - does a bool parameter hold 0 or 1?
 * @param: where it is
 *
 * An install brings bytes.  Loaders put nothing else there, but a bool with
 * another byte is true or false as the compiler likes.
 */
static __always_inline bool memgate_is_bool(const bool *param)
{
	return *(const volatile __u8 *)param <= 1;
}

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

/* /proc counts time in ticks of USER_HZ, which is 100 on every kernel. */
#define MEMGATE_NSEC_PER_TICK	(1000000000ULL / 100)

/**
 * memgate_task_is() - is a task a thread of this process?
 * @task: a task
 * @tgid: the process's id in the initial pid namespace
 * @start: when it started, field 22 of /proc/PID/stat, so that a later
 *	process with the same id is not taken for it; 0: not looked at
 *
 * Return: whether it is.
 */
static __always_inline bool
memgate_task_is(struct task_struct *task, __u32 tgid, __u64 start)
{
	if (task->tgid != tgid)
		return false;
	return !start || task->group_leader->start_boottime /
			 MEMGATE_NSEC_PER_TICK == start;
}

/**
 * memgate_task_runs() - does a task execute this file?
 * @task: a task
 * @ino: inode number of the file
 * @dev: device of its file system: major << 20 | minor
 *
 * Both are what stat(1) shows (%i; %Hd and %Ld) on file systems that have one
 * device, such as ext4, xfs and tmpfs; btrfs and overlayfs show others.
 *
 * It says which program somebody runs, not that the program does what it was
 * written for: who may execute a file can also trace it, or give it libraries.
 *
 * Return: false also for kernel threads, and for tasks that exit.
 */
static __always_inline bool
memgate_task_runs(struct task_struct *task, __u64 ino, __u32 dev)
{
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	if (!exe)
		return false;
	return BPF_CORE_READ(exe, f_inode, i_ino) == ino &&
	       BPF_CORE_READ(exe, f_inode, i_sb, s_dev) == dev;
}

#endif /* _MEMGATE_POLICY_BPF_H */
