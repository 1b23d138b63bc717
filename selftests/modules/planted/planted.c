// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs for race tests to find, and wide windows to find them in
 *
 *	insmod planted.ko bug=NAME widen=MILLISECONDS leak=BYTES
 *
 * A bug takes one look away that only matters when the seal or an update comes
 * at the very moment of an access.  Every plain test stays green with it.
 *
 * widen= makes those moments long, with a bug or without: who has found nothing
 * to ask about sleeps up to that long before it goes on, and once more that long
 * if the memfd is sealed meanwhile; who seals sleeps between the look at pins
 * and the gate.  On a kernel that is not preemptible, with two emulated CPUs, an
 * access and a seal otherwise hardly ever meet there.  Correct code must stand
 * it as well.
 *
 * leak= forgets objects of that size; that, and the bugs use_after_free and
 * lock_order, are for the check that a debug kernel says what it finds.
 */
#include <linux/cpufeature.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "internal.h"

static char *bug = "";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which look is not taken");

static uint widen;
module_param(widen, uint, 0444);
MODULE_PARM_DESC(widen, "time between a look and the act, in ms");

static uint leak;
module_param(leak, uint, 0444);
MODULE_PARM_DESC(leak, "size of objects that are forgotten");

/**
 * struct planted - a function that is replaced
 * @bug: its name, NULL: replaced if windows are to be wide
 * @instead: what is called in its place
 * @probe: at the start of the function
 */
struct planted {
	const char	*bug;
	void		*instead;
	struct kprobe	probe;
};

enum {
	SECOND_LOOK,
	SETTLE,
	SECOND_WAIT,
	UPDATE,
	UPDATE_ASK,
	SHUT,
	MMAP,
	MPROTECT,
	USERFAULT,
};

static struct planted planted[];

/*
 * The replaced function itself; its probe knows who calls.  Where a header
 * declares it, that says that the replacement has its type.
 */
#define original(nr, type) ((type)planted[nr].probe.addr)
#define SAME_TYPE(instead, replaced)					\
	static_assert(__same_type(instead, replaced))

/* Goes on long after the seal that it has waited for, if that comes. */
static void linger(struct address_space *mapping)
{
	int left = get_random_u32_below(widen);

	for (; left > 0; left -= 4) {
		msleep(4);
		if (mapping_gated(mapping)) {
			msleep(widen);
			break;
		}
	}
}

/* Bugs */

/* The mapping is there: it does not matter what was sealed meanwhile. */
static unsigned long no_second_look(struct file *file, unsigned long addr,
				    unsigned long len, struct list_head *uf)
{
	current->memgate.asked = NULL;
	return addr;
}
SAME_TYPE(no_second_look, __memgate_mmap_end);

/* Nobody is changing mappings right now. */
static int no_settle(struct inode *inode)
{
	return 0;
}
SAME_TYPE(no_settle, memgate_settle);

/* Nothing was pinned before the gate was shut, so nothing is now. */
static int no_second_wait(struct address_space *mapping)
{
	if (mapping_gated(mapping))
		return 0;
	return original(SECOND_WAIT, typeof(&no_second_wait))(mapping);
}

/* While a policy is being replaced, nobody has it. */
static atomic_t updates;

static int open_update(void *kdata, void *old_kdata, struct bpf_link *link)
{
	int ret;

	atomic_inc(&updates);
	msleep(widen);
	ret = original(UPDATE, typeof(&open_update))(kdata, old_kdata, link);
	atomic_dec(&updates);
	return ret;
}

static int ask_in_update(struct memgate *gate,
			 const struct memgate_question *q)
{
	if (atomic_read(&updates))
		return 0;
	return original(UPDATE_ASK, typeof(&ask_in_update))(gate, q);
}
SAME_TYPE(ask_in_update, memgate_ask);

/* Wide windows: between the look that finds no gate, and the act */

/* A memfd that is not gated (yet): hugetlbfs would do as well. */
static bool may_be_sealed(struct vm_area_struct *vma)
{
	return vma->vm_file && shmem_mapping(vma->vm_file->f_mapping) &&
	       !mapping_gated(vma->vm_file->f_mapping);
}

/* Nobody held pages when the seal looked; somebody takes some now. */
static void wide_shut(struct inode *inode, struct memgate *gate)
{
	msleep(get_random_u32_below(widen));
	original(SHUT, typeof(&wide_shut))(inode, gate);
}
SAME_TYPE(wide_shut, memgate_shut);

/* The last question of mmap(); what it allows is mapped after it. */
static int wide_mmap(struct file *file, struct vm_area_struct *vma)
{
	bool wide = may_be_sealed(vma);
	int ret = original(MMAP, typeof(&wide_mmap))(file, vma);

	if (wide)
		linger(file->f_mapping);
	return ret;
}

static int wide_mprotect(struct vm_area_struct *vma, unsigned long start,
			 unsigned long end, vm_flags_t newflags)
{
	bool wide = may_be_sealed(vma);
	int ret = original(MPROTECT, typeof(&wide_mprotect))(vma, start, end,
							     newflags);

	if (wide)
		linger(vma->vm_file->f_mapping);
	return ret;
}
SAME_TYPE(wide_mprotect, __memgate_mprotect);

static int wide_userfault(struct vm_area_struct *vma, unsigned long start,
			  unsigned long len)
{
	bool wide = may_be_sealed(vma);
	int ret = original(USERFAULT, typeof(&wide_userfault))(vma, start,
							       len);

	if (wide)
		linger(vma->vm_file->f_mapping);
	return ret;
}
SAME_TYPE(wide_userfault, __memgate_userfault);

/* The machinery */

static int replace(struct kprobe *probe, struct pt_regs *regs)
{
	struct planted *p = container_of(probe, struct planted, probe);

	/* It is the replacement that calls. */
	if (within_module(*(unsigned long *)regs->sp, THIS_MODULE))
		return 0;
	regs->ip = (unsigned long)p->instead;
	return 1;
}

#define PLANTED(_bug, _symbol, _instead) {				\
	.bug = _bug,							\
	.instead = _instead,						\
	.probe = { .symbol_name = _symbol, .pre_handler = replace },	\
}

static struct planted planted[] = {
	[SECOND_LOOK] = PLANTED("no_second_look", "__memgate_mmap_end",
				no_second_look),
	[SETTLE] = PLANTED("no_settle", "memgate_settle", no_settle),
	[SECOND_WAIT] = PLANTED("no_second_wait", "memfd_wait_for_pins",
				no_second_wait),
	[UPDATE] = PLANTED("open_update", "memgate_ops_update", open_update),
	[UPDATE_ASK] = PLANTED("open_update", "memgate_ask", ask_in_update),
	[SHUT] = PLANTED(NULL, "memgate_shut", wide_shut),
	[MMAP] = PLANTED(NULL, "shmem_mmap", wide_mmap),
	[MPROTECT] = PLANTED(NULL, "__memgate_mprotect", wide_mprotect),
	[USERFAULT] = PLANTED(NULL, "__memgate_userfault", wide_userfault),
};

static void dig_up(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(planted); i++)
		if (planted[i].probe.addr)
			unregister_kprobe(&planted[i].probe);
}

/* Several: a stale word somewhere may look like a pointer to one of them. */
static void forget(void)
{
	u8 *object;
	int i;

	for (i = 0; i < 8; i++) {
		object = kmalloc(leak, GFP_KERNEL);
		if (object)
			*object = i;
	}
}

/* For debug kernels: what every one of them must notice */

static void use_after_free(void)
{
	u8 *object = kmalloc(64, GFP_KERNEL);

	kfree(object);
	if (object)
		WRITE_ONCE(*object, 1);
}

static DEFINE_MUTEX(this);
static DEFINE_MUTEX(that);

static void lock_order(void)
{
	mutex_lock(&this);
	mutex_lock(&that);
	mutex_unlock(&that);
	mutex_unlock(&this);
	mutex_lock(&that);
	mutex_lock(&this);
	mutex_unlock(&this);
	mutex_unlock(&that);
}

/* Bugs that are there at once; false: it is not one of them. */
static bool plain_bug(void)
{
	if (!strcmp(bug, "use_after_free"))
		use_after_free();
	else if (!strcmp(bug, "lock_order"))
		lock_order();
	else
		return false;
	return true;
}

static int __init planted_init(void)
{
	bool found = !*bug || plain_bug();
	size_t i;
	int err;

	/* original() jumps behind the mark that such a CPU wants to see. */
	if (cpu_feature_enabled(X86_FEATURE_IBT))
		return -EOPNOTSUPP;
	for (i = 0; i < ARRAY_SIZE(planted); i++) {
		if (planted[i].bug ? strcmp(planted[i].bug, bug) : !widen)
			continue;
		found |= !!planted[i].bug;
		err = register_kprobe(&planted[i].probe);
		if (err) {
			pr_err("planted: no %s to replace: %d\n",
			       planted[i].probe.symbol_name, err);
			planted[i].probe.addr = NULL;
			dig_up();
			return err;
		}
	}
	if (!found) {
		pr_err("planted: no bug '%s'\n", bug);
		dig_up();
		return -EINVAL;
	}
	if (leak)
		forget();
	return 0;
}

/* Whoever is in a replacement leaves it: the longest sleep, and some more. */
static void __exit planted_exit(void)
{
	dig_up();
	synchronize_rcu_tasks();
	msleep(widen + 500);
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memgate selftest: bugs for race tests to find");
