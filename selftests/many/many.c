// SPDX-License-Identifier: GPL-2.0-only
/*
 * One loaded policy on very many memfds, each with parameters of its own:
 * what an install costs from the first to the last, what the kernel keeps
 * for each, how long the command takes to list them, and that nothing is left
 * of them.  Prints TAP.
 *
 *   many [GATES]
 *
 * To be run in a VM whose clock counts instructions (vm/run -c): there the
 * same program costs the same each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <memgate/memgate.h>

#define MAX_GATES	100000
/* Batches of installs that are compared. */
#define BATCHES		10
/* What the kernel may keep for a gate besides the parameters: bytes. */
#define MAX_BYTES	1024
/*
 * What may be left of a gate that is gone, as slabs that are not empty: far
 * less than the smallest thing that it consists of.
 */
#define MAX_LEFT	64
/* What `memgate gate list` may take: milliseconds of the guest. */
#define MAX_LIST	2000
/* How much dearer the dearest batch may be than the first: percent. */
#define MAX_SLOPE	110
/* Gates that are made and closed before anything is looked at. */
#define WARM_UP		100

static int nr_gates = 10000;
static int *memfds;
/* Of each install: what it computes, and how long it takes with all waits. */
static uint64_t *cpu, *whole;
static int nr_test;
static bool failed;

static bool result(bool good, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++nr_test);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	failed |= !good;
	return good;
}

static void bail_out(const char *what, int err)
{
	printf("Bail out! %s: %s\n", what, strerror(err));
	exit(1);
}

static uint64_t now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/* What the library has looked up in /proc is cached as long as there is room. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "2", 1) != 1)
		bail_out("/proc/sys/vm/drop_caches", errno);
	close(fd);
}

/* Bytes that the kernel has for itself, page tables and page cache aside. */
static long long read_meminfo(void)
{
	static const char * const keys[] = {
		"SReclaimable:", "SUnreclaim:", "VmallocUsed:", "Percpu:",
	};
	long long kib, sum = 0;
	char line[128], key[32];
	size_t i;
	FILE *f;

	f = fopen("/proc/meminfo", "re");
	if (!f)
		bail_out("/proc/meminfo", errno);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31s %lld", key, &kib) != 2)
			continue;
		for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (!strcmp(key, keys[i]))
				sum += kib * 1024;
	}
	fclose(f);
	return sum;
}

/*
 * A cache gives only what was not used since it was asked last, and RCU takes
 * its time to free that.
 */
static long long kernel_memory(void)
{
	int i;

	for (i = 0; i < 5; i++)
		drop_caches();
	usleep(500000);
	return read_meminfo();
}

static void make_memfds(int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		memfds[i] = memfd_create("many", MFD_CLOEXEC |
						 MFD_ALLOW_SEALING);
		if (memfds[i] < 0 || ftruncate(memfds[i], 4096))
			bail_out("memfd", errno);
	}
}

static void close_memfds(int nr)
{
	while (nr--)
		close(memfds[nr]);
}

static void make_room(void)
{
	struct rlimit limit = { MAX_GATES + 100, MAX_GATES + 100 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		bail_out("RLIMIT_NOFILE", errno);
	memfds = calloc(nr_gates, sizeof(*memfds));
	cpu = calloc(nr_gates, sizeof(*cpu));
	whole = calloc(nr_gates, sizeof(*whole));
	if (!memfds || !cpu || !whole)
		bail_out("memory", ENOMEM);
	/* The table of descriptors grows once, and stays. */
	if (dup2(0, nr_gates + 50) < 0)
		bail_out("descriptors", errno);
}

/* Whose the i-th is. */
static uid_t owner_of(int i)
{
	return i + 1;
}

/* Installed and frozen, as `memgate run` does it: no link stays open. */
static int gate_one(struct memgate_policy *policy, int i)
{
	struct memgate_params *params = memgate_params__new(policy);
	char uid[16];
	int link, err;

	snprintf(uid, sizeof(uid), "%u", owner_of(i));
	err = params ? memgate_params__set(params, "by_uid", "1") : -ENOMEM;
	if (!err)
		err = memgate_params__set(params, "uid", uid);
	link = err ? err : memgate_gate__install(memfds[i], policy, params);
	memgate_params__free(params);
	if (link < 0)
		return link;
	err = memgate_gate__freeze(memfds[i]);
	close(link);
	return err;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* A mean would see the slabs that some install happens to fill. */
static uint64_t median(uint64_t *from, int nr)
{
	qsort(from, nr, sizeof(*from), compare);
	return from[nr / 2];
}

static void report_costs(const char *what, uint64_t *cost)
{
	uint64_t first = 0, most = 0, batch;
	int i, each = nr_gates / BATCHES;

	printf("# %s of an install in us, median of each %d:", what, each);
	for (i = 0; i < BATCHES; i++) {
		batch = median(cost + i * each, each);
		first = first ?: batch;
		most = batch > most ? batch : most;
		printf(" %.1f", batch / 1000.0);
	}
	printf("\n");
	result(most * 100 <= first * MAX_SLOPE,
	       "%s: the dearest of %d batches takes %llu%% of the first", what,
	       BATCHES, (unsigned long long)(most * 100 / first));
}

static void gate_all(struct memgate_policy *policy)
{
	uint64_t start_cpu, start;
	int i, err = 0;

	for (i = 0; i < nr_gates && !err; i++) {
		start = now(CLOCK_MONOTONIC);
		start_cpu = now(CLOCK_THREAD_CPUTIME_ID);
		err = gate_one(policy, i);
		cpu[i] = now(CLOCK_THREAD_CPUTIME_ID) - start_cpu;
		whole[i] = now(CLOCK_MONOTONIC) - start;
	}
	if (!result(!err, "%d installs of one loaded policy", nr_gates)) {
		printf("# the %d-th: %s\n", i, memgate_error_text());
		exit(1);
	}
	report_costs("computing", cpu);
	report_costs("time", whole);
}

/* As some user: 0, or the errno of a read. */
static int read_as(uid_t uid, int fd)
{
	int status;
	char byte;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (setresuid(uid, uid, uid))
			_exit(255);
		_exit(pread(fd, &byte, 1, 0) == 1 ? 0 : errno);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* One program, so many answers. */
static void ask_some(void)
{
	int i, wrong = 0, asked = 0;

	for (i = 0; i < nr_gates; i += nr_gates / 20) {
		asked++;
		wrong += read_as(owner_of(i), memfds[i]) != 0;
		wrong += read_as(owner_of(i) + 1, memfds[i]) != EACCES;
	}
	result(!wrong, "each of %d has an owner of its own: %d answers wrong",
	       asked, wrong);
}

/* What children that have ended computed: milliseconds. */
static long children_ms(void)
{
	struct rusage used;

	getrusage(RUSAGE_CHILDREN, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 +
	       (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/*
 * How many pieces of what a command prints, each to a delimiter, begin with a
 * mark; -1 if it failed.
 * What it waits for is the host's file system, which is not looked at.
 */
static int list(const char *command, int delim, const char *mark, long *ms)
{
	size_t size = 0, len = strlen(mark);
	long start = children_ms();
	char *piece = NULL;
	int nr = 0;
	FILE *f;

	f = popen(command, "re");
	if (!f)
		bail_out(command, errno);
	while (getdelim(&piece, &size, delim, f) > 0)
		nr += !strncmp(piece, mark, len);
	free(piece);
	if (pclose(f))
		nr = -1;
	*ms = children_ms() - start;
	return nr;
}

#define LIST		"memgate gate list"
#define LIST_INCAPABLE							\
	"setpriv --bounding-set=-bpf,-perfmon,-sys_admin "		\
	"--inh-caps=-all " LIST
#define LIST_JSON	"memgate -j gate list"

static void list_all(void)
{
	long ms;
	int nr;

	nr = list(LIST, '\n', "gate ", &ms);
	result(nr == nr_gates && ms < MAX_LIST,
	       "'memgate gate list' has %d gates after %ld ms", nr, ms);
	nr = list(LIST_INCAPABLE, '\n', "gate ", &ms);
	result(nr == nr_gates && ms < MAX_LIST,
	       "without capabilities, from /proc: %d gates after %ld ms", nr,
	       ms);
	nr = list(LIST_JSON, '{', "\"id\":", &ms);
	result(nr >= nr_gates && ms < MAX_LIST,
	       "with -j, and all parameters: %d gates after %ld ms", nr, ms);
}

/* What is made once, for the first gate and the first list, stays. */
static void warm_up(struct memgate_policy *policy)
{
	long ms;
	int i;

	make_memfds(WARM_UP);
	for (i = 0; i < WARM_UP; i++)
		if (gate_one(policy, i))
			bail_out(memgate_error_text(), errno);
	read_as(owner_of(0), memfds[0]);
	list(LIST, '\n', "gate ", &ms);
	list(LIST_INCAPABLE, '\n', "gate ", &ms);
	list(LIST_JSON, '{', "gate ", &ms);
	close_memfds(WARM_UP);
}

/* Freeing is left to RCU and workers: wait until it is done, not longer. */
static long long wait_for_memory(long long wanted)
{
	long long have = kernel_memory();
	int i;

	for (i = 0; i < 20 && have > wanted; i++)
		have = kernel_memory();
	return have;
}

static void close_all(long long before)
{
	long long left;
	long ms;
	int nr;

	close_memfds(nr_gates);
	left = wait_for_memory(before + (long long)nr_gates * MAX_LEFT) -
	       before;
	nr = list(LIST, '\n', "gate ", &ms);
	result(nr == 0, "all closed: the kernel has %d gates", nr);
	result(left <= (long long)nr_gates * MAX_LEFT,
	       "and %lld bytes more than before the first memfd", left);
}

static struct memgate_policy *load(const char *build)
{
	struct memgate_policy *policy;
	char path[512];

	snprintf(path, sizeof(path), "%s/bpf/owner.bpf.o", build);
	policy = memgate_policy__load(path);
	if (!policy)
		bail_out(memgate_error_text(), errno);
	return policy;
}

int main(int argc, char **argv)
{
	const char *build = getenv("O") ?: "build";
	struct memgate_policy *policy;
	long long before, bare, gated, each;

	if (argc > 1)
		nr_gates = atoi(argv[1]);
	if (nr_gates < 20 * BATCHES || nr_gates > MAX_GATES)
		bail_out("number of gates", ERANGE);
	puts("TAP version 13");
	policy = load(build);
	make_room();
	warm_up(policy);
	before = kernel_memory();
	make_memfds(nr_gates);
	bare = kernel_memory();
	gate_all(policy);
	gated = kernel_memory();
	each = (gated - bare) / nr_gates - memgate_policy__params_size(policy);
	result(each <= MAX_BYTES,
	       "a gate takes %lld bytes besides %u of parameters (a memfd %lld)",
	       each, memgate_policy__params_size(policy),
	       (bare - before) / nr_gates);
	ask_some();
	list_all();
	close_all(before);
	memgate_policy__free(policy);
	printf("1..%d\n", nr_test);
	return failed;
}
