// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* GATE := fd N | pid PID [fd N], and numbers on a command line. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

int parse_int(const char *s, int *value)
{
	char *end;
	long v;

	if (!s || !isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno || *end || v > INT_MAX)
		return -EINVAL;
	*value = v;
	return 0;
}

/* Bytes, or with a suffix K, M, G, T. */
int parse_size(const char *s, uint64_t *size)
{
	unsigned long long v;
	static const char units[] = "KMGT";
	const char *unit;
	int shift = 0;
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno)
		return -ERANGE;
	if (*end) {
		unit = strchr(units, toupper((unsigned char)*end));
		if (!unit || (end[1] && strcasecmp(end + 1, "B") &&
			      strcasecmp(end + 1, "iB")))
			return -EINVAL;
		shift = 10 * (int)(unit - units + 1);
	}
	if (v > (uint64_t)INT64_MAX >> shift)
		return -ERANGE;
	*size = v << shift;
	return 0;
}

/* Open another process's descriptor anew; the gate is the inode's. */
static int open_remote(int pid, int nr, int *fd)
{
	char path[64], target[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, nr);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return report_errno(EXIT_REFUSED, errno, errno == EACCES ?
				    "it takes the right to trace that process"
				    : "is the process alive (and no kernel "
				    "thread), the descriptor open?",
				    "cannot look at %s", path);
	target[n] = '\0';
	/* Opening a pipe or a device could do things; nobody asked for it. */
	if (strncmp(target, "/memfd:", 7))
		return report_errno(EXIT_REFUSED, EINVAL,
				    "only memory made by memfd_create(2) can "
				    "be gated", "%s is no memfd but %s", path,
				    target);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return report_errno(EXIT_REFUSED, errno, "its owner, or root "
				    "with CAP_DAC_OVERRIDE, may open it",
				    "cannot open %s for writing", path);
	return 0;
}

#define MAX_MEMFDS	16

/* A memfd that a process has open, perhaps more than once. */
struct memfd {
	int nr;
	dev_t dev;
	ino_t ino;
	uint64_t size;
	char name[256];
};

/* What /proc/PID/fd/NR is; false if it is no memfd. */
static bool look_at(int dir, const char *nr, struct memfd *m)
{
	char target[256];
	struct stat st;
	ssize_t n = readlinkat(dir, nr, target, sizeof(target) - 1);
	char *end;

	if (n < 0)
		return false;
	target[n] = '\0';
	if (strncmp(target, "/memfd:", 7) || fstatat(dir, nr, &st, 0) ||
	    parse_int(nr, &m->nr))
		return false;
	end = strstr(target, " (deleted)");
	if (end)
		*end = '\0';
	snprintf(m->name, sizeof(m->name), "%s", target + 7);
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->size = st.st_size;
	return true;
}

/* How many different memfds; those that have room are told. */
static int find_memfds(DIR *dir, struct memfd *found)
{
	struct memfd m;
	struct dirent *d;
	int nr = 0, i;

	while ((d = readdir(dir))) {
		if (!look_at(dirfd(dir), d->d_name, &m))
			continue;
		for (i = 0; i < nr; i++)
			if (found[i].ino == m.ino && found[i].dev == m.dev)
				break;
		if (i == nr && nr < MAX_MEMFDS)
			found[nr++] = m;
	}
	return nr;
}

static int list_memfds(int pid, const struct memfd *found, int nr)
{
	char text[MAX_MEMFDS * 300] = "", size[32];
	size_t len = 0;
	int i;

	for (i = 0; i < nr && len < sizeof(text); i++)
		len += snprintf(text + len, sizeof(text) - len,
				"%sfd %d (%s, %s)", i ? ", " : "",
				found[i].nr, found[i].name,
				size_text(found[i].size, size, sizeof(size)));
	return report_errno(EXIT_REFUSED, ENOTUNIQ,
			    "say which: 'pid PID fd N'",
			    "process %d has %d memfds: %s", pid, nr, text);
}

/* The descriptor of the only memfd that a process has. */
static int only_memfd(int pid, int *nr)
{
	struct memfd found[MAX_MEMFDS];
	char path[64];
	DIR *dir;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return report_errno(EXIT_REFUSED, errno, errno == EACCES ?
				    "it takes the right to trace that process"
				    : "is the process alive?",
				    "cannot look at %s", path);
	n = find_memfds(dir, found);
	closedir(dir);
	if (!n)
		return report_errno(EXIT_REFUSED, ENOENT,
				    "QEMU has one with '-object "
				    "memory-backend-memfd', or start it by "
				    "'memgate run'",
				    "process %d has no memfd open", pid);
	if (n > 1)
		return list_memfds(pid, found, n);
	*nr = found[0].nr;
	return 0;
}

/* The process in "pid PID ...", which comes next; 0 if none is named. */
int target_pid(const struct words *w)
{
	int pid;

	if (w->nr < 2 || strcmp(w->word[0], "pid") ||
	    parse_int(w->word[1], &pid))
		return 0;
	return pid;
}

static int parse_remote(struct words *w, int pid, int *fd)
{
	int nr, err;

	if (take_word(w, "fd")) {
		if (parse_int(next_word(w), &nr))
			return report_usage("'fd' needs a number");
	} else if (w->nr && !at_keyword(w)) {
		return no_more_words(w);
	} else {
		err = only_memfd(pid, &nr);
		if (err)
			return err;
	}
	error_context("pid %d fd %d: ", pid, nr);
	return open_remote(pid, nr, fd);
}

/* 0 and a descriptor to be closed, or the exit code. */
int parse_target(struct words *w, int *fd)
{
	int pid = 0, nr, flags;

	if (take_word(w, "pid")) {
		if (parse_int(next_word(w), &pid) || !pid)
			return report_usage("'pid' needs the number of a "
					    "process");
		return parse_remote(w, pid, fd);
	}
	if (!take_word(w, "fd"))
		return wrong_word(w, "name the gate: 'fd N' or "
				     "'pid PID [fd N]'");
	if (parse_int(next_word(w), &nr))
		return report_usage("'fd' needs a number");
	flags = fcntl(nr, F_GETFL);
	if (flags >= 0 && flags & O_PATH)
		return report_errno(EXIT_REFUSED, EBADF, "open it for reading "
				    "and writing", "file descriptor %d is open "
				    "with O_PATH, which permits nothing", nr);
	*fd = nr;
	return 0;
}
