// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How the process that runs a VMM names itself to a policy. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"

/* The initial pid namespace's inode number is fixed (PROC_PID_INIT_INO). */
#define INIT_PID_NS_INO	0xeffffffcU

bool in_init_pid_ns(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) &&
	       st.st_ino == INIT_PID_NS_INO;
}

/*
 * Field 22 of /proc/PID/stat, where PID may be "self": start time in clock
 * ticks since boot.
 */
int process_start(const char *pid, uint64_t *ticks)
{
	char path[64];
	char line[1024];
	unsigned long long start;
	char *p;
	FILE *f;
	size_t n;
	int i;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	/* The name, field 2, may hold blanks and parentheses. */
	p = strrchr(line, ')');
	for (i = 2; p && i < 22; i++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p || sscanf(p, "%llu", &start) != 1)
		return -EINVAL;
	*ticks = start;
	return 0;
}

int self_start(uint64_t *ticks)
{
	return process_start("self", ticks);
}

/* Replace each {name} by its value; NULL if there is no memory. */
char *expand(const char *s, const char * const *names,
	     const char * const *values, int nr)
{
	size_t size, len;
	char *out;
	FILE *f;
	int i;

	f = open_memstream(&out, &size);
	if (!f)
		return NULL;
	while (*s) {
		for (i = 0; i < nr; i++) {
			len = strlen(names[i]);
			if (*s == '{' && !strncmp(s + 1, names[i], len) &&
			    s[len + 1] == '}')
				break;
		}
		if (i < nr) {
			fputs(values[i], f);
			s += strlen(names[i]) + 2;
		} else {
			fputc(*s++, f);
		}
	}
	if (fclose(f))
		return NULL;
	return out;
}
