/* SPDX-License-Identifier: GPL-2.0-only */
/* Looking at gates: the iterator "memgate", and the tracepoints. */
#ifndef SEE_UTIL_H
#define SEE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/memgate.h>

#include "policy_progs/see.h"

/* A BPF program that is no policy ******************************************/

struct bpf_object;

/* Loads progs/NAME.bpf.o; NULL and errno. */
struct bpf_object *see_load(const char *name);

/* The iterator **************************************************************/

struct see_iter {
	struct bpf_object *obj;
	int link;
};

/* 0 or -errno. */
int see_iter_open(struct see_iter *iter);
void see_iter_close(struct see_iter *iter);
/*
 * One whole pass in reads of at most @chunk bytes.  The text is to be freed;
 * NULL and errno if that fails.  @reads, if not NULL: how many reads it took.
 */
char *see_iterate(int link, size_t chunk, int *reads);
/* Whole lines that begin with @start. */
int see_lines(const char *text, const char *start);

/* The tracepoints ***********************************************************/

#define SEE_MAX_EVENTS	256

struct ring_buffer;

struct see_events {
	int nr;
	struct see_event event[SEE_MAX_EVENTS];
};

/* Two that watch: a BPF program, and tracefs in an instance of its own. */
struct see_watch {
	struct ring_buffer *ring;
	struct see_events bpf, text;
};

/*
 * Switches both on for all tests of a program, before they are forked, as
 * that takes longer than most tests; the end of the program switches them
 * off.  If it fails, see_watch_begin() says so.
 */
void see_watch_preload(void);
/* Forgets what was before.  0 or -errno. */
int see_watch_begin(struct see_watch *watch);
/* What has come since it began, or since the last call, into both lists. */
int see_watch_collect(struct see_watch *watch);
void see_watch_end(struct see_watch *watch);
/* The events in words, for messages; static memory, four at a time. */
const char *see_words(const struct see_event *event);
/* Any consumer will do for one that is expected so; not 0. */
#define SEE_SOMEBODY	(~0ULL)
bool see_same(const struct see_event *want, const struct see_event *seen);

/* Who looks *****************************************************************/

/* Becomes uid and gid 65534 with the capabilities 1ULL << CAP_... of @caps. */
int see_become_nobody(uint64_t caps);
/*
 * Runs @fn as pid 1 of a new pid namespace that has its own /proc.  What it
 * answers, 0 to 200; -1 if it has not come that far.
 */
int see_in_pid_namespace(int (*fn)(int fd), int fd);

#endif /* SEE_UTIL_H */
