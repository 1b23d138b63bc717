/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memgate - who may use the memory behind a memfd
 *
 * Hooks for the rest of the kernel, and the interface that policies (BPF
 * struct_ops programs) implement.  The model, the lock order and the table
 * of who dies first are in Documentation/mm/memgate.rst.
 */
#ifndef _LINUX_MEMGATE_H
#define _LINUX_MEMGATE_H

#include <linux/cleanup.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/jump_label_ratelimit.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <uapi/linux/memgate.h>

struct device;
struct iommu_group;
struct memgate;
struct seq_file;

#ifdef CONFIG_MEMGATE

/**
 * struct memgate_consumer - who wants the memory
 * @kind: the class of access, enum memgate_class
 * @id: unique and never used again while the system runs; 0 for accesses
 *	that leave nothing behind (FILE, OWN_PIN, OWN_LONGTERM, REMOTE, OTHER)
 * @task: who set the consumer up; for an access that leaves nothing behind,
 *	who makes it.  Held for the life of the consumer.
 * @dev: the only device that it will ever have; NULL if there is none, and for
 *	a consumer whose devices come and go (memgate_add_device())
 *
 * A subsystem embeds one in the object that uses the memory (struct kvm).
 */
struct memgate_consumer {
	u32			kind;
	u64			id;
	struct task_struct	*task;
	struct device		*dev;
	/* private: */
	/* Devices that come and go; RCU, changed under memgate_attach_mutex. */
	struct list_head	devices;
	/* What was granted to it; RCU, changed under memgate_lock. */
	struct list_head	attachments;
	/* It had an attachment once: somebody may be looking at it. */
	bool			used;
	/* It may still have memory whose gate is gone; memgate_lock. */
	bool			orphaned;
};

/**
 * struct memgate_ops - a policy: who may use the memory of the memfds on
 *	which it is installed
 *
 * Programs answer 0 to allow or a negative errno to refuse; any other
 * answer, and an errno that callers of the kernel treat specially (EAGAIN,
 * EINTR, EBUSY, EHWPOISON, ENOMEM), refuses with EACCES.  They cannot
 * sleep, run in the context of the task that asks, and may not lead to
 * another question to any gate (that is refused).
 */
struct memgate_ops {
	/**
	 * @may_attach: may @consumer use the memory?
	 *
	 * @gate: the gate of the memfd
	 * @consumer: who wants it
	 * @dev: the device that will reach the memory, NULL if there is none
	 *	yet; asked for each device of the consumer, and again for one
	 *	that joins it
	 * @rights: enum memgate_rights, everything the consumer will have
	 * @start: first byte, within the memfd, that this access is about;
	 *	advice only: a grant to a consumer that stays (KVM, VFIO) is
	 *	for the whole memfd
	 * @len: length in bytes; 0 if not known
	 *
	 * Asked once for every consumer that stays and again when it wants
	 * more rights; every time for the others (FILE, OWN_PIN,
	 * OWN_LONGTERM, REMOTE, OTHER).  Questions that lead to an
	 * attachment are asked one at a time for a gate, so counting the
	 * attachments and deciding on the count is no race.
	 *
	 * Context: may run under mmap_lock, i_rwsem and locks of the
	 * subsystem that asks.  RCU read section.
	 */
	int (*may_attach)(struct memgate *gate,
			  struct memgate_consumer *consumer,
			  struct device *dev, u32 rights, u64 start, u64 len);

	/**
	 * @may_map: may %current have this CPU mapping?
	 *
	 * @gate: the gate of the memfd
	 * @op: enum memgate_map_op
	 * @rights: enum memgate_rights of the mapping on the memfd itself;
	 *	writes to a private mapping do not reach it and do not count
	 * @start: first byte of the mapping within the memfd
	 * @len: length of the mapping in bytes
	 *
	 * After an mmap() was allowed it is asked as %MEMGATE_OP_MPROTECT for
	 * the rights that the mapping has not got: where that is refused, it
	 * will never get them.
	 *
	 * Context: under mmap_lock.  RCU read section.
	 */
	int (*may_map)(struct memgate *gate, u32 op, u32 rights,
		       u64 start, u64 len);

	/**
	 * @detached: an attachment that may_attach allowed has ended
	 *
	 * @gate: the gate of the memfd
	 * @consumer: whose it was; it is about to die
	 * @rights: what it had
	 *
	 * Context: RCU read section.
	 */
	void (*detached)(struct memgate *gate,
			 struct memgate_consumer *consumer, u32 rights);

	/**
	 * @released: the memfd is gone; the last call for this gate
	 *
	 * Context: RCU read section.
	 */
	void (*released)(struct memgate *gate);

	/**
	 * @decides: MEMGATE_CLASS() of every class that the policy decides.
	 * A class that no installed policy decides is closed.
	 */
	u64 decides;

	/**
	 * @params_size: bytes of parameters that an install must bring,
	 * 0 to MEMGATE_PARAMS_MAX
	 */
	u32 params_size;

	/** @name: how people call the policy; not empty */
	char name[MEMGATE_NAME_LEN];
};

/*
 * The key is on while there is a gate in the system; every hook below is a
 * patched-out branch otherwise.
 */
extern struct static_key_false_deferred memgate_key;

static __always_inline bool memgate_enabled(void)
{
	return static_branch_unlikely(&memgate_key.key);
}

/* The gate itself: mm/memfd.c, fs/hugetlbfs, mm/shmem.c */
struct memgate *memgate_prepare(void);
void memgate_discard(struct memgate *gate);
void memgate_shut(struct inode *inode, struct memgate *gate);
void memgate_unshut(struct inode *inode);
int memgate_settle(struct inode *inode);
void memgate_sealed(struct inode *inode);
int memgate_freeze(struct inode *inode, bool again);
void memgate_evict(struct inode *inode);
void memgate_show_fdinfo(struct seq_file *m, struct file *file);

static inline void memgate_task_init(struct task_struct *task)
{
	task->memgate = (struct memgate_task){};
}

/* Consumers that stay: KVM, a container of devices, a ring and the like */
void memgate_consumer_init(struct memgate_consumer *consumer,
			   enum memgate_class kind, struct device *dev);
void memgate_consumer_destroy(struct memgate_consumer *consumer);
int memgate_attach_range(struct memgate_consumer *consumer,
			 struct mm_struct *mm, unsigned long addr,
			 unsigned long len, u32 rights);
int memgate_attach_vma(struct memgate_consumer *consumer,
		       struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, u32 rights);
int memgate_attach_page(struct memgate_consumer *consumer, struct page *page,
			u32 rights);
int memgate_take_page(struct memgate_consumer *consumer, struct page *page,
		      u32 rights, bool from_gated);
int memgate_ask_again(struct memgate_consumer *consumer, u32 rights);
int memgate_mmap_alias(struct memgate_consumer *consumer,
		       struct vm_area_struct *vma);

/* Has it ever been granted something? */
static inline bool memgate_used(const struct memgate_consumer *consumer)
{
	return READ_ONCE(consumer->used);
}

/* The devices of a consumer */
int memgate_add_device(struct memgate_consumer *consumer, struct device *dev);
void memgate_del_device(struct memgate_consumer *consumer, struct device *dev);
int memgate_add_group(struct memgate_consumer *consumer,
		      struct iommu_group *group);
void memgate_del_group(struct memgate_consumer *consumer,
		       struct iommu_group *group);
int memgate_device_joins(struct iommu_group *group, struct device *dev);
void memgate_device_leaves(struct device *dev);

/**
 * memgate_enter - pin pages on behalf of a consumer
 * @consumer: for whom
 *
 * Brackets a single GUP call.  Nests; task context only.
 *
 * Return: what memgate_leave() must be given.
 */
static inline struct memgate_consumer *
memgate_enter(struct memgate_consumer *consumer)
{
	struct memgate_consumer *outer = current->memgate.consumer;

	current->memgate.consumer = consumer;
	return outer;
}

static inline void memgate_leave(struct memgate_consumer *outer)
{
	current->memgate.consumer = outer;
}

/* Is %current between these two, for a consumer with memgate_used()? */
static inline bool memgate_inside_used(void)
{
	return current->memgate.consumer &&
	       memgate_used(current->memgate.consumer);
}

/* f_op->mmap: @inode has no gate so far; see memgate_mmap_end() */
static inline void memgate_mmap_saw(const struct inode *inode)
{
	current->memgate.asked = inode;
}

static inline void memgate_mmap_done(void)
{
	current->memgate.asked = NULL;
}

#else /* !CONFIG_MEMGATE */

struct memgate_consumer {
};

/* Of the hooks below nothing remains. */
static __always_inline bool memgate_enabled(void)
{
	return false;
}

static inline struct memgate *memgate_prepare(void)
{
	return ERR_PTR(-EINVAL);
}

static inline void memgate_discard(struct memgate *gate) { }
static inline void memgate_shut(struct inode *inode, struct memgate *gate) { }
static inline void memgate_unshut(struct inode *inode) { }
static inline int memgate_settle(struct inode *inode)
{
	return 0;
}

static inline void memgate_sealed(struct inode *inode) { }

static inline int memgate_freeze(struct inode *inode, bool again)
{
	return again ? -EPERM : 0;
}

static inline void memgate_evict(struct inode *inode) { }
#define memgate_show_fdinfo NULL
static inline void memgate_task_init(struct task_struct *task) { }

static inline void memgate_consumer_init(struct memgate_consumer *consumer,
					 enum memgate_class kind,
					 struct device *dev)
{
}

static inline void memgate_consumer_destroy(struct memgate_consumer *consumer)
{
}

static inline int memgate_attach_range(struct memgate_consumer *consumer,
				       struct mm_struct *mm,
				       unsigned long addr, unsigned long len,
				       u32 rights)
{
	return 0;
}

static inline int memgate_attach_vma(struct memgate_consumer *consumer,
				     struct vm_area_struct *vma,
				     unsigned long start, unsigned long end,
				     u32 rights)
{
	return 0;
}

static inline int memgate_attach_page(struct memgate_consumer *consumer,
				      struct page *page, u32 rights)
{
	return 0;
}

static inline int memgate_take_page(struct memgate_consumer *consumer,
				    struct page *page, u32 rights,
				    bool from_gated)
{
	return 0;
}

static inline int memgate_ask_again(struct memgate_consumer *consumer,
				    u32 rights)
{
	return 0;
}

static inline int memgate_mmap_alias(struct memgate_consumer *consumer,
				     struct vm_area_struct *vma)
{
	return 0;
}

static inline bool memgate_used(const struct memgate_consumer *consumer)
{
	return false;
}

static inline int memgate_add_device(struct memgate_consumer *consumer,
				     struct device *dev)
{
	return 0;
}

static inline void memgate_del_device(struct memgate_consumer *consumer,
				      struct device *dev)
{
}

static inline int memgate_add_group(struct memgate_consumer *consumer,
				    struct iommu_group *group)
{
	return 0;
}

static inline void memgate_del_group(struct memgate_consumer *consumer,
				     struct iommu_group *group)
{
}

static inline int memgate_device_joins(struct iommu_group *group,
				       struct device *dev)
{
	return 0;
}

static inline void memgate_device_leaves(struct device *dev) { }

static inline struct memgate_consumer *
memgate_enter(struct memgate_consumer *consumer)
{
	return NULL;
}

static inline void memgate_leave(struct memgate_consumer *outer) { }

static inline bool memgate_inside_used(void)
{
	return false;
}

static inline void memgate_mmap_saw(const struct inode *inode) { }
static inline void memgate_mmap_done(void) { }

#endif /* CONFIG_MEMGATE */

/* GUP: mm/gup.c */
bool __memgate_gup_fast(struct folio *folio, unsigned int flags);
int __memgate_gup(struct vm_area_struct *vma, struct page *page,
		  unsigned int flags);

/* A folio of some other file; RCU read section, or IRQs off */
static __always_inline bool memgate_no_gate(struct folio *folio)
{
	struct address_space *mapping = READ_ONCE(folio->mapping);

	return mapping && !((unsigned long)mapping & PAGE_MAPPING_FLAGS) &&
	       !folio_test_slab(folio) && !mapping_gated(mapping);
}

/*
 * May GUP-fast take this folio?  If not, slow GUP asks.  IRQs are off; the
 * caller holds a reference to the folio, and took it before it came here:
 * see memgate_shut().
 */
static __always_inline bool memgate_gup_fast(struct folio *folio,
					     unsigned int flags)
{
	if (!memgate_enabled())
		return true;
	/* Anonymous memory is nobody's file. */
	if ((unsigned long)READ_ONCE(folio->mapping) & PAGE_MAPPING_FLAGS)
		return true;
	return memgate_no_gate(folio) || __memgate_gup_fast(folio, flags);
}

/* May slow GUP hand out this page, on which it holds a reference? */
static __always_inline int memgate_gup(struct vm_area_struct *vma,
				       struct page *page, unsigned int flags)
{
	bool no_gate;

	if (!memgate_enabled())
		return 0;
	rcu_read_lock();
	no_gate = memgate_no_gate(page_folio(page));
	rcu_read_unlock();
	return no_gate ? 0 : __memgate_gup(vma, page, flags);
}

int __memgate_pin_folios(struct file *file, bool *asked, loff_t pos, u64 len);

/**
 * memgate_pin_folios - may memfd_pin_folios() hand out this range?
 * @file: the memfd
 * @asked: whether this call has asked already; false at its start
 * @pos: first byte
 * @len: length in bytes
 *
 * Called before pages are allocated for it, and with a reference held to all
 * of them: see memgate_shut().
 *
 * Return: 0 or %-EACCES.
 */
static inline int memgate_pin_folios(struct file *file, bool *asked,
				     loff_t pos, u64 len)
{
	return memgate_enabled() ?
	       __memgate_pin_folios(file, asked, pos, len) : 0;
}

/* Ways that no class covers: closed on gated memory */
bool __memgate_closed(struct address_space *mapping, const char *way);
int __memgate_sva_bind(struct mm_struct *mm);

/**
 * memgate_closed - refuse an access that no policy can be asked about
 * @mapping: of the memory
 * @way: what it is, a word for the tracepoint
 *
 * Context: Any, NMI included.
 * Return: whether the memory is gated.
 */
static inline bool memgate_closed(struct address_space *mapping,
				  const char *way)
{
	return memgate_enabled() && __memgate_closed(mapping, way);
}

static inline bool memgate_closed_vma(struct vm_area_struct *vma,
				      const char *way)
{
	return memgate_enabled() && vma->vm_file &&
	       __memgate_closed(vma->vm_file->f_mapping, way);
}

/**
 * memgate_sva_bind - may a device share the page tables of a process?
 * @mm: of the process; mm->iommu_mm is set
 *
 * A device that walks the page tables of CPUs takes nothing that could be
 * asked about.
 *
 * Context: Takes mmap_lock for reading.
 * Return: 0; %-EACCES if gated memory is mapped.
 */
static inline int memgate_sva_bind(struct mm_struct *mm)
{
	return memgate_enabled() ? __memgate_sva_bind(mm) : 0;
}

/* Fills of userfaultfd: mm/userfaultfd.c */
int __memgate_userfault(struct vm_area_struct *vma, unsigned long start,
			unsigned long len);

/*
 * May %current fill this range, by the userfaultfd of the process that has
 * it mapped?  The VMA is locked, ctx->map_changing_lock is held.
 */
static inline int memgate_userfault(struct vm_area_struct *vma,
				    unsigned long start, unsigned long len)
{
	return memgate_enabled() ? __memgate_userfault(vma, start, len) : 0;
}

/* CPU mappings; all under mmap_lock held for writing */
int __memgate_mmap_begin(struct file *file, unsigned long len,
			 vm_flags_t *vm_flags, unsigned long pgoff);
unsigned long __memgate_mmap_end(struct file *file, unsigned long addr,
				 unsigned long len, struct list_head *uf);
int __memgate_mmap_file(struct file *file, struct vm_area_struct *vma);
int __memgate_mprotect(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, vm_flags_t newflags);
int __memgate_mremap(struct vm_area_struct *vma, unsigned long addr,
		     unsigned long len);
bool __memgate_may_fork(struct vm_area_struct *vma);

/*
 * do_mmap(), before anything is changed: @addr, or an error.  Takes VM_MAYWRITE
 * and VM_MAYEXEC from @vm_flags where the mapping may not be widened.
 */
static inline unsigned long memgate_mmap_begin(struct file *file,
					       unsigned long addr,
					       unsigned long len,
					       vm_flags_t *vm_flags,
					       unsigned long pgoff)
{
	int ret;

	if (!memgate_enabled() || !file || !mapping_gated(file->f_mapping))
		return addr;
	ret = __memgate_mmap_begin(file, len, vm_flags, pgoff);
	return ret ?: addr;
}

/*
 * do_mmap(), when the mapping is there and nobody can touch it yet: asks if
 * what was mapped is not what memgate_mmap_begin() asked for (a stacked
 * file system, a seal set meanwhile) and takes the mapping back if refused.
 */
static inline unsigned long memgate_mmap_end(struct file *file,
					     unsigned long addr,
					     unsigned long len,
					     struct list_head *uf)
{
	if (!file)
		return addr;
	if (memgate_enabled())
		return __memgate_mmap_end(file, addr, len, uf);
	memgate_mmap_done();
	return addr;
}

/* f_op->mmap of shmem and hugetlbfs, for whoever calls it from elsewhere */
static inline int memgate_mmap_file(struct file *file,
				    struct vm_area_struct *vma)
{
	if (!memgate_enabled())
		return 0;
	if (mapping_gated(file->f_mapping))
		return __memgate_mmap_file(file, vma);
	memgate_mmap_saw(file_inode(file));
	return 0;
}

static inline int memgate_mprotect(struct vm_area_struct *vma,
				   unsigned long start, unsigned long end,
				   vm_flags_t newflags)
{
	if (!memgate_enabled())
		return 0;
	return __memgate_mprotect(vma, start, end, newflags);
}

/* mremap() that leaves more mapped than before: @len bytes from @addr */
static inline int memgate_mremap(struct vm_area_struct *vma,
				 unsigned long addr, unsigned long len)
{
	return memgate_enabled() ? __memgate_mremap(vma, addr, len) : 0;
}

/* dup_mmap(): may the child have a copy of this mapping? */
static inline bool memgate_may_fork(struct vm_area_struct *vma)
{
	return !memgate_enabled() || __memgate_may_fork(vma);
}

/* Files: mm/shmem.c and fs/hugetlbfs */
int __memgate_file(struct inode *inode, u32 rights, loff_t pos, u64 len);

/* May %current change this range?  i_rwsem is held for writing. */
static inline int memgate_write(struct inode *inode, loff_t pos, u64 len)
{
	if (!memgate_enabled())
		return 0;
	return __memgate_file(inode, MEMGATE_WRITE, pos, len);
}

/**
 * memgate_read - may %current read this range?
 * @inode: the file
 * @asked: whether this read has asked already; false at its start
 * @pos: where it is
 * @len: how much it still wants
 *
 * Called for every folio, with a reference held to it: see memgate_shut().
 *
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed.
 */
static inline int memgate_read(struct inode *inode, bool *asked, loff_t pos,
			       u64 len)
{
	int ret;

	if (!memgate_enabled() || *asked ||
	    !mapping_gated(inode->i_mapping))
		return 0;
	ret = __memgate_file(inode, MEMGATE_READ, pos, len);
	*asked = !ret;
	return ret;
}

/*
 * memgate_enter() until the end of the block:
 *	CLASS(memgate, outer)(&kvm->memgate);
 */
DEFINE_CLASS(memgate, struct memgate_consumer *, memgate_leave(_T),
	     memgate_enter(consumer), struct memgate_consumer *consumer)

#endif /* _LINUX_MEMGATE_H */
