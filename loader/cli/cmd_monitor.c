// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate monitor: decisions as they are made */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

#define MAX_GATES	64
#define LINE_BYTES	16384

struct monitor {
	struct memgate_events *events;
	uint64_t gates[MAX_GATES];
	struct memgate_events_opts opts;
	int seconds;
	int count;		/* 0: no end */
	int taken;
	uint64_t lost;		/* as many have been told of */
	bool colours;
	bool failed;		/* the output: a closed pipe, a full disk */
};

/* Words **********************************************************************/

static int add_gate(struct words *w, struct monitor *m)
{
	struct watched watched;
	int err;

	if (m->opts.nr_gates == MAX_GATES)
		return report_usage("more than %d gates", MAX_GATES);
	err = parse_watched(w, &watched);
	if (!err)
		m->gates[m->opts.nr_gates++] = watched.gate;
	return err;
}

static int add_class(struct words *w, struct monitor *m)
{
	unsigned int class;
	int err = parse_class(next_word(w), &class);

	if (!err)
		m->opts.classes |= MEMGATE_CLASS(class);
	return err;
}

static int parse_policy(struct words *w, struct monitor *m)
{
	m->opts.policy = next_word(w);
	if (!m->opts.policy)
		return report_usage("'policy' needs the name of a policy");
	if (strlen(m->opts.policy) >= MEMGATE_NAME_LEN)
		return report_usage("no policy has a name as long as '%s'",
				    m->opts.policy);
	return 0;
}

static int parse_one(struct words *w, struct monitor *m)
{
	if (take_word(w, "gate"))
		return add_gate(w, m);
	if (take_word(w, "class"))
		return add_class(w, m);
	if (take_word(w, "policy"))
		return parse_policy(w, m);
	if (take_word(w, "for"))
		return parse_seconds(w, &m->seconds);
	if (take_word(w, "pid")) {
		if (parse_int(next_word(w), &m->opts.pid) || !m->opts.pid)
			return report_usage("'pid' needs the number of a "
					    "process");
		if (w->nr && !strcmp(*w->word, "fd"))
			return report_usage("a gate is named by 'gate pid PID "
					    "fd N'; 'pid PID' alone is who "
					    "wants the memory");
	} else if (take_word(w, "count")) {
		if (parse_int(next_word(w), &m->count) || !m->count)
			return report_usage("'count' needs a number of "
					    "events");
	} else if (take_word(w, "refused")) {
		m->opts.no_allowed = true;
	} else if (take_word(w, "allowed")) {
		m->opts.no_refused = true;
	} else {
		return no_more_words(w);
	}
	return 0;
}

static int parse_monitor(struct words *w, struct monitor *m)
{
	int err;

	while (w->nr && strcmp(*w->word, "--")) {
		err = parse_one(w, m);
		if (err)
			return err;
	}
	if (take_word(w, "--") && !w->nr)
		return report_usage("'--' is followed by a command");
	if (m->opts.no_allowed && m->opts.no_refused)
		return report_usage("'refused' and 'allowed' leave nothing; "
				    "without them there is both");
	return 0;
}

/* Text ***********************************************************************/

static const char *op_text(uint32_t op, char *buf, size_t size)
{
	static const char * const names[] = {
		[MEMGATE_OP_MMAP] = "mmap",
		[MEMGATE_OP_MPROTECT] = "mprotect",
		[MEMGATE_OP_MREMAP] = "mremap",
		[MEMGATE_OP_FORK] = "fork",
	};

	if (op < ARRAY_SIZE(names))
		return names[op];
	snprintf(buf, size, "op%u", op);
	return buf;
}

static const char *verdict_text(const struct memgate_event *e)
{
	return e->kind == MEMGATE_EVENT_CLOSED ? "closed" :
	       e->ret ? "refused" : "allowed";
}

static const char *errno_text(int err, char *buf, size_t size)
{
	const char *name = strerrorname_np(-err);

	if (name)
		return name;
	snprintf(buf, size, "%d", err);
	return buf;
}

static void print_time(uint64_t ns)
{
	struct timespec now;
	struct tm tm;
	char text[16];
	time_t sec;
	int64_t at;

	/* What the wall clock said then. */
	clock_gettime(CLOCK_REALTIME, &now);
	at = now.tv_sec * 1000000000LL + now.tv_nsec - (int64_t)(boot_ns() -
								 ns);
	sec = at / 1000000000;
	strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&sec, &tm));
	printf("%s.%06d", text, (int)(at / 1000 % 1000000));
}

static void print_verdict(const struct monitor *m,
			  const struct memgate_event *e)
{
	const char *text = verdict_text(e);

	if (m->colours)
		printf("\033[%dm%-7s\033[0m", e->ret ? 31 : 32, text);
	else
		printf("%-7s", text);
}

static void print_what(const struct memgate_event *e)
{
	char buf[24];

	if (e->kind == MEMGATE_EVENT_CLOSED) {
		printf("way %s\n", e->way);
		return;
	}
	if (e->class_nr == MEMGATE_MAP)
		printf("%s ", op_text(e->op, buf, sizeof(buf)));
	printf("0x%llx+0x%llx", (unsigned long long)e->start,
	       (unsigned long long)e->len);
	if (e->consumer)
		printf(" consumer %llu", (unsigned long long)e->consumer);
	if (*e->device.name)
		printf(" device %s", e->device.name);
	if (e->ret)
		printf(" %s", errno_text(e->ret, buf, sizeof(buf)));
	putchar('\n');
}

static void print_heading(void)
{
	printf("%-15s %6s %-7s %-12s %-6s %-15s %7s %-15s %s\n", "TIME",
	       "GATE", "VERDICT", "CLASS", "RIGHTS", "POLICY", "PID", "COMM",
	       "WHAT");
}

static void print_event(const struct monitor *m, const struct memgate_event *e)
{
	bool closed = e->kind == MEMGATE_EVENT_CLOSED;
	char buf[16];

	print_time(e->time);
	printf(" %6llu ", (unsigned long long)e->gate);
	print_verdict(m, e);
	printf(" %-12s %-6s %-15s %7d %-15s ",
	       closed ? "-" : class_text(e->class_nr, buf, sizeof(buf)),
	       closed ? "-" : rights_text(e->rights),
	       *e->policy ? e->policy : "-", e->task.pid, e->task.comm);
	print_what(e);
}

/* JSON ***********************************************************************/

static struct json_object *event_json(const char *kind)
{
	struct json_object *obj = json_object_new_object();

	add_str(obj, "event", kind);
	return obj;
}

static struct json_object *task_json(const struct memgate_event_task *t)
{
	struct json_object *obj = json_object_new_object();

	add_u64(obj, "pid", t->pid);
	add_u64(obj, "tgid", t->tgid);
	add_u64(obj, "start", t->start);
	add_str(obj, "comm", t->comm);
	add_u64(obj, "euid", t->euid);
	add_u64(obj, "egid", t->egid);
	add_u64(obj, "cgroup", t->cgroup);
	add_u64(obj, "exe_ino", t->exe_ino);
	add_u64(obj, "exe_dev", t->exe_dev);
	add_bool(obj, "kthread", t->kthread);
	return obj;
}

static struct json_object *device_json(const struct memgate_event_device *d)
{
	struct json_object *obj;
	char text[16];

	if (!*d->name)
		return NULL;
	obj = json_object_new_object();
	add_str(obj, "name", d->name);
	if (*d->pci) {
		add_str(obj, "pci", d->pci);
		snprintf(text, sizeof(text), "%04x:%04x", d->vendor,
			 d->device);
		add_str(obj, "id", text);
		snprintf(text, sizeof(text), "%06x", d->pci_class);
		add_str(obj, "class", text);
	}
	if (d->group >= 0)
		add_u64(obj, "group", d->group);
	if (*d->driver)
		add_str(obj, "driver", d->driver);
	add_bool(obj, "bridge", d->bridge);
	add_bool(obj, "net", d->net);
	add_bool(obj, "rdma", d->rdma);
	return obj;
}

static void add_question(struct json_object *obj,
			 const struct memgate_event *e)
{
	char buf[24];

	add_str(obj, "class", class_text(e->class_nr, buf, sizeof(buf)));
	if (e->class_nr == MEMGATE_MAP)
		add_str(obj, "op", op_text(e->op, buf, sizeof(buf)));
	add_str(obj, "rights", rights_text(e->rights));
	add_u64(obj, "start", e->start);
	add_u64(obj, "len", e->len);
	add_u64(obj, "consumer", e->consumer);
	json_object_object_add(obj, "device", device_json(&e->device));
	add_str(obj, "policy", e->policy);
}

static void print_event_json(const struct memgate_event *e)
{
	bool closed = e->kind == MEMGATE_EVENT_CLOSED;
	struct json_object *obj = event_json(closed ? "closed" : "decision");
	char buf[16];

	add_u64(obj, "time", e->time);
	add_u64(obj, "gate", e->gate);
	if (closed) {
		add_str(obj, "way", e->way);
	} else {
		add_str(obj, "name", e->name);
		add_question(obj, e);
	}
	add_str(obj, "verdict", verdict_text(e));
	if (e->ret)
		add_str(obj, "errno", errno_text(e->ret, buf, sizeof(buf)));
	json_object_object_add(obj, "task", task_json(&e->task));
	print_json(obj);
}

/* What is no event ***********************************************************/

/* From now on nothing is missed: scripts wait for it. */
static void say_ready(const struct monitor *m)
{
	if (json_output) {
		print_json(event_json("ready"));
	} else {
		print_heading();
		fflush(stdout);
		fputs("ready\n", stderr);
	}
	fflush(stdout);
}

static void say_lost(struct monitor *m)
{
	uint64_t lost = memgate_events__lost(m->events);
	struct json_object *obj;

	if (lost == m->lost)
		return;
	if (json_output) {
		obj = event_json("lost");
		add_u64(obj, "lost", lost - m->lost);
		print_json(obj);
	} else {
		fflush(stdout);
		fprintf(stderr, "lost %llu events: they came faster than they "
			"could be shown\n",
			(unsigned long long)(lost - m->lost));
	}
	m->lost = lost;
}

static void say_end(const struct monitor *m)
{
	struct json_object *obj;

	if (json_output) {
		obj = event_json("end");
		add_u64(obj, "events", m->taken);
		add_u64(obj, "lost", m->lost);
		print_json(obj);
	} else {
		fflush(stdout);
		fprintf(stderr, "end: %d events, %llu lost\n", m->taken,
			(unsigned long long)m->lost);
	}
}

/* Watching *******************************************************************/

static int take(const struct memgate_event *event, void *ctx)
{
	struct monitor *m = ctx;

	m->taken++;
	if (json_output)
		print_event_json(event);
	else
		print_event(m, event);
	m->failed |= ferror(stdout);
	return m->failed || (m->count && m->taken == m->count);
}

static void batch(void *ctx)
{
	struct monitor *m = ctx;

	say_lost(m);
	m->failed |= fflush(stdout) || ferror(stdout);
}

static bool want_colours(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term &&
	       strcmp(term, "dumb");
}

static bool stdout_is_closed(void)
{
	struct pollfd pollfd = { .fd = STDOUT_FILENO };

	return poll(&pollfd, 1, 0) > 0;
}

static int monitor(struct monitor *m, struct words *command)
{
	struct watch watch = {
		.events = m->events, .take = take, .batch = batch, .ctx = m,
		.seconds = m->seconds,
	};
	int err;

	err = watch_begin(&watch);
	if (err)
		return err;
	/* Whole lines: the command may write to the same place. */
	setvbuf(stdout, NULL, _IOLBF, LINE_BYTES);
	say_ready(m);
	if (command->nr)
		err = watch_start(&watch, command);
	err = err ?: watch_run(&watch);
	if (!err)
		say_end(m);
	fflush(stdout);
	err = watch_wait(&watch) ?: err;
	/* That is how they end it: no failure of ours. */
	if (watch.gone || stdout_is_closed())
		stdout = freopen("/dev/null", "w", stdout) ?: stdout;
	else if (!err && ferror(stdout))
		err = report_errno(EXIT_REFUSED, EIO, "is the disk full?",
				   "cannot write all events");
	return err;
}

int cmd_monitor(struct words *w)
{
	struct monitor m = {
		.opts.size = sizeof(m.opts), .colours = want_colours(),
	};
	int err;

	err = parse_monitor(w, &m);
	if (err)
		return err;
	m.opts.gates = m.gates;
	m.events = memgate_events__open(&m.opts);
	if (!m.events)
		return report();
	err = monitor(&m, w);
	memgate_events__free(m.events);
	return err;
}
