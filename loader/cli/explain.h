/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of 'memgate explain' share. */
#ifndef _MEMGATE_EXPLAIN_H
#define _MEMGATE_EXPLAIN_H

#include "cmd.h"

struct explain {
	uint64_t id;
	struct memgate_gate_info *g;	/* NULL: the gate is gone */
	struct memgate_policy **policy;	/* of each install, or NULL */

	/* What the user asked about. */
	int class;			/* -1: all */
	uint64_t consumer;		/* 0: none in particular */
	int pid;			/* 0: likewise */
	const char *device;		/* NULL: likewise */

	/* What was refused, to all or to those asked about. */
	struct memgate_recorder_info recorder;
	const char *unread;		/* why there is nothing to be read */
	struct memgate_refusal *refusal;
	size_t nr_refusals;
};

/* How a class stands on a gate. */
enum standing {
	CLASS_ASKED,		/* policies are asked */
	CLASS_CLOSED,		/* nobody decides it */
	CLASS_LATE,		/* a policy does that came after the freeze */
	CLASS_LOST,		/* a policy did that lost its link */
};

static inline bool about_somebody(const struct explain *e)
{
	return e->consumer || e->pid || e->device;
}

/* explain_who.c */
bool is_asked_about(const struct explain *e,
		    const struct memgate_consumer_info *c);
bool is_refusal_of(const struct explain *e, const struct memgate_refusal *r);
uint64_t classes_of_somebody(const struct explain *e);
void print_grant(const struct memgate_consumer_info *c);
void print_somebody(const struct explain *e);
struct json_object *somebody_json(const struct explain *e);

/* explain_class.c */
uint64_t classes_like(const struct explain *e, uint64_t classes,
		      unsigned int class);
void print_class(const struct explain *e, unsigned int class, uint64_t like);
struct json_object *class_json(const struct explain *e, unsigned int class);
enum standing standing_of(const struct memgate_gate_info *g,
			  unsigned int class);
bool was_refused(const struct explain *e, unsigned int class);

#endif /* _MEMGATE_EXPLAIN_H */
