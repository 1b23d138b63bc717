// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate gate list | show */
#include <errno.h>
#include <string.h>

#include "cmd.h"

const char *state_text(enum memgate_install_state state)
{
	static const char * const text[] = {
		[MEMGATE_INSTALL_LIVE] = "live",
		[MEMGATE_INSTALL_KEPT] = "kept",
		[MEMGATE_INSTALL_CLOSED] = "closed",
		[MEMGATE_INSTALL_UNKNOWN] = "unknown",
	};

	return text[state];
}

/* Classes that a lost install refuses for good, whoever else decides them. */
uint64_t shut_classes(const struct memgate_gate_info *g)
{
	uint64_t shut = 0;
	size_t i;

	for (i = 0; i < g->nr_installs; i++)
		if (g->installs[i].state == MEMGATE_INSTALL_CLOSED)
			shut |= g->installs[i].classes;
	return shut;
}

/* Every class that is known here or decided there. */
uint64_t all_classes(const struct memgate_gate_info *g)
{
	return ((1ULL << MEMGATE_NR_CLASSES) - 1) | g->classes;
}

static struct json_object *installs_json(const struct memgate_gate_info *g)
{
	struct json_object *list = json_object_new_array(), *obj;
	const struct memgate_install_info *in;
	size_t i;

	for (i = 0; i < g->nr_installs; i++) {
		in = g->installs + i;
		obj = json_object_new_object();
		add_str(obj, "name", in->name);
		add_u64(obj, "map", in->map_id);
		add_u64(obj, "link", in->link_id);
		add_str(obj, "state", state_text(in->state));
		json_object_object_add(obj, "decides",
				       classes_json(in->classes));
		add_brought(obj, in);
		json_object_array_add(list, obj);
	}
	return list;
}

static struct json_object *
devices_json(const struct memgate_consumer_info *c)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < c->nr_devices; i++)
		add_item(list, c->devices[i].name);
	return list;
}

struct json_object *consumer_json(const struct memgate_consumer_info *c)
{
	struct json_object *obj = json_object_new_object();
	char buf[16];

	add_str(obj, "kind", class_text(c->kind, buf, sizeof(buf)));
	add_u64(obj, "id", c->id);
	add_str(obj, "rights", rights_text(c->rights));
	add_u64(obj, "pid", c->pid);
	json_object_object_add(obj, "devices", devices_json(c));
	return obj;
}

static struct json_object *consumers_json(const struct memgate_gate_info *g)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < g->nr_consumers; i++)
		json_object_array_add(list, consumer_json(g->consumers + i));
	return list;
}

static struct json_object *holders_json(const struct memgate_gate_info *g)
{
	struct json_object *list = json_object_new_array(), *obj;
	size_t i;

	for (i = 0; i < g->nr_holders; i++) {
		obj = json_object_new_object();
		add_u64(obj, "pid", g->holders[i].pid);
		if (g->holders[i].fd >= 0)
			add_u64(obj, "fd", g->holders[i].fd);
		add_str(obj, "comm", g->holders[i].comm);
		json_object_array_add(list, obj);
	}
	return list;
}

/*
 * Who decides a class; empty if it is closed.  What a frozen gate did not have
 * decided, a policy that comes later does not open: the kernel's word counts.
 */
static struct json_object *deciders_json(const struct memgate_gate_info *g,
					 unsigned int class)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	if (shut_classes(g) >> class & 1 || !(g->classes >> class & 1))
		return list;
	for (i = 0; i < g->nr_installs; i++)
		if (g->installs[i].classes >> class & 1)
			add_item(list, g->installs[i].name);
	return list;
}

/* { "kvm": ["exclusive_kvm"], "vfio": [] } */
static struct json_object *verdicts_json(const struct memgate_gate_info *g)
{
	struct json_object *obj = json_object_new_object();
	uint64_t all = all_classes(g);
	unsigned int class;
	char buf[16];

	for (class = 0; class < 64; class++)
		if (all >> class & 1)
			json_object_object_add(obj,
					       class_text(class, buf,
							  sizeof(buf)),
					       deciders_json(g, class));
	return obj;
}

struct json_object *gate_json(const struct memgate_gate_info *g)
{
	struct json_object *obj = json_object_new_object();

	add_u64(obj, "id", g->id);
	add_str(obj, "name", g->name);
	add_u64(obj, "size", g->size);
	add_bool(obj, "frozen", g->frozen);
	add_u64(obj, "premapped", g->premapped);
	json_object_object_add(obj, "holders", holders_json(g));
	json_object_object_add(obj, "policies", installs_json(g));
	json_object_object_add(obj, "classes", verdicts_json(g));
	json_object_object_add(obj, "consumers", consumers_json(g));
	return obj;
}

void print_header(const struct memgate_gate_info *g)
{
	char size[32];

	printf("%sgate %llu%s: %s, %s, %s, %u mapped before the seal\n",
	       paint(PAINT_HEAD), (unsigned long long)g->id,
	       paint(PAINT_END), *g->name ? g->name : "(no name)",
	       size_text(g->size, size, sizeof(size)),
	       g->frozen ? "frozen" : "not frozen", g->premapped);
}

static void print_holders(const struct memgate_gate_info *g)
{
	const struct memgate_holder_info *h;
	size_t i;

	/* A descriptor in flight, a device, another user's process. */
	if (!g->nr_holders)
		puts("  holder    no process in sight");
	for (i = 0; i < g->nr_holders; i++) {
		h = g->holders + i;
		printf("  holder    pid %d %s", h->pid, h->comm);
		if (h->fd >= 0)
			printf(" fd %d\n", h->fd);
		else
			puts(" by a mapping");
	}
}

static void print_installs(const struct memgate_gate_info *g, bool brought)
{
	const struct memgate_install_info *in;
	size_t i;

	for (i = 0; i < g->nr_installs; i++) {
		in = g->installs + i;
		printf("  policy    %s (map %u, link %u, %s%s%s) decides ",
		       in->name, in->map_id, in->link_id,
		       paint(in->state == MEMGATE_INSTALL_CLOSED ? PAINT_BAD :
			     PAINT_GOOD),
		       state_text(in->state), paint(PAINT_END));
		print_classes(in->classes);
		putchar('\n');
		if (brought && print_brought(in, "            "))
			putchar('\n');
	}
}

static void print_consumers(const struct memgate_gate_info *g)
{
	const struct memgate_consumer_info *c;
	char buf[16];
	size_t i, d;

	for (i = 0; i < g->nr_consumers; i++) {
		c = g->consumers + i;
		printf("  consumer  %s %llu %s pid %d",
		       class_text(c->kind, buf, sizeof(buf)),
		       (unsigned long long)c->id, rights_text(c->rights),
		       c->pid);
		for (d = 0; d < c->nr_devices; d++)
			printf("%s%s", d ? ", " : " devices ",
			       c->devices[d].name);
		putchar('\n');
	}
}

/* One line for each class: who decides it, or that it is closed. */
static void print_verdicts(const struct memgate_gate_info *g)
{
	uint64_t all = all_classes(g), shut = shut_classes(g);
	const char *sep;
	unsigned int class;
	char buf[16];
	size_t i;

	for (class = 0; class < 64; class++) {
		if (!(all >> class & 1))
			continue;
		printf("  class     %-13s",
		       class_text(class, buf, sizeof(buf)));
		sep = shut >> class & 1 ? "closed for good, was " :
		      g->classes >> class & 1 ? "decided by " :
						"closed, too late for ";
		for (i = 0; i < g->nr_installs; i++)
			if (g->installs[i].classes >> class & 1) {
				printf("%s%s", sep, g->installs[i].name);
				sep = ", ";
			}
		if (strcmp(sep, ", "))
			printf("%sclosed%s", paint(PAINT_BAD),
			       paint(PAINT_END));
		putchar('\n');
	}
}

int cmd_gate_list(struct words *w)
{
	struct memgate_gate_info **gates;
	size_t nr, i;
	int err;

	if (w->nr)
		return no_more_words(w);
	err = memgate_probe();
	if (!err)
		err = memgate_gate__list(&gates, &nr);
	if (err)
		return errno = -err, report();
	for (i = 0; i < nr; i++) {
		if (json_output) {
			print_json_item(gate_json(gates[i]), !i);
			continue;
		}
		print_header(gates[i]);
		print_holders(gates[i]);
		print_installs(gates[i], false);
		print_consumers(gates[i]);
		fputs("  closed    ", stdout);
		print_classes(all_classes(gates[i]) &
			      (~gates[i]->classes | shut_classes(gates[i])));
		putchar('\n');
	}
	if (json_output)
		print_json_item(NULL, !nr);
	memgate_gate__free_list(gates, nr);
	return EXIT_OK;
}

int cmd_gate_show(struct words *w)
{
	struct memgate_gate_info *g;
	int fd, err;

	if (!w->nr)
		return cmd_gate_list(w);
	err = parse_target(w, &fd);
	if (err)
		return err;
	if (w->nr)
		return no_more_words(w);
	g = memgate_gate__info(fd);
	if (!g)
		return report();
	/* Who may not see parameters sees the rest. */
	memgate_gate_info__read_params(g);
	if (json_output) {
		struct json_object *obj = gate_json(g);

		add_successor(obj, fd);
		print_json(obj);
	} else {
		print_header(g);
		print_installs(g, true);
		print_consumers(g);
		print_successor(fd);
		print_verdicts(g);
	}
	memgate_gate_info__free(g);
	return EXIT_OK;
}
