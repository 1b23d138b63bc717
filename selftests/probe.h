/* SPDX-License-Identifier: GPL-2.0-only */
/* Is a class of access open?  0 or -errno, for tests about policies. */
#ifndef PROBE_H
#define PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memgate_util.h"

/* Asks for MAP. */
static inline int probe_map(int fd)
{
	void *map = mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, MG_HUGE_SIZE);
	return 0;
}

/* Asks for FILE. */
static inline int probe_read(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) < 0 ? -errno : 0;
}

/* 0: there is no gate and no seal; -EEXIST: there is one. */
static inline int probe_untouched(int fd)
{
	struct mg_gate gate;

	if (mg_gate_read(0, fd, &gate) != -ENOENT ||
	    fcntl(fd, F_GET_SEALS) & F_SEAL_ACCESS)
		return -EEXIST;
	return probe_map(fd) || probe_read(fd) ? -EEXIST : 0;
}

/* How an install fails: 0 if it does not, and then it is undone. */
static inline int probe_install(const struct mg_policy *policy, int fd)
{
	int link = mg_install(policy, fd);

	if (link < 0)
		return -errno;
	close(link);
	return 0;
}

/* The same with every part to be chosen. */
static inline int probe_install_raw(int map_fd, int fd, unsigned int flags,
				    const void *params, unsigned int len)
{
	int link = mg_install_raw(map_fd, fd, flags, params, len);

	if (link < 0)
		return -errno;
	close(link);
	return 0;
}

/* Memory of memfds in use, in kB: shared memory and 2 MiB huge pages. */
static inline long probe_used_kb(void)
{
	long kb, used = 0;
	char line[128];
	FILE *f;

	/* Otherwise some of it is still in the counters of the CPUs. */
	mg_write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Shmem: %ld", &kb) == 1)
			used += kb;
		if (sscanf(line, "HugePages_Total: %ld", &kb) == 1)
			used += kb * 2048;
		if (sscanf(line, "HugePages_Free: %ld", &kb) == 1)
			used -= kb * 2048;
	}
	if (f)
		fclose(f);
	return used;
}

/* Gives what is freed only after a grace period a while. */
static inline bool probe_back_to(long kb)
{
	int i;

	for (i = 0; i < 50 && probe_used_kb() > kb; i++)
		usleep(100000);
	return probe_used_kb() <= kb;
}

#endif /* PROBE_H */
