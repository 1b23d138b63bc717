// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Find gates: all of them by the kernel's iterator, if that may be used; and
 * in /proc who holds them, by a descriptor or by a mapping whose descriptor
 * is closed.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "internal.h"

struct finder {
	struct memgate_gate_info **gates;
	size_t nr;
	int err;
};

int mg_gates_add(struct memgate_gate_info ***gates, size_t *nr,
		 struct memgate_gate_info *g)
{
	struct memgate_gate_info **grown;

	grown = reallocarray(*gates, *nr + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*gates = grown;
	grown[(*nr)++] = g;
	return 0;
}

static void read_comm(pid_t pid, char *comm, size_t size)
{
	char path[64];
	FILE *f;

	*comm = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(comm, size, f))
		comm[strcspn(comm, "\n")] = '\0';
	mg_printable(comm);
	fclose(f);
}

static int add_holder(struct memgate_gate_info *g, pid_t pid, int fd)
{
	struct memgate_holder_info *h;

	h = reallocarray(g->holders, g->nr_holders + 1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	g->holders = h;
	h += g->nr_holders++;
	h->pid = pid;
	h->fd = fd;
	read_comm(pid, h->comm, sizeof(h->comm));
	return 0;
}

/* "/memfd:NAME (deleted)" -> NAME; false if it is something else. */
static bool memfd_name(const char *path, char *name, size_t size)
{
	ssize_t n;
	char target[256];
	char *end;

	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	if (strncmp(target, "/memfd:", 7))
		return false;
	end = strstr(target, " (deleted)");
	if (end && !end[10])
		*end = '\0';
	snprintf(name, size, "%s", target + 7);
	mg_printable(name);
	return true;
}

/* The gate behind an open file of some process, or NULL. */
static struct memgate_gate_info *read_gate(const char *link,
					   const char *fdinfo)
{
	struct memgate_gate_info *g;
	struct stat st;
	char name[256];
	FILE *f;

	if (!memfd_name(link, name, sizeof(name)))
		return errno = ENODATA, NULL;
	f = fopen(fdinfo, "re");
	if (!f)
		return NULL;
	g = mg_fdinfo_parse(f);
	fclose(f);
	if (!g)
		return NULL;
	memcpy(g->name, name, sizeof(name));
	if (!stat(link, &st)) {
		g->size = st.st_size;
		g->ino = st.st_ino;
	}
	return g;
}

struct memgate_gate_info *memgate_gate__info(int fd)
{
	struct memgate_gate_info *g;
	char link[64], fdinfo[64];
	int err;

	err = mg_check_memfd(fd, "look at a gate");
	if (err)
		return errno = -err, NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	g = read_gate(link, fdinfo);
	err = errno;
	if (g)
		return g;
	if (err != ENODATA)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, err, NULL,
				   "cannot read %s: %s", fdinfo,
				   mg_errno_name(err));
	if (memgate_probe())
		return errno = EOPNOTSUPP, NULL;
	return mg_fail_ptr(MEMGATE_ERR_REFUSED, err,
			   "seal it: 'memgate gate seal', or install a policy",
			   "file descriptor %d has no gate", fd);
}

/* Keep a gate, or merge it with the same gate found before. */
static void keep(struct finder *find, struct memgate_gate_info *g, pid_t pid,
		 int fd)
{
	size_t i;

	for (i = 0; i < find->nr; i++)
		if (find->gates[i]->id == g->id)
			break;
	if (i < find->nr) {
		memgate_gate_info__free(g);
		g = find->gates[i];
	} else if (mg_gates_add(&find->gates, &find->nr, g)) {
		memgate_gate_info__free(g);
		find->err = -ENOMEM;
		return;
	}
	if (add_holder(g, pid, fd))
		find->err = -ENOMEM;
}

static void scan_fds(struct finder *find, pid_t pid)
{
	char path[64], link[96], fdinfo[96];
	struct memgate_gate_info *g;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(link, sizeof(link), "%s/%d", path, fd);
		snprintf(fdinfo, sizeof(fdinfo), "/proc/%d/fdinfo/%d", pid,
			 fd);
		g = read_gate(link, fdinfo);
		if (g)
			keep(find, g, pid, fd);
	}
	closedir(dir);
}

static bool held_by(const struct finder *find, uint64_t ino, pid_t pid)
{
	const struct memgate_gate_info *g;
	size_t i, h;

	for (i = 0; i < find->nr; i++) {
		g = find->gates[i];
		if (g->ino != ino)
			continue;
		for (h = 0; h < g->nr_holders; h++)
			if (g->holders[h].pid == pid)
				return true;
	}
	return false;
}

/*
 * A mapping has no fdinfo: open the file behind it and read our own.
 * Names in map_files are not padded, addresses in maps are.
 */
static void scan_mapping(struct finder *find, pid_t pid, unsigned long start,
			 unsigned long end)
{
	char path[128], fdinfo[64];
	struct memgate_gate_info *g;
	int __autoclose fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", pid,
		 start, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	g = read_gate(path, fdinfo);
	if (g)
		keep(find, g, pid, -1);
}

static void scan_maps(struct finder *find, pid_t pid)
{
	unsigned long long ino, last = 0;
	unsigned long start, end;
	char path[64];
	char *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		if (!strstr(line, " /memfd:") ||
		    sscanf(line, "%lx-%lx %*s %*s %*s %llu", &start, &end,
			   &ino) != 3 || ino == last || held_by(find, ino, pid))
			continue;
		last = ino;
		scan_mapping(find, pid, start, end);
	}
	free(line);
	fclose(f);
}

static int by_id(const void *a, const void *b)
{
	const struct memgate_gate_info *x =
		*(struct memgate_gate_info * const *)a;
	const struct memgate_gate_info *y =
		*(struct memgate_gate_info * const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int memgate_gate__list(struct memgate_gate_info ***gates, size_t *nr)
{
	struct finder find = { 0 };
	struct dirent *d;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "cannot read /proc: %s", mg_errno_name(errno));
	/* Without it, /proc has those that a visible process holds. */
	mg_iterate_gates(&find.gates, &find.nr);
	while (!find.err && (d = readdir(proc))) {
		pid_t pid = atoi(d->d_name);

		if (pid <= 0)
			continue;
		scan_fds(&find, pid);
		scan_maps(&find, pid);
	}
	closedir(proc);
	if (find.err) {
		memgate_gate__free_list(find.gates, find.nr);
		return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			       "no memory for the list of gates");
	}
	if (find.nr)
		qsort(find.gates, find.nr, sizeof(*find.gates), by_id);
	*gates = find.gates;
	*nr = find.nr;
	return 0;
}

void memgate_gate__free_list(struct memgate_gate_info **gates, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		memgate_gate_info__free(gates[i]);
	free(gates);
}
