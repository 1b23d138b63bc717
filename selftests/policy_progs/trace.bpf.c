// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides every class, answers what its parameters say, and records each
 * call in the map trace_events (struct trace_event), in order of arrival.
 */
#include "answer.bpf.h"
#include "dev_name.bpf.h"

char _license[] SEC("license") = "GPL";
MEMGATE_PARAMS(struct answer_params);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRACE_EVENTS);
	__type(key, __u32);
	__type(value, struct trace_event);
} trace_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} trace_count SEC(".maps");

static __always_inline void record(struct memgate *gate,
				   struct trace_event *event)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&trace_count, &key);
	struct memgate_consumer *c;
	__u64 nr;

	if (!count)
		return;
	nr = __sync_fetch_and_add(count, 1);
	if (nr >= TRACE_EVENTS)
		return;
	key = nr;

	event->gate = bpf_memgate_id(gate);
	event->size = bpf_memgate_size(gate);
	event->seals = bpf_memgate_seals(gate);
	event->premapped = bpf_memgate_premapped(gate);
	event->tgid = bpf_get_current_pid_tgid() >> 32;
	event->attached = bpf_memgate_count(gate, event->kind);
	bpf_for_each(memgate_consumer, c, gate)
		if (c->kind == event->kind)
			event->listed++;
	bpf_map_update_elem(&trace_events, &key, event, BPF_ANY);
}

static __always_inline __u32 tgid_of(struct memgate_consumer *consumer)
{
	struct task_struct *task = bpf_memgate_consumer_task(consumer);
	__u32 tgid;

	if (!task)
		return 0;
	tgid = task->tgid;
	bpf_task_release(task);
	return tgid;
}

int MEMGATE_PROG(may_attach, trace_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev,
		 __u32 rights, __u64 start, __u64 len)
{
	int answer = say_attach(gate, consumer->kind, rights);
	struct trace_event event = {
		.what = TRACE_MAY_ATTACH,
		.kind = consumer->kind,
		.consumer = consumer->id,
		.consumer_tgid = tgid_of(consumer),
		.rights = rights,
		.op = ~0U,
		.start = start,
		.len = len,
		.device = !!dev,
		.answer = answer,
	};

	read_dev_name(dev, event.dev_name, sizeof(event.dev_name));
	record(gate, &event);
	return answer;
}

int MEMGATE_PROG(may_map, trace_may_map, struct memgate *gate, __u32 op,
		 __u32 rights, __u64 start, __u64 len)
{
	int answer = say_map(gate, op, rights);
	struct trace_event event = {
		.what = TRACE_MAY_MAP,
		.kind = MEMGATE_MAP,
		.rights = rights,
		.op = op,
		.start = start,
		.len = len,
		.answer = answer,
	};

	record(gate, &event);
	return answer;
}

void MEMGATE_PROG(detached, trace_detached, struct memgate *gate,
		  struct memgate_consumer *consumer, __u32 rights)
{
	struct trace_event event = {
		.what = TRACE_DETACHED,
		.kind = consumer->kind,
		.consumer = consumer->id,
		.consumer_tgid = tgid_of(consumer),
		.rights = rights,
		.op = ~0U,
	};

	record(gate, &event);
}

void MEMGATE_PROG(released, trace_released, struct memgate *gate)
{
	struct trace_event event = {
		.what = TRACE_RELEASED,
		.kind = ~0U,
		.op = ~0U,
	};

	record(gate, &event);
}

MEMGATE_POLICY(trace,
	.decides = ALL_CLASSES,
	.params_size = sizeof(struct answer_params),
	.may_attach = (void *)trace_may_attach,
	.may_map = (void *)trace_may_map,
	.detached = (void *)trace_detached,
	.released = (void *)trace_released,
);
