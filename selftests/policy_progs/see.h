/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of what can be seen share with the program that looks
 * (see_trace.bpf.c).
 */
#ifndef _SEE_H
#define _SEE_H

/**
 * struct see_event - one event of a tracepoint of memgate
 * @gate: id
 * @start: first byte; 0 for what is closed outright
 * @len: likewise
 * @consumer: id; 0 for one that leaves nothing behind
 * @class: enum memgate_class
 * @op: enum memgate_map_op
 * @rights: enum memgate_rights
 * @pid: as the event says
 * @ret: the answer
 * @policy: whose answer it is
 * @dev: the device, or empty
 * @way: for memgate_closed; empty for memgate_decision
 */
struct see_event {
	__u64 gate;
	__u64 start;
	__u64 len;
	__u64 consumer;
	__u32 class;
	__u32 op;
	__u32 rights;
	__s32 pid;
	__s32 ret;
	char policy[MEMGATE_NAME_LEN];
	char dev[32];
	char way[16];
};

#endif /* _SEE_H */
