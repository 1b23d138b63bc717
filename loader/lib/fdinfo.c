// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The "memgate" lines of /proc/PID/fdinfo/FD; their format is fixed in
 * linux/memgate.h: "key value" pairs, of which new ones may come.
 */
#include "internal.h"

/* What follows a key; NULL if the line does not have it. */
static const char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);
	const char *p = line;

	/* Pairs: step over a key and its value at a time. */
	for (;;) {
		p += strspn(p, " \t");
		if (!*p || *p == '\n')
			return NULL;
		if (!strncmp(p, key, len) && p[len] == ' ')
			return p + len + 1;
		p += strcspn(p, " \t\n");
		p += strspn(p, " \t");
		p += strcspn(p, " \t\n");
	}
}

static uint64_t number_of(const char *line, const char *key)
{
	const char *v = value_of(line, key);

	return v ? strtoull(v, NULL, 0) : 0;
}

static void word_of(const char *line, const char *key, char *to, size_t size)
{
	const char *v = value_of(line, key);

	snprintf(to, size, "%.*s", v ? (int)strcspn(v, " \t\n") : 0,
		 v ? v : "");
}

static enum memgate_install_state state_of(const char *line)
{
	char word[16];

	word_of(line, "state", word, sizeof(word));
	if (!strcmp(word, "live"))
		return MEMGATE_INSTALL_LIVE;
	if (!strcmp(word, "kept"))
		return MEMGATE_INSTALL_KEPT;
	if (!strcmp(word, "closed"))
		return MEMGATE_INSTALL_CLOSED;
	return MEMGATE_INSTALL_UNKNOWN;
}

/*
 * Names are chosen by those who are looked at: nothing of them may reach a
 * terminal as a control sequence, or break JSON.
 */
void mg_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

static int add_install(struct memgate_gate_info *g, const char *line)
{
	struct memgate_install_info *i;

	i = reallocarray(g->installs, g->nr_installs + 1, sizeof(*i));
	if (!i)
		return -ENOMEM;
	g->installs = i;
	i += g->nr_installs++;
	word_of(line, "name", i->name, sizeof(i->name));
	mg_printable(i->name);
	i->map_id = number_of(line, "map");
	i->link_id = number_of(line, "link");
	i->state = state_of(line);
	i->classes = number_of(line, "classes");
	i->params_known = false;
	i->params = NULL;
	i->params_len = 0;
	return 0;
}

static int add_consumer(struct memgate_gate_info *g, const char *line)
{
	struct memgate_consumer_info *c;

	c = reallocarray(g->consumers, g->nr_consumers + 1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	g->consumers = c;
	c += g->nr_consumers++;
	c->kind = number_of(line, "kind");
	c->id = number_of(line, "id");
	c->rights = number_of(line, "rights");
	c->pid = number_of(line, "pid");
	c->nr_devices = 0;
	c->devices = NULL;
	return 0;
}

/* To the consumer of this gate that has the id; the last one, as a rule. */
int mg_add_device(struct memgate_gate_info *g, uint64_t consumer,
		  const char *name, size_t len)
{
	struct memgate_consumer_info *c;
	struct memgate_device_info *d;
	size_t i = g->nr_consumers;

	while (i && g->consumers[i - 1].id != consumer)
		i--;
	if (!i)
		return 0;
	c = g->consumers + i - 1;
	d = reallocarray(c->devices, c->nr_devices + 1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	c->devices = d;
	d += c->nr_devices++;
	snprintf(d->name, sizeof(d->name), "%.*s", (int)len, name);
	mg_printable(d->name);
	return 0;
}

/* The name may have blanks: it goes to the end of the line. */
static int add_device(struct memgate_gate_info *g, const char *line)
{
	const char *name = value_of(line, "name");

	return mg_add_device(g, number_of(line, "consumer"), name ? name : "",
			     name ? strcspn(name, "\n") : 0);
}

static int set_gate(struct memgate_gate_info *g, const char *line)
{
	g->id = number_of(line, "id");
	g->premapped = number_of(line, "premapped");
	g->frozen = number_of(line, "frozen");
	g->classes = number_of(line, "classes");
	return 0;
}

static int set_inode(struct memgate_gate_info *g, const char *line)
{
	g->ino = strtoull(line, NULL, 10);
	return 0;
}

static const struct {
	const char *prefix;
	int (*take)(struct memgate_gate_info *g, const char *line);
} kinds[] = {
	{ "memgate:", set_gate },
	{ "memgate-policy:", add_install },
	{ "memgate-consumer:", add_consumer },
	{ "memgate-device:", add_device },
	{ "ino:", set_inode },
};

static int take_line(struct memgate_gate_info *g, const char *line)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		len = strlen(kinds[i].prefix);
		if (!strncmp(line, kinds[i].prefix, len))
			return kinds[i].take(g, line + len);
	}
	return 0;
}

/* NULL with errno ENODATA if there is no gate. */
struct memgate_gate_info *mg_fdinfo_parse(FILE *f)
{
	struct memgate_gate_info *g;
	char *line = NULL;
	size_t size = 0;
	int err = 0;

	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	while (!err && getline(&line, &size, f) > 0)
		err = take_line(g, line);
	free(line);
	if (!err && g->id)
		return g;
	memgate_gate_info__free(g);
	errno = err ? -err : ENODATA;
	return NULL;
}

void memgate_gate_info__free(struct memgate_gate_info *g)
{
	size_t i;

	if (!g)
		return;
	for (i = 0; i < g->nr_consumers; i++)
		free(g->consumers[i].devices);
	for (i = 0; i < g->nr_installs; i++)
		free(g->installs[i].params);
	free(g->installs);
	free(g->consumers);
	free(g->holders);
	free(g);
}
