// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which command the words of a command line name, and help about it. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Where a line of the usage ends: before a blank outside of brackets. */
static size_t line_length(const char *s, size_t room)
{
	size_t i, end = 0;
	int depth = 0;

	for (i = 0; s[i] && (i < room || !end); i++) {
		if (s[i] == '[')
			depth++;
		else if (s[i] == ']')
			depth--;
		else if (s[i] == ' ' && !depth)
			end = i;
	}
	return s[i] ? end : i;
}

static void print_usage(const struct command *c)
{
	const char *usage = c->usage;
	size_t len;
	int width;

	width = printf("%s%s%s", c->object, c->action ? " " : "",
		       c->action ? c->action : "");
	while (*usage) {
		len = line_length(usage, 68 - width);
		printf(" %.*s", (int)len, usage);
		usage += len + (usage[len] == ' ');
		if (*usage)
			fputs("\n             ", stdout);
		width = 3;
	}
}

static struct json_object *help_json(const struct syntax *s,
				     const char *object, const char *action)
{
	struct json_object *list = json_object_new_array(), *obj;
	const struct command *c;

	for (c = s->commands; c < s->commands + s->nr; c++) {
		if ((object && strcmp(c->object, object)) ||
		    (action && !same(c->action, action)))
			continue;
		obj = json_object_new_object();
		add_str(obj, "object", c->object);
		if (c->action)
			add_str(obj, "command", c->action);
		add_str(obj, "usage", c->usage);
		add_str(obj, "summary", c->summary);
		json_object_array_add(list, obj);
	}
	return list;
}

static const char options_text[] =
"Options:\n"
"  -j, --json       JSON on stdout, errors too\n"
"  -p, --pretty     the same, indented\n"
"  -d, --debug      what libbpf and the verifier say, on stderr\n"
"  -B, --bpffs DIR  pin directory (" MEMGATE_PIN_DIR ")\n"
"  -V, --version    -h, --help\n"
"Words may be shortened as long as they are unambiguous.\n"
"Exit: 0 done, 1 wrong usage or input, 2 refused by the kernel, 3 no memgate\n"
"in this kernel; 'run': 125 failed, 126 cannot execute, 127 not found, else\n"
"the command's own.  See memgate(8).\n";

/* Of all commands, those of an object, or one. */
int print_help(const struct syntax *s, const char *object, const char *action)
{
	const struct command *c;
	const struct term *t;

	if (json_output) {
		print_json(help_json(s, object, action));
		return EXIT_OK;
	}
	puts("Usage: memgate [OPTIONS] OBJECT { COMMAND | help }");
	for (c = s->commands; c < s->commands + s->nr; c++) {
		if ((object && strcmp(c->object, object)) ||
		    (action && !same(c->action, action)))
			continue;
		printf("  %smemgate ", paint(PAINT_HEAD));
		print_usage(c);
		printf("%s\n      %s\n", paint(PAINT_END), c->summary);
	}
	for (t = s->terms; t < s->terms + s->nr_terms; t++)
		printf("  %-6s := %s\n", t->name, t->grammar);
	fputs(options_text, stdout);
	return EXIT_OK;
}

/* The i-th word that can stand here: an object, or one of its actions. */
static const char *choice(const struct syntax *s, size_t i, const char *object)
{
	const struct command *c = s->commands + i;
	size_t j;

	if (object)
		return strcmp(c->object, object) ? NULL : c->action;
	for (j = 0; j < i; j++)
		if (!strcmp(c->object, s->commands[j].object))
			return NULL;
	return c->object;
}

/* The full word for an abbreviation; NULL, reported, if there is none. */
static const char *complete(const struct syntax *s, const char *word,
			    const char *object)
{
	struct guess g;
	const char *c;
	size_t i;

	guess_begin(&g, word);
	for (i = 0; i < s->nr; i++) {
		c = choice(s, i, object);
		if (c)
			guess_word(&g, c, strlen(c));
	}
	if (!object)
		guess_word(&g, "help", 4);
	if (guess_found(&g))
		return guess_found(&g);
	if (g.nr_starts > 1)
		report_usage("'%s' is ambiguous: %s", word, g.starts);
	else if (*g.near)
		report_usage("unknown command '%s', did you mean '%s'?", word,
			     g.near);
	else
		report_usage("unknown command '%s'", word);
	return NULL;
}

/* The words of a command: its usage and the terms that it uses. */
static void set_grammar(const struct syntax *s, const struct command *c,
			struct words *w)
{
	const struct term *t;
	size_t len;

	len = snprintf(w->grammar, sizeof(w->grammar), "%s", c->usage);
	for (t = s->terms; t < s->terms + s->nr_terms; t++)
		if (strstr(c->usage, t->name) && len < sizeof(w->grammar))
			len += snprintf(w->grammar + len,
					sizeof(w->grammar) - len, " %s",
					t->grammar);
	usage_hint("usage: memgate %s%s%s%s%s", c->object,
		   c->action ? " " : "", c->action ? c->action : "",
		   *c->usage ? " " : "", c->usage);
}

static const struct command *find(const struct syntax *s, const char *object,
				  const char *action)
{
	const struct command *c;

	for (c = s->commands; c < s->commands + s->nr; c++)
		if (!strcmp(c->object, object) && same(c->action, action))
			return c;
	return NULL;
}

/* "gate" alone is its help, "feature" alone its only command. */
static const char *only_action(const struct syntax *s, const char *object)
{
	const char *action = NULL;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->commands[i].object, object)) {
			if (action)
				return NULL;
			action = s->commands[i].action;
		}
	return action;
}

/* memgate help [OBJECT [COMMAND]] */
static int help_about(const struct syntax *s, struct words *w)
{
	const char *object = NULL, *action = NULL;

	if (w->nr) {
		object = complete(s, next_word(w), NULL);
		if (!object)
			return EXIT_USAGE;
		if (!strcmp(object, "help"))
			object = NULL;
	}
	if (object && w->nr) {
		action = complete(s, next_word(w), object);
		if (!action)
			return EXIT_USAGE;
	}
	if (w->nr)
		return no_more_words(w);
	return print_help(s, object, action);
}

int run_command(const struct syntax *s, struct words *w)
{
	const char *object, *action = NULL;
	const struct command *c;

	*w->grammar = '\0';
	if (!w->nr)
		return help_about(s, w);
	object = complete(s, next_word(w), NULL);
	if (!object)
		return EXIT_USAGE;
	if (!strcmp(object, "help"))
		return help_about(s, w);
	if (!find(s, object, NULL)) {
		if (take_word(w, "help"))
			return print_help(s, object, NULL);
		if (!w->nr && !only_action(s, object))
			return print_help(s, object, NULL);
		action = w->nr ? complete(s, next_word(w), object) :
				 only_action(s, object);
		if (!action)
			return EXIT_USAGE;
	}
	c = find(s, object, action);
	set_grammar(s, c, w);
	/* Only as the last word: a file or a policy may be named help. */
	if (w->nr == 1 && take_word(w, "help"))
		return print_help(s, object, action);
	return c->run(w);
}
