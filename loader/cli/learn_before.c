// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate learn: who had the memory when the watch began.  Nobody is asked
 * about them any more, so they are taken as if that happened now, as far as
 * /proc and /sys tell who they are.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "learn.h"

/* Tasks **********************************************************************/

static FILE *open_proc(pid_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return fopen(path, "re");
}

static bool read_ids(struct memgate_event_task *t)
{
	FILE *f = open_proc(t->pid, "status");
	char line[256];

	t->tgid = t->tid = t->pid;
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Name: %16s", t->comm);
		sscanf(line, "Uid: %*u %u", &t->euid);
		sscanf(line, "Gid: %*u %u", &t->egid);
	}
	fclose(f);
	return true;
}

static void read_exe(struct memgate_event_task *t)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/exe", t->pid);
	if (stat(path, &st))
		return;
	t->exe_ino = st.st_ino;
	t->exe_dev = major(st.st_dev) << 20 | minor(st.st_dev);
}

static void read_cgroup(struct memgate_event_task *t)
{
	FILE *f = open_proc(t->pid, "cgroup");
	char line[4096], path[4200];
	struct stat st;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, sizeof(path), "/sys/fs/cgroup%s", line + 3);
		if (!stat(path, &st))
			t->cgroup = st.st_ino;
	}
	fclose(f);
}

/* False if there is no such process in sight. */
static bool event_of(const struct learned *l, pid_t pid,
		     struct memgate_event *e)
{
	memset(e, 0, sizeof(*e));
	e->kind = MEMGATE_EVENT_DECISION;
	e->gate = l->gate;
	e->device.group = -1;
	e->task.pid = pid;
	memcpy(e->name, l->name, sizeof(e->name));
	if (!read_ids(&e->task))
		return false;
	read_exe(&e->task);
	read_cgroup(&e->task);
	return true;
}

/* Devices ********************************************************************/

static bool is_there(const char *dir, const char *name, char *path,
		     size_t size)
{
	snprintf(path, size, "%s/%s", dir, name);
	return !access(path, F_OK);
}

/* The last part of what a link leads to. */
static bool link_name(const char *path, const char *link, char *name,
		      size_t size)
{
	char from[512], to[512];
	const char *last;
	ssize_t n;

	snprintf(from, sizeof(from), "%s/%s", path, link);
	n = readlink(from, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = '\0';
	last = strrchr(to, '/');
	snprintf(name, size, "%.*s", (int)size - 1, last ? last + 1 : to);
	return true;
}

/* As in include/memgate/device.bpf.h: class, and a header of that form. */
static bool is_bridge(const char *path)
{
	unsigned char config[64];
	char file[512];
	ssize_t n = 0;
	int fd;

	snprintf(file, sizeof(file), "%s/config", path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, config, sizeof(config));
		close(fd);
	}
	return n == sizeof(config) && config[0x0b] == 0x06 &&
	       config[0x0a] == 0x04 && (config[0x0e] & 0x7f) == 1;
}

static void find_device(struct memgate_event_device *d, const char *name)
{
	char path[256], parent[512], bus[64];

	snprintf(d->name, sizeof(d->name), "%s", name);
	if (is_there("/sys/bus/pci/devices", name, path, sizeof(path))) {
		memcpy(d->pci, d->name, sizeof(d->pci));
		d->bridge = is_bridge(path);
		return;
	}
	if (is_there("/sys/class/infiniband", name, path, sizeof(path)))
		d->rdma = true;
	else if (is_there("/sys/class/net", name, path, sizeof(path)))
		d->net = true;
	else if (!is_there("/sys/bus/vdpa/devices", name, path,
			   sizeof(path)))
		return;
	link_name(path, "driver", d->driver, sizeof(d->driver));
	snprintf(parent, sizeof(parent), "%s/device", path);
	if (link_name(parent, "subsystem", bus, sizeof(bus)) &&
	    !strcmp(bus, "pci"))
		link_name(path, "device", d->pci, sizeof(d->pci));
}

/* Consumers and mappings *****************************************************/

static uint32_t count_others(const struct memgate_gate_info *g, uint32_t kind)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < g->nr_consumers; i++)
		n += g->consumers[i].kind == kind;
	return n - 1;
}

static void take_consumer(struct learned *l, const struct memgate_gate_info *g,
			  const struct memgate_consumer_info *c)
{
	uint64_t class = c->kind < 64 ? MEMGATE_CLASS(c->kind) : 0;
	struct memgate_event e;
	char buf[16];
	size_t i;

	/* Who it is matters to owner alone. */
	if (!event_of(l, c->pid, &e) && class & OWNER_CLASSES) {
		add_text(&l->unfit, "%s %llu: it has the memory, and who made "
			 "it is not in sight",
			 class_text(c->kind, buf, sizeof(buf)),
			 (unsigned long long)c->id);
		return;
	}
	e.class_nr = c->kind;
	e.consumer = c->id;
	e.rights = c->rights;
	e.others = count_others(g, c->kind);
	if (!c->nr_devices)
		learn_see(l, &e);
	for (i = 0; i < c->nr_devices; i++) {
		memset(&e.device, 0, sizeof(e.device));
		find_device(&e.device, c->devices[i].name);
		learn_see(l, &e);
	}
	add_text(&l->notes, "%s %llu of process %d had the memory before this "
		 "began", class_text(c->kind, buf, sizeof(buf)),
		 (unsigned long long)c->id, c->pid);
}

/* What a process may do with the memory by the mappings that it has. */
static int mapped_rights(pid_t pid, uint64_t ino)
{
	FILE *f = open_proc(pid, "maps");
	unsigned long long its;
	char *line = NULL;
	size_t size = 0;
	int rights = -1;
	char perms[8];

	if (!f)
		return -1;
	while (getline(&line, &size, f) > 0) {
		if (!strstr(line, " /memfd:") ||
		    sscanf(line, "%*x-%*x %7s %*x %*s %llu", perms,
			   &its) != 2 || its != ino)
			continue;
		rights = rights < 0 ? 0 : rights;
		rights |= perms[0] == 'r' ? MEMGATE_READ : 0;
		rights |= perms[1] == 'w' ? MEMGATE_WRITE : 0;
		rights |= perms[2] == 'x' ? MEMGATE_EXEC : 0;
	}
	free(line);
	fclose(f);
	return rights;
}

static void take_mapping(struct learned *l, const struct memgate_gate_info *g,
			 pid_t pid)
{
	int rights = mapped_rights(pid, g->ino);
	struct memgate_event e;

	if (rights < 0 || !event_of(l, pid, &e))
		return;
	e.class_nr = MEMGATE_MAP;
	e.op = MEMGATE_OP_MMAP;
	e.rights = rights;
	learn_see(l, &e);
	add_text(&l->notes, "process %d had the memory mapped before this "
		 "began", pid);
}

void learn_before(struct learned *l, const struct memgate_gate_info *g)
{
	pid_t last = 0;
	size_t i;

	snprintf(l->name, sizeof(l->name), "%s", g->name);
	for (i = 0; i < g->nr_consumers; i++)
		take_consumer(l, g, g->consumers + i);
	/* Several descriptors of a process are next to each other. */
	for (i = 0; i < g->nr_holders; i++) {
		if (g->holders[i].pid != last)
			take_mapping(l, g, g->holders[i].pid);
		last = g->holders[i].pid;
	}
}
