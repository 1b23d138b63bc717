// SPDX-License-Identifier: GPL-2.0-only
/* The seal, and the gate as fdinfo shows it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memgate_util.h"

int mg_add_seals(int fd, int seals)
{
	return fcntl(fd, F_ADD_SEALS, seals);
}

int mg_seal(int fd)
{
	return mg_add_seals(fd, F_SEAL_ACCESS);
}

bool mg_kernel_has_gate(void)
{
	int fd = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool has = fd >= 0 && !mg_seal(fd);

	if (fd >= 0)
		close(fd);
	return has;
}

/* Field @key of a line of "key value" pairs; the empty string if absent. */
static const char *field(const char *line, const char *key)
{
	static char value[64];
	char k[64], v[64];
	int n;

	while (sscanf(line, " %63s %63s%n", k, v, &n) == 2) {
		if (!strcmp(k, key)) {
			strcpy(value, v);
			return value;
		}
		line += n;
	}
	value[0] = '\0';
	return value;
}

static unsigned long long number(const char *line, const char *key)
{
	return strtoull(field(line, key), NULL, 0);
}

static int parse_policy(const char *line, struct mg_gate *gate)
{
	struct mg_policy_line *p;

	if (gate->nr_policies == MG_MAX_LINES)
		return -E2BIG;
	p = &gate->policy[gate->nr_policies++];
	snprintf(p->name, sizeof(p->name), "%s", field(line, "name"));
	snprintf(p->state, sizeof(p->state), "%s", field(line, "state"));
	p->map = number(line, "map");
	p->link = number(line, "link");
	p->classes = number(line, "classes");
	return p->name[0] && p->state[0] ? 0 : -EPROTO;
}

static int parse_consumer(const char *line, struct mg_gate *gate)
{
	struct mg_consumer_line *c;

	if (gate->nr_consumers == MG_MAX_LINES)
		return -E2BIG;
	c = &gate->consumer[gate->nr_consumers++];
	c->kind = number(line, "kind");
	c->id = number(line, "id");
	c->rights = number(line, "rights");
	c->pid = number(line, "pid");
	return c->id ? 0 : -EPROTO;
}

static int parse_device(const char *line, struct mg_gate *gate)
{
	struct mg_device_line *d;

	if (gate->nr_devices == MG_MAX_LINES)
		return -E2BIG;
	d = &gate->device[gate->nr_devices++];
	d->consumer = number(line, "consumer");
	snprintf(d->name, sizeof(d->name), "%s", field(line, "name"));
	return d->consumer && d->name[0] ? 0 : -EPROTO;
}

static int parse_line(const char *line, struct mg_gate *gate)
{
	const char *rest = strchr(line, ':');

	if (strncmp(line, "memgate", 7) || !rest++)
		return 0;
	if (!strncmp(line, "memgate-policy:", 15))
		return parse_policy(rest, gate);
	if (!strncmp(line, "memgate-consumer:", 17))
		return parse_consumer(rest, gate);
	if (!strncmp(line, "memgate-device:", 15))
		return parse_device(rest, gate);
	if (strncmp(line, "memgate:", 8))
		return -EPROTO;
	gate->id = number(rest, "id");
	gate->premapped = number(rest, "premapped");
	gate->frozen = number(rest, "frozen");
	gate->classes = number(rest, "classes");
	return gate->id ? 0 : -EPROTO;
}

int mg_gate_read(pid_t pid, int fd, struct mg_gate *gate)
{
	char path[64], line[512];
	FILE *f;
	int err = 0;

	memset(gate, 0, sizeof(*gate));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d",
		 pid ? pid : getpid(), fd);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!err && fgets(line, sizeof(line), f))
		err = parse_line(line, gate);
	fclose(f);
	return err ? err : gate->id ? 0 : -ENOENT;
}
