// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate learn: watch what a workload does with its memory, and say which
 * policies would let it do that and as little else as possible.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learn.h"
#include "watch.h"

#define MAX_GATES	16
#define MAX_RUN_WORDS	16
/* A workload that is missed is one that will fail later. */
#define RING_BYTES	(16 << 20)
#define OUR_FDS		512

struct learn {
	struct learned gate[MAX_GATES];
	size_t nr_gates;
	int seconds;
	const char *run[MAX_RUN_WORDS];	/* what is for `run` */
	int nr_run;
	struct memgate_events *events;
	/* from the process that becomes the command: the id of its gate */
	int told[2];
	/* to it: go on */
	int go[2];
};

/* In another pid namespace, owner knows it by another id. */
static void name_main(struct learned *l, pid_t pid)
{
	l->main_pid = in_init_pid_ns() ? pid : 0;
}

/* Words **********************************************************************/

static int add_gate(struct words *w, struct learn *learn)
{
	struct watched watched;
	int err;

	if (learn->nr_gates == MAX_GATES)
		return report_usage("more than %d gates", MAX_GATES);
	err = parse_watched(w, &watched);
	if (err)
		return err;
	learn->gate[learn->nr_gates].gate = watched.gate;
	name_main(&learn->gate[learn->nr_gates], watched.pid);
	learn->nr_gates++;
	return 0;
}

/* What makes the memory of a command; NULL if it is something else. */
static const char *take_run_word(struct words *w)
{
	static const char * const words[] = { "size", "hugetlb", "name",
					      "fd" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (take_word(w, words[i]))
			return words[i];
	return NULL;
}

static int add_run_word(struct words *w, struct learn *learn)
{
	const char *word = take_run_word(w);

	if (!word)
		return no_more_words(w);
	if (learn->nr_run + 2 > MAX_RUN_WORDS)
		return report_usage("too many words before '--'");
	if (!w->nr || !strcmp(*w->word, "--"))
		return report_usage("'%s' needs a value", word);
	learn->run[learn->nr_run++] = word;
	learn->run[learn->nr_run++] = next_word(w);
	return 0;
}

static int parse_learn(struct words *w, struct learn *learn)
{
	int err = 0;

	while (!err && w->nr && strcmp(*w->word, "--")) {
		if (take_word(w, "gate"))
			err = add_gate(w, learn);
		else if (take_word(w, "for"))
			err = parse_seconds(w, &learn->seconds);
		else
			err = add_run_word(w, learn);
	}
	if (err)
		return err;
	if (take_word(w, "--") && !w->nr)
		return report_usage("'--' is followed by a command");
	if (w->nr && learn->nr_gates)
		return report_usage("a command has memory of its own: learn "
				    "from it, or from gates that are there");
	if (!w->nr && learn->nr_run)
		return report_usage("'%s' is for the memory of a command: end "
				    "with '-- COMMAND ARGS'", learn->run[0]);
	if (!w->nr && !learn->nr_gates)
		return report_usage("say what to learn from: 'gate GATE' or "
				    "'size N -- COMMAND ARGS'");
	return 0;
}

/* Watching *******************************************************************/

static int take(const struct memgate_event *event, void *ctx)
{
	struct learn *learn = ctx;
	size_t i;

	for (i = 0; i < learn->nr_gates; i++)
		if (learn->gate[i].gate == event->gate)
			learn_see(&learn->gate[i], event);
	return 0;
}

static int open_events(struct learn *learn, size_t more_gates)
{
	uint64_t gates[MAX_GATES];
	struct memgate_events_opts opts = {
		.size = sizeof(opts), .gates = gates,
		.nr_gates = learn->nr_gates, .more_gates = more_gates,
		.ring_bytes = RING_BYTES,
	};
	size_t i;

	for (i = 0; i < learn->nr_gates; i++)
		gates[i] = learn->gate[i].gate;
	learn->events = memgate_events__open(&opts);
	return learn->events ? 0 : report();
}

static void say_ready(void)
{
	fputs("ready\n", stderr);
}

/* Who has the memory already is asked about no more. */
static void see_before(struct learn *learn)
{
	struct memgate_gate_info **gates;
	size_t nr, i, j;

	if (memgate_gate__list(&gates, &nr))
		return;
	for (i = 0; i < nr; i++)
		for (j = 0; j < learn->nr_gates; j++)
			if (gates[i]->id == learn->gate[j].gate)
				learn_before(&learn->gate[j], gates[i]);
	memgate_gate__free_list(gates, nr);
}

static int finish(struct learn *learn)
{
	uint64_t lost = memgate_events__lost(learn->events);
	bool complete = !lost;
	size_t i;

	for (i = 0; i < learn->nr_gates; i++) {
		print_learned(&learn->gate[i], lost, learn->nr_gates > 1);
		complete &= !learn->gate[i].unfit.nr;
	}
	if (lost && !json_output)
		fprintf(stderr, "not allowed by these words: what %llu events "
			"were about that came too fast\n",
			(unsigned long long)lost);
	return complete ? EXIT_OK : EXIT_REFUSED;
}

/* Gates that are there *******************************************************/

static int learn_from_gates(struct learn *learn)
{
	struct watch watch = { .take = take, .ctx = learn,
			       .seconds = learn->seconds };
	int err;

	err = open_events(learn, 0);
	if (err)
		return err;
	watch.events = learn->events;
	err = watch_begin(&watch);
	if (err)
		return err;
	see_before(learn);
	say_ready();
	err = watch_run(&watch);
	return err ?: finish(learn);
}

/* A command ******************************************************************/

/* In the process that becomes the command. */
static int tell_gate(int fd, void *ctx)
{
	struct memgate_gate_info *g = memgate_gate__info(fd);
	struct learn *learn = ctx;
	char c;

	if (!g)
		return report();
	/* Without an answer something is wrong over there, and said there. */
	if (write(learn->told[1], &g->id, sizeof(g->id)) != sizeof(g->id) ||
	    read(learn->go[0], &c, 1) != 1)
		_exit(EXIT_RUN_FAILED);
	memgate_gate_info__free(g);
	return 0;
}

/* The numbers of our descriptors are the command's to choose from. */
static void keep_away(int *fd)
{
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, OUR_FDS);

	if (moved < 0)
		return;
	close(*fd);
	*fd = moved;
}

static int become_command(struct words *w, struct learn *learn)
{
	const char *allow[] = { "policy", "allow", "--" };
	struct words run = *w;
	int i, nr = 0;

	keep_away(&learn->told[1]);
	keep_away(&learn->go[0]);
	run.word = calloc(learn->nr_run + ARRAY_SIZE(allow) + w->nr + 1,
			  sizeof(*run.word));
	if (!run.word)
		return report_errno(EXIT_RUN_FAILED, ENOMEM, NULL, "learn");
	for (i = 0; i < learn->nr_run; i++)
		run.word[nr++] = (char *)learn->run[i];
	for (i = 0; i < (int)ARRAY_SIZE(allow); i++)
		run.word[nr++] = (char *)allow[i];
	for (i = 0; i < w->nr; i++)
		run.word[nr++] = w->word[i];
	run.nr = nr;
	return run_command_on_memory(&run, tell_gate, learn);
}

static int wait_for_gate(struct learn *learn)
{
	struct learned *l = &learn->gate[0];

	close(learn->told[1]);
	close(learn->go[0]);
	if (read(learn->told[0], &l->gate, sizeof(l->gate)) !=
	    sizeof(l->gate))
		return EXIT_RUN_FAILED;
	learn->nr_gates = 1;
	return 0;
}

/* Have the child go on, if it can be watched. */
static int let_go(struct watch *watch, struct learn *learn)
{
	int err = memgate_events__add_gate(learn->events, learn->gate[0].gate);

	if (err) {
		errno = -err;
		err = report();
	} else {
		watch->events = learn->events;
		name_main(&learn->gate[0], watch->child);
		say_ready();
		if (write(learn->go[1], "", 1) != 1)
			err = EXIT_RUN_FAILED;
	}
	close(learn->go[1]);
	return err;
}

/* A command that was not even begun teaches nothing. */
static bool was_executed(const struct watch *watch, const struct learn *learn)
{
	return learn->gate[0].events ||
	       (watch->code != EXIT_RUN_FAILED &&
		watch->code != EXIT_RUN_CANNOT_EXEC &&
		watch->code != EXIT_RUN_NOT_FOUND);
}

static int watch_command(struct watch *watch, struct learn *learn)
{
	int err = wait_for_gate(learn);

	/* It has said why. */
	if (err)
		return watch_wait(watch);
	err = let_go(watch, learn);
	if (err) {
		watch_wait(watch);
		return err;
	}
	err = watch_run(watch);
	if (!err && was_executed(watch, learn))
		err = finish(learn);
	fflush(stdout);
	return watch_wait(watch) ?: err;
}

static int learn_from_command(struct words *w, struct learn *learn)
{
	struct watch watch = { .take = take, .ctx = learn,
			       .seconds = learn->seconds };
	int err;

	/* Nothing is done before it is sure that it can be watched. */
	err = open_events(learn, 1);
	if (err)
		return err;
	if (pipe2(learn->told, O_CLOEXEC) || pipe2(learn->go, O_CLOEXEC))
		return report_errno(EXIT_RUN_FAILED, errno, NULL, "pipe");
	err = watch_begin(&watch);
	if (err)
		return err;
	err = watch_fork(&watch);
	if (err < 0)
		return -err;
	if (!err) {
		close(learn->told[0]);
		close(learn->go[1]);
		/* The parent goes on watching. */
		memgate_events__free(learn->events);
		err = become_command(w, learn);
		fflush(NULL);
		_exit(err);
	}
	return watch_command(&watch, learn);
}

int cmd_learn(struct words *w)
{
	struct learn *learn = calloc(1, sizeof(*learn));
	size_t i;
	int err;

	if (!learn)
		return report_errno(EXIT_REFUSED, ENOMEM, NULL, "learn");
	err = parse_learn(w, learn);
	if (!err)
		err = w->nr ? learn_from_command(w, learn) :
			      learn_from_gates(learn);
	memgate_events__free(learn->events);
	for (i = 0; i < learn->nr_gates; i++)
		learn_free(&learn->gate[i]);
	free(learn);
	return err;
}
