// SPDX-License-Identifier: GPL-2.0-only
/*
 * gates: all gates and who is attached to them.  No policy, but a program for
 * the iterator "memgate":
 *
 *   # bpftool iter pin gates.bpf.o /sys/fs/bpf/gates
 *   # cat /sys/fs/bpf/gates
 */
#include <memgate/see.bpf.h>

char _license[] SEC("license") = "GPL";

SEC("iter/memgate")
int gates(struct bpf_iter__memgate *ctx)
{
	struct memgate_attachment *att = ctx->attachment;
	struct memgate *gate = ctx->gate;

	if (gate && att)
		BPF_SEQ_PRINTF(ctx->meta->seq, "gate %llu: used by process %d\n",
			       gate->id, att->consumer->task->tgid);
	else if (gate && !ctx->install)
		BPF_SEQ_PRINTF(ctx->meta->seq, "gate %llu: frozen %d\n",
			       gate->id, gate->frozen);
	return 0;
}
