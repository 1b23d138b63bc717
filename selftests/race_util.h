/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hammers: threads and processes that do one thing to a memfd as fast as
 * they can, while the test seals it under them.
 *
 * How long it all takes comes from the environment:
 *	MEMGATE_RACE_SECONDS		a race program, about (10)
 *	MEMGATE_RACE_TEST_SECONDS	one test of it instead
 */
#ifndef RACE_UTIL_H
#define RACE_UTIL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Time **********************************************************************/

/* The share of one test in a program that has @tests of them, in seconds. */
double race_share(int tests);

struct race_clock {
	double end;
	int rounds;
};

void race_clock_start(struct race_clock *clock, int tests);
/* Whether there is time for one more round; the first there always is. */
bool race_again(struct race_clock *clock);
double race_now(void);

/* Hammers *******************************************************************/

/* Refusals that every hammer must have seen after the seal. */
#define RACE_REFUSALS	20

struct hammer {
	const char *name;
	/* One access: 1 done with bytes in @buf, 0 done, or -errno. */
	int (*access)(struct hammer *h, off_t off, char *buf);
	/* What a refusal looks like here besides EACCES. */
	int refusal;
	/* A process of its own, with its own mappings. */
	bool process;
	/* What it hammers at: belongs to the test. */
	void *target;
	int nr;			/* among the hammers of this round */
	unsigned int seed;
	int fd;			/* own; -1 until the access opens it */

	struct race *race;
	pthread_t thread;
	pid_t pid;
	_Atomic unsigned long before, refused;
	unsigned long late, leaked, strange;
	int what;		/* errno of the last strange one */
	_Atomic bool done;
};

/* Lies in memory that is shared with the processes among the hammers. */
struct race {
	struct hammer *hammer;
	int nr;
	size_t len;		/* accesses are at 0 .. len - 1 */
	_Atomic bool sealed, stop, leave;
};

#define RACE_SECRET	0x5ec2e75e5ec2e75eULL

/* Memory for a struct race or what a hammer leaves for the test to see. */
void *race_shared(size_t size);
/* Starts copies of @hammer; 0 or -errno. */
int race_start(struct race *race, const struct hammer *hammer, int nr,
	       void *target, size_t len);
/* Waits until each hammer has succeeded @times; false if one never did. */
bool race_warm(struct race *race, unsigned long times);
/* Tells them of the seal, waits until each has been refused. */
void race_sealed(struct race *race);
/* Stops them; the processes and what they have mapped stay. */
void race_stop(struct race *race);
/* Lets the processes go. */
void race_leave(struct race *race);

/*
 * F_SEAL_ACCESS, however often that needs: pins come and go all the time.
 * Every second time it is an install of @deny that seals, if there is one.
 */
struct mg_policy;
int race_seal(int fd, const struct mg_policy *deny, int round);

/* The bytes that the owner writes after F_ADD_SEALS has returned. */
void race_write_secret(char *map, size_t len);
bool race_has_secret(const char *buf, size_t len);

/* Mappings of a memfd in all processes now. */
unsigned int race_count_maps(int fd);

/* The CPU that a thread runs on, so that two of them have two. */
void race_on_cpu(int nr);

#endif /* RACE_UTIL_H */
