// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate: command line of libmemgate */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

#ifndef MEMGATE_VERSION
#define MEMGATE_VERSION "0"
#endif

/*
 * Every command is one line here: help, abbreviations, advice and the words
 * of a command come from it, and tests/agree_test.sh holds the manual pages
 * and the completion against it.
 */
static const struct command commands[] = {
	{ "policy", "load", cmd_policy_load, "FILE [name N] [mode OCTAL] [group G]",
	  "load the policy of an object file and pin it" },
	{ "policy", "check", cmd_policy_check, "FILE",
	  "what a policy file holds, and whether this kernel would take it" },
	{ "policy", "list", cmd_policy_list, "",
	  "the policies that are loaded" },
	{ "policy", "show", cmd_policy_show, "[POLICY]",
	  "what one decides, and its parameters" },
	{ "policy", "unload", cmd_policy_unload, "NAME",
	  "remove its pins; gates that have it keep it" },
	{ "gate", "attach", cmd_gate_attach,
	  "GATE policy POLICY [param K=V]... [pin PATH]",
	  "install a policy on a memfd" },
	{ "gate", "update", cmd_gate_update,
	  "{ pinned PATH | link ID | GATE replace NAME } policy POLICY",
	  "put another policy in an installed one's place" },
	{ "gate", "list", cmd_gate_list, "",
	  "all gates: holders, policies, consumers" },
	{ "gate", "show", cmd_gate_show, "[GATE]",
	  "one gate, and who decides each class" },
	{ "gate", "seal", cmd_gate_seal, "GATE",
	  "close the memory to every new access" },
	{ "gate", "freeze", cmd_gate_freeze, "GATE",
	  "nobody changes its policies any more" },
	{ "gate", "handover", cmd_gate_handover,
	  "GATE { to pid PID | cancel } [map PATH]",
	  "name the process whose virtual machine comes next" },
	{ "run", NULL, cmd_run,
	  "size N[KMGT] [hugetlb 2M|1G] [name N] [fd N] [no-default] "
	  "[policy POLICY [param K=V]...]... [nofreeze pin DIR] "
	  "-- COMMAND ARGS",
	  "become a command that has gated memory" },
	{ "monitor", NULL, cmd_monitor,
	  "[gate { ID | GATE }]... [class CLASS]... [pid PID] [policy NAME] "
	  "[refused|allowed] [count N] [for SECONDS] [-- COMMAND ARGS]",
	  "decisions as they are made" },
	{ "learn", NULL, cmd_learn,
	  "{ gate { ID | GATE } [for SECONDS] | size N[KMGT] [hugetlb 2M|1G] "
	  "[name N] [fd N] [for SECONDS] -- COMMAND ARGS }",
	  "the narrowest policies that a workload gets along with" },
	{ "explain", NULL, cmd_explain,
	  "{ gate ID | GATE } [class CLASS] [consumer ID | pid PID] "
	  "[device DEV]",
	  "who gets at the memory, and why the last refusal" },
	{ "graph", NULL, cmd_graph, "[gate ID | GATE]...",
	  "gates and what is around them, for Graphviz" },
	{ "recorder", "on", cmd_recorder_on, "",
	  "record refusals from now on" },
	{ "recorder", "off", cmd_recorder_off, "",
	  "stop, and forget them" },
	{ "recorder", "show", cmd_recorder_show, "",
	  "the last refusals of all gates" },
	{ "feature", "probe", cmd_feature_probe, "",
	  "what the kernel has, what this process may do" },
};

/* The words in capitals that have a grammar of their own. */
static const struct term terms[] = {
	{ "GATE", "{ fd N | pid PID [fd N] }" },
	{ "POLICY", "{ NAME | /path/of/its/pin }" },
};

static const struct syntax syntax = {
	commands, ARRAY_SIZE(commands), terms, ARRAY_SIZE(terms),
};

static void log_to_stderr(const char *msg)
{
	fputs(msg, stderr);
}

/* "+": options of the command that `run` starts are not ours. */
#define SHORT	"+jpdB:Vh"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "debug", no_argument, NULL, 'd' },
	{ "bpffs", required_argument, NULL, 'B' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int bad_option(const char *word)
{
	size_t i, len = strcspn(word, "=");

	for (i = 0; options[i].name; i++)
		if (options[i].has_arg &&
		    (word[1] == options[i].val ||
		     (len > 2 && !strncmp(word + 2, options[i].name,
					  len - 2))))
			return report_usage("option '%s' needs a value", word);
	return report_usage("unknown option '%s'", word);
}

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

/*
 * A file that is opened while 0, 1 or 2 is closed would get that number, and
 * what is printed would land in it.  Reading or writing what is put there
 * fails, as it would have; a command that `run` becomes does not inherit it.
 */
static void guard_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int parse_options(int argc, char **argv)
{
	bool version = false, show_help = false;
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, SHORT, options, NULL)) != -1) {
		switch (opt) {
		case 'j':
			json_output = true;
			break;
		case 'p':
			json_output = true;
			json_pretty = true;
			break;
		case 'd':
			memgate_set_log(log_to_stderr);
			break;
		case 'B':
			if (memgate_set_pin_dir(optarg)) {
				errno = EINVAL;
				return report();
			}
			break;
		case 'V':
			version = true;
			break;
		case 'h':
			show_help = true;
			break;
		default:
			return bad_option(argv[optind - 1]);
		}
	}
	if (version)
		return print_version();
	if (show_help)
		return print_help(&syntax, NULL, NULL);
	return -1;
}

int main(int argc, char **argv)
{
	struct words w;
	int code;

	guard_standard_fds();
	code = parse_options(argc, argv);
	if (code < 0) {
		w.nr = argc - optind;
		w.word = argv + optind;
		code = run_command(&syntax, &w);
	}
	forget_policies();
	/* A full disk or a closed pipe must not look like success. */
	return finish_output(code);
}
