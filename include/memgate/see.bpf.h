/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a BPF program includes that looks at gates without deciding anything:
 * the iterator "memgate" and the tracepoints memgate_decision and
 * memgate_closed.  Policies include memgate/policy.bpf.h instead.
 *
 * Types of the kernel are declared with the members that such programs have
 * used so far and are relocated at load (CO-RE).  One that needs more can
 * include the vmlinux.h of a memgate kernel before this file.
 */
#ifndef _MEMGATE_SEE_BPF_H
#define _MEMGATE_SEE_BPF_H

#ifdef _MEMGATE_TYPES_BPF_H
#error "memgate/see.bpf.h and memgate/policy.bpf.h are for different programs"
#endif

#ifdef __VMLINUX_H__
/* Constants that BTF, and so vmlinux.h, does not carry. */
#define MEMGATE_NAME_LEN	32
#define MEMGATE_PARAMS_MAX	4096
#define MEMGATE_CLASS(class)	(1ULL << (class))
#else
#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/memgate.h>
#endif

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#ifndef __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct seq_file;
struct inode;
struct bpf_link;

struct list_head {
	struct list_head *next;
};

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
};

struct kobject {
	const char *name;
};

/* A device.  Its name is @init_name, or if that is NULL, @kobj.name. */
struct device {
	struct kobject kobj;
	const char *init_name;
};

/**
 * struct memgate - who may use the memory of one memfd
 * @id: greater than 0, never used again while the system runs
 * @inode: of the memfd; NULL once that is dying
 * @openable: what installs decide counts for these classes only
 * @premapped: mappings that were there when the memfd was sealed
 * @frozen: installs change no more
 */
struct memgate {
	__u64 id;
	struct inode *inode;
	__u64 openable;
	__u32 premapped;
	bool frozen;
};

/* A policy: what of it says what it is. */
struct memgate_ops {
	__u64 decides;
	__u32 params_size;
	char name[MEMGATE_NAME_LEN];
};

/**
 * struct memgate_install - a policy's place on a gate
 * @gate: which
 * @ops: the policy, or &@closed
 * @closed: what stays when the link is lost: refuses the same classes
 * @link: NULL when it is gone
 * @params_len: bytes in @params
 * @params: what the install brought; read them by bpf_probe_read_kernel()
 */
struct memgate_install {
	struct memgate *gate;
	const struct memgate_ops *ops;
	struct memgate_ops closed;
	struct bpf_link *link;
	__u32 params_len;
	__u8 params[];
};

/**
 * struct memgate_consumer - who uses the memory
 * @kind: enum memgate_class
 * @id: never used again while the system runs
 * @task: who set it up
 * @dev: the only device that it will ever have, or NULL
 * @devices: struct memgate_device: those that come and go
 */
struct memgate_consumer {
	__u32 kind;
	__u64 id;
	struct task_struct *task;
	struct device *dev;
	struct list_head devices;
};

/**
 * struct memgate_device - a device of a consumer
 * @node: in memgate_consumer.devices
 * @dev: which
 */
struct memgate_device {
	struct list_head node;
	struct device *dev;
};

/**
 * struct memgate_attachment - what was granted to a consumer on a gate
 * @gate: where
 * @consumer: to whom
 * @rights: enum memgate_rights
 */
struct memgate_attachment {
	struct memgate *gate;
	struct memgate_consumer *consumer;
	__u32 rights;
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

/**
 * struct bpf_iter__memgate - what a program of SEC("iter/memgate") is given
 * @meta: where to print to
 * @gate: NULL in the last call, after all gates
 * @install: an install of @gate, or NULL
 * @attachment: an attachment of @gate, or NULL
 *
 * Called for every gate with neither, then for each of its installs in the
 * order in which they are asked, then for each of its attachments.
 */
struct bpf_iter__memgate {
	struct bpf_iter_meta *meta;
	struct memgate *gate;
	struct memgate_install *install;
	struct memgate_attachment *attachment;
};

/**
 * struct trace_event_raw_memgate_decision - a question and its answer, for
 *	SEC("tp/memgate/memgate_decision")
 * @gate: id
 * @class: enum memgate_class
 * @op: enum memgate_map_op, for MEMGATE_MAP alone
 * @rights: enum memgate_rights
 * @ret: 0 or the negative errno of the refusal
 * @start: first byte within the memfd
 * @len: length in bytes
 * @consumer: id; 0 for one that leaves nothing behind, and for MEMGATE_MAP
 * @pid: process id of the consumer's task, of the current one for MEMGATE_MAP;
 *	in the initial pid namespace
 * @__data_loc_dev: name of the device or "": in the lower 16 bits where it is,
 *	from the start of this struct; in the upper ones its length
 * @__data_loc_policy: likewise: the first policy that refused, or the last
 *	that allowed; "" if no policy decides
 */
struct trace_event_raw_memgate_decision {
	__u64 gate;
	__u32 class;
	__u32 op;
	__u32 rights;
	int ret;
	__u64 start;
	__u64 len;
	__u64 consumer;
	int pid;
	__u32 __data_loc_dev;
	__u32 __data_loc_policy;
};

/**
 * struct trace_event_raw_memgate_closed - refused without a question, for
 *	SEC("tp/memgate/memgate_closed")
 * @gate: id
 * @__data_loc_way: as above: a word for what was refused
 */
struct trace_event_raw_memgate_closed {
	__u64 gate;
	__u32 __data_loc_way;
};

#pragma clang attribute pop

#endif /* __VMLINUX_H__ */

#endif /* _MEMGATE_SEE_BPF_H */
