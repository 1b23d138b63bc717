// SPDX-License-Identifier: GPL-2.0-only
/* Every event of memgate's tracepoints, in order, into a ring buffer. */
#include <memgate/see.bpf.h>
#include "see.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} see_ring SEC(".maps");

/* Text of a tracepoint is at its end: offset and length say where. */
static __always_inline void copy_text(char *to, __u32 size, void *event,
				      __u32 where)
{
	bpf_probe_read_kernel_str(to, size, event + (where & 0xffff));
}

SEC("tp/memgate/memgate_decision")
int see_decision(struct trace_event_raw_memgate_decision *event)
{
	struct see_event *e;

	e = bpf_ringbuf_reserve(&see_ring, sizeof(*e), 0);
	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->gate = event->gate;
	e->class = event->class;
	e->op = event->op;
	e->rights = event->rights;
	e->start = event->start;
	e->len = event->len;
	e->consumer = event->consumer;
	e->pid = event->pid;
	e->ret = event->ret;
	copy_text(e->dev, sizeof(e->dev), event, event->__data_loc_dev);
	copy_text(e->policy, sizeof(e->policy), event,
		  event->__data_loc_policy);
	bpf_ringbuf_submit(e, 0);
	return 0;
}

SEC("tp/memgate/memgate_closed")
int see_closed(struct trace_event_raw_memgate_closed *event)
{
	struct see_event *e;

	e = bpf_ringbuf_reserve(&see_ring, sizeof(*e), 0);
	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->gate = event->gate;
	copy_text(e->way, sizeof(e->way), event, event->__data_loc_way);
	bpf_ringbuf_submit(e, 0);
	return 0;
}
