// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate graph: gates, their policies, who uses and holds them, by which
 * devices; in the language of Graphviz, or as JSON
 *
 * What is used by several gates (a policy, a device, a process) is one node.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "refused.h"

struct graph {
	struct json_object *nodes;
	struct json_object *edges;
};

static const char *member(struct json_object *obj, const char *key)
{
	struct json_object *value = json_object_object_get(obj, key);

	return value ? json_object_get_string(value) : "";
}

/* The node, which is new or has been there. */
static struct json_object *add_node(struct graph *graph, const char *kind,
				    const char *id, const char *label)
{
	size_t i, nr = json_object_array_length(graph->nodes);
	struct json_object *node;

	for (i = 0; i < nr; i++) {
		node = json_object_array_get_idx(graph->nodes, i);
		if (!strcmp(member(node, "id"), id))
			return node;
	}
	node = json_object_new_object();
	add_str(node, "id", id);
	add_str(node, "kind", kind);
	add_str(node, "label", label);
	json_object_array_add(graph->nodes, node);
	return node;
}

static void __printf(5, 6) add_edge(struct graph *graph, const char *kind,
				    const char *from, const char *to,
				    const char *fmt, ...)
{
	size_t i, nr = json_object_array_length(graph->edges);
	struct json_object *edge;
	char label[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(label, sizeof(label), fmt, args);
	va_end(args);
	for (i = 0; i < nr; i++) {
		edge = json_object_array_get_idx(graph->edges, i);
		if (!strcmp(member(edge, "from"), from) &&
		    !strcmp(member(edge, "to"), to) &&
		    !strcmp(member(edge, "label"), label))
			return;
	}
	edge = json_object_new_object();
	add_str(edge, "kind", kind);
	add_str(edge, "from", from);
	add_str(edge, "to", to);
	add_str(edge, "label", label);
	json_object_array_add(graph->edges, edge);
}

static void classes_text(uint64_t classes, char *buf, size_t size)
{
	size_t len = 0;
	unsigned int i;
	char word[16];

	*buf = '\0';
	for (i = 0; i < 64 && len < size; i++)
		if (classes >> i & 1)
			len += snprintf(buf + len, size - len, "%s%s",
					len ? " " : "",
					class_text(i, word, sizeof(word)));
}

static void gate_id(uint64_t id, char *buf, size_t size)
{
	snprintf(buf, size, "gate:%llu", (unsigned long long)id);
}

static void add_process(struct graph *graph, int pid, const char *comm,
			char *id, size_t size)
{
	char label[64];

	snprintf(id, size, "pid:%d", pid);
	snprintf(label, sizeof(label), "%s%spid %d", comm, *comm ? "\n" : "",
		 pid);
	add_u64(add_node(graph, "process", id, label), "pid", pid);
}

static void add_gate(struct graph *graph, const struct memgate_gate_info *g)
{
	uint64_t closed = all_classes(g) & (~g->classes | shut_classes(g));
	char id[64], size[32], classes[512], label[1024];
	struct json_object *node;

	gate_id(g->id, id, sizeof(id));
	classes_text(closed, classes, sizeof(classes));
	snprintf(label, sizeof(label), "gate %llu %s\n%s, %sfrozen\nclosed: %s",
		 (unsigned long long)g->id, *g->name ? g->name : "(no name)",
		 size_text(g->size, size, sizeof(size)),
		 g->frozen ? "" : "not ", *classes ? classes : "none");
	node = add_node(graph, "gate", id, label);
	add_u64(node, "gate", g->id);
	add_str(node, "name", g->name);
	add_u64(node, "size", g->size);
	add_bool(node, "frozen", g->frozen);
	json_object_object_add(node, "closed", classes_json(closed));
}

/* A lost policy is a node of its own: it has no map that could be shared. */
static void add_installs(struct graph *graph,
			 const struct memgate_gate_info *g)
{
	char from[64], to[64], classes[512];
	const struct memgate_install_info *in;
	struct json_object *node;
	size_t i;

	gate_id(g->id, from, sizeof(from));
	for (i = 0; i < g->nr_installs; i++) {
		in = g->installs + i;
		if (in->map_id)
			snprintf(to, sizeof(to), "policy:%u", in->map_id);
		else
			snprintf(to, sizeof(to), "lost:%llu:%zu",
				 (unsigned long long)g->id, i);
		node = add_node(graph, in->map_id ? "policy" : "lost", to,
				in->name);
		if (in->map_id)
			add_u64(node, "map", in->map_id);
		classes_text(in->classes, classes, sizeof(classes));
		add_edge(graph, in->map_id ? "asks" : "closed-by", from, to,
			 "%zu %s\n%s", i + 1, state_text(in->state), classes);
	}
}

static void add_consumers(struct graph *graph,
			  const struct memgate_gate_info *g)
{
	char gate[64], id[64], other[80], label[96];
	const struct memgate_consumer_info *c;
	struct json_object *node;
	char buf[16];
	size_t i, d;

	gate_id(g->id, gate, sizeof(gate));
	for (i = 0; i < g->nr_consumers; i++) {
		c = g->consumers + i;
		snprintf(id, sizeof(id), "consumer:%llu",
			 (unsigned long long)c->id);
		snprintf(label, sizeof(label), "%s %llu",
			 consumer_word(c->kind), (unsigned long long)c->id);
		node = add_node(graph, "consumer", id, label);
		add_str(node, "class", class_text(c->kind, buf, sizeof(buf)));
		add_edge(graph, "uses", id, gate, "%s", rights_text(c->rights));
		for (d = 0; d < c->nr_devices; d++) {
			snprintf(other, sizeof(other), "device:%s",
				 c->devices[d].name);
			add_node(graph, "device", other, c->devices[d].name);
			add_edge(graph, "device-of", other, id, "%s", "");
		}
		if (!c->pid)
			continue;
		add_process(graph, c->pid, "", other, sizeof(other));
		add_edge(graph, "made", other, id, "made");
	}
}

static void add_holders(struct graph *graph, const struct memgate_gate_info *g)
{
	const struct memgate_holder_info *h;
	char gate[64], id[64];
	size_t i;

	gate_id(g->id, gate, sizeof(gate));
	for (i = 0; i < g->nr_holders; i++) {
		h = g->holders + i;
		/* It has what it was given to look at. */
		if (h->pid == getpid())
			continue;
		add_process(graph, h->pid, h->comm, id, sizeof(id));
		if (h->fd >= 0)
			add_edge(graph, "holds", id, gate, "fd %d", h->fd);
		else
			add_edge(graph, "holds", id, gate, "mapped");
	}
}

/* In a text of dot a backslash begins an escape, and \n is a line. */
static void print_text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void print_node(struct json_object *node)
{
	static const struct {
		const char *kind;
		const char *style;
	} styles[] = {
		{ "gate", "shape=box, style=bold" },
		{ "policy", "shape=hexagon" },
		{ "lost", "shape=hexagon, style=dashed" },
		{ "consumer", "shape=ellipse" },
		{ "device", "shape=component" },
		{ "process", "shape=note" },
	};
	const char *style = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(styles); i++)
		if (!strcmp(styles[i].kind, member(node, "kind")))
			style = styles[i].style;
	putchar('\t');
	print_text(member(node, "id"));
	fputs(" [label=", stdout);
	print_text(member(node, "label"));
	printf(", %s];\n", style);
}

static void print_edge(struct json_object *edge)
{
	putchar('\t');
	print_text(member(edge, "from"));
	fputs(" -> ", stdout);
	print_text(member(edge, "to"));
	fputs(" [label=", stdout);
	print_text(member(edge, "label"));
	puts(strcmp(member(edge, "kind"), "closed-by") ? "];" :
	     ", style=dashed];");
}

static void print_dot(const struct graph *graph)
{
	size_t i;

	puts("digraph memgate {\n\trankdir=LR;");
	for (i = 0; i < json_object_array_length(graph->nodes); i++)
		print_node(json_object_array_get_idx(graph->nodes, i));
	for (i = 0; i < json_object_array_length(graph->edges); i++)
		print_edge(json_object_array_get_idx(graph->edges, i));
	puts("}");
}

static void draw(struct memgate_gate_info * const *gates, size_t nr)
{
	struct graph graph = {
		.nodes = json_object_new_array(),
		.edges = json_object_new_array(),
	};
	struct json_object *obj;
	size_t i;

	for (i = 0; i < nr; i++) {
		add_gate(&graph, gates[i]);
		add_installs(&graph, gates[i]);
		/* Before consumers: these know no names of processes. */
		add_holders(&graph, gates[i]);
	}
	for (i = 0; i < nr; i++)
		add_consumers(&graph, gates[i]);
	if (json_output) {
		obj = json_object_new_object();
		json_object_object_add(obj, "nodes", graph.nodes);
		json_object_object_add(obj, "edges", graph.edges);
		print_json(obj);
		return;
	}
	print_dot(&graph);
	json_object_put(graph.nodes);
	json_object_put(graph.edges);
}

/* Of the gates that the user names, each once; all if none is named. */
static int choose(struct words *w, struct memgate_gate_info **gates,
		  size_t *nr)
{
	struct memgate_gate_info *g, *swap;
	size_t chosen = 0, i;
	uint64_t id;
	int err;

	if (!w->nr)
		return 0;
	while (w->nr) {
		err = parse_gate(w, &id, &g);
		if (err)
			return err;
		memgate_gate_info__free(g);
		for (i = 0; i < *nr && gates[i]->id != id; i++)
			;
		if (i == *nr)
			return report_errno(EXIT_REFUSED, ENOENT,
					    "'memgate gate list' shows the "
					    "gates", "no gate %llu is to be "
					    "seen", (unsigned long long)id);
		if (i < chosen)
			continue;
		swap = gates[chosen];
		gates[chosen++] = gates[i];
		gates[i] = swap;
	}
	for (i = chosen; i < *nr; i++)
		memgate_gate_info__free(gates[i]);
	*nr = chosen;
	return 0;
}

int cmd_graph(struct words *w)
{
	struct memgate_gate_info **gates;
	size_t nr;
	int err;

	err = memgate_probe();
	if (!err)
		err = memgate_gate__list(&gates, &nr);
	if (err)
		return errno = -err, report();
	err = choose(w, gates, &nr);
	if (!err)
		draw(gates, nr);
	memgate_gate__free_list(gates, nr);
	return err;
}
