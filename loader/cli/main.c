// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate: command line of libmemgate */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

#ifndef MEMGATE_VERSION
#define MEMGATE_VERSION "0"
#endif

static const struct command {
	const char *object;
	const char *action;		/* NULL: the object is the command */
	int (*run)(struct words *w);
	const char *usage;
} commands[] = {
	{ "policy", "load", cmd_policy_load, "FILE [name N] [mode OCTAL]" },
	{ "policy", "list", cmd_policy_list, "" },
	{ "policy", "show", cmd_policy_show, "POLICY" },
	{ "policy", "unload", cmd_policy_unload, "NAME" },
	{ "gate", "attach", cmd_gate_attach,
	  "GATE policy POLICY [param K=V]... [pin PATH]" },
	{ "gate", "update", cmd_gate_update,
	  "{ pinned PATH | link ID | GATE replace NAME } policy POLICY" },
	{ "gate", "list", cmd_gate_list, "" },
	{ "gate", "show", cmd_gate_show, "GATE" },
	{ "gate", "seal", cmd_gate_seal, "GATE" },
	{ "gate", "freeze", cmd_gate_freeze, "GATE" },
	{ "run", NULL, cmd_run,
	  "size N[KMGT] [hugetlb 2M|1G] [name N] [fd N] [no-default]\n"
	  "              [policy POLICY [param K=V]...]... "
	  "[nofreeze pin DIR] -- COMMAND ARGS" },
	{ "feature", "probe", cmd_feature_probe, "" },
};

static const char help_text[] =
"  GATE   := { fd N | pid PID fd N }\n"
"  POLICY := { NAME | /path/of/its/pin }\n"
"In COMMAND ARGS of 'run', {fd} and {size} stand for the memfd's number and\n"
"bytes.  Words may be shortened as long as they are unambiguous.\n"
"Options:\n"
"  -j, --json       JSON on stdout, errors too\n"
"  -d, --debug      what libbpf and the verifier say, on stderr\n"
"  -B, --bpffs DIR  pin directory (" MEMGATE_PIN_DIR ")\n"
"  -V, --version    -h, --help\n"
"Exit: 0 done, 1 wrong usage or input, 2 refused by the kernel, 3 no memgate\n"
"in this kernel; 'run': 125 failed, 126 cannot execute, 127 not found, else\n"
"the command's own.  See memgate(8).\n";

static int help(const char *object)
{
	size_t i;

	puts("Usage: memgate [OPTIONS] COMMAND");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!object || !strcmp(commands[i].object, object))
			printf("  memgate %s%s%s %s\n", commands[i].object,
			       commands[i].action ? " " : "",
			       commands[i].action ? commands[i].action : "",
			       commands[i].usage);
	fputs(help_text, stdout);
	return EXIT_OK;
}

/* How many letters two words differ in, for "did you mean". */
static int distance(const char *a, const char *b)
{
	int row[32], diag, up, i, j;
	int la = strlen(a), lb = strlen(b);

	if (la > 31 || lb > 31)
		return 99;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diag = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			if (up + 1 < row[j])
				row[j] = up + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
			diag = up;
		}
	}
	return row[lb];
}

/* The i-th word that can stand here: an object, or one of its actions. */
static const char *choice(size_t i, const char *object)
{
	if (object)
		return strcmp(commands[i].object, object) ? NULL :
		       commands[i].action;
	return i && !strcmp(commands[i].object, commands[i - 1].object) ?
	       NULL : commands[i].object;
}

/* The full word for an abbreviation; NULL, reported, if there is none. */
static const char *complete(const char *word, const char *object)
{
	const char *found = NULL, *near = NULL, *c;
	bool ambiguous = false;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		c = choice(i, object);
		if (!c)
			continue;
		if (!strcmp(c, word))
			return c;
		if (!strncmp(c, word, strlen(word))) {
			ambiguous = found;
			found = c;
		}
		if (distance(word, c) <= 2)
			near = c;
	}
	if (found && !ambiguous)
		return found;
	if (ambiguous)
		report_usage("'%s' is ambiguous", word);
	else if (near)
		report_usage("unknown command '%s', did you mean '%s'?", word,
			     near);
	else
		report_usage("unknown command '%s'", word);
	return NULL;
}

static int run_command(struct words *w)
{
	const char *object, *action = NULL;
	size_t i;

	if (!w->nr || take_word(w, "help"))
		return help(NULL);
	object = complete(next_word(w), NULL);
	if (!object)
		return EXIT_USAGE;
	if (strcmp(object, "run")) {
		if (!w->nr || take_word(w, "help"))
			return help(object);
		action = complete(next_word(w), object);
		if (!action)
			return EXIT_USAGE;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].object, object) &&
		    (!action || !strcmp(commands[i].action, action)))
			return commands[i].run(w);
	return EXIT_USAGE;
}

static void log_to_stderr(const char *msg)
{
	fputs(msg, stderr);
}

/* "+": options of the command that `run` starts are not ours. */
#define SHORT	"+jdB:Vh"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "debug", no_argument, NULL, 'd' },
	{ "bpffs", required_argument, NULL, 'B' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int print_version(void)
{
	struct json_object *obj;

	if (!json_output) {
		puts("memgate " MEMGATE_VERSION);
		return EXIT_OK;
	}
	obj = json_object_new_object();
	add_str(obj, "version", MEMGATE_VERSION);
	print_json(obj);
	return EXIT_OK;
}

int main(int argc, char **argv)
{
	bool version = false, show_help = false;
	struct words w;
	int opt, code;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, SHORT, options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json_output = true;
			break;
		case 'd':
			memgate_set_log(log_to_stderr);
			break;
		case 'B':
			if (memgate_set_pin_dir(optarg))
				return report();
			break;
		case 'V':
			version = true;
			break;
		case 'h':
			show_help = true;
			break;
		default:
			return report_usage("unknown option '%s'",
					    argv[optind - 1]);
		}
	}
	if (version)
		return print_version();
	if (show_help)
		return help(NULL);
	w.nr = argc - optind;
	w.word = argv + optind;
	code = run_command(&w);
	/* A full disk or a closed pipe must not look like success. */
	if (fflush(stdout) && code == EXIT_OK)
		code = EXIT_REFUSED;
	return code;
}
