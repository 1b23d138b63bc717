// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Decisions as they are made, from memgate's tracepoints.  The program that
 * the kernel runs is events.bpf.c, which is part of the library's file.
 */
#include <poll.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "events.h"
#include "internal.h"

asm(".pushsection .rodata, \"a\"\n"
    ".balign 16\n"
    "mg_events_bpf: .incbin \"" MEMGATE_EVENTS_BPF "\"\n"
    "mg_events_bpf_end:\n"
    ".popsection\n");

extern const char mg_events_bpf[], mg_events_bpf_end[];

#define RING_BYTES	(4 << 20)
#define RING_BYTES_MAX	(1 << 30)
/* So that a flood of events does not keep a reader from all else. */
#define AT_ONCE		1024

/* /proc counts time in ticks of USER_HZ, which is 100 on every kernel. */
#define NSEC_PER_TICK	(1000000000ULL / 100)

#define NR_PROGS	2

struct memgate_events {
	struct bpf_object *obj;
	struct bpf_link *link[NR_PROGS];
	struct ring_buffer *ring;
	struct bpf_map *gates;		/* NULL: all are watched */
	const uint64_t *lost;
	/* of the call of __read() that is going on */
	int (*fn)(const struct memgate_event *event, void *ctx);
	void *ctx;
	int nr;
	bool ended;
};

/* Records ********************************************************************/

static void copy_text(char *to, size_t size, const char *from, size_t len)
{
	snprintf(to, size, "%.*s", (int)strnlen(from, len), from);
	mg_printable(to);
}

#define COPY_TEXT(to, from)	copy_text(to, sizeof(to), from, sizeof(from))

static void take_task(struct memgate_event_task *to,
		      const struct mg_event_task *from)
{
	to->pid = from->pid;
	to->tgid = from->tgid;
	to->tid = from->tid;
	to->euid = from->euid;
	to->egid = from->egid;
	to->start = from->start / NSEC_PER_TICK;
	to->cgroup = from->cgroup;
	to->exe_ino = from->exe_ino;
	to->exe_dev = from->exe_dev;
	to->kthread = from->kthread;
	COPY_TEXT(to->comm, from->comm);
}

static void take_device(struct memgate_event_device *to,
			const struct mg_event_device *from)
{
	COPY_TEXT(to->name, from->name);
	COPY_TEXT(to->pci, from->pci);
	COPY_TEXT(to->driver, from->driver);
	to->vendor = from->vendor;
	to->device = from->device;
	to->pci_class = from->pci_class;
	to->group = from->group;
	to->bridge = from->bridge;
	to->net = from->net;
	to->rdma = from->rdma;
}

/* -EPROTO if it is none of ours. */
int mg_event_parse(const void *data, size_t len, struct memgate_event *e)
{
	const struct mg_event_record *r = data;
	const char *name;

	if (len < offsetof(struct mg_event_record, dev) ||
	    (r->kind != MG_EVENT_DECISION && r->kind != MG_EVENT_CLOSED))
		return -EPROTO;
	memset(e, 0, sizeof(*e));
	e->kind = r->kind == MG_EVENT_CLOSED ? MEMGATE_EVENT_CLOSED :
					       MEMGATE_EVENT_DECISION;
	e->time = r->time;
	e->gate = r->gate;
	e->class_nr = r->class_nr;
	e->op = r->op;
	e->rights = r->rights;
	e->start = r->start;
	e->len = r->len;
	e->consumer = r->consumer;
	e->others = r->others;
	e->ret = r->ret;
	take_task(&e->task, &r->task);
	if (e->kind == MEMGATE_EVENT_CLOSED) {
		e->ret = -EACCES;
		COPY_TEXT(e->way, r->by);
	} else {
		COPY_TEXT(e->policy, r->by);
	}
	name = strncmp(r->name, "memfd:", 6) ? r->name : r->name + 6;
	copy_text(e->name, sizeof(e->name), name,
		  sizeof(r->name) - (name - r->name));
	e->device.group = -1;
	if (len >= sizeof(*r))
		take_device(&e->device, &r->dev);
	return 0;
}

static int take_record(void *ctx, void *data, size_t len)
{
	struct memgate_events *events = ctx;
	struct memgate_event event;
	int err = mg_event_parse(data, len, &event);

	if (err)
		return err;
	events->nr++;
	events->ended = events->fn(&event, events->ctx);
	return events->ended ? -ECANCELED : 0;
}

static bool wait_for(const struct memgate_events *events, int timeout_ms)
{
	struct pollfd pollfd = {
		.fd = memgate_events__fd(events), .events = POLLIN,
	};

	return poll(&pollfd, 1, timeout_ms) >= 0;
}

int memgate_events__read(struct memgate_events *events,
			 int (*fn)(const struct memgate_event *event,
				   void *ctx),
			 void *ctx, int timeout_ms)
{
	int err;

	events->fn = fn;
	events->ctx = ctx;
	events->nr = 0;
	events->ended = false;
	err = ring_buffer__consume_n(events->ring, AT_ONCE);
	if (!err && timeout_ms && !wait_for(events, timeout_ms))
		err = -errno;
	else if (!err && timeout_ms)
		err = ring_buffer__consume_n(events->ring, AT_ONCE);
	if (err >= 0 || events->ended)
		return events->nr;
	return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
		       "cannot read events: %s", mg_errno_name(err));
}

int memgate_events__fd(const struct memgate_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

/* A program that ran into itself has been left out by the kernel. */
static uint64_t recursion_misses(const struct memgate_events *events)
{
	struct bpf_program *prog;
	struct bpf_prog_info info;
	uint64_t misses = 0;
	uint32_t len;

	bpf_object__for_each_program(prog, events->obj) {
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		if (!bpf_prog_get_info_by_fd(bpf_program__fd(prog), &info,
					     &len))
			misses += info.recursion_misses;
	}
	return misses;
}

uint64_t memgate_events__lost(const struct memgate_events *events)
{
	return __atomic_load_n(events->lost, __ATOMIC_RELAXED) +
	       recursion_misses(events);
}

/* Opening ********************************************************************/

static int pid_namespace(uint32_t *ino)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st))
		return mg_fail(MEMGATE_ERR_REFUSED, errno,
			       "mount a /proc of this pid namespace",
			       "cannot look at /proc/self/ns/pid: %s",
			       mg_errno_name(errno));
	*ino = st.st_ino;
	return 0;
}

/* What callers of an older header do not have is zero. */
static int read_opts(struct memgate_events_opts *to,
		     const struct memgate_events_opts *from)
{
	size_t size = sizeof(*to);

	memset(to, 0, size);
	if (!from)
		return 0;
	if (from->size < sizeof(from->size))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "the options of memgate_events__open() have no "
			       "size");
	memcpy(to, from, from->size < size ? from->size : size);
	if (to->policy && strlen(to->policy) >= MEMGATE_NAME_LEN)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "the name of policy '%s' has more than %d "
			       "characters", to->policy, MEMGATE_NAME_LEN - 1);
	if (to->ring_bytes > RING_BYTES_MAX)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "more than %d bytes of room for events",
			       RING_BYTES_MAX);
	return 0;
}

static int make_filter(struct mg_event_filter *filter,
		       const struct memgate_events_opts *opts)
{
	memset(filter, 0, sizeof(*filter));
	filter->classes = opts->classes;
	filter->pid = opts->pid;
	filter->by_gate = opts->nr_gates || opts->more_gates;
	filter->no_allowed = opts->no_allowed;
	filter->no_refused = opts->no_refused;
	filter->by_policy = !!opts->policy;
	if (opts->policy)
		memcpy(filter->policy, opts->policy, strlen(opts->policy));
	return pid_namespace(&filter->pid_ns);
}

/* A power of 2, and not less than a page. */
static uint32_t ring_size(size_t bytes)
{
	uint32_t size = sysconf(_SC_PAGESIZE);

	while (size < (bytes ?: RING_BYTES))
		size <<= 1;
	return size;
}

static int put_gate(struct memgate_events *events, uint64_t gate)
{
	uint8_t yes = 1;

	return bpf_map__update_elem(events->gates, &gate, sizeof(gate), &yes,
				    sizeof(yes), BPF_ANY);
}

int memgate_events__add_gate(struct memgate_events *events, uint64_t gate)
{
	int err;

	if (!events->gates)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "all gates are watched already");
	err = put_gate(events, gate);
	if (!err)
		return 0;
	return mg_fail(MEMGATE_ERR_REFUSED, -err, err == -E2BIG ?
		       "leave room for it in more_gates" : NULL,
		       "cannot watch gate %llu: %s", (unsigned long long)gate,
		       mg_errno_name(err));
}

static int load(struct memgate_events *events,
		const struct memgate_events_opts *opts,
		const struct mg_event_filter *filter)
{
	struct bpf_map *ring, *gates, *map;
	int __autoclose types = -1;
	size_t size, i;
	int err;

	events->obj = mg_core_open(mg_events_bpf, mg_events_bpf_end -
				   mg_events_bpf, &types);
	if (!events->obj)
		return -errno;
	ring = bpf_object__find_map_by_name(events->obj, "mg_events");
	gates = bpf_object__find_map_by_name(events->obj, "mg_gates");
	map = bpf_object__find_map_by_name(events->obj, ".rodata.filter");
	if (!ring || !gates || !map)
		return -ENOENT;
	if (filter->by_gate)
		events->gates = gates;
	err = bpf_map__set_initial_value(map, filter, sizeof(*filter));
	err = err ?: bpf_map__set_max_entries(ring,
					      ring_size(opts->ring_bytes));
	err = err ?: bpf_map__set_max_entries(gates, opts->nr_gates +
					      opts->more_gates ?: 1);
	err = err ?: bpf_object__load(events->obj);
	for (i = 0; !err && i < opts->nr_gates; i++)
		err = put_gate(events, opts->gates[i]);
	if (err)
		return err;
	map = bpf_object__find_map_by_name(events->obj, ".bss");
	events->lost = map ? bpf_map__initial_value(map, &size) : NULL;
	if (!events->lost)
		return -ENOENT;
	events->ring = ring_buffer__new(bpf_map__fd(ring), take_record, events,
					NULL);
	return events->ring ? 0 : -errno;
}

static int attach(struct memgate_events *events)
{
	struct bpf_program *prog;
	int i = 0;

	bpf_object__for_each_program(prog, events->obj) {
		if (i == NR_PROGS)
			break;
		events->link[i] = bpf_program__attach(prog);
		if (!events->link[i++])
			return -errno;
	}
	return 0;
}

static int fail_open(int err, const char *log)
{
	char said[512];

	if (err == -EPERM || err == -EACCES)
		return mg_fail(MEMGATE_ERR_REFUSED, EPERM, "run it as root",
			       "watching decisions needs CAP_BPF and "
			       "CAP_PERFMON");
	/* It has been probed for memgate itself. */
	if (err == -ESRCH)
		return mg_fail(MEMGATE_ERR_NO_MEMGATE, EOPNOTSUPP,
			       "build it with CONFIG_TRACEPOINTS=y and "
			       "CONFIG_DEBUG_INFO_BTF=y",
			       "this kernel has no tracepoint "
			       "memgate_decision");
	mg_log_verdict(log, said, sizeof(said));
	if (!said[0])
		mg_log_complaint(log, said, sizeof(said));
	return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
		       "cannot watch decisions: %s%s%s", mg_errno_name(err),
		       said[0] ? ": " : "", said);
}

static bool may_trace(void)
{
	return mg_have_cap(MG_CAP_SYS_ADMIN) ||
	       (mg_have_cap(MG_CAP_BPF) && mg_have_cap(MG_CAP_PERFMON));
}

static int open_events(struct memgate_events *events,
		       const struct memgate_events_opts *from)
{
	struct memgate_events_opts opts;
	struct mg_event_filter filter;
	char *log;
	int err;

	err = read_opts(&opts, from);
	err = err ?: memgate_probe();
	if (err)
		return err;
	if (!may_trace())
		return fail_open(-EPERM, "");
	err = make_filter(&filter, &opts);
	if (err)
		return err;
	mg_log_begin();
	err = load(events, &opts, &filter);
	err = err ?: attach(events);
	log = mg_log_end();
	if (err)
		err = fail_open(err, log ?: "");
	free(log);
	return err;
}

struct memgate_events *
memgate_events__open(const struct memgate_events_opts *opts)
{
	struct memgate_events *events = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
				   "no memory for events");
	err = open_events(events, opts);
	if (!err)
		return events;
	memgate_events__free(events);
	errno = -err;
	return NULL;
}

void memgate_events__free(struct memgate_events *events)
{
	int i;

	if (!events)
		return;
	for (i = 0; i < NR_PROGS; i++)
		bpf_link__destroy(events->link[i]);
	ring_buffer__free(events->ring);
	bpf_object__close(events->obj);
	free(events);
}
