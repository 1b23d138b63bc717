/* SPDX-License-Identifier: GPL-2.0-only */
/* What fdinfo says of consumers that have devices, and of these. */
#ifndef DEV_LINES_H
#define DEV_LINES_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memgate_util.h"
#include "policy_progs/policy_progs.h"

/* Attachments of a class to the gate of @fd, if it has one. */
static inline int dev_attached(int fd, enum memgate_class class)
{
	struct mg_gate gate;
	int i, nr = 0, err;

	err = mg_gate_read(0, fd, &gate);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (i = 0; i < gate.nr_consumers; i++)
		nr += gate.consumer[i].kind == class;
	return nr;
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
	struct mg_gate gate;
	int i, nr = 0, err;

	err = mg_gate_read(0, fd, &gate);
	if (err)
		return err == -ENOENT ? 0 : err;
	for (i = 0; i < gate.nr_devices; i++)
		nr += !strcmp(gate.device[i].name, name);
	return nr;
}

/* Makes the next install of the policy answer_dev trust this device. */
static inline void dev_trust(struct mg_policy *answer_dev, const char *name)
{
	struct answer_dev_params *params = (void *)answer_dev->params;

	snprintf(params->name, sizeof(params->name), "%s", name);
}

#endif /* DEV_LINES_H */
