// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate learn: the nearest cgroup that several have in common. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "learn.h"

static const char * const roots[] = {
	"/sys/fs/cgroup", "/sys/fs/cgroup/unified",
};

static bool is_one_of(uint64_t ino, const uint64_t *id, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (id[i] == ino)
			return true;
	return false;
}

/*
 * How many of them are this cgroup or below it.  *common becomes the innermost
 * that has all of them.
 */
static size_t count_below(int parent, const char *name, const uint64_t *id,
			  size_t nr, uint64_t *common)
{
	struct dirent *d;
	struct stat st;
	size_t found;
	DIR *dir;
	int fd;

	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC |
		    O_NOFOLLOW);
	if (fd < 0)
		return 0;
	dir = fstat(fd, &st) ? NULL : fdopendir(fd);
	if (!dir) {
		close(fd);
		return 0;
	}
	found = is_one_of(st.st_ino, id, nr);
	while (!*common && (d = readdir(dir)))
		if (d->d_type == DT_DIR && d->d_name[0] != '.')
			found += count_below(fd, d->d_name, id, nr, common);
	closedir(dir);
	if (!*common && found == nr)
		*common = st.st_ino;
	return found;
}

/* @id: different ones.  0 if there is none, or only the root. */
uint64_t common_cgroup(const uint64_t *id, size_t nr)
{
	struct stat root;
	uint64_t common;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(roots); i++) {
		common = 0;
		if (stat(roots[i], &root))
			continue;
		count_below(AT_FDCWD, roots[i], id, nr, &common);
		if (common && common != root.st_ino)
			return common;
	}
	return 0;
}
