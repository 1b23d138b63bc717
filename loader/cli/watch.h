/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the commands share that watch decisions: monitor and learn. */
#ifndef _MEMGATE_WATCH_H
#define _MEMGATE_WATCH_H

#include <signal.h>

#include "cmd.h"

/**
 * struct watch - decisions are taken until something ends it
 * @events: which; opened by the caller
 * @take: gets each event; non-zero ends the watch
 * @batch: called when those that were there have been taken; may be NULL
 * @ctx: for both
 * @seconds: ends it after that time; 0: never
 * @child: a command that runs meanwhile, whose end ends the watch; 0: none
 * @code: its exit status, as a shell tells it
 * @gone: whoever read the output is gone
 */
struct watch {
	struct memgate_events *events;
	int (*take)(const struct memgate_event *event, void *ctx);
	void (*batch)(void *ctx);
	void *ctx;
	int seconds;
	pid_t child;
	int code;
	bool gone;
	/* private */
	int signals;
	sigset_t mask;
	uint64_t deadline;
	uint64_t end;
	bool taken;
	bool done;
};

/* A gate that is watched, and the process that it was named by, or 0. */
struct watched {
	uint64_t gate;
	int pid;
};

int parse_watched(struct words *w, struct watched *watched);
int parse_seconds(struct words *w, int *seconds);
int parse_class(const char *word, unsigned int *class);

int watch_begin(struct watch *watch);
int watch_fork(struct watch *watch);
int watch_start(struct watch *watch, struct words *command);
int watch_run(struct watch *watch);
int watch_wait(struct watch *watch);
uint64_t boot_ns(void);

#endif /* _MEMGATE_WATCH_H */
