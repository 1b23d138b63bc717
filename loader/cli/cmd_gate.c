// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate gate attach | update | seal | freeze */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "cmd.h"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

/* Say what was done: one line, or an object. */
static int done(const char *what, const char *name, const char *pin,
		struct memgate_gate_info *g)
{
	struct json_object *obj;

	if (json_output) {
		obj = json_object_new_object();
		if (g)
			add_u64(obj, "gate", g->id);
		add_str(obj, "done", what);
		if (name)
			add_str(obj, "policy", name);
		if (pin)
			add_str(obj, "pin", pin);
		print_json(obj);
	} else {
		if (g)
			printf("gate %llu: ", (unsigned long long)g->id);
		printf("%s%s%s%s%s\n", name ? name : "", name ? " " : "",
		       what, pin ? ", pinned " : "", pin ? pin : "");
	}
	memgate_gate_info__free(g);
	return EXIT_OK;
}

static bool on_bpffs(const char *dir)
{
	struct statfs st;

	return !statfs(dir, &st) && (unsigned int)st.f_type == BPF_FS_MAGIC;
}

/* A link that lost its target (the memfd is gone) shows no map. */
static bool is_stale(const char *path)
{
	struct bpf_link_info info;
	uint32_t len = sizeof(info);
	bool stale;
	int fd;

	memset(&info, 0, sizeof(info));
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	stale = !bpf_link_get_info_by_fd(fd, &info, &len) &&
		info.type == BPF_LINK_TYPE_STRUCT_OPS &&
		!info.struct_ops.map_id;
	close(fd);
	return stale;
}

/*
 * Links that no PATH was given for are kept in DIR/gates, which stays once it
 * is made: removing it could come between another's look and its pin.
 */
static int prepare_gates_dir(char *dir, size_t size)
{
	struct dirent *d;
	char path[512];
	DIR *list;

	char parent[128];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", memgate_pin_dir());
	slash = strrchr(parent, '/');
	*slash = '\0';
	if (!on_bpffs(memgate_pin_dir()) && !on_bpffs(*parent ? parent : "/"))
		return report_errno(EXIT_REFUSED, ENOENT,
				    "mount one: mount -t bpf bpf /sys/fs/bpf",
				    "no BPF file system for pins at %s",
				    memgate_pin_dir());
	snprintf(dir, size, "%s/gates", memgate_pin_dir());
	/* The first part is there unless the policy comes from elsewhere. */
	mkdir(memgate_pin_dir(), 0755);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return report_errno(EXIT_REFUSED, errno,
				    "give a place in a BPF file system that "
				    "this user may write, with 'pin PATH'",
				    "cannot make directory %s", dir);
	list = opendir(dir);
	while (list && (d = readdir(list))) {
		snprintf(path, sizeof(path), "%s/%s", dir, d->d_name);
		if (d->d_name[0] != '.' && is_stale(path))
			unlink(path);
	}
	if (list)
		closedir(list);
	return 0;
}

/* Make and remove a directory of the pin's name: what pinning needs, too. */
static int try_name(const char *pin, const char *in)
{
	int err;

	if (!mkdir(pin, 0700) && !rmdir(pin))
		return 0;
	err = errno;
	return report_errno(EXIT_REFUSED, err,
			    err == EEXIST ? "remove it or choose another name" :
			    err == EROFS ? "the BPF file system is read-only: "
			    "mount -o remount,rw it" :
			    err == ENOENT ? "make its directory first" :
			    err == EPERM && strchr(strrchr(pin, '/'), '.') ?
			    "a BPF file system takes no dots in names" :
			    err == EACCES || err == EPERM ?
			    "choose a directory that this user may write, "
			    "with 'pin PATH'" :
			    "choose another place with 'pin PATH'",
			    "cannot pin %s%s", in ? "in " : "",
			    in ? in : pin);
}

/*
 * Everything that can be wrong with the pin is looked at before the
 * install: a link that cannot be kept closes its classes for good.
 */
static int check_pin(const char *pin, char *dir, size_t size)
{
	const char *in = NULL;
	char path[300];
	char *slash;
	int err;

	if (!pin) {
		err = prepare_gates_dir(dir, size);
		if (err)
			return err;
		/* No install's name: two of them may be tried at once. */
		snprintf(path, sizeof(path), "%s/try-%d", dir, getpid());
		pin = path;
		in = dir;
	}
	if (strlen(pin) >= size)
		return report_errno(EXIT_USAGE, ENAMETOOLONG,
				    "choose a shorter path", "cannot pin %s",
				    pin);
	snprintf(dir, size, "%s", pin);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (!slash || !on_bpffs(*dir ? dir : "/"))
		return report_errno(EXIT_USAGE, EINVAL,
				    "name a place such as /sys/fs/bpf/my-vm "
				    "(mount -t bpf bpf /sys/fs/bpf, if there "
				    "is no BPF file system)",
				    "cannot pin %s: it is not in a directory "
				    "of a BPF file system", pin);
	return try_name(pin, in);
}

/* No way back from here: the policy is on the gate, and so it stays. */
static int link_lost(int err, const char *path, const char *name)
{
	return report_errno(EXIT_REFUSED, err,
			    "make new memory; what this gate's other policies "
			    "decide is as it was",
			    "policy %s was installed, but its link could not "
			    "be pinned as %s: unless the gate is frozen, its "
			    "classes are closed for good", name, path);
}

static int keep_link(int link_fd, const char *pin, const char *dir,
		     const char *name, struct memgate_gate_info *g, char *path,
		     size_t size)
{
	struct bpf_link_info info;
	uint32_t len = sizeof(info);
	int err;

	memset(&info, 0, sizeof(info));
	bpf_link_get_info_by_fd(link_fd, &info, &len);
	if (pin)
		snprintf(path, size, "%s", pin);
	else
		snprintf(path, size, "%s/%llu-%s-%u", dir,
			 g ? (unsigned long long)g->id : 0ULL, name, info.id);
	err = memgate_link__pin(link_fd, path);
	return err ? link_lost(-err, path, name) : 0;
}

/* In parameters, {tgid} and {start} name the process of "pid PID". */
static int name_process(struct use *use, int pid)
{
	static const char * const names[] = { "tgid", "start" };
	const char *values[2];
	char text[2][24];
	uint64_t start;
	int err;

	if (!pid)
		return 0;
	err = memgate_process_start(pid, &start);
	if (err)
		return errno = -err, report();
	values[0] = text[0];
	values[1] = text[1];
	snprintf(text[0], sizeof(text[0]), "%d", pid);
	snprintf(text[1], sizeof(text[1]), "%llu", (unsigned long long)start);
	return expand_use(use, names, values, 2);
}

static int parse_attach(struct words *w, int *fd, struct use *use,
			const char **pin)
{
	int pid = target_pid(w);
	int err;

	err = parse_target(w, fd);
	if (err)
		return err;
	if (!take_word(w, "policy"))
		return wrong_word(w, "'gate attach GATE' is followed by "
				  "'policy POLICY'");
	err = parse_use(w, use);
	if (!err)
		err = name_process(use, pid);
	if (err)
		return err;
	if (take_word(w, "pin")) {
		*pin = next_word(w);
		if (!*pin)
			return report_usage("'pin' needs a path");
	}
	return w->nr ? no_more_words(w) : 0;
}

/* Look at everything that can be wrong, the last thing before the install. */
static int attach(int fd, const struct ready *r, const char *pin)
{
	const char *name = memgate_policy__name(r->policy);
	struct memgate_gate_info *g;
	char dir[256], path[400];
	int link_fd, err;

	err = check_pin(pin, dir, sizeof(dir));
	if (err)
		return err;
	link_fd = install_ready(fd, r);
	if (link_fd < 0)
		return -link_fd;
	g = memgate_gate__info(fd);
	err = keep_link(link_fd, pin, dir, name, g, path, sizeof(path));
	close(link_fd);
	if (!err)
		return done("installed", name, path, g);
	memgate_gate_info__free(g);
	return err;
}

static int attach_use(int fd, const struct use *use, const char *pin)
{
	struct ready ready;
	int err;

	err = memgate_probe();
	if (err)
		return errno = -err, report();
	err = prepare_use(use, &ready);
	if (err)
		return err;
	err = attach(fd, &ready, pin);
	drop_use(&ready);
	return err;
}

int cmd_gate_attach(struct words *w)
{
	struct use use = { .nr_params = 0 };
	const char *pin = NULL;
	int fd, err;

	err = parse_attach(w, &fd, &use, &pin);
	if (!err)
		err = attach_use(fd, &use, pin);
	free_use(&use);
	return err;
}

/* The live install of that name on a gate. */
static int find_link(int fd, const char *name)
{
	struct memgate_gate_info *g = memgate_gate__info(fd);
	uint32_t id = 0;
	size_t i;

	if (!g)
		return -report();
	for (i = 0; i < g->nr_installs; i++)
		if (!strcmp(g->installs[i].name, name) &&
		    g->installs[i].state == MEMGATE_INSTALL_LIVE)
			id = g->installs[i].link_id;
	memgate_gate_info__free(g);
	if (!id)
		return -report_errno(EXIT_REFUSED, ENOENT,
				     "'memgate gate show' lists the policies",
				     "the gate has no live policy '%s'",
				     name);
	fd = memgate_link__open_id(id);
	return fd < 0 ? (errno = -fd, -report()) : fd;
}

/* Which link is to be updated: by its pin, its id, or gate and name. */
struct place {
	const char *pin;
	int id;
	int fd;
	const char *replace;
};

static int parse_place(struct words *w, struct place *p)
{
	int err;

	if (take_word(w, "pinned") || take_word(w, "pin")) {
		p->pin = next_word(w);
		return p->pin ? 0 : report_usage("'pinned' needs a path");
	}
	if (take_word(w, "link")) {
		if (parse_int(next_word(w), &p->id) || !p->id)
			return report_usage("'link' needs the id of a link");
		return 0;
	}
	err = parse_target(w, &p->fd);
	if (err)
		return err;
	if (!take_word(w, "replace"))
		return wrong_word(w, "'gate update GATE' is followed by "
				  "'replace NAME'");
	p->replace = next_word(w);
	return p->replace ? 0 :
	       report_usage("'replace' needs the name of a policy");
}

/* The link's descriptor, or minus the exit code. */
static int open_place(const struct place *p)
{
	int fd;

	if (p->replace)
		return find_link(p->fd, p->replace);
	fd = p->pin ? memgate_link__open(p->pin) :
		      memgate_link__open_id(p->id);
	return fd < 0 ? (errno = -fd, -report()) : fd;
}

static int parse_update(struct words *w, struct place *place, struct use *use)
{
	int err;

	err = parse_place(w, place);
	if (err)
		return err;
	if (!take_word(w, "policy"))
		return wrong_word(w, "say what to put there: 'policy POLICY'");
	err = parse_use(w, use);
	if (err)
		return err;
	if (use->nr_params)
		return report_usage("an update keeps the parameters of the "
				    "install");
	return w->nr ? no_more_words(w) : 0;
}

int cmd_gate_update(struct words *w)
{
	struct place place = { 0 };
	struct memgate_policy *policy;
	int link_fd, err;
	struct use use;

	err = parse_update(w, &place, &use);
	if (err)
		return err;
	err = memgate_probe();
	if (err)
		return errno = -err, report();
	link_fd = open_place(&place);
	if (link_fd < 0)
		return -link_fd;
	policy = memgate_policy__open(use.policy);
	if (!policy)
		return report();
	err = memgate_link__update(link_fd, policy);
	memgate_policy__free(policy);
	close(link_fd);
	if (err)
		return errno = -err, report();
	return done("put in place", use.policy, NULL, NULL);
}

/* seal and freeze: done, or done before */
static int change(struct words *w, int (*fn)(int), const char *now,
		  const char *already)
{
	int fd, err;

	err = parse_target(w, &fd);
	if (err)
		return err;
	if (w->nr)
		return no_more_words(w);
	err = fn(fd);
	if (err < 0)
		return errno = -err, report();
	return done(err ? already : now, NULL, NULL, memgate_gate__info(fd));
}

int cmd_gate_seal(struct words *w)
{
	return change(w, memgate_gate__seal, "sealed", "is sealed already");
}

int cmd_gate_freeze(struct words *w)
{
	return change(w, memgate_gate__freeze, "frozen", "is frozen already");
}
