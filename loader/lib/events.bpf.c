// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Every decision, and every access that is closed outright, as a record
 * (events.h) in a ring buffer, for memgate_events__open().  Filters are
 * here, so that what nobody wants costs no room; what finds no room is
 * counted.
 *
 * Of tasks and devices there is what policies judge them by.  Every member is
 * read by address: what is looked at may be dying.
 */
#include "kernel.bpf.h"
#include "events.h"

char _license[] SEC("license") = "Dual BSD/GPL";

const volatile struct mg_event_filter filter SEC(".rodata.filter");
__u64 lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);	/* set by events.c, as the next */
} mg_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} mg_gates SEC(".maps");

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct memgate___list {
	struct list_head attachments;
};

struct memgate_attachment___node {
	struct list_head of_gate;
};

struct bus_type {
	const char *name;
};

struct class {
	const char *name;
};

struct device_driver {
	const char *name;
};

struct iommu_group {
	int id;
};

struct device___more {
	struct device *parent;
	const struct bus_type *bus;
	const struct class *class;
	struct device_driver *driver;
	struct iommu_group *iommu_group;
};

struct pci_dev {
	unsigned short vendor;
	unsigned short device;
	unsigned int class;
	__u8 hdr_type;
	struct device dev;
};

struct net {
	__u64 net_cookie;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	possible_net_t nd_net;
	struct device dev;
};

#pragma clang attribute pop

#define PF_KTHREAD	0x00200000
#define INIT_PID_NS_INO	0xeffffffcU
#define MAX_DEPTH	16	/* of a device below its PCI device */
#define MAX_ATTACHED	4096
#define PCI_BRIDGE	0x0604

/* Tasks **********************************************************************/

/* The task's process id in the reader's pid namespace; 0: not visible. */
static __always_inline int pid_here(struct task_struct *task)
{
	struct task_struct___more *more = (void *)task;
	struct pid *pid = BPF_CORE_READ(more, signal, pids[PID_OF_TGID]);
	unsigned int level = BPF_CORE_READ(pid, level);
	struct pid_namespace *ns;
	struct upid *upid;
	int i;

	if (filter.pid_ns == INIT_PID_NS_INO)
		return BPF_CORE_READ(task, tgid);
	if (!pid)
		return 0;
	bpf_for(i, 0, MAX_LEVEL + 1) {
		if (i > level)
			break;
		upid = upid_at(pid, i);
		ns = BPF_CORE_READ(upid, ns);
		if (BPF_CORE_READ(ns, ns.inum) == filter.pid_ns)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

static __always_inline void put_task(struct mg_event_task *to,
				     struct task_struct *task)
{
	struct task_struct *me = (void *)bpf_get_current_task();
	struct task_struct___more *more = (void *)task;
	struct file *exe = BPF_CORE_READ(more, mm, exe_file);

	to->tgid = BPF_CORE_READ(task, tgid);
	to->tid = BPF_CORE_READ(me, pid);
	to->euid = BPF_CORE_READ(more, cred, euid.val);
	to->egid = BPF_CORE_READ(more, cred, egid.val);
	to->cgroup = BPF_CORE_READ(more, cgroups, dfl_cgrp, kn, id);
	to->start = BPF_CORE_READ(more, group_leader, start_boottime);
	to->kthread = !!(BPF_CORE_READ(more, flags) & PF_KTHREAD);
	if (exe) {
		to->exe_ino = BPF_CORE_READ(exe, f_inode, i_ino);
		to->exe_dev = BPF_CORE_READ(exe, f_inode, i_sb, s_dev);
	}
	bpf_probe_read_kernel_str(to->comm, sizeof(to->comm), &task->comm);
}

/* Devices: what memgate/device.bpf.h tells policies **************************/

/* Whether the kernel's string at @from is @word, a constant. */
#define IS_WORD(from, word) ({						\
	char __got[sizeof(word)] = {};					\
									\
	bpf_probe_read_kernel(__got, sizeof(__got), from) == 0 &&	\
	__builtin_memcmp(__got, word, sizeof(word)) == 0;		\
})

static __always_inline bool is_pci(struct device___more *dev)
{
	const char *bus = BPF_CORE_READ(dev, bus, name);

	return bus && IS_WORD(bus, "pci");
}

static __always_inline void put_pci(struct mg_event_device *to,
				    struct device *dev, bool itself)
{
	struct pci_dev *pdev;

	bpf_probe_read_kernel_str(to->pci, sizeof(to->pci), dev_name(dev));
	if (!bpf_core_type_exists(struct pci_dev))
		return;
	pdev = (void *)((__u64)dev -
			bpf_core_field_offset(struct pci_dev, dev));
	to->vendor = BPF_CORE_READ(pdev, vendor);
	to->device = BPF_CORE_READ(pdev, device);
	to->pci_class = BPF_CORE_READ(pdev, class);
	to->bridge = itself && to->pci_class >> 8 == PCI_BRIDGE &&
		     (BPF_CORE_READ(pdev, hdr_type) & 0x7f) == 1;
}

static __always_inline void put_driver(struct mg_event_device *to,
				       struct device___more *dev)
{
	const char *name = BPF_CORE_READ(dev, driver, name);

	if (name && !to->driver[0])
		bpf_probe_read_kernel_str(to->driver, sizeof(to->driver),
					  name);
}

static __always_inline void put_group(struct mg_event_device *to,
				      struct device___more *dev)
{
	struct iommu_group *group = BPF_CORE_READ(dev, iommu_group);

	if (group && to->group < 0 && bpf_core_field_exists(group->id))
		to->group = BPF_CORE_READ(group, id);
}

static __always_inline bool in_init_net(struct device *dev)
{
	struct net_device *net = (void *)((__u64)dev -
			bpf_core_field_offset(struct net_device, dev));

	/* Namespaces are counted, and the initial one is the first. */
	return BPF_CORE_READ(net, nd_net.net, net_cookie) == 1;
}

/* Up to the nearest PCI device, and no further. */
static __noinline int put_device(struct mg_event_device *to,
				 struct device *first)
{
	struct device___more *dev = (void *)first;
	const char *class;
	int i;

	if (!to)
		return 0;
	to->group = -1;
	bpf_probe_read_kernel_str(to->name, sizeof(to->name), dev_name(first));
	class = BPF_CORE_READ(dev, class, name);
	to->rdma = class && IS_WORD(class, "infiniband");
	to->net = class && IS_WORD(class, "net") && in_init_net(first);
	bpf_for(i, 0, MAX_DEPTH) {
		if (!dev)
			break;
		put_driver(to, dev);
		put_group(to, dev);
		if (is_pci(dev)) {
			put_pci(to, (void *)dev, !i);
			break;
		}
		dev = (void *)BPF_CORE_READ(dev, parent);
	}
	return 0;
}

/* Gates **********************************************************************/

/* A memfd has one name, and never another. */
static __always_inline void put_name(struct mg_event_record *to,
				     const struct memgate *gate)
{
	struct inode *inode = BPF_CORE_READ(gate, inode);
	__u64 alias = (__u64)BPF_CORE_READ(inode, i_dentry.first);
	struct dentry *dentry;

	if (!alias)
		return;
	dentry = (void *)(alias -
			  bpf_core_field_offset(struct dentry, d_u.d_alias));
	bpf_probe_read_kernel_str(to->name, sizeof(to->name),
				  BPF_CORE_READ(dentry, d_name.name));
}

/* Other consumers of that class, attached now. */
static __noinline __u32 count_others(const struct memgate *gate, __u32 kind,
				     __u64 id)
{
	__u64 head = (__u64)gate +
		     bpf_core_field_offset(struct memgate___list, attachments);
	struct memgate___list *list = (void *)gate;
	struct list_head *at = BPF_CORE_READ(list, attachments.next);
	struct memgate_attachment *att;
	struct memgate_consumer *c;
	__u32 n = 0;
	int i;

	bpf_for(i, 0, MAX_ATTACHED) {
		if (!at || (__u64)at == head)
			break;
		att = (void *)((__u64)at -
		      bpf_core_field_offset(struct memgate_attachment___node,
					    of_gate));
		c = BPF_CORE_READ(att, consumer);
		n += BPF_CORE_READ(c, kind) == kind &&
		     BPF_CORE_READ(c, id) != id;
		at = BPF_CORE_READ(at, next);
	}
	return n;
}

/* Events *********************************************************************/

static __always_inline bool wants_gate(__u64 gate)
{
	return !filter.by_gate || bpf_map_lookup_elem(&mg_gates, &gate);
}

/* A class that this file does not know has no bit, and is shown with all. */
static __always_inline bool wants_class(__u32 class)
{
	return !filter.classes ||
	       (class < 64 && filter.classes & MEMGATE_CLASS(class));
}

static __always_inline bool wants_policy(const char *policy)
{
	char name[MEMGATE_NAME_LEN] = {};
	int i;

	if (!filter.by_policy)
		return true;
	bpf_probe_read_kernel_str(name, sizeof(name), policy);
	for (i = 0; i < MEMGATE_NAME_LEN; i++)
		if (name[i] != filter.policy[i])
			return false;
	return true;
}

static __always_inline void *reserve(__u64 size)
{
	void *r = bpf_ringbuf_reserve(&mg_events, size, 0);

	if (!r)
		__sync_fetch_and_add(&lost, 1);
	return r;
}

#define WITHOUT_DEVICE	__builtin_offsetof(struct mg_event_record, dev)

static __always_inline void put_question(struct mg_event_record *r,
					 const struct memgate *gate,
					 const struct memgate_question *q)
{
	struct memgate_consumer *consumer = BPF_CORE_READ(q, consumer);

	r->class_nr = BPF_CORE_READ(q, class);
	r->op = BPF_CORE_READ(q, op);
	r->rights = BPF_CORE_READ(q, rights);
	r->start = BPF_CORE_READ(q, start);
	r->len = BPF_CORE_READ(q, len);
	r->consumer = BPF_CORE_READ(consumer, id);
	if (r->consumer)
		r->others = count_others(gate, r->class_nr, r->consumer);
	put_name(r, gate);
}

/* All but the device. */
static __always_inline void fill(struct mg_event_record *r, __u32 kind,
				 __u64 gate, struct task_struct *task,
				 const char *by)
{
	r->kind = kind;
	r->time = bpf_ktime_get_boot_ns();
	r->gate = gate;
	r->task.pid = pid_here(task);
	put_task(&r->task, task);
	bpf_probe_read_kernel_str(r->by, sizeof(r->by), by);
}

static __always_inline bool wants(const struct memgate *gate,
				  const struct memgate_question *q,
				  struct task_struct *task, const char *policy,
				  int ret)
{
	return !(ret ? filter.no_refused : filter.no_allowed) &&
	       wants_gate(BPF_CORE_READ(gate, id)) &&
	       wants_class(BPF_CORE_READ(q, class)) &&
	       (!filter.pid || filter.pid == pid_here(task)) &&
	       wants_policy(policy);
}

SEC("tp_btf/memgate_decision")
int BPF_PROG(mg_decision, const struct memgate *gate,
	     const struct memgate_question *q, const char *policy, int ret)
{
	struct task_struct *task = BPF_CORE_READ(q, consumer, task);
	struct device *dev = BPF_CORE_READ(q, dev);
	struct mg_event_record *r;

	if (!task)
		task = (void *)bpf_get_current_task();
	if (!wants(gate, q, task, policy, ret))
		return 0;
	/* The verifier wants a size that it knows: so one for each of both. */
	if (dev) {
		r = reserve(sizeof(*r));
		if (!r)
			return 0;
		__builtin_memset(r, 0, sizeof(*r));
		put_device(&r->dev, dev);
	} else {
		r = reserve(WITHOUT_DEVICE);
		if (!r)
			return 0;
		__builtin_memset(r, 0, WITHOUT_DEVICE);
	}
	fill(r, MG_EVENT_DECISION, BPF_CORE_READ(gate, id), task, policy);
	put_question(r, gate, q);
	r->ret = ret;
	bpf_ringbuf_submit(r, 0);
	return 0;
}

/* What is closed has no class and no policy, and the current task did it. */
SEC("tp_btf/memgate_closed")
int BPF_PROG(mg_closed, __u64 gate, const char *way)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mg_event_record *r;

	if (filter.no_refused || filter.classes || filter.by_policy ||
	    !wants_gate(gate) ||
	    (filter.pid && filter.pid != pid_here(task)))
		return 0;
	r = reserve(WITHOUT_DEVICE);
	if (!r)
		return 0;
	__builtin_memset(r, 0, WITHOUT_DEVICE);
	fill(r, MG_EVENT_CLOSED, gate, task, way);
	bpf_ringbuf_submit(r, 0);
	return 0;
}
