// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Who holds gates, as /proc tells: by a descriptor, or by a mapping whose
 * descriptor is closed.  Gates that the kernel has not listed are found here,
 * too.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "finder.h"

struct process {
	struct mg_finder *find;
	pid_t pid;
	char comm[17];		/* read when it holds something */
	int fdinfo;		/* its directory */
};

static void read_comm(struct process *p)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", p->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, p->comm, sizeof(p->comm) - 1);
	close(fd);
	p->comm[n < 0 ? 0 : n] = '\0';
	p->comm[strcspn(p->comm, "\n")] = '\0';
	mg_printable(p->comm);
}

static void add_holder(struct process *p, struct memgate_gate_info *g, int fd)
{
	struct memgate_holder_info *h;

	h = reallocarray(g->holders, g->nr_holders + 1, sizeof(*h));
	if (!h) {
		p->find->err = -ENOMEM;
		return;
	}
	if (!p->comm[0])
		read_comm(p);
	g->holders = h;
	h += g->nr_holders++;
	h->pid = p->pid;
	h->fd = fd;
	memcpy(h->comm, p->comm, sizeof(h->comm));
}

/*
 * The gate of a memfd: one that is known, or one that fdinfo tells of.  If the
 * kernel has listed all, a memfd that is not among them has none.
 */
static struct memgate_gate_info *gate_of(struct mg_finder *find, int dir,
					 const char *fdinfo, const char *name,
					 const struct stat *st)
{
	struct memgate_gate_info *g;

	g = mg_find_inode(find, st->st_dev, st->st_ino);
	if (g || find->complete)
		return g;
	g = mg_read_gate(dir, fdinfo, name, st);
	return g ? mg_find_add(find, g) : NULL;
}

/* What is no memfd is not looked at any closer: its file system may hang. */
static void look_at_fd(struct process *p, int dir, const char *fd)
{
	struct memgate_gate_info *g;
	char name[256];
	struct stat st;

	if (!isdigit((unsigned char)fd[0]) ||
	    !mg_memfd_name(dir, fd, name, sizeof(name)) ||
	    fstatat(dir, fd, &st, 0))
		return;
	g = gate_of(p->find, p->fdinfo, fd, name, &st);
	if (g)
		add_holder(p, g, atoi(fd));
}

static void scan_fds(struct process *p)
{
	struct dirent *d;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	dir = opendir(path);
	if (!dir)
		return;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", p->pid);
	p->fdinfo = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while ((d = readdir(dir)))
		look_at_fd(p, dirfd(dir), d->d_name);
	mg_close(&p->fdinfo);
	closedir(dir);
}

static bool held_by(const struct memgate_gate_info *g, pid_t pid)
{
	/* Processes are looked at one after the other. */
	return g->nr_holders && g->holders[g->nr_holders - 1].pid == pid;
}

/*
 * A mapping has no fdinfo: open the file behind it and read our own.
 * Names in map_files are not padded, addresses in maps are.
 */
static void look_at_mapping(struct process *p, unsigned long start,
			    unsigned long end)
{
	char path[128], name[256], fdinfo[64];
	struct memgate_gate_info *g;
	int __autoclose fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%lx-%lx", p->pid,
		 start, end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) ||
	    !mg_memfd_name(AT_FDCWD, path, name, sizeof(name)))
		return;
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	g = gate_of(p->find, AT_FDCWD, fdinfo, name, &st);
	if (g)
		add_holder(p, g, -1);
}

static void scan_maps(struct process *p)
{
	unsigned int dev_major, dev_minor;
	unsigned long long ino, last = 0;
	struct memgate_gate_info *g;
	unsigned long start, end;
	char *line = NULL;
	char path[64];
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", p->pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (getline(&line, &size, f) > 0) {
		if (!strstr(line, " /memfd:") ||
		    sscanf(line, "%lx-%lx %*s %*s %x:%x %llu", &start, &end,
			   &dev_major, &dev_minor, &ino) != 5 || ino == last)
			continue;
		last = ino;
		g = mg_find_inode(p->find, makedev(dev_major, dev_minor), ino);
		if (!g)
			look_at_mapping(p, start, end);
		else if (!held_by(g, p->pid))
			add_holder(p, g, -1);
	}
	free(line);
	fclose(f);
}

/* All processes that the caller may look into. */
int mg_find_holders(struct mg_finder *find)
{
	struct dirent *d;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, "mount /proc",
			       "cannot read /proc: %s", mg_errno_name(errno));
	while (!find->err && (d = readdir(proc))) {
		struct process p = {
			.find = find, .pid = atoi(d->d_name), .fdinfo = -1,
		};

		if (p.pid <= 0)
			continue;
		scan_fds(&p);
		scan_maps(&p);
	}
	closedir(proc);
	return find->err;
}
