// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that loads this shares its page tables with a device (SVA) until
 * the module is removed, as far as memgate can see.
 *
 * No device that could do it is emulated, and x86 refuses every bind in 6.12
 * before it looks at anything.  So this does what iommu_sva_bind_device()
 * would: it marks the mm as bound, then lets memgate look at its mappings, and
 * takes the mark back if that is refused.  Loading fails then with its error.
 */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>

/* Stands for what iommu_sva_bind_device() allocates. */
static struct iommu_mm_data data;
static struct mm_struct *bound;

/* It is not exported: only the core calls it. */
static int ask_memgate(struct mm_struct *mm)
{
	struct kprobe probe = { .symbol_name = "__memgate_sva_bind" };
	int (*ask)(struct mm_struct *mm);
	int err = register_kprobe(&probe);

	if (err)
		return err;
	ask = (void *)probe.addr;
	unregister_kprobe(&probe);
	return ask(mm);
}

static void unbind(void)
{
	WRITE_ONCE(bound->iommu_mm, NULL);
	/* The last one frees iommu_mm, if there were any. */
	mmdrop(bound);
}

static int __init mm_bound_init(void)
{
	int err;

	if (current->mm->iommu_mm)
		return -EEXIST;
	bound = current->mm;
	mmgrab(bound);
	WRITE_ONCE(bound->iommu_mm, &data);
	err = ask_memgate(bound);
	if (err)
		unbind();
	return err;
}

static void __exit mm_bound_exit(void)
{
	unbind();
}

module_init(mm_bound_init);
module_exit(mm_bound_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memgate selftest: a process that shares its page tables");
