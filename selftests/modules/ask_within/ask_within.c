// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks a gate while a policy of it is being asked
 *
 *	insmod ask_within.ko fd=NUMBER
 *
 * fd is a gated memfd of the process that loads this.  Whenever a policy of any
 * gate calls bpf_memgate_id(), it wants to read the memfd.
 *
 * No program of BPF that may not sleep can do so on 6.12: nothing that it
 * may call reads a file or takes pages.  A policy that comes to it in some other
 * kernel must find the door shut.
 */
#include <linux/file.h>
#include <linux/kprobes.h>
#include <linux/module.h>

#include "internal.h"

static int fd = -1;
module_param(fd, int, 0);
MODULE_PARM_DESC(fd, "the memfd");

/* What was answered, and how often it was asked. */
static int outside, within;
module_param(outside, int, 0444);
module_param(within, int, 0444);
static uint asked;
module_param(asked, uint, 0444);

static struct file *memfd;
static int (*ask)(struct inode *inode, u32 rights, loff_t pos, u64 len);

/* It is not exported: only the file systems call it. */
static int find_ask(void)
{
	struct kprobe probe = { .symbol_name = "__memgate_file" };
	int err = register_kprobe(&probe);

	if (err)
		return err;
	ask = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

static int in_policy(struct kprobe *probe, struct pt_regs *regs)
{
	asked++;
	/* Whatever else may call it is no policy that is being asked. */
	if (current->memgate.asking)
		within = ask(file_inode(memfd), MEMGATE_READ, 0, 1);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "bpf_memgate_id",
	.pre_handler = in_policy,
};

static int __init ask_within_init(void)
{
	int err = find_ask();

	if (err)
		return err;
	memfd = fget(fd);
	if (!memfd)
		return -EBADF;
	outside = ask(file_inode(memfd), MEMGATE_READ, 0, 1);
	err = register_kprobe(&probe);
	if (err)
		fput(memfd);
	return err;
}

static void __exit ask_within_exit(void)
{
	unregister_kprobe(&probe);
	fput(memfd);
}

module_init(ask_within_init);
module_exit(ask_within_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memgate selftest: a question out of a policy");
