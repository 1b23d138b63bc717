// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Find gates by the kernel's iterator over them, also those that no process
 * holds: memory of a device, of a descriptor in flight.  The program that
 * the kernel runs is gates.bpf.c, which is part of the library's file.
 */
#include <sys/sysmacros.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gates.h"
#include "internal.h"

asm(".pushsection .rodata, \"a\"\n"
    ".balign 16\n"
    "mg_gates_bpf: .incbin \"" MEMGATE_GATES_BPF "\"\n"
    "mg_gates_bpf_end:\n"
    ".popsection\n");

extern const char mg_gates_bpf[], mg_gates_bpf_end[];

/* What a gate of the list is filled from next. */
struct parser {
	struct memgate_gate_info ***gates;
	size_t *nr;
	struct memgate_gate_info *gate;
	uint64_t openable;
};

static int take_gate(struct parser *p, const void *record)
{
	const struct mg_gate_record *r = record;
	struct memgate_gate_info *g = calloc(1, sizeof(*g));
	const char *name = r->name;

	if (!g || mg_gates_add(p->gates, p->nr, g)) {
		free(g);
		return -ENOMEM;
	}
	g->id = r->gate;
	g->premapped = r->premapped;
	g->frozen = r->frozen;
	g->size = r->size;
	g->ino = r->ino;
	g->dev = makedev(r->dev_major, r->dev_minor);
	if (!strncmp(name, "memfd:", 6))
		name += 6;
	snprintf(g->name, sizeof(g->name), "%.*s",
		 (int)(sizeof(r->name) - (name - r->name)), name);
	mg_printable(g->name);
	p->gate = g;
	p->openable = r->openable;
	return 0;
}

static int take_install(struct parser *p, const void *record)
{
	const struct mg_install_record *r = record;
	struct memgate_install_info *i;

	i = reallocarray(p->gate->installs, p->gate->nr_installs + 1,
			 sizeof(*i));
	if (!i)
		return -ENOMEM;
	p->gate->installs = i;
	i += p->gate->nr_installs++;
	snprintf(i->name, sizeof(i->name), "%.*s", (int)sizeof(r->name),
		 r->name);
	mg_printable(i->name);
	i->map_id = r->map;
	i->link_id = r->link;
	i->state = r->closed ? MEMGATE_INSTALL_CLOSED :
		   r->link ? MEMGATE_INSTALL_LIVE : MEMGATE_INSTALL_KEPT;
	i->classes = r->classes;
	/* A policy without any has none to be read. */
	i->params_known = !r->params_len;
	i->params = NULL;
	i->params_len = r->params_len;
	p->gate->classes |= r->classes & p->openable;
	return 0;
}

/* They are known when the last piece has come. */
static int take_params(struct parser *p, const void *record)
{
	const struct mg_params_record *r = record;
	struct memgate_install_info *i;

	if (!p->gate->nr_installs)
		return -EPROTO;
	i = p->gate->installs + p->gate->nr_installs - 1;
	if (i->params_len > MEMGATE_PARAMS_MAX || r->len > sizeof(r->data) ||
	    r->offset > i->params_len || r->len > i->params_len - r->offset ||
	    (r->offset && !i->params))
		return -EPROTO;
	if (!i->params)
		i->params = calloc(1, i->params_len);
	if (!i->params)
		return -ENOMEM;
	memcpy((char *)i->params + r->offset, r->data, r->len);
	i->params_known = r->offset + r->len == i->params_len;
	return 0;
}

static int take_consumer(struct parser *p, const void *record)
{
	const struct mg_consumer_record *r = record;
	struct memgate_consumer_info *c;

	c = reallocarray(p->gate->consumers, p->gate->nr_consumers + 1,
			 sizeof(*c));
	if (!c)
		return -ENOMEM;
	p->gate->consumers = c;
	c += p->gate->nr_consumers++;
	c->kind = r->kind;
	c->id = r->id;
	c->rights = r->rights;
	c->pid = r->pid;
	c->nr_devices = 0;
	c->devices = NULL;
	return 0;
}

static int take_device(struct parser *p, const void *record)
{
	const struct mg_device_record *r = record;

	return mg_add_device(p->gate, r->consumer, r->name,
			     strnlen(r->name, sizeof(r->name)));
}

static const struct {
	size_t size;
	int (*take)(struct parser *p, const void *record);
} records[] = {
	[MG_RECORD_GATE] = { sizeof(struct mg_gate_record), take_gate },
	[MG_RECORD_INSTALL] = { sizeof(struct mg_install_record),
				take_install },
	[MG_RECORD_CONSUMER] = { sizeof(struct mg_consumer_record),
				 take_consumer },
	[MG_RECORD_DEVICE] = { sizeof(struct mg_device_record), take_device },
	[MG_RECORD_PARAMS] = { sizeof(struct mg_params_record), take_params },
};

/* Every record begins with its kind and the id of its gate. */
static int take_record(struct parser *p, const char *data, size_t len)
{
	uint64_t head[2];
	int err = 0;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(head, data, sizeof(head));
	if (head[0] < MG_RECORD_GATE || head[0] >= ARRAY_SIZE(records) ||
	    len < records[head[0]].size)
		return -EPROTO;
	/* A gate that is dying has been left out, what it has comes. */
	if (head[0] == MG_RECORD_GATE || (p->gate && p->gate->id == head[1]))
		err = records[head[0]].take(p, data);
	return err ? err : (int)records[head[0]].size;
}

int mg_records_parse(const void *data, size_t len,
		     struct memgate_gate_info ***gates, size_t *nr)
{
	struct parser p = { .gates = gates, .nr = nr };
	size_t at = 0;
	int n;

	while (at < len) {
		n = take_record(&p, (const char *)data + at, len - at);
		if (n < 0)
			return n;
		at += n;
	}
	return 0;
}

/* To the end, into memory to be freed. */
static int read_all(int fd, char **data, size_t *len)
{
	size_t size = 0;
	char *grown;
	ssize_t n;

	*data = NULL;
	*len = 0;
	do {
		if (size - *len < 4096) {
			size += size + 65536;
			grown = realloc(*data, size);
			if (!grown)
				return -ENOMEM;
			*data = grown;
		}
		n = read(fd, *data + *len, size - *len);
		/* The kernel wants to be called again. */
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n > 0)
			*len += n;
	} while (n);
	return 0;
}

static int run_iterator(struct bpf_object *obj, char **data, size_t *len)
{
	struct bpf_program *prog = bpf_object__next_program(obj, NULL);
	int __autoclose fd = -1;
	struct bpf_link *link;

	if (bpf_object__load(obj))
		return -errno;
	link = bpf_program__attach_iter(prog, NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	bpf_link__destroy(link);
	return fd < 0 ? -errno : read_all(fd, data, len);
}

static bool may_iterate(void)
{
	return mg_have_cap(MG_CAP_SYS_ADMIN) ||
	       (mg_have_cap(MG_CAP_BPF) && mg_have_cap(MG_CAP_PERFMON));
}

/*
 * Append every gate to a list.  An error, after which nothing has been
 * appended, is no reason to fail: the caller may lack the capabilities, and
 * the kernel the iterator.
 */
int mg_iterate_gates(struct memgate_gate_info ***gates, size_t *nr)
{
	size_t len = 0, before = *nr;
	int __autoclose types = -1;
	struct bpf_object *obj;
	char *data = NULL;
	int err = -EPERM;

	if (!may_iterate())
		return err;
	mg_log_begin();
	obj = mg_core_open(mg_gates_bpf, mg_gates_bpf_end - mg_gates_bpf,
			   &types);
	err = obj ? run_iterator(obj, &data, &len) : -errno;
	bpf_object__close(obj);
	free(mg_log_end());
	if (!err)
		err = mg_records_parse(data, len, gates, nr);
	while (err && *nr > before)
		memgate_gate_info__free((*gates)[--*nr]);
	free(data);
	return err;
}

static struct memgate_gate_info *find_gate(struct memgate_gate_info **gates,
					   size_t nr, uint64_t id)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (gates[i]->id == id)
			return gates[i];
	return NULL;
}

/* All of the installs, since they may have changed since @info was made. */
static void swap_installs(struct memgate_gate_info *info,
			  struct memgate_gate_info *seen)
{
	struct memgate_install_info *installs = info->installs;
	size_t nr = info->nr_installs;

	info->installs = seen->installs;
	info->nr_installs = seen->nr_installs;
	info->classes = seen->classes;
	info->frozen = seen->frozen;
	seen->installs = installs;
	seen->nr_installs = nr;
}

int memgate_gate_info__read_params(struct memgate_gate_info *info)
{
	struct memgate_gate_info **gates = NULL, *seen;
	size_t nr = 0;
	int err;

	err = mg_iterate_gates(&gates, &nr);
	if (err == -EPERM)
		return mg_fail(MEMGATE_ERR_REFUSED, EPERM,
			       "they are shown to CAP_BPF and CAP_PERFMON",
			       "the parameters of gate %llu may not be read",
			       (unsigned long long)info->id);
	if (err)
		return mg_fail(MEMGATE_ERR_REFUSED, -err,
			       "'memgate feature probe' says what the kernel "
			       "has", "cannot read parameters: %s",
			       mg_errno_name(err));
	seen = find_gate(gates, nr, info->id);
	if (seen)
		swap_installs(info, seen);
	memgate_gate__free_list(gates, nr);
	return seen ? 0 : mg_fail(MEMGATE_ERR_REFUSED, ENOENT, NULL,
				  "gate %llu is gone",
				  (unsigned long long)info->id);
}
