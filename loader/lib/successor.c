// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Handover: name the process whose VM comes next, in the map "successors" of
 * the gate's policies.
 *
 * A struct_ops map does not tell which maps its programs use, but it holds
 * the programs' ids, and a program tells.  All of this goes by ids, which
 * takes CAP_SYS_ADMIN; who has not got that is given a pin of the map.
 */
#include <stdio.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

#define MAX_MAPS	8

struct maps {
	int nr;
	int fd[MAX_MAPS];
	uint32_t id[MAX_MAPS];
};

static void close_maps(struct maps *maps)
{
	while (maps->nr)
		close(maps->fd[--maps->nr]);
}

static bool is_successors(int fd, uint32_t *id, bool by_name)
{
	struct bpf_map_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_map_get_info_by_fd(fd, &info, &len))
		return false;
	*id = info.id;
	return (!by_name || !strcmp(info.name, MEMGATE_SUCCESSORS)) &&
	       info.type == BPF_MAP_TYPE_HASH &&
	       info.key_size == sizeof(uint64_t) &&
	       info.value_size == sizeof(struct memgate_successor);
}

/* Takes over @fd. */
static void add_map(struct maps *maps, int fd)
{
	uint32_t id;
	int i;

	if (!is_successors(fd, &id, true) || maps->nr == MAX_MAPS) {
		close(fd);
		return;
	}
	for (i = 0; i < maps->nr; i++)
		if (maps->id[i] == id) {
			close(fd);
			return;
		}
	maps->id[maps->nr] = id;
	maps->fd[maps->nr++] = fd;
}

static int maps_of_program(struct maps *maps, uint32_t prog_id)
{
	int __autoclose prog_fd = bpf_prog_get_fd_by_id(prog_id);
	struct bpf_prog_info info;
	uint32_t len = sizeof(info);
	uint32_t ids[64], i;
	int fd;

	if (prog_fd < 0)
		return -errno;
	memset(&info, 0, sizeof(info));
	info.nr_map_ids = ARRAY_SIZE(ids);
	info.map_ids = (uintptr_t)ids;
	if (bpf_prog_get_info_by_fd(prog_fd, &info, &len))
		return -errno;
	for (i = 0; i < info.nr_map_ids && i < ARRAY_SIZE(ids); i++) {
		fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			return -errno;
		add_map(maps, fd);
	}
	return 0;
}

static int maps_of_policy(struct maps *maps, uint32_t map_id)
{
	int __autoclose fd = bpf_map_get_fd_by_id(map_id);
	uint32_t prog_id;
	int err;

	if (fd < 0)
		return -errno;
	err = mg_ops_program(fd, "may_attach", &prog_id);
	return err || !prog_id ? err : maps_of_program(maps, prog_id);
}

static int no_right(int err)
{
	return mg_fail(MEMGATE_ERR_REFUSED, err, err == EPERM ?
		       "it needs CAP_SYS_ADMIN, or a pin of the policy's map "
		       "'" MEMGATE_SUCCESSORS "' that you may write: "
		       "'map PATH'" : NULL,
		       "cannot get at the maps of the gate's policies: %s",
		       mg_errno_name(err));
}

/* Of every policy that still decides about VMs. */
static int maps_of_gate(struct maps *maps, const struct memgate_gate_info *g)
{
	const struct memgate_install_info *in;
	size_t i;
	int err;

	for (i = 0; i < g->nr_installs; i++) {
		in = g->installs + i;
		if (!(in->classes & MEMGATE_CLASS(MEMGATE_KVM)) ||
		    (in->state != MEMGATE_INSTALL_LIVE &&
		     in->state != MEMGATE_INSTALL_KEPT))
			continue;
		err = maps_of_policy(maps, in->map_id);
		if (err)
			return no_right(-err);
	}
	if (maps->nr)
		return 0;
	return mg_fail(MEMGATE_ERR_REFUSED, EOPNOTSUPP,
		       "exclusive_kvm has one; 'memgate gate show' lists the "
		       "gate's policies",
		       "no policy of the gate has a map '" MEMGATE_SUCCESSORS
		       "'");
}

static int open_pin(struct maps *maps, const char *path)
{
	int fd = bpf_obj_get(path);
	uint32_t id;

	if (fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "cannot open map %s for writing: %s", path,
			       mg_errno_name(errno));
	if (!is_successors(fd, &id, false)) {
		close(fd);
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "pin the map '" MEMGATE_SUCCESSORS "' of the "
			       "policy: bpftool map pin id N PATH",
			       "%s is no map of successors", path);
	}
	maps->id[0] = id;
	maps->fd[0] = fd;
	maps->nr = 1;
	return 0;
}

/* The maps that count for a memfd, and the id of its gate. */
static int open_maps(struct maps *maps, int memfd, const char *pin,
		     uint64_t *gate_id)
{
	struct memgate_gate_info *g = memgate_gate__info(memfd);
	int err;

	maps->nr = 0;
	if (!g)
		return -errno;
	*gate_id = g->id;
	err = pin ? open_pin(maps, pin) : maps_of_gate(maps, g);
	memgate_gate_info__free(g);
	if (err)
		close_maps(maps);
	return err;
}

static int find_start(const char *path, uint64_t *ticks)
{
	unsigned long long start;
	char line[1024];
	char *p;
	FILE *f;
	size_t n;
	int i;

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
		return -ESRCH;
	*ticks = start;
	return 0;
}

int memgate_process_start(pid_t pid, uint64_t *ticks)
{
	char path[64] = "/proc/self/stat";
	int err;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	err = find_start(path, ticks);
	if (!err)
		return 0;
	return mg_fail(MEMGATE_ERR_REFUSED, ESRCH, NULL,
		       "there is no process %d", pid);
}

/* A thread has a folder in /proc too, though none that is listed. */
static bool is_process(pid_t pid)
{
	char line[256], path[64];
	int tgid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	fclose(f);
	return tgid == pid;
}

/* The initial pid namespace's inode number is fixed (PROC_PID_INIT_INO). */
#define INIT_PID_NS_INO	0xeffffffcU

static int name_process(pid_t pid, struct memgate_successor *who)
{
	struct stat st;
	uint64_t start;
	int err;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino != INIT_PID_NS_INO)
		return mg_fail(MEMGATE_ERR_REFUSED, ENOTSUP,
			       "do it in the initial pid namespace",
			       "policies know processes by their id in the "
			       "initial pid namespace, and this is another");
	err = memgate_process_start(pid, &start);
	if (err)
		return err;
	if (!is_process(pid))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "name its process",
			       "%d is a thread of another process", pid);
	memset(who, 0, sizeof(*who));
	who->tgid = pid;
	who->start = start;
	return 0;
}

static bool is_alive(const struct memgate_successor *who)
{
	uint64_t start;

	return !memgate_process_start(who->tgid, &start) &&
	       start == who->start;
}

/* A process that is gone will never come: its name makes way. */
static int write_name(int fd, uint64_t gate_id,
		      const struct memgate_successor *who)
{
	struct memgate_successor old;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		if (!bpf_map_update_elem(fd, &gate_id, who, BPF_NOEXIST))
			return 0;
		if (errno != EEXIST)
			return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
				       "cannot name a successor: %s",
				       mg_errno_name(errno));
		if (bpf_map_lookup_elem(fd, &gate_id, &old))
			continue;
		if (is_alive(&old))
			break;
		bpf_map_delete_elem(fd, &gate_id);
	}
	return mg_fail(MEMGATE_ERR_REFUSED, EEXIST,
		       "take it back first: 'memgate gate handover GATE "
		       "cancel'",
		       "process %u is named as successor already", old.tgid);
}

int memgate_gate__name_successor(int memfd, pid_t pid, const char *map_pin)
{
	struct memgate_successor who;
	uint64_t gate_id;
	struct maps maps;
	int i, err;

	err = name_process(pid, &who);
	if (!err)
		err = open_maps(&maps, memfd, map_pin, &gate_id);
	if (err)
		return err;
	for (i = 0; !err && i < maps.nr; i++)
		err = write_name(maps.fd[i], gate_id, &who);
	if (err)
		/* The last one failed and wrote nothing. */
		for (i -= 2; i >= 0; i--)
			bpf_map_delete_elem(maps.fd[i], &gate_id);
	close_maps(&maps);
	return err;
}

int memgate_gate__cancel_successor(int memfd, const char *map_pin)
{
	int i, err, nobody = 1;
	uint64_t gate_id;
	struct maps maps;

	err = open_maps(&maps, memfd, map_pin, &gate_id);
	if (err)
		return err;
	for (i = 0; i < maps.nr; i++) {
		if (!bpf_map_delete_elem(maps.fd[i], &gate_id))
			nobody = 0;
		else if (errno != ENOENT)
			err = mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
				      "cannot take a successor's name back: "
				      "%s", mg_errno_name(errno));
	}
	close_maps(&maps);
	return err ? err : nobody;
}

/*
 * Is somebody named for the gate in any map of that name, of whatever policy?
 * Seldom, and to look is cheap, while the way from a gate to its policies'
 * maps reads all types of the kernel.
 */
static bool perhaps_named(uint64_t gate_id)
{
	struct memgate_successor who;
	uint32_t id = 0, same;
	bool found = false;
	int fd;

	while (!found && !bpf_map_get_next_id(id, &id)) {
		fd = bpf_map_get_fd_by_id(id);
		if (fd < 0)
			continue;
		found = is_successors(fd, &same, true) &&
			!bpf_map_lookup_elem(fd, &gate_id, &who);
		close(fd);
	}
	/* Who may not look is told so by the longer way. */
	return found || errno != ENOENT;
}

static int nobody_named(void)
{
	return mg_fail(MEMGATE_ERR_REFUSED, ENOENT, NULL,
		       "nobody is named as successor");
}

int memgate_gate__successor(int memfd, const char *map_pin,
			    struct memgate_successor *who)
{
	struct memgate_gate_info *g;
	uint64_t gate_id;
	struct maps maps;
	int i, err;

	g = memgate_gate__info(memfd);
	if (!g)
		return -errno;
	gate_id = g->id;
	memgate_gate_info__free(g);
	if (!map_pin && !perhaps_named(gate_id))
		return nobody_named();
	err = open_maps(&maps, memfd, map_pin, &gate_id);
	if (err)
		return err;
	err = -ENOENT;
	for (i = 0; err && i < maps.nr; i++)
		err = bpf_map_lookup_elem(maps.fd[i], &gate_id, who) ?
		      -errno : 0;
	close_maps(&maps);
	if (err == -ENOENT)
		return nobody_named();
	if (err)
		return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
			       "cannot read the successor's name: %s",
			       mg_errno_name(-err));
	return 0;
}
