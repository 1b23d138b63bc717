// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* GATE := fd N | pid PID fd N, and numbers on a command line. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
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
				    : "is the process alive, the descriptor "
				    "open?", "cannot look at %s", path);
	target[n] = '\0';
	/* Opening a pipe or a device could do things; nobody asked for it. */
	if (strncmp(target, "/memfd:", 7))
		return report_errno(EXIT_REFUSED, EINVAL,
				    "only memory made by memfd_create(2) can "
				    "be gated", "%s is no memfd but %s", path,
				    target);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return report_errno(EXIT_REFUSED, errno, NULL,
				    "cannot open %s for writing", path);
	return 0;
}

/* 0 and a descriptor to be closed, or the exit code. */
int parse_target(struct words *w, int *fd)
{
	bool remote = take_word(w, "pid");
	int pid = 0, nr;

	if (remote && (parse_int(next_word(w), &pid) || !pid))
		return report_usage("'pid' needs the number of a process");
	if (!take_word(w, "fd"))
		return wrong_word(w, "%s", remote ?
				  "'pid PID' is followed by 'fd N'" :
				  "name the gate: 'fd N' or 'pid PID fd N'");
	if (parse_int(next_word(w), &nr))
		return report_usage("'fd' needs a number");
	if (remote) {
		error_context("pid %d fd %d: ", pid, nr);
		return open_remote(pid, nr, fd);
	}
	*fd = nr;
	return 0;
}
