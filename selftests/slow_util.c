// SPDX-License-Identifier: GPL-2.0-only
/* A kernel with KASAN and lockdep, under emulation, gets more time. */
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "memgate_util.h"

int mg_slowness(void)
{
	const char *text = getenv("MEMGATE_SLOWNESS");
	int times = text ? atoi(text) : 1;

	return times > 1 ? times : 1;
}

/* In place of libc's: the harness limits each test by it. */
unsigned int alarm(unsigned int seconds)
{
	struct itimerval old, new = {
		.it_value = { .tv_sec = (long)seconds * mg_slowness() },
	};

	setitimer(ITIMER_REAL, &new, &old);
	return old.it_value.tv_sec + !!old.it_value.tv_usec;
}
