// SPDX-License-Identifier: GPL-2.0-only
/* memgate's tracepoints, by a BPF program and by tracefs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "memgate_util.h"
#include "see_util.h"

#define TRACEFS	"/sys/kernel/tracing"

static const char *const class_words[] = {
	"MAP", "FILE", "OWN_PIN", "OWN_LONGTERM", "REMOTE", "OTHER", "KVM",
	"VFIO", "IOMMUFD", "RDMA", "VDPA", "VHOST", "IO_URING", "XDP",
	"DMABUF", NULL
};
static const char *const op_words[] = {
	"mmap", "mprotect", "mremap", "fork", NULL
};

static const char *word_of(const char *const *words, unsigned int nr)
{
	while (nr && *words) {
		words++;
		nr--;
	}
	return *words ?: "?";
}

/* ~0 for one that is not there. */
static unsigned int nr_of(const char *const *words, const char *word)
{
	unsigned int nr;

	for (nr = 0; words[nr]; nr++)
		if (!strcmp(words[nr], word))
			return nr;
	return ~0U;
}

/* Text in tracefs ***********************************************************/

/* What stands behind " KEY=", up to the next blank; NULL if it is missing. */
static const char *value(const char *line, const char *key)
{
	static char buf[64];
	char want[32];
	const char *at;

	snprintf(want, sizeof(want), " %s=", key);
	at = strstr(line, want);
	if (!at)
		return NULL;
	at += strlen(want);
	snprintf(buf, sizeof(buf), "%.*s", (int)strcspn(at, " \n"), at);
	return buf;
}

static long long number(const char *line, const char *key)
{
	const char *v = value(line, key);

	return v ? strtoll(v, NULL, 0) : -1;
}

static void text(const char *line, const char *key, char *to, size_t size)
{
	const char *v = value(line, key);

	snprintf(to, size, "%s", v ?: "(missing)");
}

static unsigned int rights_of(const char *v)
{
	unsigned int rights = 0;

	rights |= strstr(v, "READ") ? MEMGATE_READ : 0;
	rights |= strstr(v, "WRITE") ? MEMGATE_WRITE : 0;
	rights |= strstr(v, "EXEC") ? MEMGATE_EXEC : 0;
	return rights;
}

static void parse_decision(const char *line, struct see_event *e)
{
	e->gate = number(line, "gate");
	e->class = nr_of(class_words, value(line, "class") ?: "");
	if (e->class == MEMGATE_MAP)
		e->op = nr_of(op_words, value(line, "op") ?: "");
	e->rights = rights_of(value(line, "rights") ?: "");
	e->start = number(line, "start");
	e->len = number(line, "len");
	e->consumer = number(line, "consumer");
	e->pid = number(line, "pid");
	text(line, "dev", e->dev, sizeof(e->dev));
	text(line, "policy", e->policy, sizeof(e->policy));
	e->ret = number(line, "ret");
}

static void parse_line(const char *line, struct see_events *events)
{
	struct see_event *e = &events->event[events->nr];
	const char *at;

	if (events->nr == SEE_MAX_EVENTS || line[0] == '#')
		return;
	memset(e, 0, sizeof(*e));
	at = strstr(line, ": memgate_decision:");
	if (at) {
		parse_decision(at, e);
		events->nr++;
		return;
	}
	at = strstr(line, ": memgate_closed:");
	if (at) {
		e->gate = number(at, "gate");
		text(at, "way", e->way, sizeof(e->way));
		events->nr++;
	}
}

/* What is on while the program runs. */
static struct {
	struct bpf_object *obj;
	struct bpf_link *link[2];
	char dir[96];
	pid_t owner;
	int err;
} on = { .err = -ENODATA };

static int collect_text(struct see_watch *watch)
{
	char path[160], line[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/trace", on.dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (getenv("V"))
			printf("# %s", line);
		parse_line(line, &watch->text);
	}
	fclose(f);
	/* Truncation empties it. */
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fclose(f);
	return 0;
}

static int tracefs_write(const char *file, const char *what)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", on.dir, file);
	return mg_write_file(path, what);
}

/* Events in one order on all processors: "counter" is no time, but that. */
static int text_on(void)
{
	snprintf(on.dir, sizeof(on.dir),
		 TRACEFS "/instances/memgate-see-%d", getpid());
	if (mkdir(on.dir, 0700))
		return -errno;
	return tracefs_write("trace_clock", "counter") ?:
	       tracefs_write("events/memgate/enable", "1");
}

/* A BPF program *************************************************************/

static int take(void *ctx, void *data, size_t size)
{
	struct see_events *events = ctx;

	if (size < sizeof(struct see_event) || events->nr == SEE_MAX_EVENTS)
		return 0;
	memcpy(&events->event[events->nr++], data, sizeof(struct see_event));
	return 0;
}

static int bpf_on(void)
{
	struct bpf_program *prog;
	int i = 0;

	on.obj = see_load("see_trace");
	if (!on.obj)
		return -errno;
	bpf_object__for_each_program(prog, on.obj) {
		on.link[i] = bpf_program__attach(prog);
		if (!on.link[i++])
			return -errno;
	}
	return 0;
}

void see_watch_preload(void)
{
	on.owner = getpid();
	on.err = bpf_on();
	if (!on.err)
		on.err = text_on();
}

/* In the program that switched it on, not in those that it has forked. */
static __attribute__((destructor)) void off(void)
{
	int i;

	if (on.owner != getpid())
		return;
	for (i = 0; i < 2; i++)
		bpf_link__destroy(on.link[i]);
	bpf_object__close(on.obj);
	if (on.dir[0]) {
		tracefs_write("events/memgate/enable", "0");
		rmdir(on.dir);
	}
}

int see_watch_begin(struct see_watch *watch)
{
	int fd;

	memset(watch, 0, sizeof(*watch));
	if (on.err)
		return on.err;
	fd = bpf_object__find_map_fd_by_name(on.obj, "see_ring");
	watch->ring = ring_buffer__new(fd, take, &watch->bpf, NULL);
	return watch->ring ? see_watch_collect(watch) : -errno;
}

int see_watch_collect(struct see_watch *watch)
{
	int n;

	watch->bpf.nr = 0;
	watch->text.nr = 0;
	n = ring_buffer__consume(watch->ring);
	return n < 0 ? n : collect_text(watch);
}

void see_watch_end(struct see_watch *watch)
{
	ring_buffer__free(watch->ring);
	watch->ring = NULL;
}

/* Events ********************************************************************/

const char *see_words(const struct see_event *e)
{
	static char buf[4][256];
	static int next;
	char *to = buf[next++ % 4];

	if (e->way[0])
		snprintf(to, sizeof(buf[0]), "gate %llu closed: %s", e->gate,
			 e->way);
	else
		snprintf(to, sizeof(buf[0]),
			 "gate %llu %s%s%s rights %#x at %#llx+%#llx consumer %llu pid %d dev '%s' policy '%s': %d",
			 e->gate, word_of(class_words, e->class),
			 e->class == MEMGATE_MAP ? " " : "",
			 e->class == MEMGATE_MAP ? word_of(op_words, e->op) :
						   "",
			 e->rights, e->start, e->len, e->consumer, e->pid,
			 e->dev, e->policy, e->ret);
	return to;
}

static bool same_consumer(__u64 want, __u64 seen)
{
	return want == SEE_SOMEBODY ? seen : want == seen;
}

bool see_same(const struct see_event *want, const struct see_event *seen)
{
	return want->gate == seen->gate && want->class == seen->class &&
	       want->op == seen->op && want->rights == seen->rights &&
	       want->start == seen->start && want->len == seen->len &&
	       same_consumer(want->consumer, seen->consumer) &&
	       want->pid == seen->pid && want->ret == seen->ret &&
	       !strcmp(want->policy, seen->policy) &&
	       !strcmp(want->dev, seen->dev) && !strcmp(want->way, seen->way);
}
