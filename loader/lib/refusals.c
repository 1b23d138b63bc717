// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The recorder of refusals: started and stopped by pinning its program
 * (refusals.bpf.c, which is part of the library's file), and read.
 *
 *   DIR/recorder/last		the last refusal of each kind on each gate
 *   DIR/recorder/parties	the same for each consumer, process and device
 *   DIR/recorder/state		since when, what was missed
 *   DIR/recorder/decision	the links: it records while they are there
 *   DIR/recorder/closed
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "internal.h"
#include "refusals.h"

asm(".pushsection .rodata, \"a\"\n"
    ".balign 16\n"
    "mg_refusals_bpf: .incbin \"" MEMGATE_REFUSALS_BPF "\"\n"
    "mg_refusals_bpf_end:\n"
    ".popsection\n");

extern const char mg_refusals_bpf[], mg_refusals_bpf_end[];

/* Links last: with all of them there, it is on. */
static const struct {
	const char *pin;
	const char *name;
	bool is_link;
} pins[] = {
	{ "last", "mg_last", false },
	{ "parties", "mg_parties", false },
	{ "state", "mg_state", false },
	{ "decision", "decision", true },
	{ "closed", "closed", true },
};

static void pin_path(const char *pin, char *path, size_t size)
{
	snprintf(path, size, "%s/recorder%s%s", memgate_pin_dir(),
		 *pin ? "/" : "", pin);
}

static int open_pin(const char *pin)
{
	char path[160];
	int fd;

	pin_path(pin, path, sizeof(path));
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* 1 if it is on, 0 if not; -EACCES and the like if that cannot be seen. */
static int is_on(void)
{
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(pins); i++) {
		fd = open_pin(pins[i].pin);
		if (fd == -ENOENT || fd == -ENOTDIR)
			return 0;
		if (fd < 0)
			return fd;
		close(fd);
	}
	return 1;
}

/* In the reverse order of their making; the directory stays locked. */
static int unpin_all(void)
{
	size_t i = ARRAY_SIZE(pins);
	char path[160];
	int err = 0;

	while (i--) {
		pin_path(pins[i].pin, path, sizeof(path));
		if (unlink(path) && errno != ENOENT && errno != ENOTDIR && !err)
			err = -errno;
	}
	return err;
}

static int remove_all(void)
{
	int err = unpin_all();
	char path[160];

	pin_path("", path, sizeof(path));
	if (rmdir(path) && errno != ENOENT && !err)
		err = -errno;
	return err;
}

static int cannot(const char *what, int err)
{
	return mg_fail(MEMGATE_ERR_REFUSED, -err, err == -EACCES ||
		       err == -EPERM ? "the recorder is root's, and takes "
		       "CAP_BPF and CAP_PERFMON" : NULL,
		       "cannot %s: %s", what, mg_errno_name(err));
}

static bool is_same(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/*
 * Of two that start or stop it, one waits.  The directory is its owner's, so
 * nobody else makes them wait; it may be removed meanwhile.
 */
static int lock_dir(bool make)
{
	char path[160];
	int fd, err;

	pin_path("", path, sizeof(path));
	for (;;) {
		if (make && mkdir(path, 0700) && errno != EEXIST)
			return cannot("start the recorder", -errno);
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT && make)
			continue;
		if (fd < 0 || flock(fd, LOCK_EX)) {
			err = -errno;
			mg_close(&fd);
			return err == -ENOENT ? err :
			       cannot("open the recorder's pins", err);
		}
		if (is_same(fd, path))
			return fd;
		close(fd);
	}
}

static uint64_t boottime(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int set_state(struct bpf_object *obj)
{
	struct mg_recorder_state state = {
		.version = MG_REFUSALS_VERSION,
		.since = boottime(),
	};
	uint32_t zero = 0;
	int fd = bpf_object__find_map_fd_by_name(obj, "mg_state");

	return bpf_map_update_elem(fd, &zero, &state, BPF_ANY) ? -errno : 0;
}

static int pin_link(struct bpf_object *obj, const char *name, const char *path)
{
	struct bpf_program *prog;
	struct bpf_link *link;
	int err;

	prog = bpf_object__find_program_by_name(obj, name);
	link = prog ? bpf_program__attach(prog) : NULL;
	if (!link)
		return -errno;
	err = bpf_link__pin(link, path);
	bpf_link__destroy(link);
	return err;
}

static int pin_all(struct bpf_object *obj)
{
	char path[160];
	size_t i;
	int fd, err;

	for (i = 0; i < ARRAY_SIZE(pins); i++) {
		pin_path(pins[i].pin, path, sizeof(path));
		if (pins[i].is_link) {
			err = pin_link(obj, pins[i].name, path);
		} else {
			fd = bpf_object__find_map_fd_by_name(obj,
							     pins[i].name);
			err = bpf_obj_pin(fd, path) ? -errno : 0;
		}
		if (err)
			return err;
	}
	return 0;
}

static int start(void)
{
	int __autoclose types = -1;
	struct bpf_object *obj;
	int err;

	mg_log_begin();
	obj = mg_core_open(mg_refusals_bpf,
			   mg_refusals_bpf_end - mg_refusals_bpf, &types);
	err = obj ? 0 : -errno;
	if (!err && bpf_object__load(obj))
		err = -errno;
	if (!err)
		err = set_state(obj);
	if (!err)
		err = pin_all(obj);
	free(mg_log_end());
	if (err)
		remove_all();
	bpf_object__close(obj);
	return err ? cannot("start the recorder", err) : 0;
}

static bool may_record(void)
{
	return mg_have_cap(MG_CAP_SYS_ADMIN) ||
	       (mg_have_cap(MG_CAP_BPF) && mg_have_cap(MG_CAP_PERFMON));
}

int memgate_recorder__start(void)
{
	int __autoclose lock = -1;
	int err = memgate_probe();

	if (!err)
		err = memgate_probe_btf();
	if (!err && !may_record())
		err = cannot("start the recorder", -EPERM);
	if (!err)
		err = mg_make_pin_dirs();
	if (err)
		return err;
	lock = lock_dir(true);
	if (lock < 0)
		return lock;
	err = is_on();
	if (err)
		return err < 0 ? cannot("look at the recorder", err) : 1;
	/* Left over from one that died while it started. */
	unpin_all();
	return start();
}

int memgate_recorder__stop(void)
{
	int __autoclose lock = lock_dir(false);
	int err;

	if (lock == -ENOENT)
		return 1;
	if (lock < 0)
		return lock;
	err = remove_all();
	return err ? cannot("stop the recorder", err) : 0;
}

int memgate_recorder__info(struct memgate_recorder_info *info)
{
	struct mg_recorder_state state;
	int __autoclose fd = -1;
	uint32_t zero = 0;
	int on = is_on();

	memset(info, 0, sizeof(*info));
	if (on < 0)
		return cannot("look at the recorder", on);
	if (!on)
		return 0;
	fd = open_pin("state");
	if (fd < 0)
		return cannot("look at the recorder", fd);
	if (bpf_map_lookup_elem(fd, &zero, &state) ||
	    state.version != MG_REFUSALS_VERSION)
		return mg_fail(MEMGATE_ERR_REFUSED, EPROTO,
			       "'memgate recorder off', then 'on'",
			       "the recorder was started by another version "
			       "of memgate");
	info->on = true;
	info->since = state.since;
	info->missed = state.missed;
	return 0;
}

static void copy_text(char *to, size_t to_size, const char *from, size_t size)
{
	snprintf(to, to_size, "%.*s", (int)strnlen(from, size), from);
	mg_printable(to);
}

static void fill(struct memgate_refusal *to, const struct mg_refusal *from)
{
	const struct mg_refusal_facts *f = &from->facts;

	memset(to, 0, sizeof(*to));
	to->gate = from->key.gate;
	to->class_nr = from->key.class;
	to->op = from->key.op;
	to->rights = f->rights;
	to->err = f->ret < 0 ? -f->ret : f->ret;
	to->start = f->start;
	to->len = f->len;
	to->consumer = f->consumer;
	to->time = f->time;
	to->nr = from->nr;
	to->pid = f->pid;
	to->pid_start = f->task_start;
	to->uid = f->uid;
	to->exe_ino = f->exe_ino;
	to->exe_dev = f->exe_dev;
	copy_text(to->comm, sizeof(to->comm), f->comm, sizeof(f->comm));
	copy_text(to->exe, sizeof(to->exe), f->exe, sizeof(f->exe));
	copy_text(to->device, sizeof(to->device), f->dev, sizeof(f->dev));
	copy_text(to->policy, sizeof(to->policy), f->policy,
		  sizeof(f->policy));
	if (from->key.class != MG_REFUSAL_WAY)
		return;
	to->class_nr = MEMGATE_REFUSAL_WAY;
	to->err = EACCES;
	copy_text(to->way, sizeof(to->way), from->key.what,
		  sizeof(from->key.what));
}

/* All of one refusal, of this key; tried again while one is being written. */
static bool read_refusal(int fd, const struct mg_refusal_key *key,
			 struct mg_refusal *r)
{
	int tries;

	for (tries = 0; tries < 100; tries++) {
		if (bpf_map_lookup_elem(fd, key, r))
			return false;
		if (r->nr && r->begun == r->done)
			return !memcmp(&r->key, key, sizeof(*key));
	}
	return false;
}

static int by_time(const void *a, const void *b)
{
	const struct memgate_refusal *x = a, *y = b;

	return x->time > y->time ? -1 : x->time < y->time;
}

static int read_all(int fd, uint64_t gate, struct memgate_refusal **list,
		    size_t *nr)
{
	struct mg_refusal_key key, *last = NULL;
	struct mg_refusal r;
	int left = 2 * MG_REFUSALS_MAX;

	*nr = 0;
	*list = calloc(MG_REFUSALS_MAX, sizeof(**list));
	if (!*list)
		return -ENOMEM;
	/* It begins anew if the key where it is was forgotten. */
	while (left-- && !bpf_map_get_next_key(fd, last, &key)) {
		last = &key;
		if ((!gate || key.gate == gate) && *nr < MG_REFUSALS_MAX &&
		    read_refusal(fd, &key, &r))
			fill(*list + (*nr)++, &r);
	}
	qsort(*list, *nr, sizeof(**list), by_time);
	return 0;
}

int memgate_recorder__read(uint64_t gate, enum memgate_refusals which,
			   struct memgate_refusal **list, size_t *nr)
{
	struct memgate_recorder_info info;
	int __autoclose fd = -1;
	int err;

	err = memgate_recorder__info(&info);
	if (err)
		return err;
	if (!info.on)
		return mg_fail(MEMGATE_ERR_REFUSED, ENODATA,
			       "'memgate recorder on' starts it",
			       "refusals are not being recorded");
	fd = open_pin(which == MEMGATE_REFUSALS_LAST ? "last" : "parties");
	if (fd < 0)
		return cannot("read the recorder", fd);
	err = read_all(fd, gate, list, nr);
	return err ? cannot("read the recorder", err) : 0;
}
