/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The types of the kernel that policies read.  Members are found by name at
 * load, so order, offsets and what is left out do not matter.  A policy that
 * needs another member may declare the type anew under a flavour of its
 * name, struct task_struct___mine, and cast.
 */
#ifndef _MEMGATE_TYPES_BPF_H
#define _MEMGATE_TYPES_BPF_H

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

/* Opaque: policies hand pointers to these on. */
struct cgroup {};
struct device {};
struct memgate {};

typedef struct {
	__u32 val;
} kuid_t;

typedef struct {
	__u32 val;
} kgid_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
};

/**
 * struct task_struct - a thread
 * @flags: PF_KTHREAD and others
 * @pid: the thread's id, in the initial pid namespace
 * @tgid: the process's id, in the initial pid namespace
 * @real_parent: who made it
 * @group_leader: first thread of the process
 * @start_boottime: when it was made, ns since boot
 * @cred: as whom it acts
 * @comm: its name, which it can set itself: no ground for a decision
 */
struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
};

/**
 * struct memgate_consumer - who wants the memory
 * @kind: the class of access, enum memgate_class
 * @id: unique and never used again while the system runs; 0 for accesses
 *	that leave nothing behind (FILE, OWN_PIN, OWN_LONGTERM, REMOTE, OTHER)
 * @task: who set the consumer up; for an access that leaves nothing behind,
 *	who makes it.  Good for reading; to hand it to a kfunc, get it by
 *	bpf_memgate_consumer_task().
 */
struct memgate_consumer {
	__u32 kind;
	__u64 id;
	struct task_struct *task;
};

#pragma clang attribute pop

/**
 * struct memgate_ops - a policy
 * @may_attach: may @consumer use the memory?  0 or a negative errno.
 *	@dev: the device that will reach it, may be NULL; @rights: enum
 *	memgate_rights; @start, @len: what the access is about, in bytes of
 *	the memfd: advice for consumers that stay, whose grant is for the
 *	whole memfd.  Asked once for a consumer that stays, and again when it
 *	wants more rights; every time for the others.
 * @may_map: may the current task have this CPU mapping?  @op: enum
 *	memgate_map_op; for MEMGATE_OP_FORK the current task is the parent,
 *	and the mapping is for the child; MEMGATE_OP_MPROTECT also comes
 *	after an allowed mmap, for what the mapping could be widened to.
 * @detached: an attachment that @may_attach allowed has ended
 * @released: the memfd is gone; the last call for this gate: drop what your
 *	maps hold about it
 * @decides: MEMGATE_CLASS() of every class that the policy decides.  Each
 *	needs its program: @may_map for MEMGATE_MAP, @may_attach for others.
 * @params_size: bytes of parameters that an install must bring
 * @name: how people call it
 *
 * What policies may rely on is told in full at the kernel's definition,
 * include/linux/memgate.h.
 */
struct memgate_ops {
	int (*may_attach)(struct memgate *gate,
			  struct memgate_consumer *consumer,
			  struct device *dev, __u32 rights,
			  __u64 start, __u64 len);
	int (*may_map)(struct memgate *gate, __u32 op, __u32 rights,
		       __u64 start, __u64 len);
	void (*detached)(struct memgate *gate,
			 struct memgate_consumer *consumer, __u32 rights);
	void (*released)(struct memgate *gate);
	__u64 decides;
	__u32 params_size;
	char name[MEMGATE_NAME_LEN];
};

#endif /* _MEMGATE_TYPES_BPF_H */
