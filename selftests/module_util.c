// SPDX-License-Identifier: GPL-2.0-only
/* Kernel modules that are built for tests. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module_util.h"

static int open_module(const char *name)
{
	const char *folder = getenv("MEMGATE_MODULES");
	char exe[4096], path[4608];
	ssize_t n;
	int fd;

	if (folder) {
		snprintf(path, sizeof(path), "%s/%s.ko", folder, name);
	} else {
		n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
		if (n < 0)
			return -1;
		exe[n] = '\0';
		snprintf(path, sizeof(path), "%s/modules/%s.ko", dirname(exe),
			 name);
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		printf("# no %s: make -C selftests/modules builds it\n", path);
	return fd;
}

int mg_module_load(const char *name, const char *params)
{
	int fd = open_module(name), err;

	if (fd < 0)
		return -errno;
	err = syscall(__NR_finit_module, fd, params, 0) ? -errno : 0;
	close(fd);
	return err;
}

int mg_module_remove(const char *name)
{
	return syscall(__NR_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
