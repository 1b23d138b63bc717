// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* 'memgate explain' of one consumer, process or device. */
#include <string.h>

#include "explain.h"
#include "refused.h"

static bool has_device(const struct memgate_consumer_info *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->nr_devices; i++)
		if (!strcmp(c->devices[i].name, name))
			return true;
	return false;
}

bool is_asked_about(const struct explain *e,
		    const struct memgate_consumer_info *c)
{
	return (!e->consumer || c->id == e->consumer) &&
	       (!e->pid || c->pid == e->pid) &&
	       (!e->device || has_device(c, e->device));
}

bool is_refusal_of(const struct explain *e, const struct memgate_refusal *r)
{
	return (!e->consumer || r->consumer == e->consumer) &&
	       (!e->pid || is_by_pid(r, e->pid)) &&
	       (!e->device || !strcmp(r->device, e->device));
}

/* Of a consumer its class; of others what they may come by. */
uint64_t classes_of_somebody(const struct explain *e)
{
	uint64_t classes = 0;
	size_t i;

	if (e->device)
		classes = MEMGATE_CLASS(MEMGATE_VFIO) |
			  MEMGATE_CLASS(MEMGATE_IOMMUFD) |
			  MEMGATE_CLASS(MEMGATE_RDMA) |
			  MEMGATE_CLASS(MEMGATE_VDPA) |
			  MEMGATE_CLASS(MEMGATE_XDP) |
			  MEMGATE_CLASS(MEMGATE_DMABUF);
	if (!e->consumer)
		return classes ? classes : all_classes(e->g);
	for (i = 0; i < e->g->nr_consumers; i++)
		if (e->g->consumers[i].id == e->consumer)
			return 1ULL << (e->g->consumers[i].kind & 63);
	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr < 64)
			return 1ULL << e->refusal[i].class_nr;
	return all_classes(e->g);
}

static void read_comm(int pid, char *buf, size_t size)
{
	char path[64];
	FILE *f;

	*buf = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(buf, size, f))
		buf[strcspn(buf, "\n")] = '\0';
	fclose(f);
	make_printable(buf);
}

/* "VM 5 of pid 790 qemu has rw-, devices 0000:00:10.0" */
void print_grant(const struct memgate_consumer_info *c)
{
	char comm[32];
	size_t i;

	read_comm(c->pid, comm, sizeof(comm));
	printf("%s %llu of pid %d%s%s has %s", consumer_word(c->kind),
	       (unsigned long long)c->id, c->pid, *comm ? " " : "", comm,
	       rights_text(c->rights));
	for (i = 0; i < c->nr_devices; i++)
		printf("%s%s", i ? ", " : ", devices ", c->devices[i].name);
	fputs("; not asked about these rights again", stdout);
}

static void name_of(const struct explain *e, char *buf, size_t size)
{
	size_t len = 0;

	if (e->consumer)
		len += snprintf(buf + len, size - len, "consumer %llu",
				(unsigned long long)e->consumer);
	if (e->pid)
		len += snprintf(buf + len, size - len, "pid %d", e->pid);
	if (e->device && len < size)
		snprintf(buf + len, size - len, "%sdevice %s",
			 len ? ", " : "", e->device);
	make_printable(buf);
}

static size_t count_grants(const struct explain *e)
{
	size_t i, n = 0;

	for (i = 0; i < e->g->nr_consumers; i++)
		n += is_asked_about(e, e->g->consumers + i);
	return n;
}

static void print_holder(const struct explain *e, const char *name)
{
	const struct memgate_holder_info *h;
	size_t i;

	for (i = 0; e->pid && i < e->g->nr_holders; i++) {
		h = e->g->holders + i;
		if (h->pid != e->pid)
			continue;
		printf("%s: %s holds the memory by ", name, h->comm);
		if (h->fd >= 0)
			printf("fd %d\n", h->fd);
		else
			puts("a mapping");
	}
}

void print_somebody(const struct explain *e)
{
	char name[256] = "", ago[32];
	size_t i;

	name_of(e, name, sizeof(name));
	print_holder(e, name);
	if (!count_grants(e))
		printf("%s: no consumer of it has a grant on this gate\n",
		       name);
	for (i = 0; i < e->g->nr_consumers; i++) {
		if (!is_asked_about(e, e->g->consumers + i))
			continue;
		printf("%s: ", name);
		print_grant(e->g->consumers + i);
		putchar('\n');
	}
	if (e->unread)
		return;
	if (e->nr_refusals)
		printf("%s: was refused, see below\n", name);
	else
		printf("%s: no refusal known since recording began %s ago\n",
		       name, ago_text(e->recorder.since, ago, sizeof(ago)));
}

struct json_object *somebody_json(const struct explain *e)
{
	struct json_object *obj = json_object_new_object(), *list;
	size_t i;

	if (e->consumer)
		add_u64(obj, "consumer", e->consumer);
	if (e->pid)
		add_u64(obj, "pid", e->pid);
	if (e->device)
		add_str(obj, "device", e->device);
	list = json_object_new_array();
	for (i = 0; i < e->g->nr_consumers; i++)
		if (is_asked_about(e, e->g->consumers + i))
			json_object_array_add(list,
				consumer_json(e->g->consumers + i));
	json_object_object_add(obj, "granted", list);
	if (!e->unread)
		add_bool(obj, "refused", e->nr_refusals);
	return obj;
}
