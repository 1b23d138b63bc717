/* SPDX-License-Identifier: GPL-2.0-only */
/* What the policy "trace" recorded. */
#ifndef TRACE_UTIL_H
#define TRACE_UTIL_H

#include <stdint.h>
#include <linux/types.h>

#include "memgate_util.h"
#include "policy_progs/policy_progs.h"

/* Calls so far, -1 on error. */
long mg_trace_count(struct mg_policy *trace);
/* The @nr-th call, from 0. */
int mg_trace_get(struct mg_policy *trace, long nr, struct trace_event *event);
/* Forgets all calls. */
int mg_trace_reset(struct mg_policy *trace);
/*
 * The number of calls of @what about @kind since the last reset, and in
 * @event, if not NULL, the last of them.
 */
long mg_trace_find(struct mg_policy *trace, uint32_t what, uint32_t kind,
		   struct trace_event *event);
/* How often it was asked about the device of that name. */
long mg_trace_asked(struct mg_policy *trace, const char *dev_name);

#endif /* TRACE_UTIL_H */
