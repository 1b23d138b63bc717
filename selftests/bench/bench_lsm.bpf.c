// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rule "only this thread group may map this memfd" as a BPF LSM program,
 * to be measured against bench_rule.bpf.c and plain-c.patch.
 *
 * The thread group is kept with the inode, which is the fastest that an LSM
 * program has.  An inode without one is not spoken of.
 */
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

char _license[] SEC("license") = "GPL";

struct inode {};

struct file {
	struct inode *f_inode;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_INODE_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} rules SEC(".maps");

SEC("lsm/mmap_file")
int BPF_PROG(bench_mmap_file, struct file *file, unsigned long reqprot,
	     unsigned long prot, unsigned long flags, int ret)
{
	__u32 *tgid;

	if (ret || !file)
		return ret;
	tgid = bpf_inode_storage_get(&rules, file->f_inode, NULL, 0);
	if (tgid && *tgid != bpf_get_current_pid_tgid() >> 32)
		return -EACCES;
	return 0;
}
