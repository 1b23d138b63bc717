/* SPDX-License-Identifier: GPL-2.0-only */
/* memgate - private types and prototypes */
#ifndef _MM_MEMGATE_INTERNAL_H
#define _MM_MEMGATE_INTERNAL_H

#include <linux/hugetlb.h>
#include <linux/memgate.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/shmem_fs.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

struct bpf_link;

/**
 * struct memgate - who may use the memory of one memfd inode
 * @ref: one of the inode, one of every open link, one of every attachment
 * @id: unique and never used again
 * @node: in memgate_gates, sorted by @id; RCU, changed under memgate_lock
 * @inode: NULL once the inode is dying; RCU protects what is behind it.  No
 *	reference: a gate must not keep the memory of a closed memfd
 * @installs: struct memgate_install in the order in which they are asked;
 *	RCU, appended under memgate_lock, never shrinks
 * @attachments: struct memgate_attachment; RCU, changed under memgate_lock
 * @openable: classes that may be open; all until the gate is frozen, then
 *	those that some install decided at that time
 * @premapped: mappings that were there when the gate was shut
 * @frozen: installs change no more; written under memgate_lock
 * @dead: the inode is gone, nothing attaches; written under
 *	memgate_attach_mutex and memgate_lock
 * @links_work: detaches the links when the inode has died
 * @free_work: the end, after a grace period
 */
struct memgate {
	refcount_t		ref;
	u64			id;
	struct list_head	node;
	struct inode __rcu	*inode;
	struct list_head	installs;
	struct list_head	attachments;
	u64			openable;
	u32			premapped;
	bool			frozen;
	bool			dead;
	struct work_struct	links_work;
	struct rcu_work		free_work;
};

/**
 * struct memgate_install - a policy's place on a gate
 * @node: in memgate.installs
 * @gate: where it is; not a reference, the gate owns its installs
 * @ops: the policy, or @closed
 * @closed: what stays when the link is dropped: decides the same classes
 *	and, without programs, refuses them
 * @link: the link that may update or drop it; NULL without; memgate_lock
 * @params_len: bytes in @params
 * @params: what the install brought; immutable
 */
struct memgate_install {
	struct list_head		node;
	struct memgate			*gate;
	const struct memgate_ops __rcu	*ops;
	struct memgate_ops		closed;
	struct bpf_link			*link;
	u32				params_len;
	u8				params[] __counted_by(params_len);
};

/**
 * struct memgate_attachment - what was granted to a consumer on a gate
 * @of_gate: in memgate.attachments
 * @of_consumer: in memgate_consumer.attachments
 * @gate: with a reference
 * @consumer: as long as it is on the lists, and until a grace period later
 * @rights: only grow
 * @rcu: for the end
 */
struct memgate_attachment {
	struct list_head	of_gate;
	struct list_head	of_consumer;
	struct memgate		*gate;
	struct memgate_consumer	*consumer;
	u32			rights;
	struct rcu_head		rcu;
};

/**
 * struct memgate_device - a device of a consumer
 * @node: in memgate_consumer.devices; RCU
 * @all: in the list of all of them; memgate_attach_mutex
 * @consumer: whose it is
 * @dev: the device; with a reference
 * @group: the iommu_group that brought it, or NULL; never looked into
 * @free_work: the end, after a grace period
 */
struct memgate_device {
	struct list_head	node;
	struct list_head	all;
	struct memgate_consumer	*consumer;
	struct device		*dev;
	struct iommu_group	*group;
	struct rcu_work		free_work;
};

/**
 * struct memgate_question - what a policy is asked
 * @class: enum memgate_class; decides which members count
 * @consumer: who; not for %MEMGATE_MAP
 * @dev: the device that will reach the memory, or NULL
 * @op: enum memgate_map_op; only for %MEMGATE_MAP
 * @rights: enum memgate_rights
 * @start: first byte within the memfd
 * @len: length in bytes
 */
struct memgate_question {
	u32			class;
	u32			op;
	u32			rights;
	struct memgate_consumer	*consumer;
	struct device		*dev;
	u64			start;
	u64			len;
};

/* The lists and links of all gates.  A leaf lock; changes are rare. */
extern spinlock_t memgate_lock;
/*
 * Held from the question to the attachment, so that a policy that counts
 * attachments sees all that it has allowed, and from the question to the new
 * device of a consumer, so that a device and a gate that come at the same time
 * do not miss each other.  Nothing is allocated under it.
 */
extern struct mutex memgate_attach_mutex;
/* All gates, for whoever wants to see them. */
extern struct list_head memgate_gates;

/* gate.c */
struct memgate __rcu **memgate_slot(struct inode *inode);
struct memgate *memgate_get(struct inode *inode);
struct memgate *memgate_get_mapping(struct address_space *mapping);
void memgate_put(struct memgate *gate);

/* ask.c */
int memgate_ask(struct memgate *gate, const struct memgate_question *q);
void memgate_notify_detached(struct memgate *gate,
			     struct memgate_consumer *consumer, u32 rights);
void memgate_notify_released(struct memgate *gate);
u64 memgate_decided(struct memgate *gate);

/* attach.c */
bool memgate_attached(struct memgate_consumer *consumer,
		      const struct inode *inode, u32 rights);
int memgate_attach(struct memgate *gate, struct memgate_consumer *consumer,
		   u32 rights, u64 start, u64 len);
void memgate_detach_all(struct memgate *gate);

/**
 * memgate_orphaned - may a consumer have memory that nobody decides any more?
 * @consumer: one that holds on to pages
 *
 * The memfd is gone and so are its policies; the pages that the consumer took
 * are not.  Nobody else gets them from it.
 *
 * Return: whether it was granted a gate that has died.
 */
static inline bool memgate_orphaned(const struct memgate_consumer *consumer)
{
	return READ_ONCE(consumer->orphaned);
}

/* device.c */
int memgate_ask_devices(struct memgate *gate, struct memgate_question *q);
void memgate_del_devices(struct memgate_consumer *consumer);
void memgate_show_devices(struct seq_file *m,
			  const struct memgate_consumer *consumer);

/* struct_ops.c */
void memgate_detach_links(struct memgate *gate);
void memgate_free_installs(struct memgate *gate);
void memgate_show_installs(struct seq_file *m, struct memgate *gate);

/* kfuncs.c */
int memgate_register_kfuncs(void);

#endif /* _MM_MEMGATE_INTERNAL_H */
