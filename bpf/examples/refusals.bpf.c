// SPDX-License-Identifier: GPL-2.0-only
/*
 * No policy, but how to see refusals as they happen: each is written to the
 * trace.
 *
 *   # bpftool prog loadall refusals.bpf.o /sys/fs/bpf/refusals autoattach
 *   # cat /sys/kernel/tracing/trace_pipe
 */
#include <memgate/see.bpf.h>

char _license[] SEC("license") = "GPL";

SEC("tp/memgate/memgate_decision")
int refusals(struct trace_event_raw_memgate_decision *event)
{
	if (event->ret)
		bpf_printk("gate %llu: %d", event->gate, event->ret);
	return 0;
}
