// SPDX-License-Identifier: GPL-2.0-only
/* Threads and processes that hammer at a memfd while it is sealed. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "memgate_util.h"
#include "race_util.h"

#define ACCESS_BYTES	4096
/* Half milliseconds that a hammer may take to get somewhere. */
#define PATIENCE	(20000 * mg_slowness())

/* Time **********************************************************************/

double race_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double from_env(const char *name, double otherwise)
{
	const char *text = getenv(name);
	double seconds = text ? atof(text) : 0;

	return seconds > 0 ? seconds : otherwise;
}

double race_share(int tests)
{
	return from_env("MEMGATE_RACE_TEST_SECONDS",
			from_env("MEMGATE_RACE_SECONDS", 10) / tests);
}

void race_clock_start(struct race_clock *clock, int tests)
{
	clock->end = race_now() + race_share(tests);
	clock->rounds = 0;
}

bool race_again(struct race_clock *clock)
{
	return !clock->rounds++ || race_now() < clock->end;
}

/* Hammers *******************************************************************/

void *race_shared(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

void race_on_cpu(int nr)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(nr % sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* @sealed: what was known before the access began. */
static void judge(struct hammer *h, int ret, bool sealed, const char *buf)
{
	if (ret > 0 && race_has_secret(buf, ACCESS_BYTES))
		h->leaked++;
	if (ret >= 0 && sealed)
		h->late++;
	else if (ret >= 0)
		h->before++;
	else if (ret == -EACCES || (h->refusal && ret == -h->refusal))
		h->refused++;
	else if (ret != -EAGAIN && ret != -EINTR) {
		h->strange++;
		h->what = -ret;
	}
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	struct race *race = h->race;
	char *buf = malloc(ACCESS_BYTES);
	bool sealed;
	off_t off;

	while (buf && !race->stop) {
		off = rand_r(&h->seed) % (race->len / ACCESS_BYTES);
		off *= ACCESS_BYTES;
		/* Before the access begins: what is sealed now was then. */
		sealed = race->sealed;
		judge(h, h->access(h, off, buf), sealed, buf);
	}
	free(buf);
	h->done = true;
	return NULL;
}

static void run_process(struct hammer *h)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	hammer(h);
	while (!h->race->leave)
		usleep(2000);
	_exit(0);
}

static int start_one(struct hammer *h)
{
	if (!h->process)
		return -pthread_create(&h->thread, NULL, hammer, h);
	h->pid = fork();
	if (h->pid < 0)
		return -errno;
	if (!h->pid)
		run_process(h);
	return 0;
}

int race_start(struct race *race, const struct hammer *from, int nr,
	       void *target, size_t len)
{
	int i, first, err = 0;

	memset(race, 0, sizeof(*race));
	race->hammer = race_shared(nr * sizeof(*from));
	if (!race->hammer)
		return -ENOMEM;
	race->len = len;
	for (i = 0; i < nr; i++) {
		race->hammer[i] = from[i];
		race->hammer[i].race = race;
		race->hammer[i].target = target;
		race->hammer[i].nr = i;
		race->hammer[i].seed = i + 1;
		race->hammer[i].fd = -1;
	}
	race->nr = nr;
	/* Processes first: a fork beside threads may inherit a held lock. */
	for (first = 1; first >= 0; first--)
		for (i = 0; i < nr && !err; i++)
			if (from[i].process == first)
				err = start_one(&race->hammer[i]);
	return err;
}

static bool wait_for(_Atomic unsigned long *counter, unsigned long value)
{
	int i;

	for (i = 0; i < PATIENCE && *counter < value; i++)
		usleep(500);
	return *counter >= value;
}

bool race_warm(struct race *race, unsigned long times)
{
	bool all = true;
	int i;

	for (i = 0; i < race->nr; i++)
		all &= wait_for(&race->hammer[i].before, times);
	return all;
}

void race_sealed(struct race *race)
{
	int i;

	race->sealed = true;
	for (i = 0; i < race->nr; i++)
		wait_for(&race->hammer[i].refused, RACE_REFUSALS);
}

void race_stop(struct race *race)
{
	int i, tries;

	race->stop = true;
	for (i = 0; i < race->nr; i++) {
		if (!race->hammer[i].process)
			pthread_join(race->hammer[i].thread, NULL);
		for (tries = 0; tries < PATIENCE; tries++) {
			if (race->hammer[i].done)
				break;
			usleep(500);
		}
	}
}

void race_leave(struct race *race)
{
	int i, status;

	race->leave = true;
	for (i = 0; i < race->nr; i++)
		if (race->hammer[i].process)
			waitpid(race->hammer[i].pid, &status, 0);
	munmap(race->hammer, race->nr * sizeof(*race->hammer));
}

/* The seal ******************************************************************/

int race_seal(int fd, const struct mg_policy *deny, int round)
{
	int i, link, ret = -1;

	for (i = 0; i < 500 && ret; i++) {
		if (deny && round % 2) {
			link = mg_install(deny, fd);
			ret = link < 0 ? -1 : 0;
			if (!ret)
				close(link);
		} else {
			ret = mg_seal(fd);
		}
		if (ret && errno != EBUSY)
			break;
	}
	return ret;
}

void race_write_secret(char *map, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 512)
		*(volatile uint64_t *)(map + i) = RACE_SECRET;
}

bool race_has_secret(const char *buf, size_t len)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		if (word == RACE_SECRET)
			return true;
	}
	return false;
}

/* Mappings ******************************************************************/

static unsigned int count_in(const char *pid, const struct stat *st)
{
	unsigned int major, minor, count = 0;
	unsigned long inode;
	char line[512];
	FILE *maps;

	snprintf(line, sizeof(line), "/proc/%s/maps", pid);
	maps = fopen(line, "re");
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%*s %*s %*s %x:%x %lu", &major, &minor,
			   &inode) == 3 && inode == st->st_ino &&
		    makedev(major, minor) == st->st_dev)
			count++;
	if (maps)
		fclose(maps);
	return count;
}

unsigned int race_count_maps(int fd)
{
	unsigned int count = 0;
	struct dirent *entry;
	struct stat st;
	DIR *proc;

	fstat(fd, &st);
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc)))
		if (isdigit(entry->d_name[0]))
			count += count_in(entry->d_name, &st);
	if (proc)
		closedir(proc);
	return count;
}
