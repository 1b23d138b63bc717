// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints all that the iterator "memgate" passes by, a line for each call,
 * parameters of installs included.
 */
#include <memgate/see.bpf.h>

char _license[] SEC("license") = "GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)
struct bpf_link {
	__u32 id;
};
#pragma clang attribute pop

static void print_install(struct seq_file *seq, struct memgate *gate,
			  struct memgate_install *install)
{
	const struct memgate_ops *ops = install->ops;
	struct bpf_link *link = install->link;
	char name[MEMGATE_NAME_LEN] = {};
	__u64 params = 0;

	bpf_probe_read_kernel_str(name, sizeof(name), &ops->name);
	if (install->params_len >= sizeof(params))
		bpf_probe_read_kernel(&params, sizeof(params),
				      &install->params);
	BPF_SEQ_PRINTF(seq, "install in %llu of %llu link %u classes 0x%llx closed %d params 0x%llx name %s\n",
		       gate->id, install->gate->id, link ? link->id : 0,
		       ops->decides, ops == &install->closed, params, name);
}

static void print_attachment(struct seq_file *seq, struct memgate *gate,
			     struct memgate_attachment *att)
{
	struct memgate_consumer *consumer = att->consumer;

	BPF_SEQ_PRINTF(seq, "consumer in %llu of %llu kind %u id %llu rights 0x%x tgid %d\n",
		       gate->id, att->gate->id, consumer->kind, consumer->id,
		       att->rights, consumer->task->tgid);
}

SEC("iter/memgate")
int see_iter(struct bpf_iter__memgate *ctx)
{
	struct memgate_attachment *attachment = ctx->attachment;
	struct memgate_install *install = ctx->install;
	struct seq_file *seq = ctx->meta->seq;
	struct memgate *gate = ctx->gate;

	if (!gate)
		BPF_SEQ_PRINTF(seq, "end\n");
	else if (install)
		print_install(seq, gate, install);
	else if (attachment)
		print_attachment(seq, gate, attachment);
	else
		BPF_SEQ_PRINTF(seq, "gate %llu premapped %u frozen %u\n",
			       gate->id, gate->premapped, gate->frozen);
	return 0;
}
