/* SPDX-License-Identifier: GPL-2.0-only */
/* memgate - what struct task_struct carries; see <linux/memgate.h> */
#ifndef _LINUX_MEMGATE_TYPES_H
#define _LINUX_MEMGATE_TYPES_H

struct inode;
struct memgate_consumer;
struct memgate_install;

/**
 * struct memgate_task - what a task is doing with gated memory right now
 * @consumer: for whom it pins pages; NULL: for itself.  Set around single
 *	GUP calls only and ignored outside of task context.
 * @asking: the install whose program runs; a question that comes up
 *	meanwhile is a recursion and refused
 * @asked: in do_mmap(): that it has asked, or the inode that f_op->mmap saw;
 *	NULL otherwise
 *
 * Written and read by the task itself only.
 */
struct memgate_task {
	struct memgate_consumer		*consumer;
	const struct memgate_install	*asking;
	const struct inode		*asked;
};

#endif /* _LINUX_MEMGATE_TYPES_H */
