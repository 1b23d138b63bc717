// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * All gates, for memgate_gate__list(): what fdinfo tells of a gate, also of
 * those that no process holds, as a stream of records (gates.h).
 *
 * Every member is read by address: what is listed may be dying.
 */
#include "kernel.bpf.h"
#include "gates.h"

char _license[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct bpf_link {
	__u32 id;
};

struct bpf_map {
	__u32 id;
};

struct bpf_struct_ops_value {
	char data[0];
};

struct bpf_struct_ops_map {
	struct bpf_map map;
	struct bpf_struct_ops_value kvalue;
};

#pragma clang attribute pop

static __always_inline bool read_upid(struct pid *pid, unsigned int level,
				      struct upid *upid)
{
	struct upid *from = upid_at(pid, level);

	if (level > MAX_LEVEL)
		return false;
	upid->nr = BPF_CORE_READ(from, nr);
	upid->ns = BPF_CORE_READ(from, ns);
	return true;
}

/* As fdinfo shows it: in the reader's pid namespace, 0 if not visible there. */
static __always_inline int tgid_here(struct task_struct *task)
{
	struct task_struct___more *reader = (void *)bpf_get_current_task();
	struct task_struct___more *shown = (void *)task;
	struct pid *mine = BPF_CORE_READ(reader, thread_pid);
	struct pid *pid = BPF_CORE_READ(shown, signal, pids[PID_OF_TGID]);
	unsigned int level = BPF_CORE_READ(mine, level);
	struct upid me, it;

	if (!pid || BPF_CORE_READ(pid, level) < level ||
	    !read_upid(mine, level, &me) || !read_upid(pid, level, &it) ||
	    me.ns != it.ns)
		return 0;
	return it.nr;
}

static __always_inline int put_gate(struct seq_file *seq, struct memgate *gate)
{
	struct inode *inode = BPF_CORE_READ(gate, inode);
	struct mg_gate_record r = { .record = MG_RECORD_GATE };
	struct dentry *dentry;
	__u64 alias;
	__u32 dev;

	/* It is dying. */
	if (!inode)
		return 0;
	r.gate = BPF_CORE_READ(gate, id);
	r.premapped = BPF_CORE_READ(gate, premapped);
	r.openable = BPF_CORE_READ(gate, openable);
	r.frozen = BPF_CORE_READ(gate, frozen);
	r.size = BPF_CORE_READ(inode, i_size);
	r.ino = BPF_CORE_READ(inode, i_ino);
	dev = BPF_CORE_READ(inode, i_sb, s_dev);
	r.dev_major = dev >> 20;	/* MAJOR() */
	r.dev_minor = dev & 0xfffff;	/* MINOR() */
	/* A memfd has one name, and never another. */
	alias = (__u64)BPF_CORE_READ(inode, i_dentry.first);
	if (alias) {
		dentry = (void *)(alias -
			 bpf_core_field_offset(struct dentry, d_u.d_alias));
		bpf_probe_read_kernel_str(r.name, sizeof(r.name),
					  BPF_CORE_READ(dentry, d_name.name));
	}
	return bpf_seq_write(seq, &r, sizeof(r));
}

static __always_inline int put_install(struct seq_file *seq,
				       struct memgate_install *install)
{
	struct mg_install_record r = { .record = MG_RECORD_INSTALL };
	const struct memgate_ops *ops = BPF_CORE_READ(install, ops);
	struct bpf_link *link = BPF_CORE_READ(install, link);
	struct bpf_struct_ops_map *map;

	r.gate = BPF_CORE_READ(install, gate, id);
	r.params_len = BPF_CORE_READ(install, params_len);
	r.closed = (__u64)ops == (__u64)install +
		   bpf_core_field_offset(struct memgate_install, closed);
	r.classes = BPF_CORE_READ(ops, decides);
	bpf_probe_read_kernel_str(r.name, sizeof(r.name), &ops->name);
	if (link)
		r.link = BPF_CORE_READ(link, id);
	if (!r.closed) {
		map = (void *)((__u64)ops -
		      bpf_core_field_offset(struct bpf_struct_ops_value, data) -
		      bpf_core_field_offset(struct bpf_struct_ops_map, kvalue));
		r.map = BPF_CORE_READ(map, map.id);
	}
	return bpf_seq_write(seq, &r, sizeof(r));
}

/* In pieces, as they may be larger than the stack. */
static __always_inline void put_params(struct seq_file *seq,
				       struct memgate_install *install)
{
	__u64 from = (__u64)install +
		     bpf_core_field_offset(struct memgate_install, params);
	struct mg_params_record r = { .record = MG_RECORD_PARAMS };
	__u32 left = BPF_CORE_READ(install, params_len);
	int i;

	r.gate = BPF_CORE_READ(install, gate, id);
	bpf_for(i, 0, MEMGATE_PARAMS_MAX / MG_PARAMS_CHUNK) {
		if (!left)
			break;
		r.len = left < MG_PARAMS_CHUNK ? left : MG_PARAMS_CHUNK;
		__builtin_memset(r.data, 0, sizeof(r.data));
		if (r.len > MG_PARAMS_CHUNK ||
		    bpf_probe_read_kernel(r.data, r.len,
					  (void *)(from + r.offset)) ||
		    bpf_seq_write(seq, &r, sizeof(r)))
			break;
		left -= r.len;
		r.offset += r.len;
	}
}

static __always_inline int put_consumer(struct seq_file *seq,
					struct memgate_attachment *att)
{
	struct memgate_consumer *consumer = BPF_CORE_READ(att, consumer);
	struct mg_consumer_record r = {
		.record = MG_RECORD_CONSUMER,
		.gate = BPF_CORE_READ(att, gate, id),
		.kind = BPF_CORE_READ(consumer, kind),
		.id = BPF_CORE_READ(consumer, id),
		.rights = BPF_CORE_READ(att, rights),
		.pid = tgid_here(BPF_CORE_READ(consumer, task)),
	};

	return bpf_seq_write(seq, &r, sizeof(r));
}

static __always_inline void put_device(struct seq_file *seq, __u64 gate,
				       __u64 consumer, struct device *dev)
{
	struct mg_device_record r = {
		.record = MG_RECORD_DEVICE,
		.gate = gate,
		.consumer = consumer,
	};
	const char *name = BPF_CORE_READ(dev, init_name);

	if (!name)
		name = BPF_CORE_READ(dev, kobj.name);
	bpf_probe_read_kernel_str(r.name, sizeof(r.name), name);
	bpf_seq_write(seq, &r, sizeof(r));
}

/* Nobody has more; the list ends where it began. */
#define MAX_DEVICES	4096

static __always_inline void put_devices(struct seq_file *seq,
					struct memgate_attachment *att)
{
	struct memgate_consumer *consumer = BPF_CORE_READ(att, consumer);
	__u64 gate = BPF_CORE_READ(att, gate, id);
	__u64 id = BPF_CORE_READ(consumer, id);
	struct device *dev = BPF_CORE_READ(consumer, dev);
	__u64 head = (__u64)consumer +
		     bpf_core_field_offset(struct memgate_consumer, devices);
	struct list_head *at = BPF_CORE_READ(consumer, devices.next);
	struct memgate_device *d;
	int i;

	if (dev)
		put_device(seq, gate, id, dev);
	bpf_for(i, 0, MAX_DEVICES) {
		if (!at || (__u64)at == head)
			break;
		d = (void *)((__u64)at -
			     bpf_core_field_offset(struct memgate_device,
						   node));
		put_device(seq, gate, id, BPF_CORE_READ(d, dev));
		at = BPF_CORE_READ(at, next);
	}
}

SEC("iter/memgate")
int memgate_gates(struct bpf_iter__memgate *ctx)
{
	struct memgate_attachment *attachment = ctx->attachment;
	struct memgate_install *install = ctx->install;
	struct seq_file *seq = ctx->meta->seq;
	struct memgate *gate = ctx->gate;

	/* A record that does not fit is asked for again by the kernel. */
	if (!gate)
		return 0;
	if (install) {
		if (!put_install(seq, install))
			put_params(seq, install);
	} else if (!attachment) {
		put_gate(seq, gate);
	} else if (!put_consumer(seq, attachment) &&
		 bpf_core_type_exists(struct memgate_device)) {
		put_devices(seq, attachment);
	}
	return 0;
}
