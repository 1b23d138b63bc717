/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a gate costs: operations, each tried in several states of the system
 */
#ifndef MEMGATE_BENCH_H
#define MEMGATE_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* The memfd under test: base pages, all of them there and mapped. */
#define BENCH_LEN	(4UL << 20)
#define BENCH_PAGE	4096UL

/* The operations, as bits, for the states that not all make sense in. */
enum {
	BENCH_MMAP	= 1 << 0,
	BENCH_READ	= 1 << 1,
	BENCH_GUP	= 1 << 2,
	BENCH_KVM	= 1 << 3,
	BENCH_FORK	= 1 << 4,
	BENCH_GATED	= (1 << 5) - 1,	/* that have to do with the memfd */
	BENCH_ANON	= 1 << 5,
	BENCH_ALL	= (1 << 6) - 1,
};

/*
 * The clock.  Under QEMU's -icount shift=0 it counts executed instructions,
 * elsewhere it tells time; either way only ratios matter.  The fences keep
 * what is measured between the two readings.
 */
static inline uint64_t bench_now(void)
{
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/*
 * bench_ops.c
 *
 * Each process measures one operation in one state.  prepare() makes what
 * exists before the memfd is closed, start() what is made then.  sample()
 * stores what it measured and answers how many operations that was, or a
 * negative errno if they did not go as they should.  With @refused they
 * should fail with EACCES.
 */
struct bench_op {
	const char *name;
	unsigned int bit;
	int (*prepare)(int memfd);
	int (*start)(int memfd);
	int (*sample)(int memfd, bool refused, uint64_t *cost);
	bool refusable;		/* has something to measure where refused */
	int rounds;		/* processes: see bench.c */
};

extern const struct bench_op bench_ops[];
extern const size_t bench_nr_ops;

/*
 * bench_states.c
 *
 * All functions may be missing and answer 0 or a negative errno.  load() runs
 * once, enter() in each process that measures, and close() in it at last, when
 * the operation is prepared.
 */
struct bench_state {
	const char *name;
	unsigned int ops;	/* that are measured in it */
	bool refused;		/* they are refused */
	int (*load)(void);
	int (*enter)(int memfd);
	int (*close)(int memfd);
	void (*unload)(void);
};

extern const struct bench_state bench_states[];
extern const size_t bench_nr_states;

#endif /* MEMGATE_BENCH_H */
