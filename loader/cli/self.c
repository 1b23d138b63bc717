// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How the process that runs a VMM names itself to a policy. */
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
	if (fclose(f)) {
		free(out);
		return NULL;
	}
	return out;
}
