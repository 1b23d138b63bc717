// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - the devices of consumers
 *
 * Memory and devices meet in a consumer, in either order: a gate is attached
 * only if every device that the consumer has is allowed, a device joins only
 * if it is allowed on every gate that is attached.  Both happen under
 * memgate_attach_mutex.
 */
#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <trace/events/memgate.h>

#include "internal.h"

/* All of them; under memgate_attach_mutex. */
static LIST_HEAD(memgate_devices);

/**
 * memgate_ask_devices - may a consumer with all its devices have the memory?
 * @gate: alive
 * @q: the question; the device is filled in
 *
 * Context: under memgate_attach_mutex.
 * Return: as memgate_ask().
 */
int memgate_ask_devices(struct memgate *gate, struct memgate_question *q)
{
	struct memgate_consumer *consumer = q->consumer;
	struct memgate_device *d;
	int ret = 0;

	if (consumer->dev || list_empty(&consumer->devices)) {
		q->dev = consumer->dev;
		return memgate_ask(gate, q);
	}
	list_for_each_entry(d, &consumer->devices, node) {
		q->dev = d->dev;
		ret = memgate_ask(gate, q);
		if (ret)
			break;
	}
	return ret;
}

/* May a device reach what the consumer has?  Under memgate_attach_mutex. */
static int memgate_ask_joining(struct memgate_consumer *consumer,
			       struct device *dev)
{
	struct memgate_question q = {
		.class = consumer->kind, .consumer = consumer, .dev = dev,
	};
	struct memgate_attachment *att;
	int ret = 0;

	rcu_read_lock();
	if (memgate_orphaned(consumer)) {
		trace_memgate_closed(0, "orphan");
		ret = -EACCES;
	}
	list_for_each_entry_rcu(att, &consumer->attachments, of_consumer) {
		if (ret)
			break;
		q.rights = READ_ONCE(att->rights);
		ret = att->gate->dead ? -EACCES : memgate_ask(att->gate, &q);
	}
	rcu_read_unlock();
	return ret;
}

/* Under memgate_attach_mutex.  Takes over @new if it answers 0. */
static int memgate_join(struct memgate_device *new,
			struct memgate_consumer *consumer, struct device *dev,
			struct iommu_group *group)
{
	int ret = memgate_ask_joining(consumer, dev);

	if (ret)
		return ret;
	new->consumer = consumer;
	new->dev = get_device(dev);
	new->group = group;
	list_add_tail_rcu(&new->node, &consumer->devices);
	list_add_tail(&new->all, &memgate_devices);
	return 0;
}

static void memgate_device_free(struct work_struct *work)
{
	struct memgate_device *d = container_of(to_rcu_work(work),
						struct memgate_device,
						free_work);

	put_device(d->dev);
	kfree(d);
}

/* Policies may be looking at it. */
static void memgate_part(struct memgate_device *d)
{
	lockdep_assert_held(&memgate_attach_mutex);
	list_del_rcu(&d->node);
	list_del(&d->all);
	INIT_RCU_WORK(&d->free_work, memgate_device_free);
	queue_rcu_work(system_unbound_wq, &d->free_work);
}

static int memgate_add(struct memgate_consumer *consumer, struct device *dev,
		       struct iommu_group *group)
{
	struct memgate_device *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!new)
		return -ENOMEM;
	mutex_lock(&memgate_attach_mutex);
	ret = memgate_join(new, consumer, dev, group);
	mutex_unlock(&memgate_attach_mutex);
	if (ret)
		kfree(new);
	return ret;
}

/**
 * memgate_add_device - a device will reach what a consumer has and gets
 * @consumer: made without a device
 * @dev: the device, before it can reach anything
 *
 * A device may be added several times; each needs a memgate_del_device().
 *
 * Context: May sleep.
 * Return: 0, or a negative errno, and nothing has changed: the policy's,
 *	%-EACCES where closed, or if the consumer may have memory whose memfd
 *	is gone; %-ENOMEM.
 */
int memgate_add_device(struct memgate_consumer *consumer, struct device *dev)
{
	return memgate_add(consumer, dev, NULL);
}
EXPORT_SYMBOL_GPL(memgate_add_device);

/**
 * memgate_del_device - a device reaches no more what a consumer has
 * @consumer: with memgate_add_device(@dev)
 * @dev: the device
 *
 * Context: May sleep.
 */
void memgate_del_device(struct memgate_consumer *consumer, struct device *dev)
{
	struct memgate_device *d;

	mutex_lock(&memgate_attach_mutex);
	list_for_each_entry(d, &consumer->devices, node) {
		if (d->dev == dev && !d->group) {
			memgate_part(d);
			break;
		}
	}
	mutex_unlock(&memgate_attach_mutex);
}
EXPORT_SYMBOL_GPL(memgate_del_device);

struct memgate_group {
	struct memgate_consumer *consumer;
	struct iommu_group *group;
};

static int memgate_add_of_group(struct device *dev, void *data)
{
	const struct memgate_group *to = data;

	return memgate_add(to->consumer, dev, to->group);
}

/**
 * memgate_add_group - memgate_add_device() for all devices of an iommu_group
 * @consumer: made without a device
 * @group: held, and not in @consumer
 *
 * Context: May sleep.  Takes the mutex of the group.
 * Return: 0, or a negative errno, and nothing has changed.
 */
int memgate_add_group(struct memgate_consumer *consumer,
		      struct iommu_group *group)
{
	struct memgate_group to = { .consumer = consumer, .group = group };
	int ret;

	ret = iommu_group_for_each_dev(group, &to, memgate_add_of_group);
	if (ret)
		memgate_del_group(consumer, group);
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_add_group);

/**
 * memgate_del_group - an iommu_group reaches no more what a consumer has
 * @consumer: may be without @group
 * @group: held
 *
 * Context: May sleep.
 */
void memgate_del_group(struct memgate_consumer *consumer,
		       struct iommu_group *group)
{
	struct memgate_device *d, *next;

	mutex_lock(&memgate_attach_mutex);
	list_for_each_entry_safe(d, next, &consumer->devices, node)
		if (d->group == group)
			memgate_part(d);
	mutex_unlock(&memgate_attach_mutex);
}
EXPORT_SYMBOL_GPL(memgate_del_group);

/* Who has the group and not (yet) the device; under memgate_attach_mutex. */
static struct memgate_consumer *
memgate_lacking(struct iommu_group *group, struct device *dev)
{
	struct memgate_device *d, *other;
	bool has;

	list_for_each_entry(d, &memgate_devices, all) {
		if (d->group != group)
			continue;
		has = false;
		list_for_each_entry(other, &d->consumer->devices, node)
			has |= other->group == group && other->dev == dev;
		if (!has)
			return d->consumer;
	}
	return NULL;
}

/**
 * memgate_device_joins - an iommu_group that may be in use gets a device
 * @group: with its mutex held
 * @dev: has no access through the domain of the group yet
 *
 * A group has one domain, but two consumers while it moves between them.
 * After a refusal there must be a memgate_device_leaves().
 *
 * Context: May sleep.
 * Return: as memgate_add_device().
 */
int memgate_device_joins(struct iommu_group *group, struct device *dev)
{
	struct memgate_consumer *consumer;
	struct memgate_device *new;
	int ret = 0;

	do {
		new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
		if (!new)
			return -ENOMEM;
		mutex_lock(&memgate_attach_mutex);
		consumer = memgate_lacking(group, dev);
		if (consumer)
			ret = memgate_join(new, consumer, dev, group);
		mutex_unlock(&memgate_attach_mutex);
	} while (consumer && !ret);
	kfree(new);
	return ret;
}

/**
 * memgate_device_leaves - a device is no more in its iommu_group
 * @dev: the device
 *
 * Context: May sleep.
 */
void memgate_device_leaves(struct device *dev)
{
	struct memgate_device *d, *next;

	mutex_lock(&memgate_attach_mutex);
	list_for_each_entry_safe(d, next, &memgate_devices, all)
		if (d->dev == dev && d->group)
			memgate_part(d);
	mutex_unlock(&memgate_attach_mutex);
}

/* The consumer goes, and some of its devices may still be there. */
void memgate_del_devices(struct memgate_consumer *consumer)
{
	struct memgate_device *d, *next;

	if (list_empty(&consumer->devices))
		return;
	mutex_lock(&memgate_attach_mutex);
	list_for_each_entry_safe(d, next, &consumer->devices, node)
		memgate_part(d);
	mutex_unlock(&memgate_attach_mutex);
	/* Who walks the devices holds only RCU; the consumer dies next. */
	synchronize_rcu();
}

/**
 * memgate_ask_again - may a consumer use what it has in one more way?
 * @consumer: has taken the pages before
 * @rights: enum memgate_rights
 *
 * Nothing is remembered of the answer.
 *
 * Context: May sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed, or if
 *	it may have memory whose memfd is gone.
 */
int memgate_ask_again(struct memgate_consumer *consumer, u32 rights)
{
	struct memgate_question q = {
		.class = consumer->kind, .consumer = consumer,
		.rights = rights,
	};
	struct memgate_attachment *att;
	int ret = 0;

	if (memgate_orphaned(consumer))
		return -EACCES;
	if (!memgate_enabled())
		return 0;

	mutex_lock(&memgate_attach_mutex);
	rcu_read_lock();
	list_for_each_entry_rcu(att, &consumer->attachments, of_consumer) {
		ret = att->gate->dead ? -EACCES :
					memgate_ask_devices(att->gate, &q);
		if (ret)
			break;
	}
	rcu_read_unlock();
	mutex_unlock(&memgate_attach_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_ask_again);

/* /proc/PID/fdinfo: the format is in <uapi/linux/memgate.h>.  RCU. */
void memgate_show_devices(struct seq_file *m,
			  const struct memgate_consumer *consumer)
{
	struct memgate_device *d;

	if (consumer->dev)
		seq_printf(m, "memgate-device:\tconsumer %llu name %s\n",
			   consumer->id, dev_name(consumer->dev));
	list_for_each_entry_rcu(d, &consumer->devices, node)
		seq_printf(m, "memgate-device:\tconsumer %llu name %s\n",
			   consumer->id, dev_name(d->dev));
}
