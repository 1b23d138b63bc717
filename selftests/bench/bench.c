// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench [-n SAMPLES] STATE... - what operations cost in some states
 *
 * Runs in the VM.  For each pair of a state and an operation that has a
 * meaning in it a line, or one from each of several processes where the
 * process matters:
 *
 *	bench STATE OPERATION FIGURE MIN MEAN SAMPLES
 *
 * in units of the clock (see bench_now()) for one operation.  The figure is
 * the mean of the middle half of the samples: an interrupt, or an allocator
 * that needs another page, hits few of them.  Fails, without a line, where an
 * operation did not do what it should, or was not refused where it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memgate_util.h"
#include "bench.h"

#define WARM_UP		64
#define NR_FILES	32

static int nr_samples = 2000;

static const struct bench_state *find_state(const char *name)
{
	size_t i;

	for (i = 0; i < bench_nr_states; i++) {
		if (!strcmp(bench_states[i].name, name))
			return &bench_states[i];
	}
	fprintf(stderr, "bench: no state '%s'\n", name);
	exit(2);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double mean(const double *samples, int nr)
{
	double sum = 0;
	int i;

	for (i = 0; i < nr; i++)
		sum += samples[i];
	return sum / nr;
}

static void print(const struct bench_state *state, const struct bench_op *op,
		  double *samples)
{
	int quarter = nr_samples / 4;

	qsort(samples, nr_samples, sizeof(*samples), by_value);
	printf("bench %s %s %.2f %.2f %.2f %d\n", state->name, op->name,
	       mean(samples + quarter, nr_samples - 2 * quarter), samples[0],
	       mean(samples, nr_samples), nr_samples);
	fflush(stdout);
}

/* Answers what failed, NULL if nothing did; *err then says how. */
static const char *measure(const struct bench_state *state,
			   const struct bench_op *op, int memfd, int *err)
{
	double *samples = calloc(nr_samples, sizeof(*samples));
	uint64_t cost;
	int i;

	*err = op->prepare ? op->prepare(memfd) : 0;
	if (*err)
		return "preparing it";
	*err = state->close ? state->close(memfd) : 0;
	if (*err)
		return "closing the memfd";
	*err = op->start ? op->start(memfd) : 0;
	if (*err)
		return "starting it";
	for (i = -WARM_UP; i < nr_samples; i++) {
		*err = op->sample(memfd, state->refused, &cost);
		if (*err < 0)
			return "doing it";
		if (i >= 0)
			samples[i] = (double)cost / *err;
	}
	print(state, op, samples);
	return NULL;
}

/* The program after its execv() in measure_apart(). */
static int measure_here(char **args)
{
	const struct bench_state *state = find_state(args[0]);
	const struct bench_op *op = &bench_ops[atoi(args[1])];
	const char *what;
	int err;

	what = measure(state, op, atoi(args[2]), &err);
	if (what)
		printf("# %s, %s: %s: %s\n", state->name, op->name, what,
		       strerror(-err));
	return !!what;
}

/*
 * As many files everywhere, as fork() copies them; and all of them survive
 * execv().
 */
static void level_files(int memfd)
{
	int fd;

	while (dup(memfd) < NR_FILES - 1)
		;
	for (fd = 3; fd < NR_FILES; fd++)
		fcntl(fd, F_SETFD, 0);
}

/*
 * A process of its own, which executes the program anew: what was loaded for
 * the state is in its files but not in its memory.
 */
static int exec_measure(const struct bench_state *state, size_t op)
{
	char op_arg[24], fd_arg[24], nr_arg[24];
	char *args[] = { "bench", "-n", nr_arg, "-m", (char *)state->name,
			 op_arg, fd_arg, NULL };
	int memfd = mg_memfd(MG_4K, BENCH_LEN);
	int err = memfd < 0 ? -errno : 0;

	if (!err && state->enter)
		err = state->enter(memfd);
	if (!err) {
		level_files(memfd);
		snprintf(nr_arg, sizeof(nr_arg), "%d", nr_samples);
		snprintf(op_arg, sizeof(op_arg), "%zu", op);
		snprintf(fd_arg, sizeof(fd_arg), "%d", memfd);
		execv("/proc/self/exe", args);
		err = -errno;
	}
	printf("# %s, %s: entering the state: %s\n", state->name,
	       bench_ops[op].name, strerror(-err));
	fflush(stdout);
	return 1;
}

static bool measure_apart(const struct bench_state *state, size_t op)
{
	int status, i;
	pid_t pid;

	for (i = 0; i < bench_ops[op].rounds; i++) {
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(exec_measure(state, op));
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return false;
	}
	return true;
}

static bool run_state(const struct bench_state *state)
{
	bool good = true;
	int err = 0;
	size_t i;

	if (state->load)
		err = state->load();
	if (err) {
		printf("# %s: cannot be set up: %s\n", state->name,
		       strerror(-err));
		return false;
	}
	for (i = 0; i < bench_nr_ops; i++) {
		if (!(bench_ops[i].bit & state->ops) ||
		    (state->refused && !bench_ops[i].refusable))
			continue;
		if (!measure_apart(state, i))
			good = false;
	}
	if (state->unload)
		state->unload();
	return good;
}

/* Always the same CPU and the same addresses: other paths cost other sums. */
static void settle(char **argv)
{
	cpu_set_t cpus;
	int old = personality(0xffffffff);

	if (!(old & ADDR_NO_RANDOMIZE)) {
		personality(old | ADDR_NO_RANDOMIZE);
		execv("/proc/self/exe", argv);
	}
	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
	bool good = true, here = false;
	int opt;

	settle(argv);
	while ((opt = getopt(argc, argv, "n:m")) != -1) {
		here = here || opt == 'm';
		if (opt == 'n')
			nr_samples = atoi(optarg);
		if (opt == '?' || nr_samples < 1) {
			fprintf(stderr, "usage: bench [-n SAMPLES] STATE...\n");
			return 2;
		}
	}
	if (here)
		return measure_here(argv + optind);
	for (; optind < argc; optind++)
		good = run_state(find_state(argv[optind])) && good;
	return !good;
}
