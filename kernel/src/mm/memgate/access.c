// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - the accesses that core mm and the file systems ask about
 */
#include <linux/iommu.h>
#include <trace/events/memgate.h>

#include "internal.h"

/* An access of %current that leaves no attachment behind. */
static int memgate_ask_transient(struct memgate *gate, enum memgate_class kind,
				 u32 rights, u64 start, u64 len)
{
	struct memgate_consumer consumer = { .kind = kind, .task = current };
	const struct memgate_question q = {
		.class = kind, .consumer = &consumer, .rights = rights,
		.start = start, .len = len,
	};

	return memgate_ask(gate, &q);
}

/* As memgate_get_mapping(), for questions: RCU instead of a reference. */
static struct memgate *memgate_peek(struct address_space *mapping)
{
	struct memgate *gate;

	if (!mapping_gated(mapping))
		return NULL;
	gate = rcu_dereference(*memgate_slot(mapping->host));
	return gate ?: ERR_PTR(-EACCES);
}

/* Files */

int __memgate_file(struct inode *inode, u32 rights, loff_t pos, u64 len)
{
	struct memgate *gate;
	int ret;

	rcu_read_lock();
	gate = memgate_peek(inode->i_mapping);
	if (IS_ERR_OR_NULL(gate))
		ret = PTR_ERR_OR_ZERO(gate);
	else
		ret = memgate_ask_transient(gate, MEMGATE_FILE, rights, pos,
					    len);
	rcu_read_unlock();
	return ret;
}

/* CPU mappings */

static bool memgate_gated(struct vm_area_struct *vma)
{
	return vma->vm_file && mapping_gated(vma->vm_file->f_mapping);
}

/*
 * What a mapping gives on the memory itself: writes to a private mapping do
 * not reach it; whatever is mapped can be read on x86 (PROT_WRITE and, but
 * for protection keys, PROT_EXEC imply it).
 */
static u32 memgate_vm_rights(vm_flags_t vm_flags)
{
	u32 rights = 0;

	if (vm_flags & (VM_READ | VM_WRITE | VM_EXEC))
		rights |= MEMGATE_READ;
	if ((vm_flags & (VM_WRITE | VM_SHARED)) == (VM_WRITE | VM_SHARED))
		rights |= MEMGATE_WRITE;
	if (vm_flags & VM_EXEC)
		rights |= MEMGATE_EXEC;
	return rights;
}

static int memgate_ask_map(struct inode *inode, enum memgate_map_op op,
			   vm_flags_t vm_flags, unsigned long pgoff,
			   unsigned long len)
{
	const struct memgate_question q = {
		.class = MEMGATE_MAP, .op = op,
		.rights = memgate_vm_rights(vm_flags),
		.start = (u64)pgoff << PAGE_SHIFT, .len = len,
	};

	struct memgate *gate;
	int ret;

	rcu_read_lock();
	gate = memgate_peek(inode->i_mapping);
	if (IS_ERR_OR_NULL(gate))
		ret = PTR_ERR_OR_ZERO(gate);
	else
		ret = memgate_ask(gate, &q);
	rcu_read_unlock();
	return ret;
}

/* In pages of PAGE_SIZE, which linear_page_index() is not for hugetlb. */
static pgoff_t memgate_vma_index(struct vm_area_struct *vma,
				 unsigned long addr)
{
	return vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);
}

/* The part of a VMA from @addr on. */
static int memgate_ask_vma(struct vm_area_struct *vma, enum memgate_map_op op,
			   vm_flags_t vm_flags, unsigned long addr,
			   unsigned long len)
{
	return memgate_ask_map(file_inode(vma->vm_file), op, vm_flags,
			       memgate_vma_index(vma, addr), len);
}

/*
 * What a mapping may never become, of what it is not: with no word to it from
 * whoever asks for a mapping, it could be widened later, when the policy is
 * another or when nobody can be asked.
 */
static vm_flags_t memgate_may_not(struct inode *inode, vm_flags_t vm_flags,
				  unsigned long pgoff, unsigned long len)
{
	vm_flags_t may_not = 0;

	if ((vm_flags & (VM_SHARED | VM_MAYWRITE | VM_WRITE)) ==
	    (VM_SHARED | VM_MAYWRITE) &&
	    memgate_ask_map(inode, MEMGATE_OP_MPROTECT, vm_flags | VM_WRITE,
			    pgoff, len))
		may_not |= VM_MAYWRITE;
	if ((vm_flags & (VM_MAYEXEC | VM_EXEC)) == VM_MAYEXEC &&
	    memgate_ask_map(inode, MEMGATE_OP_MPROTECT, vm_flags | VM_EXEC,
			    pgoff, len))
		may_not |= VM_MAYEXEC;
	return may_not;
}

/* May %current map this?  Says what the mapping may never become. */
static int memgate_ask_mmap(struct inode *inode, vm_flags_t vm_flags,
			    unsigned long pgoff, unsigned long len,
			    vm_flags_t *may_not)
{
	int ret;

	/* A device walks our page tables, see memgate_sva_bind(). */
	if (mm_valid_pasid(current->mm) &&
	    __memgate_closed(inode->i_mapping, "sva"))
		return -EACCES;

	ret = memgate_ask_map(inode, MEMGATE_OP_MMAP, vm_flags, pgoff, len);
	if (!ret)
		*may_not = memgate_may_not(inode, vm_flags, pgoff, len);
	return ret;
}

/*
 * In current->memgate.asked, instead of an inode that was seen without a gate:
 * there is nothing more to ask about this mapping.  A file that has a gate is
 * not stacked on another.
 */
#define MEMGATE_ASKED	((const struct inode *)ERR_PTR(-EALREADY))

int __memgate_mmap_begin(struct file *file, unsigned long len,
			 vm_flags_t *vm_flags, unsigned long pgoff)
{
	struct inode *inode = file_inode(file);
	vm_flags_t may_not;
	int ret;

	ret = memgate_ask_mmap(inode, *vm_flags, pgoff, len, &may_not);
	if (ret)
		return ret;
	*vm_flags &= ~may_not;
	current->memgate.asked = MEMGATE_ASKED;
	return 0;
}

int __memgate_mmap_file(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	vm_flags_t may_not;
	int ret;

	if (current->memgate.asked == MEMGATE_ASKED)
		return 0;
	ret = memgate_ask_mmap(inode, vma->vm_flags, vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, &may_not);
	if (ret)
		return ret;
	vm_flags_clear(vma, may_not);
	current->memgate.asked = MEMGATE_ASKED;
	return 0;
}

/*
 * mmap_lock is held for writing since before the mapping was made, so no
 * thread has touched it.
 */
static unsigned long memgate_mmap_again(unsigned long addr, unsigned long len,
					struct list_head *uf)
{
	struct vm_area_struct *vma = vma_lookup(current->mm, addr);
	vm_flags_t may_not;
	int ret;

	if (!vma || !memgate_gated(vma))
		return addr;

	/* If it was merged, what it was merged with is narrowed as well. */
	ret = memgate_ask_mmap(file_inode(vma->vm_file), vma->vm_flags,
			       memgate_vma_index(vma, addr), len, &may_not);
	if (!ret) {
		vm_flags_clear(vma, may_not);
		return addr;
	}
	do_munmap(current->mm, addr, len, uf);
	return ret;
}

unsigned long __memgate_mmap_end(struct file *file, unsigned long addr,
				 unsigned long len, struct list_head *uf)
{
	const struct inode *seen = current->memgate.asked;

	memgate_mmap_done();
	if (IS_ERR_VALUE(addr) || seen == MEMGATE_ASKED)
		return addr;
	/* Nothing was seen of a mapping that was merged with an older one. */
	if (!seen)
		seen = file_inode(file);
	/* Sealed meanwhile? */
	if (!mapping_gated(seen->i_mapping))
		return addr;
	return memgate_mmap_again(addr, len, uf);
}

int __memgate_mprotect(struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, vm_flags_t newflags)
{
	if (!memgate_gated(vma) ||
	    !(memgate_vm_rights(newflags) & ~memgate_vm_rights(vma->vm_flags)))
		return 0;
	return memgate_ask_vma(vma, MEMGATE_OP_MPROTECT, newflags, start,
			       end - start);
}

int __memgate_mremap(struct vm_area_struct *vma, unsigned long addr,
		     unsigned long len)
{
	if (!memgate_gated(vma))
		return 0;
	return memgate_ask_vma(vma, MEMGATE_OP_MREMAP, vma->vm_flags, addr,
			       len);
}

bool __memgate_may_fork(struct vm_area_struct *vma)
{
	return !memgate_gated(vma) ||
	       !memgate_ask_vma(vma, MEMGATE_OP_FORK, vma->vm_flags,
				vma->vm_start, vma->vm_end - vma->vm_start);
}

/*
 * A fill writes to a hole of the memfd, or puts what it has into the page
 * tables.  The process that has it mapped for writing may do that anyway.
 */
int __memgate_userfault(struct vm_area_struct *vma, unsigned long start,
			unsigned long len)
{
	bool own = vma->vm_mm == current->mm;
	struct memgate *gate;
	int ret;

	if (!memgate_gated(vma) || (own && (vma->vm_flags & VM_WRITE)))
		return 0;
	gate = memgate_get_mapping(vma->vm_file->f_mapping);
	if (IS_ERR_OR_NULL(gate))
		return PTR_ERR_OR_ZERO(gate);
	ret = memgate_ask_transient(gate, own ? MEMGATE_OWN_PIN :
				    MEMGATE_REMOTE, MEMGATE_WRITE,
				    (u64)memgate_vma_index(vma, start) <<
				    PAGE_SHIFT, len);
	memgate_put(gate);
	/* Other errors mean something to whoever fills. */
	return ret ? -EACCES : 0;
}

/* GUP */

static u32 memgate_gup_rights(unsigned int flags)
{
	return flags & FOLL_WRITE ? MEMGATE_READ | MEMGATE_WRITE : MEMGATE_READ;
}

/*
 * NULL: not memory of a gated memfd, or just truncated.  An error if the memfd
 * is dying.
 */
static struct memgate *memgate_get_folio(struct folio *folio)
{
	struct address_space *mapping;
	struct memgate *gate = NULL;

	/* Truncation may take the mapping away; RCU keeps what it was. */
	rcu_read_lock();
	mapping = READ_ONCE(folio->mapping);
	if (mapping && !((unsigned long)mapping & PAGE_MAPPING_FLAGS))
		gate = memgate_get_mapping(mapping);
	rcu_read_unlock();
	return gate;
}

/* Never asks a policy: IRQs are off.  What is not attached goes the slow way */
bool __memgate_gup_fast(struct folio *folio, unsigned int flags)
{
	struct memgate_consumer *consumer = current->memgate.consumer;
	struct address_space *mapping;

	if (flags & FOLL_NOGATE)
		return true;
	if (folio_test_slab(folio))
		return false;
	/* Truncated, perhaps; slow GUP knows the VMA. */
	mapping = READ_ONCE(folio->mapping);
	if (!mapping)
		return false;
	if ((unsigned long)mapping & PAGE_MAPPING_FLAGS)
		return true;
	if (!mapping_gated(mapping))
		return true;
	return consumer && in_task() &&
	       memgate_attached(consumer, mapping->host,
				memgate_gup_rights(flags));
}

static enum memgate_class memgate_gup_class(struct vm_area_struct *vma,
					    unsigned int flags)
{
	if (current->flags & PF_KTHREAD)
		return MEMGATE_OTHER;
	if (vma->vm_mm != current->mm)
		return MEMGATE_REMOTE;
	return flags & FOLL_LONGTERM ? MEMGATE_OWN_LONGTERM : MEMGATE_OWN_PIN;
}

static int memgate_gup_ask(struct memgate *gate, enum memgate_class class,
			   u64 start, u64 len, unsigned int flags)
{
	struct memgate_consumer *consumer = current->memgate.consumer;
	u32 rights = memgate_gup_rights(flags);

	if (in_task() && consumer)
		return memgate_attach(gate, consumer, rights, start, len);
	return memgate_ask_transient(gate, class, rights, start, len);
}

/*
 * The folio decides, whatever VMA it was reached through.  The file of the
 * VMA decides where the folio does not tell: truncation takes the mapping from
 * a folio, and not the content, whoever holds a reference.  It also decides
 * about anonymous folios that another process wants: a forced write to a
 * private mapping makes a copy that could be read next.
 *
 * Callers of GUP get %-EACCES whatever the policy said: to many of them
 * other errors mean something.
 */
int __memgate_gup(struct vm_area_struct *vma, struct page *page,
		  unsigned int flags)
{
	enum memgate_class class = memgate_gup_class(vma, flags);
	struct folio *folio = page_folio(page);
	struct memgate *gate;
	u64 start;
	int ret;

	if (flags & FOLL_NOGATE)
		return 0;
	gate = memgate_get_folio(folio);
	if (!gate && vma->vm_file &&
	    (class == MEMGATE_REMOTE || !folio_test_anon(folio)))
		gate = memgate_get_mapping(vma->vm_file->f_mapping);
	if (!gate)
		return 0;
	if (IS_ERR(gate))
		return -EACCES;

	start = folio_pos(folio) + folio_page_idx(folio, page) * PAGE_SIZE;
	ret = memgate_gup_ask(gate, class, start, PAGE_SIZE, flags);
	memgate_put(gate);
	return ret ? -EACCES : 0;
}

int __memgate_pin_folios(struct file *file, bool *asked, loff_t pos, u64 len)
{
	struct memgate *gate;
	int ret;

	if (*asked)
		return 0;
	gate = memgate_get_mapping(file->f_mapping);
	if (IS_ERR_OR_NULL(gate))
		return PTR_ERR_OR_ZERO(gate);
	ret = memgate_gup_ask(gate, MEMGATE_OTHER, pos, len, FOLL_WRITE);
	*asked = !ret;
	memgate_put(gate);
	return ret ? -EACCES : 0;
}

/* Ways that no class covers */

bool __memgate_closed(struct address_space *mapping, const char *way)
{
	struct memgate *gate;

	if (!mapping_gated(mapping))
		return false;

	rcu_read_lock();
	gate = rcu_dereference(*memgate_slot(mapping->host));
	trace_memgate_closed(gate ? gate->id : 0, way);
	rcu_read_unlock();
	return true;
}

int __memgate_sva_bind(struct mm_struct *mm)
{
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	bool closed = false;

	vma_iter_init(&vmi, mm, 0);
	/* mm->iommu_mm first, the mappings second; pairs with mmap_lock. */
	mmap_read_lock(mm);
	for_each_vma(vmi, vma) {
		closed = memgate_closed_vma(vma, "sva");
		if (closed)
			break;
	}
	mmap_read_unlock(mm);
	return closed ? -EACCES : 0;
}

/* Consumers that do not come by GUP, or come later */

/**
 * memgate_mmap_alias - map memory through the object of a consumer
 * @consumer: has taken the pages before
 * @vma: the new mapping, of a file that is not the memfd
 *
 * Its holder can map what the consumer was granted (udmabuf): a CPU mapping of
 * all the memfds in it.  No later question finds the memfd behind @vma, so the
 * mapping never gets rights that it may not have now, and a child gets none.
 *
 * Context: f_op->mmap; mmap_lock held for writing.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed.
 */
int memgate_mmap_alias(struct memgate_consumer *consumer,
		       struct vm_area_struct *vma)
{
	struct memgate_attachment *att;
	vm_flags_t may_not, never = 0;
	struct inode *inode;
	bool gated = false;
	int ret = 0;

	if (memgate_orphaned(consumer))
		return -EACCES;
	if (!memgate_enabled())
		return 0;

	/* After its last word, released(), a policy is asked no more. */
	mutex_lock(&memgate_attach_mutex);
	rcu_read_lock();
	list_for_each_entry_rcu(att, &consumer->attachments, of_consumer) {
		inode = rcu_dereference(att->gate->inode);
		if (!inode || att->gate->dead)
			ret = -EACCES;
		else
			ret = memgate_ask_mmap(inode, vma->vm_flags, 0,
					       i_size_read(inode), &may_not);
		if (ret)
			break;
		never |= may_not;
		gated = true;
	}
	rcu_read_unlock();
	mutex_unlock(&memgate_attach_mutex);
	if (ret || !gated)
		return ret;
	vm_flags_clear(vma, never);
	/* VM_IO: madvise() cannot take VM_DONTCOPY away. */
	vm_flags_set(vma, VM_DONTCOPY | VM_IO);
	return 0;
}
EXPORT_SYMBOL_GPL(memgate_mmap_alias);

/**
 * memgate_attach_page - ask for the memory of a page that was not had by GUP
 * @consumer: who wants it
 * @page: the page, on which the caller holds a reference
 * @rights: enum memgate_rights
 *
 * Context: May sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed.
 */
int memgate_attach_page(struct memgate_consumer *consumer, struct page *page,
			u32 rights)
{
	struct folio *folio = page_folio(page);
	struct memgate *gate;
	int ret;

	if (!memgate_enabled())
		return 0;
	gate = memgate_get_folio(folio);
	if (IS_ERR_OR_NULL(gate))
		return PTR_ERR_OR_ZERO(gate);
	ret = memgate_attach(gate, consumer, rights, folio_pos(folio),
			     folio_size(folio));
	memgate_put(gate);
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_attach_page);

/**
 * memgate_take_page - ask for a page that somebody else has pinned
 * @consumer: who wants it
 * @page: the page, on which the caller holds a reference
 * @rights: enum memgate_rights
 * @from_gated: whoever has it was granted gated memory, of this page or others
 *
 * A page that has left its file, by truncation or because the file is gone,
 * has kept its content, and nothing tells whose it was.
 *
 * Context: May sleep.
 * Return: as memgate_attach_page(); %-EACCES for such a page if @from_gated.
 */
int memgate_take_page(struct memgate_consumer *consumer, struct page *page,
		      u32 rights, bool from_gated)
{
	int ret = memgate_attach_page(consumer, page, rights);

	/* In this order: it may leave its file at any time. */
	if (!ret && from_gated && !READ_ONCE(page_folio(page)->mapping))
		return -EACCES;
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_take_page);

/**
 * memgate_attach_vma - ask for the memory of a mapping
 * @consumer: who wants it
 * @vma: the mapping
 * @start: first address, within @vma
 * @end: behind the last one
 * @rights: enum memgate_rights
 *
 * Context: mmap_lock held.  May sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed.
 */
int memgate_attach_vma(struct memgate_consumer *consumer,
		       struct vm_area_struct *vma, unsigned long start,
		       unsigned long end, u32 rights)
{
	struct memgate *gate;
	u64 pos;
	int ret;

	if (!memgate_enabled() || !memgate_gated(vma))
		return 0;
	gate = memgate_get_mapping(vma->vm_file->f_mapping);
	if (IS_ERR_OR_NULL(gate))
		return PTR_ERR_OR_ZERO(gate);
	pos = ((u64)vma->vm_pgoff << PAGE_SHIFT) + start - vma->vm_start;
	ret = memgate_attach(gate, consumer, rights, pos, end - start);
	memgate_put(gate);
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_attach_vma);

/**
 * memgate_attach_range - ask for all gated memory mapped in a range
 * @consumer: who wants it
 * @mm: address space of the range, which lives
 * @addr: start of the range in it
 * @len: length of the range in bytes
 * @rights: enum memgate_rights
 *
 * For subsystems that are told an address range long before they touch it
 * (KVM memslots, vhost memory tables): a refusal comes early and clear.  It is
 * no replacement for the question at the time of access, as the range may be
 * remapped.
 *
 * Context: Takes mmap_lock for reading.  May sleep.
 * Return: 0, or a negative errno: the policy's, %-EACCES where closed.
 */
int memgate_attach_range(struct memgate_consumer *consumer,
			 struct mm_struct *mm, unsigned long addr,
			 unsigned long len, u32 rights)
{
	unsigned long end = addr + len;
	struct vm_area_struct *vma;
	struct vma_iterator vmi;
	int ret = 0;

	if (!memgate_enabled())
		return 0;

	vma_iter_init(&vmi, mm, addr);
	mmap_read_lock(mm);
	for_each_vma_range(vmi, vma, end) {
		ret = memgate_attach_vma(consumer, vma,
					 max(addr, vma->vm_start),
					 min(end, vma->vm_end), rights);
		if (ret)
			break;
	}
	mmap_read_unlock(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(memgate_attach_range);
