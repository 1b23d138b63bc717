/* SPDX-License-Identifier: GPL-2.0-only */
/* What fdinfo says of consumers that have devices, and of these. */
#ifndef DEV_LINES_H
#define DEV_LINES_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memgate_util.h"
#include "policy_progs/policy_progs.h"

/* Lines of a memfd's fdinfo that begin and end so; -1 if it has none. */
static inline int dev_lines(int fd, const char *start, const char *end)
{
	char path[64], line[512];
	size_t len;
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		len = strcspn(line, "\n");
		line[len] = '\0';
		nr += !strncmp(line, start, strlen(start)) &&
		      len >= strlen(end) &&
		      !strcmp(line + len - strlen(end), end);
	}
	fclose(f);
	return nr;
}

/* Attachments of a class to the gate of @fd. */
static inline int dev_attached(int fd, enum memgate_class class)
{
	char start[48];

	snprintf(start, sizeof(start), "memgate-consumer:\tkind %u ", class);
	return dev_lines(fd, start, "");
}

/* The same, when consumers have had time to die. */
static inline int dev_left(int fd, enum memgate_class class, int expected)
{
	int i;

	for (i = 0; i < 500 && dev_attached(fd, class) != expected; i++)
		usleep(10000);
	return dev_attached(fd, class);
}

/* Attached consumers that have the device of this name. */
static inline int dev_shown(int fd, const char *name)
{
	char end[64];

	snprintf(end, sizeof(end), " name %s", name);
	return dev_lines(fd, "memgate-device:", end);
}

/* Makes the next install of the policy answer_dev trust this device. */
static inline void dev_trust(struct mg_policy *answer_dev, const char *name)
{
	struct answer_dev_params *params = (void *)answer_dev->params;

	snprintf(params->name, sizeof(params->name), "%s", name);
}

#endif /* DEV_LINES_H */
