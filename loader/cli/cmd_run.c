// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate run: make memory that only this VMM and its one VM may use, then
 * become the VMM.
 *
 * The process that makes the memfd executes the command itself, so its pid
 * and start time name the owner before anybody else has the descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"

#define MAX_USES	16

struct run {
	const char *name;
	uint64_t size;
	uint64_t hugetlb;	/* size of huge pages, or 0 */
	uint64_t page;
	int fd;			/* the number wanted, or -1 */
	bool no_default;
	bool nofreeze;
	const char *pin;
	int nr_uses;
	struct use use[MAX_USES];
	/* for a failure, which leaves nothing behind */
	bool made_dir;
	int nr_pinned;
	char pinned[MAX_USES][64];
};

/* Any failure of our own is 125, as with env(1). */
static int fail(int code)
{
	return code ? EXIT_RUN_FAILED : 0;
}

static int parse_hugetlb(const char *s, struct run *r)
{
	if (!s || parse_size(s, &r->page))
		return report_usage("'hugetlb' needs a page size: 2M or 1G");
	if (r->page != 2 << 20 && r->page != 1 << 30)
		return report_usage("'hugetlb %s': page sizes are 2M and 1G",
				    s);
	r->hugetlb = r->page;
	return 0;
}

static int parse_one(struct words *w, struct run *r)
{
	const char *word;

	if (take_word(w, "size")) {
		word = next_word(w);
		if (parse_size(word, &r->size) || !r->size)
			return report_usage("'size' needs bytes such as 4G, "
					    "not '%s'", word ? word : "");
	} else if (take_word(w, "hugetlb")) {
		return parse_hugetlb(next_word(w), r);
	} else if (take_word(w, "name")) {
		r->name = next_word(w);
		if (!r->name)
			return report_usage("'name' needs a name");
	} else if (take_word(w, "fd")) {
		if (parse_int(next_word(w), &r->fd) || r->fd < 3)
			return report_usage("'fd' needs a number from 3 on");
	} else if (take_word(w, "no-default")) {
		r->no_default = true;
	} else if (take_word(w, "nofreeze")) {
		r->nofreeze = true;
	} else if (take_word(w, "pin")) {
		r->pin = next_word(w);
		if (!r->pin)
			return report_usage("'pin' needs a directory");
	} else if (take_word(w, "policy")) {
		if (r->nr_uses == MAX_USES)
			return report_usage("more than %d policies", MAX_USES);
		return parse_use(w, &r->use[r->nr_uses++]);
	} else {
		return no_more_words(w);
	}
	return 0;
}

static int parse_run(struct words *w, struct run *r)
{
	int err;

	while (w->nr && strcmp(*w->word, "--")) {
		err = parse_one(w, r);
		if (err)
			return err;
	}
	if (!take_word(w, "--") || !w->nr)
		return report_usage("end with '-- COMMAND ARGS'");
	if (!r->size)
		return report_usage("say how much memory: 'size 4G'");
	if (r->size % r->page)
		return report_usage("size %llu is no multiple of the page "
				    "size %llu", (unsigned long long)r->size,
				    (unsigned long long)r->page);
	if (r->nofreeze != !!r->pin)
		return report_usage("'nofreeze' and 'pin DIR' go together: "
				    "links that nobody keeps close the gate");
	return 0;
}

/* What a VM's memory gets if the user names no policy. */
static int default_uses(struct run *r, const char *tgid, const char *start)
{
	static char params[2][64];

	if (r->nr_uses || r->no_default)
		return 0;
	if (!in_init_pid_ns())
		return report_errno(EXIT_REFUSED, ENOTSUP,
				    "name the policies yourself, for example "
				    "'policy owner param by_uid=1 param "
				    "uid=N policy exclusive_kvm'",
				    "the default policy names the owner by "
				    "its pid, which has another meaning in "
				    "this pid namespace");
	snprintf(params[0], sizeof(params[0]), "tgid=%s", tgid);
	snprintf(params[1], sizeof(params[1]), "start=%s", start);
	r->use[0].policy = "exclusive_kvm";
	r->use[1].policy = "owner";
	r->use[1].param[0] = params[0];
	r->use[1].param[1] = params[1];
	r->use[1].nr_params = 2;
	r->nr_uses = 2;
	return 0;
}

static int move_fd(int fd, int wanted)
{
	int moved;

	if (wanted < 0 || wanted == fd)
		return fd;
	if (fcntl(wanted, F_GETFD) >= 0) {
		report_errno(EXIT_REFUSED, EBUSY, "choose another number",
			     "file descriptor %d is open already", wanted);
		return -1;
	}
	moved = dup3(fd, wanted, O_CLOEXEC);
	if (moved < 0)
		report_errno(EXIT_REFUSED, errno, "choose a lower number, or "
			     "raise the limit with 'ulimit -n'",
			     "cannot have file descriptor %d", wanted);
	close(fd);
	return moved;
}

static int make_memory(const struct run *r)
{
	struct memgate_memfd_opts opts = {
		.sz = sizeof(opts), .name = r->name, .size = r->size,
		.hugetlb = r->hugetlb, .seal_size = true,
	};
	void (*was)(int);
	int fd;

	/* A size beyond the file size limit kills otherwise. */
	was = signal(SIGXFSZ, SIG_IGN);
	fd = memgate_memfd__create(&opts);
	signal(SIGXFSZ, was);
	if (fd < 0) {
		errno = -fd;
		report();
		return -1;
	}
	return move_fd(fd, r->fd);
}

static int pin_link(struct run *r, int link_fd, const char *name)
{
	char path[256];
	int err;

	if (!r->pin)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", r->pin, name);
	err = memgate_link__pin(link_fd, path);
	if (err)
		return errno = -err, report();
	snprintf(r->pinned[r->nr_pinned++], sizeof(r->pinned[0]), "%s", name);
	return 0;
}

static int remove_pins(const struct run *r, int code)
{
	char path[256];
	int i;

	for (i = 0; i < r->nr_pinned; i++) {
		snprintf(path, sizeof(path), "%s/%s", r->pin, r->pinned[i]);
		unlink(path);
	}
	if (r->made_dir)
		rmdir(r->pin);
	return code;
}

/*
 * Link descriptors are closed by exec; the policies stay because the gate
 * is frozen by then, or their links are pinned.
 */
static int install_all(struct run *r, int fd)
{
	int i, link_fd, err;
	char name[64];

	r->made_dir = r->pin && !mkdir(r->pin, 0700);
	if (r->pin && !r->made_dir && errno != EEXIST)
		return report_errno(EXIT_REFUSED, errno, errno == ENOENT ?
				    "make the directories above it first" :
				    NULL, "cannot make directory %s", r->pin);
	for (i = 0; i < r->nr_uses; i++) {
		link_fd = install_use(fd, &r->use[i], name, sizeof(name));
		if (link_fd < 0)
			return -link_fd;
		err = pin_link(r, link_fd, name);
		if (err)
			return err;
	}
	if (r->nofreeze)
		return 0;
	err = memgate_gate__freeze(fd);
	return err < 0 ? (errno = -err, report()) : 0;
}

/* The numbers that arguments and parameters may ask for by name. */
enum { SELF_FD, SELF_SIZE, SELF_TGID, SELF_START, NR_SELF };

static const char * const self_names[NR_SELF] = {
	"fd", "size", "tgid", "start",
};

static int expand_uses(struct run *r, const char * const *values)
{
	int i, err = 0;

	for (i = 0; i < r->nr_uses && !err; i++)
		err = expand_use(&r->use[i], self_names, values, NR_SELF);
	return err;
}

static void free_uses(struct run *r)
{
	int i;

	for (i = 0; i < r->nr_uses; i++)
		free_use(&r->use[i]);
}

static void free_words(char **words)
{
	char **word;

	for (word = words; word && *word; word++)
		free(*word);
	free(words);
}

/* Ends with NULL, as execvp() wants it.  NULL if there is no memory. */
static char **expand_words(const struct words *w, const char * const *values)
{
	char **words = calloc(w->nr + 1, sizeof(*words));
	int i;

	/* tgid and start are for policies; arguments keep such words. */
	for (i = 0; words && i < w->nr; i++) {
		words[i] = expand(w->word[i], self_names, values,
				  SELF_SIZE + 1);
		if (!words[i]) {
			free_words(words);
			return NULL;
		}
	}
	return words;
}

static int cannot_execute(const char *command, int err)
{
	const char *hint = NULL;

	if (err == ENOENT)
		hint = "check its name, PATH and (of a script) the interpreter";
	else if (err == EACCES)
		hint = "it has to be a file that this user may execute";
	return report_errno(err == ENOENT ? EXIT_RUN_NOT_FOUND :
			    EXIT_RUN_CANNOT_EXEC, err, hint,
			    "cannot execute %s", command);
}

static int exec_command(struct words *w, int fd, const char * const *values)
{
	char **words = expand_words(w, values);
	int err;

	if (!words)
		return report_errno(EXIT_RUN_FAILED, ENOMEM, NULL,
				    "arguments");
	if (fcntl(fd, F_SETFD, 0)) {
		err = report_errno(EXIT_RUN_FAILED, errno, NULL,
				   "file descriptor %d", fd);
	} else {
		fflush(stdout);
		execvp(words[0], words);
		err = errno;
		err = cannot_execute(words[0], err);
	}
	free_words(words);
	return err;
}

/*
 * @ready is called in the process that becomes the command, when the memory
 * is as it will be; 0 or the exit code.  May be NULL.
 */
int run_command_on_memory(struct words *w, int (*ready)(int fd, void *ctx),
			  void *ctx)
{
	struct run r = {
		.name = "memgate", .fd = -1, .page = 4096,
	};
	char text[NR_SELF][24];
	const char *values[NR_SELF];
	uint64_t start;
	int i, fd, err;

	err = parse_run(w, &r);
	if (err)
		return fail(err);
	err = memgate_probe();
	if (err)
		return errno = -err, fail(report());
	err = memgate_process_start(0, &start);
	if (err)
		return report_errno(EXIT_RUN_FAILED, -err, "mount /proc",
				    "cannot read /proc/self/stat");
	fd = make_memory(&r);
	if (fd < 0)
		return EXIT_RUN_FAILED;
	snprintf(text[SELF_FD], sizeof(text[0]), "%d", fd);
	snprintf(text[SELF_SIZE], sizeof(text[0]), "%llu",
		 (unsigned long long)r.size);
	snprintf(text[SELF_TGID], sizeof(text[0]), "%d", getpid());
	snprintf(text[SELF_START], sizeof(text[0]), "%llu",
		 (unsigned long long)start);
	for (i = 0; i < NR_SELF; i++)
		values[i] = text[i];
	err = default_uses(&r, text[SELF_TGID], text[SELF_START]);
	if (!err)
		err = expand_uses(&r, values);
	if (!err) {
		err = memgate_gate__seal(fd);
		err = err < 0 ? (errno = -err, report()) : 0;
	}
	if (!err)
		err = install_all(&r, fd);
	if (!err && ready)
		err = ready(fd, ctx);
	free_uses(&r);
	err = err ? fail(err) : exec_command(w, fd, values);
	return remove_pins(&r, err);
}

int cmd_run(struct words *w)
{
	return run_command_on_memory(w, NULL, NULL);
}
