/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Types of the kernel that more than one of the library's programs reads,
 * besides those of memgate/see.bpf.h.  Members are found by name at load, so
 * order, offsets and what is left out do not matter.
 */
#ifndef _MEMGATE_KERNEL_BPF_H
#define _MEMGATE_KERNEL_BPF_H

#include <memgate/see.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

/* A question, as it is asked of policies and passed to the tracepoint. */
struct memgate_question {
	__u32 class;
	__u32 op;
	__u32 rights;
	struct memgate_consumer *consumer;
	struct device *dev;
	__u64 start;
	__u64 len;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct path {
	struct dentry *dentry;
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
	long long i_size;
	union {
		struct hlist_head i_dentry;
	};
};

struct file {
	struct inode *f_inode;
	struct path f_path;
};

struct mm_struct {
	struct file *exe_file;
};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t euid;
	kgid_t egid;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[];
};

struct signal_struct {
	struct pid *pids[4];
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct___more {
	unsigned int flags;
	int tgid;
	struct task_struct___more *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	struct mm_struct *mm;
	const struct cred *cred;
	struct css_set *cgroups;
	struct signal_struct *signal;
	char comm[16];
};

#pragma clang attribute pop

#define PID_OF_TGID	1	/* PIDTYPE_TGID */
#define MAX_LEVEL	32	/* MAX_PID_NS_LEVEL */

/* pid->numbers[level]; the array has no size that the verifier could know. */
static __always_inline struct upid *upid_at(struct pid *pid,
					    unsigned int level)
{
	return (void *)((__u64)pid +
			bpf_core_field_offset(struct pid, numbers) +
			level * bpf_core_type_size(struct upid));
}

static __always_inline const char *dev_name(struct device *dev)
{
	const char *name = BPF_CORE_READ(dev, init_name);

	return name ?: BPF_CORE_READ(dev, kobj.name);
}

#endif /* _MEMGATE_KERNEL_BPF_H */
