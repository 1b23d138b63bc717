/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What events.bpf.c tells events.c, and what it is told. */
#ifndef _MEMGATE_EVENTS_H
#define _MEMGATE_EVENTS_H

#include <linux/types.h>
#include <linux/memgate.h>

enum mg_event_kind {
	MG_EVENT_DECISION = 1,
	MG_EVENT_CLOSED,
};

/* Which events are wanted; zero is all of them. */
struct mg_event_filter {
	__u64 classes;			/* MEMGATE_CLASS() of each, 0: all */
	__u32 pid_ns;			/* inode number of the reader's */
	__s32 pid;			/* in the reader's pid namespace */
	__u8 by_gate;			/* only those in the map mg_gates */
	__u8 no_allowed;
	__u8 no_refused;
	__u8 by_policy;
	char policy[MEMGATE_NAME_LEN];
};

struct mg_event_device {
	char name[64];
	char pci[64];			/* name of the nearest PCI device */
	char driver[64];
	__s32 group;			/* -1: none */
	__u32 pci_class;
	__u16 vendor;
	__u16 device;
	__u8 bridge;
	__u8 net;			/* in the initial namespace */
	__u8 rdma;
	__u8 pad;
};

struct mg_event_task {
	__s32 pid;			/* in the reader's namespace, or 0 */
	__s32 tgid;			/* in the initial one */
	__s32 tid;			/* of the thread that runs, likewise */
	__u32 euid;
	__u32 egid;
	__u32 exe_dev;			/* major << 20 | minor */
	__u64 exe_ino;
	__u64 cgroup;
	__u64 start;			/* ns since boot */
	__u32 kthread;
	__u32 pad;
	char comm[16];
};

/* Ends before @dev where there is none. */
struct mg_event_record {
	__u32 kind;
	__u32 class_nr;
	__u64 time;
	__u64 gate;
	__u64 start;
	__u64 len;
	__u64 consumer;
	__u32 op;
	__u32 rights;
	__s32 ret;
	__u32 others;
	struct mg_event_task task;
	char by[MEMGATE_NAME_LEN];	/* the policy, or the way */
	char name[256];			/* "memfd:NAME", or empty */
	struct mg_event_device dev;
};

#endif /* _MEMGATE_EVENTS_H */
