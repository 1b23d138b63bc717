// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Where loaded policies are found again: pins in a BPF file system, and
 * nowhere else.
 *
 *   DIR/NAME		the link; alone it is what bpftool leaves
 *   DIR/maps/NAME	the struct_ops map: reading it is the right to install
 *   DIR/types/NAME	its BTF, see types.c
 *   DIR/gates/...	links of installs, if the user named no other place
 *   DIR/recorder/...	what records refusals, see refusals.c
 *
 * The link's pin comes first and decides who owns NAME, since creating a
 * pin is exclusive.  Pins of maps and types without their link are left
 * over from a loader that died, and are replaced.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

static char pin_dir[96] = MEMGATE_PIN_DIR;

struct pins {
	char link[160];
	char map[170];
	char types[170];
};

int memgate_set_pin_dir(const char *dir)
{
	if (dir[0] != '/' || strlen(dir) >= sizeof(pin_dir))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "the pin directory '%s' is no absolute path of "
			       "less than %zu bytes", dir, sizeof(pin_dir));
	strcpy(pin_dir, dir);
	return 0;
}

const char *memgate_pin_dir(void)
{
	return pin_dir;
}

static int pins_of(const char *name, struct pins *pins)
{
	static const char ok[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

	/* A BPF file system refuses dots; the directories are ours. */
	if (!*name || strlen(name) > 63 || strspn(name, ok) != strlen(name))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "use letters, digits, _ and -",
			       "'%s' cannot be the name of a policy", name);
	if (!strcmp(name, "maps") || !strcmp(name, "types") ||
	    !strcmp(name, "gates") || !strcmp(name, "recorder"))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "choose another with 'name N'",
			       "the policy name '%s' is reserved", name);
	snprintf(pins->link, sizeof(pins->link), "%s/%s", pin_dir, name);
	snprintf(pins->map, sizeof(pins->map), "%s/maps/%s", pin_dir, name);
	snprintf(pins->types, sizeof(pins->types), "%s/types/%s", pin_dir,
		 name);
	return 0;
}

/*
 * Passable by everybody: what a pin permits is in the pin's own mode, and
 * an unprivileged VMM has to reach the map of its policy.
 */
static int make_dir(const char *path)
{
	if (!mkdir(path, 0755))
		return chmod(path, 0755) ? -errno : 0;
	return errno == EEXIST ? 0 : -errno;
}

int mg_make_pin_dirs(void)
{
	static const char * const subs[] = { "", "/maps", "/types" };
	char parent[sizeof(pin_dir)], path[128];
	size_t i;
	int err;

	strcpy(parent, pin_dir);
	*strrchr(parent, '/') = '\0';
	if (!mg_is_bpffs(pin_dir) && !mg_is_bpffs(*parent ? parent : "/"))
		return mg_fail(MEMGATE_ERR_REFUSED, ENOENT,
			       "mount one: mount -t bpf bpf /sys/fs/bpf",
			       "%s is not in a BPF file system", pin_dir);
	for (i = 0; i < ARRAY_SIZE(subs); i++) {
		snprintf(path, sizeof(path), "%s%s", pin_dir, subs[i]);
		err = make_dir(path);
		if (err)
			return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
				       "cannot make directory %s: %s", path,
				       mg_errno_name(err));
	}
	return 0;
}

static int pin_failed(const char *path, int err)
{
	if (err == -EEXIST)
		return mg_fail(MEMGATE_ERR_REFUSED, EEXIST,
			       "unload it first, or choose another with "
			       "'name N'",
			       "a policy is loaded as %s already", path);
	return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL, "cannot pin %s: %s",
		       path, mg_errno_name(err));
}

/* The group first: the mode then says what it may. */
static int share_pin(const char *path, mode_t mode, gid_t gid)
{
	int err;

	if (gid == (gid_t)-1 || !chown(path, -1, gid))
		return chmod(path, mode) ? pin_failed(path, -errno) : 0;
	err = errno;
	return mg_fail(MEMGATE_ERR_REFUSED, err, err == EPERM ?
		       "be a member of the group, or have CAP_CHOWN" : NULL,
		       "cannot give %s to group %u: %s", path, gid,
		       mg_errno_name(err));
}

static int pin_rest(struct memgate_policy *p, const struct pins *pins,
		    mode_t mode, gid_t gid)
{
	const char *at = pins->map;
	int err;

	unlink(pins->map);
	unlink(pins->types);
	if (bpf_obj_pin(p->map_fd, at))
		return pin_failed(at, -errno);
	/* Nobody writes a struct_ops map, or the types, through its pin. */
	mode = 0400 | (mode & 0444);
	err = share_pin(at, mode, gid);
	if (err)
		return err;
	at = pins->types;
	if (mg_types_of_map(p))
		return 0;	/* compiled without -g: no words to keep */
	if (mg_types_pin(p, at))
		return pin_failed(at, -errno);
	return share_pin(at, mode, gid);
}

int memgate_policy__pin_group(struct memgate_policy *p, const char *name,
			      mode_t mode, gid_t gid)
{
	struct pins pins;
	int err;

	if (p->link_fd < 0)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "policy %s was not loaded by this process",
			       p->name);
	err = pins_of(name ? name : p->name, &pins);
	if (!err)
		err = mg_make_pin_dirs();
	if (err)
		return err;
	if (bpf_obj_pin(p->link_fd, pins.link))
		return pin_failed(pins.link, -errno);
	err = pin_rest(p, &pins, mode, gid);
	if (err) {
		unlink(pins.types);
		unlink(pins.map);
		unlink(pins.link);
		return err;
	}
	if (name)
		snprintf(p->name, sizeof(p->name), "%s", name);
	return 0;
}

int memgate_policy__pin(struct memgate_policy *p, const char *name,
			mode_t mode)
{
	return memgate_policy__pin_group(p, name, mode, (gid_t)-1);
}

/* Through the link: this needs CAP_SYS_ADMIN, but only the link. */
static struct memgate_policy *open_link(int link_fd, const char *path)
{
	struct memgate_policy *p;
	uint32_t link_id, map_id;
	int __autoclose map_fd = -1;
	int err;

	err = mg_link_map_id(link_fd, &link_id, &map_id);
	if (err || !map_id)
		return mg_fail_ptr(MEMGATE_ERR_INPUT, EINVAL, NULL,
				   "%s is no link of a policy", path);
	map_fd = bpf_map_get_fd_by_id(map_id);
	if (map_fd < 0)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, errno, errno == EPERM ?
				   "it needs CAP_SYS_ADMIN, or a policy that "
				   "'memgate policy load' loaded" : NULL,
				   "cannot get the map of policy %s: %s", path,
				   mg_errno_name(errno));
	p = memgate_policy__from_map_fd(map_fd);
	if (p)
		p->link_id = link_id;
	return p;
}

static int open_map_pin(const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);

	return bpf_obj_get_opts(path, &opts);
}

static int not_loaded(const char *name)
{
	return mg_fail(MEMGATE_ERR_REFUSED, ENOENT,
		       "'memgate policy list' shows what is loaded; load it "
		       "with 'memgate policy load FILE'",
		       "no policy '%s' is loaded (looked in %s)", name,
		       pin_dir);
}

/* A pin that the user names by its path: a map or a link. */
static struct memgate_policy *open_path(const char *path)
{
	int __autoclose fd = open_map_pin(path);
	uint32_t id;

	if (fd >= 0 && !mg_map_id(fd, &id, NULL, 0))
		return memgate_policy__from_map_fd(fd);
	mg_close(&fd);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, errno, NULL,
				   "cannot open pin %s: %s", path,
				   mg_errno_name(errno));
	return open_link(fd, path);
}

/*
 * The map's own pin if it is the map of that link (or the link may not be
 * opened), else through the link.
 */
static struct memgate_policy *open_pins(const char *name)
{
	int __autoclose link_fd = -1;
	int __autoclose map_fd = -1;
	uint32_t link_id = 0, linked = 0, id = 0;
	struct memgate_policy *p;
	struct pins pins;
	int err;

	if (pins_of(name, &pins))
		return errno = EINVAL, NULL;
	link_fd = bpf_obj_get(pins.link);
	err = errno;
	if (link_fd < 0 && err == ENOENT)
		return errno = -not_loaded(name), NULL;
	if (link_fd >= 0)
		mg_link_map_id(link_fd, &link_id, &linked);
	map_fd = open_map_pin(pins.map);
	if (map_fd >= 0)
		mg_map_id(map_fd, &id, NULL, 0);
	if (id && (link_fd < 0 || id == linked)) {
		p = memgate_policy__from_map_fd(map_fd);
		if (p)
			strcpy(p->types_pin, pins.types);
	} else if (link_fd >= 0) {
		p = open_link(link_fd, pins.link);
	} else {
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, err,
				   "an administrator opens it to others with "
				   "'memgate policy load FILE mode 0444'",
				   "policy %s may not be opened: %s", name,
				   mg_errno_name(err));
	}
	if (p) {
		p->link_id = link_id;
		snprintf(p->name, sizeof(p->name), "%s", name);
	}
	return p;
}

struct by_title {
	const char *title;
	char name[64];
	int found;
};

static int match_title(struct memgate_policy *p, const char *name, void *ctx)
{
	struct by_title *t = ctx;

	if (!p || strcmp(p->title, t->title))
		return 0;
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->found++;
	return 0;
}

struct memgate_policy *memgate_policy__open(const char *name)
{
	struct by_title t = { .title = name };
	struct memgate_policy *p;

	if (strchr(name, '/'))
		return open_path(name);
	p = open_pins(name);
	if (p || errno != ENOENT)
		return p;
	/* Pins are named after the map, whose name holds 15 bytes only. */
	memgate_policy__list(match_title, &t);
	if (t.found == 1)
		return open_pins(t.name);
	if (t.found)
		return mg_fail_ptr(MEMGATE_ERR_INPUT, ENOTUNIQ,
				   "use the name of its pin",
				   "%d loaded policies call themselves '%s'",
				   t.found, name);
	return errno = -not_loaded(name), NULL;
}

struct by_id {
	uint32_t id;
	char name[64];
};

static int match_id(struct memgate_policy *p, const char *name, void *ctx)
{
	struct by_id *b = ctx;

	if (!p || p->map_id != b->id)
		return 0;
	snprintf(b->name, sizeof(b->name), "%s", name);
	return 1;
}

struct memgate_policy *memgate_policy__open_id(uint32_t map_id)
{
	struct by_id b = { .id = map_id };
	int __autoclose fd = -1;

	/* Its pins may be readable where maps by id are not. */
	if (memgate_policy__list(match_id, &b) == 1)
		return open_pins(b.name);
	fd = bpf_map_get_fd_by_id(map_id);
	if (fd >= 0)
		return memgate_policy__from_map_fd(fd);
	return mg_fail_ptr(MEMGATE_ERR_REFUSED, errno, errno == EPERM ?
			   "a policy that has no pin takes CAP_SYS_ADMIN" :
			   NULL, "cannot open the policy of map %u: %s",
			   map_id, mg_errno_name(errno));
}

int memgate_policy__unload(const char *name)
{
	struct pins pins;
	int err;

	err = pins_of(name, &pins);
	if (err)
		return err;
	/* The link last: it is the name's owner. */
	if (unlink(pins.map) && errno != ENOENT)
		goto fail;
	if (unlink(pins.types) && errno != ENOENT)
		goto fail;
	if (!unlink(pins.link))
		return 0;
	if (errno == ENOENT)
		return not_loaded(name);
fail:
	err = errno;
	return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
		       "cannot unload policy %s: %s", name,
		       mg_errno_name(err));
}

static int is_pin(const struct dirent *d)
{
	return d->d_type != DT_DIR && d->d_name[0] != '.';
}

int memgate_policy__list(int (*fn)(struct memgate_policy *, const char *,
				   void *), void *ctx)
{
	struct memgate_policy *p;
	struct dirent **names;
	int i, n, err = 0;

	n = scandir(pin_dir, &names, is_pin, alphasort);
	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "cannot read %s: %s", pin_dir,
			       mg_errno_name(errno));
	for (i = 0; i < n; i++) {
		if (!err) {
			p = open_pins(names[i]->d_name);
			err = fn(p, names[i]->d_name, ctx);
			memgate_policy__free(p);
		}
		free(names[i]);
	}
	free(names);
	return err;
}
