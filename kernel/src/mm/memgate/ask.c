// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - put a question to the policies of a gate
 *
 * All of it fails closed: nobody decides, nobody answers, a strange answer.
 */
#include "internal.h"

#define CREATE_TRACE_POINTS
#include <trace/events/memgate.h>

/* The classes that some install decides.  RCU or memgate_lock. */
u64 memgate_decided(struct memgate *gate)
{
	struct memgate_install *install;
	u64 classes = 0;

	rcu_read_lock();
	list_for_each_entry_rcu(install, &gate->installs, node)
		classes |= rcu_dereference(install->ops)->decides;
	rcu_read_unlock();
	return classes;
}

/*
 * What callers may see: 0, or an errno that userspace knows and that means
 * nothing else to them.  The kernel has errors of its own beyond EHWPOISON
 * (EIOCBQUEUED, ERESTARTSYS), which none may get from here.
 */
static int memgate_clamp(int ret)
{
	switch (ret) {
	case -EAGAIN:
	case -EINTR:
	case -EBUSY:
	case -ENOMEM:
		return -EACCES;
	}
	return ret <= 0 && ret > -EHWPOISON ? ret : -EACCES;
}

static int memgate_ask_ops(const struct memgate_ops *ops, struct memgate *gate,
			   const struct memgate_question *q)
{
	if (q->class == MEMGATE_MAP)
		return ops->may_map ?
		       ops->may_map(gate, q->op, q->rights, q->start, q->len) :
		       -EACCES;
	return ops->may_attach ?
	       ops->may_attach(gate, q->consumer, q->dev, q->rights, q->start,
			       q->len) :
	       -EACCES;
}

/* RCU read section.  @policy: whose answer it is */
static int memgate_ask_all(struct memgate *gate,
			   const struct memgate_question *q,
			   const char **policy)
{
	struct memgate_task *task = &current->memgate;
	u64 class = MEMGATE_CLASS(q->class);
	struct memgate_install *install;
	const struct memgate_ops *ops;
	int ret = -EACCES;

	if (task->asking || !(READ_ONCE(gate->openable) & class))
		return -EACCES;

	list_for_each_entry_rcu(install, &gate->installs, node) {
		ops = rcu_dereference(install->ops);
		if (!(ops->decides & class))
			continue;
		*policy = ops->name;
		task->asking = install;
		ret = memgate_clamp(memgate_ask_ops(ops, gate, q));
		task->asking = NULL;
		if (ret)
			break;
	}
	return ret;
}

/**
 * memgate_ask - may this access be?
 * @gate: held
 * @q: the access
 *
 * Every policy that decides the class must allow; the first refusal is the
 * answer.
 *
 * Context: Task context, any lock that is not memgate's own.  Does not
 *	sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed and
 *	for a question out of a policy.
 */
int memgate_ask(struct memgate *gate, const struct memgate_question *q)
{
	const char *policy = "";
	int ret;

	rcu_read_lock();
	ret = memgate_ask_all(gate, q, &policy);
	trace_memgate_decision(gate, q, policy, ret);
	rcu_read_unlock();
	return ret;
}

/* Context: RCU read section that keeps @consumer alive. */
void memgate_notify_detached(struct memgate *gate,
			     struct memgate_consumer *consumer, u32 rights)
{
	const struct memgate_install *outer = current->memgate.asking;
	struct memgate_install *install;
	const struct memgate_ops *ops;

	list_for_each_entry_rcu(install, &gate->installs, node) {
		ops = rcu_dereference(install->ops);
		if (!ops->detached ||
		    !(ops->decides & MEMGATE_CLASS(consumer->kind)))
			continue;
		current->memgate.asking = install;
		ops->detached(gate, consumer, rights);
	}
	current->memgate.asking = outer;
}

void memgate_notify_released(struct memgate *gate)
{
	const struct memgate_install *outer = current->memgate.asking;
	struct memgate_install *install;
	const struct memgate_ops *ops;

	rcu_read_lock();
	list_for_each_entry_rcu(install, &gate->installs, node) {
		ops = rcu_dereference(install->ops);
		if (!ops->released)
			continue;
		current->memgate.asking = install;
		ops->released(gate);
	}
	current->memgate.asking = outer;
	rcu_read_unlock();
}
