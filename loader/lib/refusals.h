/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What refusals.bpf.c keeps for refusals.c: its maps' keys and values. */
#ifndef _MEMGATE_REFUSALS_H
#define _MEMGATE_REFUSALS_H

#include <linux/types.h>
#include <linux/memgate.h>

/* Changes with every change of the structs below. */
#define MG_REFUSALS_VERSION	1

/* Each of both maps; the least recently refused goes when it is full. */
#define MG_REFUSALS_MAX		2048

/* In place of a class: a way that is closed without a question. */
#define MG_REFUSAL_WAY		0xffffffffU

/* In mg_last_refusals consumer and pid are 0, what is empty but for a way. */
struct mg_refusal_key {
	__u64 gate;
	__u64 consumer;
	__u32 class;
	__u32 op;		/* enum memgate_map_op, for MEMGATE_MAP alone */
	__u32 pid;
	char what[36];		/* the device, or the way */
};

struct mg_refusal_facts {
	__u64 time;		/* ns, CLOCK_BOOTTIME */
	__u64 start;
	__u64 len;
	__u64 consumer;
	__u64 task_start;	/* ns, CLOCK_BOOTTIME */
	__u64 exe_ino;
	__u32 exe_dev;
	__u32 rights;
	__s32 ret;
	__u32 pid;
	__u32 uid;
	__u32 pad;
	char comm[16];
	char exe[32];
	char dev[64];
	char policy[MEMGATE_NAME_LEN];
};

/*
 * Written in place by one at a time; who finds it busy only counts.  Who reads
 * it has all of one refusal if both numbers are the same, and that of another
 * key if an element was just used anew.
 */
struct mg_refusal {
	struct mg_refusal_key key;
	__u64 begun;
	__u64 nr;
	__u64 busy;
	struct mg_refusal_facts facts;
	__u64 done;
};

struct mg_recorder_state {
	__u64 version;
	__u64 since;		/* ns, CLOCK_BOOTTIME */
	__u64 missed;
};

#endif /* _MEMGATE_REFUSALS_H */
