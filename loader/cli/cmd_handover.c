// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate gate handover: who comes when the VM that is there has gone. */
#include <errno.h>
#include <unistd.h>

#include "cmd.h"

static int done(int memfd, const char *what, int pid)
{
	struct memgate_gate_info *g = memgate_gate__info(memfd);
	unsigned long long id = g ? g->id : 0;
	struct json_object *obj;

	memgate_gate_info__free(g);
	if (!json_output) {
		if (pid)
			printf("gate %llu: %s process %d\n", id, what, pid);
		else
			printf("gate %llu: %s\n", id, what);
		return EXIT_OK;
	}
	obj = json_object_new_object();
	add_u64(obj, "gate", id);
	add_str(obj, "done", what);
	if (pid)
		add_u64(obj, "pid", pid);
	print_json(obj);
	return EXIT_OK;
}

struct handover {
	int pid;		/* 0: cancel */
	const char *map;
};

/* { to pid PID | cancel } [map PATH] */
static int parse(struct words *w, struct handover *h)
{
	h->pid = 0;
	h->map = NULL;
	if (take_word(w, "to")) {
		if (!take_word(w, "pid") ||
		    parse_int(next_word(w), &h->pid) || !h->pid)
			return report_usage("'to' is followed by 'pid PID'");
	} else if (!take_word(w, "cancel")) {
		return report_usage("'gate handover GATE' is followed by "
				    "'to pid PID' or 'cancel'");
	}
	if (take_word(w, "map")) {
		h->map = next_word(w);
		if (!h->map)
			return report_usage("'map' needs the path of a pin");
	}
	return w->nr ? no_more_words(w) : 0;
}

int cmd_gate_handover(struct words *w)
{
	struct handover h;
	int fd, err;

	err = parse_target(w, &fd);
	if (!err)
		err = parse(w, &h);
	if (err)
		return err;
	if (h.pid)
		err = memgate_gate__name_successor(fd, h.pid, h.map);
	else
		err = memgate_gate__cancel_successor(fd, h.map);
	if (err < 0)
		return errno = -err, report();
	if (h.pid)
		return done(fd, "next comes", h.pid);
	return done(fd, err ? "nobody was named" : "nobody is named any more",
		    0);
}

/* Whoever may not know, or if nobody is named: nothing. */
void print_successor(int memfd)
{
	struct memgate_successor who;
	uint64_t start;

	if (memgate_gate__successor(memfd, NULL, &who))
		return;
	printf("  next      pid %u%s\n", who.tgid,
	       memgate_process_start(who.tgid, &start) || start != who.start ?
	       ", which has ended" : "");
}

void add_successor(struct json_object *obj, int memfd)
{
	struct memgate_successor who;

	if (!memgate_gate__successor(memfd, NULL, &who))
		add_u64(obj, "successor", who.tgid);
}
