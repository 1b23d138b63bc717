// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The gate of a descriptor, and the list of all gates: from the kernel's
 * iterator, if that may be used, and from /proc (holders.c), which tells who
 * holds them.
 */
#include <fcntl.h>
#include <search.h>
#include <sys/stat.h>

#include "finder.h"

int mg_gates_add(struct memgate_gate_info ***gates, size_t *nr,
		 struct memgate_gate_info *g)
{
	struct memgate_gate_info **grown;

	/* By doubling: there may be many. */
	if (!(*nr & (*nr - 1))) {
		grown = reallocarray(*gates, *nr ? *nr * 2 : 1,
				     sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*gates = grown;
	}
	(*gates)[(*nr)++] = g;
	return 0;
}

bool mg_memfd_name(int dir, const char *link, char *name, size_t size)
{
	char target[256];
	char *end;
	ssize_t n;

	n = readlinkat(dir, link, target, sizeof(target) - 1);
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

struct memgate_gate_info *mg_read_gate(int dir, const char *fdinfo,
				       const char *name, const struct stat *st)
{
	struct memgate_gate_info *g;
	int fd;
	FILE *f;

	fd = openat(dir, fdinfo, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f) {
		mg_close(&fd);
		return NULL;
	}
	g = mg_fdinfo_parse(f);
	fclose(f);
	if (!g)
		return NULL;
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->size = st->st_size;
	g->ino = st->st_ino;
	g->dev = st->st_dev;
	return g;
}

struct memgate_gate_info *memgate_gate__info(int fd)
{
	struct memgate_gate_info *g;
	char link[64], fdinfo[64];
	char name[256] = "";
	struct stat st;
	int err;

	err = mg_check_memfd(fd, "look at a gate");
	if (err)
		return errno = -err, NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	mg_memfd_name(AT_FDCWD, link, name, sizeof(name));
	g = fstat(fd, &st) ? NULL : mg_read_gate(AT_FDCWD, fdinfo, name, &st);
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

static int by_id(const void *a, const void *b)
{
	const struct memgate_gate_info *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int by_inode(const void *a, const void *b)
{
	const struct memgate_gate_info *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

struct memgate_gate_info *mg_find_inode(struct mg_finder *find, dev_t dev,
					ino_t ino)
{
	struct memgate_gate_info key = { .dev = dev, .ino = ino };
	void *node = tfind(&key, &find->inodes, by_inode);

	return node ? *(struct memgate_gate_info **)node : NULL;
}

/* Into the trees; gives the gate that was there before, if it was. */
static struct memgate_gate_info *index_gate(struct mg_finder *find,
					    struct memgate_gate_info *g)
{
	void *node = tsearch(g, &find->ids, by_id);

	if (!node || *(struct memgate_gate_info **)node != g)
		return node ? *(struct memgate_gate_info **)node : NULL;
	if (tsearch(g, &find->inodes, by_inode))
		return g;
	tdelete(g, &find->ids, by_id);
	return NULL;
}

struct memgate_gate_info *mg_find_add(struct mg_finder *find,
				      struct memgate_gate_info *g)
{
	struct memgate_gate_info *old = index_gate(find, g);

	if (old == g && mg_gates_add(&find->gates, &find->nr, g)) {
		tdelete(g, &find->ids, by_id);
		tdelete(g, &find->inodes, by_inode);
		old = NULL;
	}
	if (!old)
		find->err = -ENOMEM;
	if (old != g)
		memgate_gate_info__free(g);
	return old;
}

/* What the kernel lists.  Without it, /proc has what a process holds. */
static void iterate(struct mg_finder *find)
{
	size_t i;

	find->complete = !mg_iterate_gates(&find->gates, &find->nr);
	for (i = 0; i < find->nr; i++)
		if (!index_gate(find, find->gates[i]))
			find->err = -ENOMEM;
}

static int compare_ids(const void *a, const void *b)
{
	return by_id(*(void * const *)a, *(void * const *)b);
}

static void keep_all(void *gate)
{
}

int memgate_gate__list(struct memgate_gate_info ***gates, size_t *nr)
{
	struct mg_finder find = { 0 };
	int err;

	iterate(&find);
	err = find.err ?: mg_find_holders(&find);
	tdestroy(find.ids, keep_all);
	tdestroy(find.inodes, keep_all);
	err = err ?: find.err;
	if (err) {
		memgate_gate__free_list(find.gates, find.nr);
		if (err != -ENOMEM)
			return err;
		return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			       "no memory for the list of gates");
	}
	if (find.nr)
		qsort(find.gates, find.nr, sizeof(*find.gates), compare_ids);
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
