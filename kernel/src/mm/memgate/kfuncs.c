// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - what policies may look at
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "internal.h"

/* Where the iterator over consumers is; opaque to programs. */
struct bpf_iter_memgate_consumer {
	__u64 __opaque[2];
} __aligned(8);

struct memgate_consumer_iter {
	struct memgate *gate;
	struct list_head *pos;
} __aligned(8);

/* The same for the devices of a consumer. */
struct bpf_iter_memgate_device {
	__u64 __opaque[2];
} __aligned(8);

struct memgate_device_iter {
	struct memgate_consumer *consumer;
	struct list_head *pos;	/* NULL before the first */
} __aligned(8);

__bpf_kfunc_start_defs();

/**
 * bpf_memgate_id - the id of a gate
 * @gate: the gate
 *
 * Return: a number that no other gate has or will have; never 0.
 */
__bpf_kfunc u64 bpf_memgate_id(struct memgate *gate)
{
	return gate->id;
}

/**
 * bpf_memgate_seals - the seals of the memfd
 * @gate: the gate
 *
 * Return: F_SEAL_*; 0 when the memfd is gone.
 */
__bpf_kfunc u32 bpf_memgate_seals(struct memgate *gate)
{
	struct inode *inode = rcu_dereference(gate->inode);

	if (!inode)
		return 0;
#ifdef CONFIG_HUGETLBFS
	if (!shmem_mapping(inode->i_mapping))
		return READ_ONCE(HUGETLBFS_I(inode)->seals);
#endif
	return READ_ONCE(SHMEM_I(inode)->seals);
}

/**
 * bpf_memgate_size - the size of the memfd
 * @gate: the gate
 *
 * Return: bytes; 0 when the memfd is gone.
 */
__bpf_kfunc u64 bpf_memgate_size(struct memgate *gate)
{
	struct inode *inode = rcu_dereference(gate->inode);

	return inode ? i_size_read(inode) : 0;
}

/**
 * bpf_memgate_premapped - mappings that are older than the seal
 * @gate: the gate
 *
 * Return: how many there were when the memfd was sealed; nobody was asked
 * about them.
 */
__bpf_kfunc u32 bpf_memgate_premapped(struct memgate *gate)
{
	return gate->premapped;
}

/**
 * bpf_memgate_count - attachments of one class
 * @gate: the gate
 * @kind: enum memgate_class
 *
 * In may_attach the one that is asked about is not counted, unless it is
 * asked about for more rights.
 *
 * Return: how many there are now.
 */
__bpf_kfunc u32 bpf_memgate_count(struct memgate *gate, u32 kind)
{
	struct memgate_attachment *att;
	u32 n = 0;

	list_for_each_entry_rcu(att, &gate->attachments, of_gate)
		n += att->consumer->kind == kind;
	return n;
}

/**
 * bpf_memgate_params - the parameters of the install that is asked
 * @gate: the gate
 * @rdonly_buf_size: how many bytes of them the program wants, a constant
 *
 * Return: the parameters, read-only; %NULL if there are fewer.
 */
__bpf_kfunc const u8 *bpf_memgate_params(struct memgate *gate,
					 const u32 rdonly_buf_size)
{
	const struct memgate_install *install = current->memgate.asking;

	if (!install || install->gate != gate ||
	    install->params_len < rdonly_buf_size)
		return NULL;
	return install->params;
}

/**
 * bpf_memgate_consumer_task - who set a consumer up
 * @consumer: the consumer
 *
 * Return: the task, to be released by bpf_task_release(); %NULL if it has
 * been reaped.
 */
__bpf_kfunc struct task_struct *
bpf_memgate_consumer_task(struct memgate_consumer *consumer)
{
	struct task_struct *task = consumer->task;

	return refcount_inc_not_zero(&task->rcu_users) ? task : NULL;
}

/**
 * bpf_iter_memgate_consumer_new - walk the consumers attached to a gate
 * @it: the iterator
 * @gate: the gate
 *
 * Return: 0.
 */
__bpf_kfunc int
bpf_iter_memgate_consumer_new(struct bpf_iter_memgate_consumer *it,
			      struct memgate *gate)
{
	struct memgate_consumer_iter *state = (void *)it;

	BUILD_BUG_ON(sizeof(*state) > sizeof(*it));
	BUILD_BUG_ON(__alignof__(*state) != __alignof__(*it));
	state->gate = gate;
	state->pos = &gate->attachments;
	return 0;
}

/**
 * bpf_iter_memgate_consumer_next - the next consumer
 * @it: the iterator
 *
 * Return: the consumer, valid until the program ends; %NULL at the end.
 */
__bpf_kfunc struct memgate_consumer *
bpf_iter_memgate_consumer_next(struct bpf_iter_memgate_consumer *it)
{
	struct memgate_consumer_iter *state = (void *)it;
	struct list_head *head = &state->gate->attachments;

	state->pos = rcu_dereference(list_next_rcu(state->pos));
	if (state->pos == head)
		return NULL;
	return list_entry(state->pos, struct memgate_attachment,
			  of_gate)->consumer;
}

/**
 * bpf_iter_memgate_consumer_destroy - end a walk
 * @it: the iterator
 */
__bpf_kfunc void
bpf_iter_memgate_consumer_destroy(struct bpf_iter_memgate_consumer *it)
{
}

/**
 * bpf_iter_memgate_device_new - walk the devices that a consumer has now
 * @it: the iterator
 * @consumer: the consumer
 *
 * Return: 0.
 */
__bpf_kfunc int
bpf_iter_memgate_device_new(struct bpf_iter_memgate_device *it,
			    struct memgate_consumer *consumer)
{
	struct memgate_device_iter *state = (void *)it;

	BUILD_BUG_ON(sizeof(*state) > sizeof(*it));
	BUILD_BUG_ON(__alignof__(*state) != __alignof__(*it));
	/* What leaves nothing behind has no list either. */
	state->consumer = consumer->id ? consumer : NULL;
	state->pos = NULL;
	return 0;
}

/**
 * bpf_iter_memgate_device_next - the next device
 * @it: the iterator
 *
 * Return: the device, valid until the program ends; %NULL at the end.
 */
__bpf_kfunc struct device *
bpf_iter_memgate_device_next(struct bpf_iter_memgate_device *it)
{
	struct memgate_device_iter *state = (void *)it;
	struct list_head *head;

	if (!state->consumer)
		return NULL;
	head = &state->consumer->devices;
	if (!state->pos) {
		state->pos = head;
		if (state->consumer->dev)
			return state->consumer->dev;
	}
	state->pos = rcu_dereference(list_next_rcu(state->pos));
	if (state->pos == head) {
		state->consumer = NULL;
		return NULL;
	}
	return list_entry(state->pos, struct memgate_device, node)->dev;
}

/**
 * bpf_iter_memgate_device_destroy - end a walk
 * @it: the iterator
 */
__bpf_kfunc void
bpf_iter_memgate_device_destroy(struct bpf_iter_memgate_device *it)
{
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(memgate_kfunc_ids)
BTF_ID_FLAGS(func, bpf_memgate_id, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_memgate_seals, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_memgate_size, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_memgate_premapped, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_memgate_count, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_memgate_params, KF_TRUSTED_ARGS | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_memgate_consumer_task,
	     KF_TRUSTED_ARGS | KF_ACQUIRE | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_memgate_consumer_new,
	     KF_ITER_NEW | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_iter_memgate_consumer_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_memgate_consumer_destroy, KF_ITER_DESTROY)
BTF_ID_FLAGS(func, bpf_iter_memgate_device_new,
	     KF_ITER_NEW | KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_iter_memgate_device_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_memgate_device_destroy, KF_ITER_DESTROY)
BTF_KFUNCS_END(memgate_kfunc_ids)

BTF_ID_LIST_SINGLE(memgate_ops_ids, struct, memgate_ops)

/* A set is for all struct_ops programs; ours is for policies only. */
static int memgate_kfunc_filter(const struct bpf_prog *prog, u32 kfunc_id)
{
	if (!btf_id_set8_contains(&memgate_kfunc_ids, kfunc_id) ||
	    memgate_prog_of_type(prog, memgate_ops_ids[0]))
		return 0;
	return -EACCES;
}

static const struct btf_kfunc_id_set memgate_kfunc_set = {
	.owner = THIS_MODULE,
	.set = &memgate_kfunc_ids,
	.filter = memgate_kfunc_filter,
};

int memgate_register_kfuncs(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS,
					 &memgate_kfunc_set);
}
