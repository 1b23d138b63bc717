/* SPDX-License-Identifier: GPL-2.0-only */
/* perf events: counters of calls, and probes in files. */
#ifndef PERF_UTIL_H
#define PERF_UTIL_H

#include <stdint.h>
#include <sys/types.h>
#include <linux/perf_event.h>

/* A counter of what @attr says, in @pid (0: this task); -1, errno. */
int mg_perf_open(struct perf_event_attr *attr, pid_t pid);
/* Counts the calls of a kernel function by this task. */
int mg_perf_kprobe(const char *function);
/* Counts how often @pid comes past the instruction at @off of a file. */
int mg_perf_uprobe(const char *path, uint64_t off, pid_t pid);
/* What was counted so far, -1 on error. */
long mg_perf_count(int event);

#endif /* PERF_UTIL_H */
