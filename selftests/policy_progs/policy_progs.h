/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests and their policies share: parameters and records.  For use in
 * BPF C (after memgate/policy.bpf.h) and in user C (after linux/types.h).
 */
#ifndef _POLICY_PROGS_H
#define _POLICY_PROGS_H

/**
 * struct answer_params - what answer, trace and their like answer
 * @map_answer: may_map returns it as it is
 * @attach_answer: may_attach returns it as it is
 * @allow_rights: enum memgate_rights; a question about others is answered
 *	with -EACCES; 0 for no limit
 * @allow_ops: bits 1 << enum memgate_map_op, likewise
 * @allow_classes: MEMGATE_CLASS() of classes, likewise
 *
 * All zero: everything is allowed.
 */
struct answer_params {
	__s32 map_answer;
	__s32 attach_answer;
	__u32 allow_rights;
	__u32 allow_ops;
	__u64 allow_classes;
};

#define DEV_NAME_LEN	32

/**
 * struct answer_dev_params - whom answer_dev trusts
 * @name: dev_name() of a device; one that has none of these names is refused
 * @name_2: of another
 * @name_3: of another
 * @name_4: of another
 */
struct answer_dev_params {
	char name[DEV_NAME_LEN];
	char name_2[DEV_NAME_LEN];
	char name_3[DEV_NAME_LEN];
	char name_4[DEV_NAME_LEN];
};

enum trace_what {
	TRACE_MAY_ATTACH = 1,
	TRACE_MAY_MAP,
	TRACE_DETACHED,
	TRACE_RELEASED,
};

/**
 * struct trace_event - one call of a program of the policy trace
 * @gate: bpf_memgate_id()
 * @consumer: its id; 0 for may_map
 * @start: as in the question; 0 for detached and released
 * @len: likewise
 * @size: bpf_memgate_size()
 * @what: enum trace_what
 * @kind: enum memgate_class; MEMGATE_MAP for may_map, ~0 for released
 * @rights: enum memgate_rights
 * @op: enum memgate_map_op; ~0 if there is none
 * @tgid: of the current task
 * @consumer_tgid: of the consumer's task; 0 if there is none
 * @seals: bpf_memgate_seals()
 * @premapped: bpf_memgate_premapped()
 * @attached: bpf_memgate_count() for @kind, counted in this call
 * @listed: the same, counted by the iterator
 * @device: 1 if the question named a device
 * @answer: what the policy said; 0 for detached and released
 * @dev_name: dev_name() of that device; empty if there is none
 */
struct trace_event {
	__u64 gate;
	__u64 consumer;
	__u64 start;
	__u64 len;
	__u64 size;
	__u32 what;
	__u32 kind;
	__u32 rights;
	__u32 op;
	__u32 tgid;
	__u32 consumer_tgid;
	__u32 seals;
	__u32 premapped;
	__u32 attached;
	__u32 listed;
	__u32 device;
	__s32 answer;
	char dev_name[DEV_NAME_LEN];
};

/* Array map "trace_events"; calls beyond it are counted only. */
#define TRACE_EVENTS	4096

/* Array map "trace_count": key 0, __u64, the number of calls so far. */

#endif /* _POLICY_PROGS_H */
