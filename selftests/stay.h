/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of consumers that stay (a ring, a umem, a vhost device) have in
 * common: what is left of one when it is gone, or was refused.
 */
#ifndef STAY_H
#define STAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memgate_util.h"

static inline long stay_counter(const char *vmstat, const char *name)
{
	const char *at = strstr(vmstat, name);

	return at ? atol(at + strlen(name)) : 0;
}

static inline long stay_read_pins(void)
{
	static char vmstat[32768];
	size_t n = 0;
	FILE *f;

	/* Otherwise some are still in the counters of the CPUs. */
	mg_write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/vmstat", "re");
	if (f) {
		n = fread(vmstat, 1, sizeof(vmstat) - 1, f);
		fclose(f);
	}
	vmstat[n] = '\0';
	return stay_counter(vmstat, "nr_foll_pin_acquired ") -
	       stay_counter(vmstat, "nr_foll_pin_released ");
}

/*
 * Pages that are pinned now, in the whole system.  The kernel may just be
 * moving a number from one counter to another, so it must say it twice.
 */
static inline long stay_pins(void)
{
	long pins = stay_read_pins(), again = stay_read_pins();

	while (pins != again) {
		pins = again;
		again = stay_read_pins();
	}
	return pins;
}

/*
 * Consumers die after the close() that killed them: gives them a while.  There
 * may be less than before, if the last page of somebody else was counted.
 */
static inline bool stay_pins_back_to(long pins)
{
	long now = pins;
	int i;

	for (i = 0; i < 500; i++) {
		now = stay_pins();
		if (now <= pins)
			return true;
		usleep(10000);
	}
	printf("# %ld pages are pinned, wanted %ld\n", now, pins);
	return false;
}

/* Attachments of a class to the gate of @fd; a negative errno. */
static inline int stay_attached(int fd, enum memgate_class class)
{
	struct mg_gate gate;
	int i, nr = 0, err = mg_gate_read(0, fd, &gate);

	for (i = 0; i < gate.nr_consumers; i++)
		nr += gate.consumer[i].kind == class;
	return err ?: nr;
}

/* The same, when those above @expected have had time to die. */
static inline int stay_left(int fd, enum memgate_class class, int expected)
{
	int i, nr;

	for (i = 0; i < 500; i++) {
		nr = stay_attached(fd, class);
		if (nr <= expected)
			break;
		usleep(10000);
	}
	return nr;
}

#endif /* STAY_H */
