// SPDX-License-Identifier: GPL-2.0-only
/* perf events: counters of calls, and probes in files. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "perf_util.h"

int mg_perf_open(struct perf_event_attr *attr, pid_t pid)
{
	attr->size = sizeof(*attr);
	return syscall(__NR_perf_event_open, attr, pid, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

/* The number under which the kernel knows a source of events. */
static int source_type(const char *name)
{
	char path[64];
	int type = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/bus/event_source/devices/%s/type",
		 name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &type) != 1)
		errno = EPROTO;
	fclose(f);
	return type;
}

static int open_probe(const char *source, const char *name, uint64_t off,
		      pid_t pid)
{
	struct perf_event_attr attr = {
		.type = source_type(source),
		.config1 = (uintptr_t)name,
		.config2 = off,
	};

	return attr.type == -1U ? -1 : mg_perf_open(&attr, pid);
}

int mg_perf_kprobe(const char *function)
{
	return open_probe("kprobe", function, 0, 0);
}

int mg_perf_uprobe(const char *path, uint64_t off, pid_t pid)
{
	return open_probe("uprobe", path, off, pid);
}

long mg_perf_count(int event)
{
	uint64_t count;

	return read(event, &count, sizeof(count)) == sizeof(count) ?
	       (long)count : -1;
}
