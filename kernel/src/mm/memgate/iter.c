// SPDX-License-Identifier: GPL-2.0-only
/*
 * memgate - the BPF iterator over gates, their installs and attachments
 *
 * A program of type iter/memgate is called for every gate with neither
 * install nor attachment, then for each of its installs in the order in
 * which they are asked, then for each of its attachments; at the very end
 * once with nothing.  A gate that lives from start to end is seen exactly
 * once; installs never leave it; attachments that come or go between two
 * read(2) may be missed or seen twice.
 */
#include <linux/bpf.h>
#include <linux/btf_ids.h>
#include <linux/seq_file.h>

#include "internal.h"

struct bpf_iter__memgate {
	__bpf_md_ptr(struct bpf_iter_meta *, meta);
	__bpf_md_ptr(struct memgate *, gate);
	__bpf_md_ptr(struct memgate_install *, install);
	__bpf_md_ptr(struct memgate_attachment *, attachment);
};

/* The pointers live from start to stop, the numbers between two of these. */
struct memgate_iter {
	struct memgate *gate;
	struct memgate_install *install;
	struct memgate_attachment *attachment;
	u64 id;
	u32 index;
};

static struct memgate_iter *memgate_iter_next_gate(struct memgate_iter *it)
{
	it->gate = list_next_or_null_rcu(&memgate_gates, &it->gate->node,
					 struct memgate, node);
	it->install = NULL;
	it->attachment = NULL;
	it->id = it->gate ? it->gate->id : ULLONG_MAX;
	it->index = 0;
	return it->gate ? it : NULL;
}

static struct memgate_iter *memgate_iter_step(struct memgate_iter *it)
{
	struct list_head *at = it->install ? &it->install->node :
			       &it->gate->installs;

	it->index++;
	if (!it->attachment) {
		it->install = list_next_or_null_rcu(&it->gate->installs, at,
						    struct memgate_install,
						    node);
		if (it->install)
			return it;
	}
	at = it->attachment ? &it->attachment->of_gate :
	     &it->gate->attachments;
	it->attachment = list_next_or_null_rcu(&it->gate->attachments, at,
					       struct memgate_attachment,
					       of_gate);
	return it->attachment ? it : memgate_iter_next_gate(it);
}

static void *memgate_iter_start(struct seq_file *m, loff_t *pos)
	__acquires(RCU)
{
	struct memgate_iter *it = m->private;
	struct memgate *gate;
	u32 index;

	rcu_read_lock();
	if (!*pos)
		++*pos;
	list_for_each_entry_rcu(gate, &memgate_gates, node) {
		if (gate->id < it->id)
			continue;
		/* Where it stopped, or the next one if that has died. */
		index = gate->id == it->id ? it->index : 0;
		*it = (struct memgate_iter) { .gate = gate, .id = gate->id };
		while (it->id == gate->id && it->index < index)
			if (!memgate_iter_step(it))
				return NULL;
		return it;
	}
	return NULL;
}

static void *memgate_iter_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return memgate_iter_step(v);
}

static int memgate_iter_run(struct seq_file *m, struct memgate_iter *it)
{
	struct bpf_iter_meta meta = { .seq = m };
	struct bpf_iter__memgate ctx = { .meta = &meta };
	struct bpf_prog *prog = bpf_iter_get_info(&meta, !it);

	if (!prog)
		return 0;
	if (it) {
		ctx.gate = it->gate;
		ctx.install = it->install;
		ctx.attachment = it->attachment;
	}
	return bpf_iter_run_prog(prog, &ctx);
}

static int memgate_iter_show(struct seq_file *m, void *v)
{
	return memgate_iter_run(m, v);
}

static void memgate_iter_stop(struct seq_file *m, void *v)
	__releases(RCU)
{
	if (!v)
		(void)memgate_iter_run(m, NULL);
	rcu_read_unlock();
}

static const struct seq_operations memgate_iter_ops = {
	.start = memgate_iter_start,
	.next = memgate_iter_next,
	.stop = memgate_iter_stop,
	.show = memgate_iter_show,
};

static const struct bpf_iter_seq_info memgate_iter_seq = {
	.seq_ops = &memgate_iter_ops,
	.seq_priv_size = sizeof(struct memgate_iter),
};

static struct bpf_iter_reg memgate_iter_reg = {
	.target = "memgate",
	.ctx_arg_info_size = 3,
	.ctx_arg_info = {
		{ offsetof(struct bpf_iter__memgate, gate),
		  PTR_TO_BTF_ID_OR_NULL },
		{ offsetof(struct bpf_iter__memgate, install),
		  PTR_TO_BTF_ID_OR_NULL },
		{ offsetof(struct bpf_iter__memgate, attachment),
		  PTR_TO_BTF_ID_OR_NULL },
	},
	.seq_info = &memgate_iter_seq,
};

DEFINE_BPF_ITER_FUNC(memgate, struct bpf_iter_meta *meta, struct memgate *gate,
		     struct memgate_install *install,
		     struct memgate_attachment *attachment)

BTF_ID_LIST(memgate_iter_ids)
BTF_ID(struct, memgate)
BTF_ID(struct, memgate_install)
BTF_ID(struct, memgate_attachment)

static int __init memgate_iter_init(void)
{
	int i;

	for (i = 0; i < memgate_iter_reg.ctx_arg_info_size; i++)
		memgate_iter_reg.ctx_arg_info[i].btf_id = memgate_iter_ids[i];
	return bpf_iter_reg_target(&memgate_iter_reg);
}
late_initcall(memgate_iter_init);
