// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - the gate: its life on the inode, and the seal
 *
 * Who dies first, and the lock order: Documentation/mm/memgate.rst.
 */
#include <linux/iommu.h>
#include <linux/magic.h>
#include <linux/mmu_notifier.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>
#include <linux/xarray.h>

#include "internal.h"

/* One second: do not patch the kernel for every short-lived memfd. */
DEFINE_STATIC_KEY_DEFERRED_FALSE(memgate_key, HZ);

DEFINE_SPINLOCK(memgate_lock);
LIST_HEAD(memgate_gates);

static atomic64_t memgate_ids;

/**
 * memgate_slot - where an inode keeps its gate
 * @inode: any inode
 *
 * Return: the place, NULL if this kind of inode never has a gate.
 */
struct memgate __rcu **memgate_slot(struct inode *inode)
{
	if (shmem_mapping(inode->i_mapping))
		return &SHMEM_I(inode)->memgate;
#ifdef CONFIG_HUGETLBFS
	if (inode->i_sb->s_magic == HUGETLBFS_MAGIC)
		return &HUGETLBFS_I(inode)->memgate;
#endif
	return NULL;
}

/* Caller holds the inode or an RCU read lock. */
struct memgate *memgate_get(struct inode *inode)
{
	struct memgate __rcu **slot = memgate_slot(inode);
	struct memgate *gate;

	if (!slot)
		return NULL;

	rcu_read_lock();
	gate = rcu_dereference(*slot);
	if (gate && !refcount_inc_not_zero(&gate->ref))
		gate = NULL;
	rcu_read_unlock();
	return gate;
}

/**
 * memgate_get_mapping - the gate of what a folio or a VMA belongs to
 * @mapping: under RCU, or held
 *
 * Return: NULL: not gated; %-EACCES: its inode is dying.
 */
struct memgate *memgate_get_mapping(struct address_space *mapping)
{
	struct memgate *gate;

	if (!mapping_gated(mapping))
		return NULL;
	gate = memgate_get(mapping->host);
	return gate ?: ERR_PTR(-EACCES);
}

static void memgate_free(struct work_struct *work)
{
	struct memgate *gate = container_of(to_rcu_work(work), struct memgate,
					    free_work);

	memgate_free_installs(gate);
	kfree(gate);
	static_branch_slow_dec_deferred(&memgate_key);
}

void memgate_put(struct memgate *gate)
{
	if (refcount_dec_and_test(&gate->ref))
		queue_rcu_work(system_unbound_wq, &gate->free_work);
}

static void memgate_links(struct work_struct *work)
{
	struct memgate *gate = container_of(work, struct memgate, links_work);

	memgate_detach_links(gate);
	memgate_put(gate);
}

/**
 * memgate_prepare - make a gate that no inode has yet
 *
 * Context: May sleep, takes cpus_read_lock(): before any lock of the inode.
 * Return: the gate, to be given to memgate_shut() or memgate_discard();
 *	%-ENOMEM.
 */
struct memgate *memgate_prepare(void)
{
	struct memgate *gate = kzalloc(sizeof(*gate), GFP_KERNEL_ACCOUNT);

	if (!gate)
		return ERR_PTR(-ENOMEM);

	refcount_set(&gate->ref, 1);
	gate->id = atomic64_inc_return(&memgate_ids);
	gate->openable = ~0ULL;
	INIT_LIST_HEAD(&gate->node);
	INIT_LIST_HEAD(&gate->installs);
	INIT_LIST_HEAD(&gate->attachments);
	INIT_WORK(&gate->links_work, memgate_links);
	INIT_RCU_WORK(&gate->free_work, memgate_free);
	static_branch_deferred_inc(&memgate_key);
	return gate;
}

/* For a gate that was not needed; NULL and errors are none. */
void memgate_discard(struct memgate *gate)
{
	if (!IS_ERR_OR_NULL(gate))
		memgate_put(gate);
}

/**
 * memgate_shut - from now on, new accesses to the inode are asked about
 * @inode: an inode with memgate_slot() and no gate
 * @gate: from memgate_prepare(); its reference goes to the inode
 *
 * Accesses that pass a reference to a folio (read, splice, all of GUP) take
 * the reference first and look at the flag of the mapping second; here the
 * flag is set first and the references are looked at second (by
 * memfd_wait_for_pins()).  So one of both sees the other, and nothing that
 * began before the seal goes on unseen behind it.
 *
 * Context: i_rwsem held for writing.
 */
void memgate_shut(struct inode *inode, struct memgate *gate)
{
	rcu_assign_pointer(gate->inode, inode);
	rcu_assign_pointer(*memgate_slot(inode), gate);
	set_bit(AS_ACCESS_GATED, &inode->i_mapping->flags);
	/* Flag first, references second; pairs with folio_try_get(). */
	smp_mb__after_atomic();
	/* GUP-fast looks with IRQs off. */
	synchronize_rcu();
}

/* Fills hold this lock for one range at a time, and not while they fault. */
static int memgate_settle_userfault(struct vm_area_struct *vma)
{
#ifdef CONFIG_USERFAULTFD
	struct userfaultfd_ctx *ctx = vma->vm_userfaultfd_ctx.ctx;

	if (ctx) {
		if (down_write_killable(&ctx->map_changing_lock))
			return -EBUSY;
		up_write(&ctx->map_changing_lock);
	}
#endif
	return 0;
}

static int memgate_settle_mm(struct mm_struct *mm,
			     struct address_space *mapping,
			     unsigned long deadline)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int ret = 0;

	vma_iter_init(&vmi, mm, 0);
	/* hugetlbfs takes i_rwsem, which is held, under mmap_lock. */
	while (!mmap_read_trylock(mm))
		if (time_after(jiffies, deadline) ||
		    schedule_timeout_killable(1))
			return -EBUSY;
	for_each_vma(vmi, vma) {
		if (!ret && vma->vm_file && vma->vm_file->f_mapping == mapping)
			ret = memgate_settle_userfault(vma);
	}
	mmap_read_unlock(mm);
	/* See memgate_sva_bind(). */
	return ret ?: mm_valid_pasid(mm) ? -EBUSY : 0;
}

/* An address space that maps it and is not in @seen; with two references. */
static struct mm_struct *memgate_next_mm(struct address_space *mapping,
					 struct xarray *seen)
{
	struct mm_struct *mm = NULL;
	struct vm_area_struct *vma;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX) {
		if (xa_load(seen, (unsigned long)vma->vm_mm) ||
		    !mmget_not_zero(vma->vm_mm))
			continue;
		mm = vma->vm_mm;
		mmgrab(mm);
		break;
	}
	i_mmap_unlock_read(mapping);
	return mm;
}

/**
 * memgate_settle - wait for who changes mappings of the inode right now
 * @inode: the gate has been shut
 *
 * mprotect(), mremap(), fork() and fills of userfaultfd ask under a lock that
 * they hold until they are done.  Whoever can have it after memgate_shut()
 * knows that they have been done, or have seen the gate.
 *
 * Context: i_rwsem held for writing.
 * Return: 0; %-EBUSY if that takes long, or if a device shares the page
 *	tables of a process that has it mapped; %-ENOMEM.
 */
int memgate_settle(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	unsigned long deadline = jiffies + HZ / 6;
	struct mm_struct *mm;
	struct xarray seen;
	unsigned long key;
	int ret = 0;

	xa_init(&seen);
	while (!ret && (mm = memgate_next_mm(mapping, &seen))) {
		ret = memgate_settle_mm(mm, mapping, deadline);
		mmput_async(mm);
		/* Its address stays taken as long as it is in there. */
		if (!ret)
			ret = xa_err(xa_store(&seen, (unsigned long)mm, mm,
					      GFP_KERNEL));
		if (ret)
			mmdrop(mm);
	}
	xa_for_each(&seen, key, mm)
		mmdrop(mm);
	xa_destroy(&seen);
	return ret;
}

/* Take memgate_shut() back: the seal has failed.  The gate is the caller's. */
void memgate_unshut(struct inode *inode)
{
	struct memgate __rcu **slot = memgate_slot(inode);
	struct memgate *gate;

	clear_bit(AS_ACCESS_GATED, &inode->i_mapping->flags);
	gate = rcu_replace_pointer(*slot, NULL, inode_is_locked(inode));
	RCU_INIT_POINTER(gate->inode, NULL);
}

/* Sorted: who has stopped at an id can go on from there. */
static void memgate_list(struct memgate *gate)
{
	struct memgate *before;

	spin_lock(&memgate_lock);
	list_for_each_entry_reverse(before, &memgate_gates, node)
		if (before->id < gate->id)
			break;
	list_add_rcu(&gate->node, &before->node);
	spin_unlock(&memgate_lock);
}

/**
 * memgate_sealed - the gate has been shut and nothing holds the memory
 * @inode: its inode
 *
 * What a secondary MMU (KVM) has mapped is no grant: invalidate it all, so
 * that it asks at its next fault.  The page tables of CPUs stay as they are
 * and are counted.
 *
 * Context: i_rwsem held for writing.  Takes i_mmap_rwsem.
 */
void memgate_sealed(struct inode *inode)
{
	struct address_space *mapping = inode->i_mapping;
	struct memgate *gate = memgate_get(inode);
	struct mmu_notifier_range range;
	struct vm_area_struct *vma;

	i_mmap_lock_read(mapping);
	vma_interval_tree_foreach(vma, &mapping->i_mmap, 0, ULONG_MAX) {
		gate->premapped++;
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR, 0,
					vma->vm_mm, vma->vm_start, vma->vm_end);
		mmu_notifier_invalidate_range_start(&range);
		mmu_notifier_invalidate_range_end(&range);
	}
	i_mmap_unlock_read(mapping);
	memgate_list(gate);
	memgate_put(gate);
}

/**
 * memgate_freeze - no more changes to the policies of an inode
 * @inode: its inode
 * @again: the inode had F_SEAL_SEAL before
 *
 * Context: i_rwsem held for writing.
 * Return: 0; %-EPERM if @again and there is nothing to freeze, as
 *	F_ADD_SEALS answers without a gate.
 */
int memgate_freeze(struct inode *inode, bool again)
{
	struct memgate *gate = memgate_get(inode);
	int ret = again ? -EPERM : 0;

	if (!gate)
		return ret;

	spin_lock(&memgate_lock);
	if (!gate->frozen) {
		WRITE_ONCE(gate->openable, memgate_decided(gate));
		gate->frozen = true;
		ret = 0;
	}
	spin_unlock(&memgate_lock);
	memgate_put(gate);
	return ret;
}

/**
 * memgate_evict - the inode dies
 * @inode: any inode; its page cache is empty
 */
void memgate_evict(struct inode *inode)
{
	struct memgate __rcu **slot = memgate_slot(inode);
	struct memgate *gate;

	gate = slot ? rcu_dereference_protected(*slot, true) : NULL;
	if (!gate)
		return;

	RCU_INIT_POINTER(*slot, NULL);
	mutex_lock(&memgate_attach_mutex);
	spin_lock(&memgate_lock);
	gate->dead = true;
	list_del_rcu(&gate->node);
	spin_unlock(&memgate_lock);
	mutex_unlock(&memgate_attach_mutex);
	memgate_detach_all(gate);
	memgate_notify_released(gate);
	RCU_INIT_POINTER(gate->inode, NULL);
	/* The reference of the inode goes with the work. */
	queue_work(system_unbound_wq, &gate->links_work);
}

/* /proc/PID/fdinfo: the format is in <uapi/linux/memgate.h> */
void memgate_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct pid_namespace *ns = proc_pid_ns(file_inode(m->file)->i_sb);
	struct memgate *gate = memgate_get(file_inode(file));
	struct memgate_attachment *att;

	if (!gate)
		return;

	rcu_read_lock();
	seq_printf(m, "memgate:\tid %llu premapped %u frozen %u classes %#llx\n",
		   gate->id, gate->premapped, gate->frozen,
		   memgate_decided(gate) & READ_ONCE(gate->openable));
	memgate_show_installs(m, gate);
	list_for_each_entry_rcu(att, &gate->attachments, of_gate) {
		seq_printf(m, "memgate-consumer:\tkind %u id %llu rights %#x pid %u\n",
			   att->consumer->kind, att->consumer->id,
			   READ_ONCE(att->rights),
			   task_tgid_nr_ns(att->consumer->task, ns));
		memgate_show_devices(m, att->consumer);
	}
	rcu_read_unlock();
	memgate_put(gate);
}
