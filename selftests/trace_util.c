// SPDX-License-Identifier: GPL-2.0-only
/* What the policy "trace" recorded. */
#include <string.h>
#include <bpf/bpf.h>

#include "trace_util.h"

long mg_trace_count(struct mg_policy *trace)
{
	uint32_t key = 0;
	uint64_t count;

	if (bpf_map_lookup_elem(mg_policy_map(trace, "trace_count"), &key,
				&count))
		return -1;
	return count;
}

int mg_trace_get(struct mg_policy *trace, long nr, struct trace_event *event)
{
	uint32_t key = nr;

	return bpf_map_lookup_elem(mg_policy_map(trace, "trace_events"), &key,
				   event);
}

int mg_trace_reset(struct mg_policy *trace)
{
	uint64_t count = 0;
	uint32_t key = 0;

	return bpf_map_update_elem(mg_policy_map(trace, "trace_count"), &key,
				   &count, BPF_ANY);
}

long mg_trace_find(struct mg_policy *trace, uint32_t what, uint32_t kind,
		   struct trace_event *event)
{
	long nr, count = mg_trace_count(trace), found = 0;
	struct trace_event e;

	for (nr = 0; nr < count && nr < TRACE_EVENTS; nr++) {
		if (mg_trace_get(trace, nr, &e))
			return -1;
		if (e.what != what || e.kind != kind)
			continue;
		found++;
		if (event)
			*event = e;
	}
	return found;
}

long mg_trace_asked(struct mg_policy *trace, const char *dev_name)
{
	long nr, count = mg_trace_count(trace), asked = 0;
	struct trace_event e;

	for (nr = 0; nr < count && nr < TRACE_EVENTS; nr++) {
		if (mg_trace_get(trace, nr, &e))
			return -1;
		if (e.what == TRACE_MAY_ATTACH && !strcmp(e.dev_name, dev_name))
			asked++;
	}
	return asked;
}
