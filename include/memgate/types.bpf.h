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

/* What memgate_task_runs() reads. */
struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct mm_struct {
	struct file *exe_file;
};

/**
 * struct task_struct - a thread
 * @flags: PF_KTHREAD and others
 * @pid: the thread's id, in the initial pid namespace
 * @tgid: the process's id, in the initial pid namespace
 * @real_parent: who made it
 * @group_leader: first thread of the process
 * @start_boottime: when it was made, ns since boot
 * @mm: its memory; NULL for a kernel thread and when it exits
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
	struct mm_struct *mm;
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

/*
 * A device and what it hangs on.  memgate/device.bpf.h has functions that
 * read these; a policy seldom needs to.
 */
struct kobject {
	const char *name;
};

struct bus_type {
	const char *name;
};

struct class {
	const char *name;
};

struct device_driver {
	const char *name;
};

struct iommu_group {
	int id;
};

/**
 * struct device - a device as the driver model knows it
 * @kobj: has its name
 * @init_name: its name until it is registered, then NULL
 * @parent: what it is part of, or NULL
 * @bus: such as "pci", or NULL
 * @class: such as "net", or NULL
 * @driver: who drives it, or NULL
 * @iommu_group: the devices that cannot be told apart from it, or NULL
 */
struct device {
	struct kobject kobj;
	const char *init_name;
	struct device *parent;
	const struct bus_type *bus;
	const struct class *class;
	struct device_driver *driver;
	struct iommu_group *iommu_group;
};

struct pci_sysdata {
	int domain;
};

struct pci_bus {
	unsigned char number;
	void *sysdata;
	int domain_nr;
};

struct pci_dev {
	struct pci_bus *bus;
	unsigned int devfn;
	unsigned short vendor;
	unsigned short device;
	unsigned int class;
	__u8 hdr_type;
	struct device dev;
};

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	possible_net_t nd_net;
	struct device dev;
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
