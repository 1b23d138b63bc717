// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - consumers and what was granted to them
 *
 * An attachment is on the list of its gate and on that of its consumer, and
 * ends when either dies.  Both ends take it off both lists under
 * memgate_lock, so whoever finds it there is the one who ends it.
 */
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "internal.h"

/* Questions that lead to something, one at a time: see internal.h */
DEFINE_MUTEX(memgate_attach_mutex);

static atomic64_t memgate_consumer_ids;

/**
 * memgate_consumer_init - a new user of memory
 * @consumer: embedded in the object that will use it
 * @kind: a class whose consumers stay
 * @dev: its device, which lives longer, if it has one and will never have
 *	another; or NULL
 *
 * %current is who set it up.
 */
void memgate_consumer_init(struct memgate_consumer *consumer,
			   enum memgate_class kind, struct device *dev)
{
	consumer->kind = kind;
	consumer->id = atomic64_inc_return(&memgate_consumer_ids);
	consumer->task = get_task_struct(current->group_leader);
	consumer->dev = dev;
	consumer->used = false;
	consumer->orphaned = false;
	INIT_LIST_HEAD(&consumer->devices);
	INIT_LIST_HEAD(&consumer->attachments);
}
EXPORT_SYMBOL_GPL(memgate_consumer_init);

/* Caller is in an RCU read section, which keeps consumer and gate. */
static void memgate_detach(struct memgate_attachment *att)
{
	memgate_notify_detached(att->gate, att->consumer, att->rights);
	memgate_put(att->gate);
	kfree_rcu(att, rcu);
}

static void memgate_unlink(struct memgate_attachment *att)
{
	lockdep_assert_held(&memgate_lock);
	list_del_rcu(&att->of_gate);
	list_del_rcu(&att->of_consumer);
}

static void memgate_detach_consumer(struct memgate_consumer *consumer)
{
	struct memgate_attachment *att;

	do {
		rcu_read_lock();
		spin_lock(&memgate_lock);
		att = list_first_entry_or_null(&consumer->attachments,
					       struct memgate_attachment,
					       of_consumer);
		if (att)
			memgate_unlink(att);
		spin_unlock(&memgate_lock);
		if (att)
			memgate_detach(att);
		rcu_read_unlock();
	} while (att);
}

/**
 * memgate_consumer_destroy - a user of memory is gone
 * @consumer: reaches no memory any more, and asks for none
 *
 * Context: May sleep, until nobody looks at @consumer any more.
 */
void memgate_consumer_destroy(struct memgate_consumer *consumer)
{
	memgate_del_devices(consumer);
	if (consumer->used) {
		memgate_detach_consumer(consumer);
		synchronize_rcu();
	}
	put_task_struct(consumer->task);
}
EXPORT_SYMBOL_GPL(memgate_consumer_destroy);

/* The memory of a gate is gone; nothing attaches any more. */
void memgate_detach_all(struct memgate *gate)
{
	struct memgate_attachment *att;

	do {
		rcu_read_lock();
		spin_lock(&memgate_lock);
		att = list_first_entry_or_null(&gate->attachments,
					       struct memgate_attachment,
					       of_gate);
		if (att) {
			WRITE_ONCE(att->consumer->orphaned, true);
			memgate_unlink(att);
		}
		spin_unlock(&memgate_lock);
		if (att)
			memgate_detach(att);
		rcu_read_unlock();
	} while (att);
}

/* RCU or memgate_lock.  A consumer has few gates, a gate many consumers. */
static struct memgate_attachment *
memgate_find(struct memgate *gate, struct memgate_consumer *consumer)
{
	struct memgate_attachment *att;

	list_for_each_entry_rcu(att, &consumer->attachments, of_consumer,
				lockdep_is_held(&memgate_lock))
		if (att->gate == gate)
			return att;
	return NULL;
}

/* What it must be asked about for @rights, with what it has; 0: nothing. */
static u32 memgate_lacks(struct memgate *gate,
			 struct memgate_consumer *consumer, u32 rights)
{
	struct memgate_attachment *att;
	u32 has;

	rcu_read_lock();
	att = memgate_find(gate, consumer);
	has = att ? READ_ONCE(att->rights) : 0;
	rcu_read_unlock();
	return rights & ~has ? rights | has : 0;
}

/**
 * memgate_attached - has a consumer the memory of an inode?
 * @consumer: held
 * @inode: what a folio belongs to
 * @rights: enum memgate_rights that it needs
 *
 * Context: RCU read section, or IRQs off.
 * Return: whether it has all of them.
 */
bool memgate_attached(struct memgate_consumer *consumer,
		      const struct inode *inode, u32 rights)
{
	struct memgate_attachment *att;

	list_for_each_entry_rcu(att, &consumer->attachments, of_consumer,
				irqs_disabled())
		if (rcu_access_pointer(att->gate->inode) == inode)
			return !(rights & ~READ_ONCE(att->rights));
	return false;
}

/* Under memgate_attach_mutex.  Takes over @att, unless it finds one. */
static void memgate_grant(struct memgate *gate,
			  struct memgate_consumer *consumer, u32 rights,
			  struct memgate_attachment **att)
{
	struct memgate_attachment *old;

	spin_lock(&memgate_lock);
	old = memgate_find(gate, consumer);
	if (old) {
		WRITE_ONCE(old->rights, rights);
	} else {
		refcount_inc(&gate->ref);
		(*att)->gate = gate;
		(*att)->consumer = consumer;
		(*att)->rights = rights;
		consumer->used = true;
		list_add_tail_rcu(&(*att)->of_gate, &gate->attachments);
		list_add_tail_rcu(&(*att)->of_consumer,
				  &consumer->attachments);
		*att = NULL;
	}
	spin_unlock(&memgate_lock);
}

/**
 * memgate_attach - give a consumer the memory of a gate, if it may have it
 * @gate: held
 * @consumer: held, of a kind that stays
 * @rights: what it needs now; it is asked for with what it has
 * @start: what it is about to touch, in bytes
 * @len: length in bytes
 *
 * Context: May sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed;
 *	%-ENOMEM.
 */
int memgate_attach(struct memgate *gate, struct memgate_consumer *consumer,
		   u32 rights, u64 start, u64 len)
{
	struct memgate_question q = {
		.class = consumer->kind, .consumer = consumer,
		.start = start, .len = len,
	};
	struct memgate_attachment *att;
	int ret = 0;

	if (!memgate_lacks(gate, consumer, rights))
		return 0;

	att = kzalloc(sizeof(*att), GFP_KERNEL_ACCOUNT);
	if (!att)
		return -ENOMEM;

	mutex_lock(&memgate_attach_mutex);
	q.rights = memgate_lacks(gate, consumer, rights);
	/* After its last word, released(), a policy is asked no more. */
	if (q.rights)
		ret = gate->dead ? -EACCES :
				   memgate_ask_devices(gate, &q);
	if (q.rights && !ret)
		memgate_grant(gate, consumer, q.rights, &att);
	mutex_unlock(&memgate_attach_mutex);
	kfree(att);
	return ret;
}
