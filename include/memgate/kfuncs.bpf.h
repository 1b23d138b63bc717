/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The functions of the kernel that a policy may call.  Those whose names
 * start with bpf_memgate_ are for programs of struct memgate_ops alone; the
 * verifier refuses them elsewhere.
 */
#ifndef _MEMGATE_KFUNCS_BPF_H
#define _MEMGATE_KFUNCS_BPF_H

/**
 * bpf_memgate_id() - the number of a gate
 * @gate: the gate
 *
 * Return: greater than 0, never used again while the system runs: a key for
 * the policy's own maps.
 */
extern __u64 bpf_memgate_id(struct memgate *gate) __ksym;

/**
 * bpf_memgate_seals() - the seals that the memfd has now
 * @gate: the gate
 *
 * Return: F_SEAL_* bits of fcntl(2).
 */
extern __u32 bpf_memgate_seals(struct memgate *gate) __ksym;

/**
 * bpf_memgate_size() - the size of the memfd now, in bytes
 * @gate: the gate
 */
extern __u64 bpf_memgate_size(struct memgate *gate) __ksym;

/**
 * bpf_memgate_premapped() - the number of CPU mappings that were there when
 *	the memfd was sealed, and so were asked of nobody
 * @gate: the gate
 */
extern __u32 bpf_memgate_premapped(struct memgate *gate) __ksym;

/**
 * bpf_memgate_count() - the number of consumers attached now
 * @gate: the gate
 * @kind: their class, enum memgate_class
 *
 * A consumer that is attached and asks for more rights is counted.
 */
extern __u32 bpf_memgate_count(struct memgate *gate, __u32 kind) __ksym;

/**
 * bpf_memgate_params() - the parameters of the install that asks
 * @gate: the gate
 * @rdonly_buf_size: bytes wanted, a constant
 *
 * See MEMGATE_GET_PARAMS().
 */
extern const __u8 *bpf_memgate_params(struct memgate *gate,
				      const __u32 rdonly_buf_size) __ksym;

/**
 * bpf_memgate_consumer_task() - the task of a consumer, for other kfuncs
 * @consumer: the consumer
 *
 * Return: NULL or a task that bpf_task_release() must give back.
 */
extern struct task_struct *
bpf_memgate_consumer_task(struct memgate_consumer *consumer) __ksym;

#ifndef __VMLINUX_H__
/* What bpf_for_each(memgate_consumer, ...) keeps on the stack. */
struct bpf_iter_memgate_consumer {
	__u64 __opaque[2];
} __attribute__((aligned(8)));

/* The same for bpf_for_each(memgate_device, ...). */
struct bpf_iter_memgate_device {
	__u64 __opaque[2];
} __attribute__((aligned(8)));
#endif

/*
 * To look at every consumer that is attached to a gate:
 *
 *	struct memgate_consumer *c;
 *
 *	bpf_for_each(memgate_consumer, c, gate)
 *		if (c->kind == MEMGATE_KVM)
 *			...
 */
extern int
bpf_iter_memgate_consumer_new(struct bpf_iter_memgate_consumer *it,
			      struct memgate *gate) __ksym;
extern struct memgate_consumer *
bpf_iter_memgate_consumer_next(struct bpf_iter_memgate_consumer *it) __ksym;
extern void
bpf_iter_memgate_consumer_destroy(struct bpf_iter_memgate_consumer *it) __ksym;

/*
 * To look at every device that a consumer has now:
 *
 *	struct device *d;
 *
 *	bpf_for_each(memgate_device, d, consumer)
 *		if (memgate_device_group(d) == 7)
 *			...
 *
 * A device that joins is asked about before it is among them.
 */
extern int
bpf_iter_memgate_device_new(struct bpf_iter_memgate_device *it,
			    struct memgate_consumer *consumer) __ksym;
extern struct device *
bpf_iter_memgate_device_next(struct bpf_iter_memgate_device *it) __ksym;
extern void
bpf_iter_memgate_device_destroy(struct bpf_iter_memgate_device *it) __ksym;

/*
 * Of the kernel's own, those that policies need most.  Declared weak, as
 * vmlinux.h may do it too.
 */
extern void bpf_task_release(struct task_struct *task) __weak __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64 id) __weak __ksym;
extern void bpf_cgroup_release(struct cgroup *cgrp) __weak __ksym;
extern long bpf_task_under_cgroup(struct task_struct *task,
				  struct cgroup *ancestor) __weak __ksym;
extern void bpf_rcu_read_lock(void) __weak __ksym;
extern void bpf_rcu_read_unlock(void) __weak __ksym;

#endif /* _MEMGATE_KFUNCS_BPF_H */
