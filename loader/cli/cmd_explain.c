// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate explain GATE: who gets at the memory and who does not, and why the
 * last refusal happened
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "refused.h"

static int parse_class(struct words *w, struct explain *e)
{
	const char *word = next_word(w);
	unsigned int i;
	char buf[16];

	for (i = 0; word && i < 64; i++)
		if (!strcmp(class_text(i, buf, sizeof(buf)), word)) {
			e->class = i;
			return 0;
		}
	return report_usage("'class' needs the name of one, as 'gate show' "
			    "prints it, not '%s'", word ? word : "");
}

static int parse_about(struct words *w, struct explain *e)
{
	while (w->nr) {
		if (take_word(w, "class")) {
			if (parse_class(w, e))
				return EXIT_USAGE;
		} else if (take_word(w, "consumer")) {
			if (parse_id(next_word(w), &e->consumer))
				return report_usage("'consumer' needs an id");
		} else if (take_word(w, "pid")) {
			if (parse_int(next_word(w), &e->pid) || !e->pid)
				return report_usage("'pid' needs the number "
						    "of a process");
		} else if (take_word(w, "device")) {
			e->device = next_word(w);
			if (!e->device)
				return report_usage("'device' needs a name");
		} else {
			return no_more_words(w);
		}
	}
	if (e->consumer && e->pid)
		return report_usage("ask about a consumer or about a process, "
				    "not both");
	return 0;
}

/* Refusals of those who are asked about; why there are none, if so. */
static void read_refusals(struct explain *e)
{
	struct memgate_refusal *r;
	size_t i, nr = 0;
	int err;

	err = memgate_recorder__info(&e->recorder);
	if (err) {
		e->unread = err == -EACCES || err == -EPERM ?
			"who may not read the recorder does not see what was "
			"refused" : "the recorder cannot be read, 'memgate "
			"recorder show' says why";
		return;
	}
	if (!e->recorder.on) {
		e->unread = "refusals are not recorded; 'memgate recorder on' "
			    "starts that";
		return;
	}
	if (memgate_recorder__read(e->id, about_somebody(e) ?
				   MEMGATE_REFUSALS_PARTIES :
				   MEMGATE_REFUSALS_LAST, &e->refusal,
				   &e->nr_refusals)) {
		e->unread = "the recorder cannot be read";
		return;
	}
	for (i = 0; i < e->nr_refusals; i++) {
		r = e->refusal + i;
		if (is_refusal_of(e, r))
			e->refusal[nr++] = *r;
	}
	e->nr_refusals = nr;
}

static int open_policies(struct explain *e)
{
	size_t i;

	e->policy = calloc(e->g->nr_installs + 1, sizeof(*e->policy));
	if (!e->policy)
		return report_errno(EXIT_REFUSED, ENOMEM, NULL, "no memory");
	for (i = 0; i < e->g->nr_installs; i++)
		if (e->g->installs[i].map_id)
			e->policy[i] = memgate_policy__open_id(
				e->g->installs[i].map_id);
	return 0;
}

static uint64_t shown_classes(const struct explain *e)
{
	if (e->class >= 0)
		return 1ULL << e->class;
	return about_somebody(e) ? classes_of_somebody(e) : all_classes(e->g);
}

static void print_policies(const struct explain *e, uint64_t classes)
{
	const struct memgate_install_info *in;
	size_t i;

	for (i = 0; i < e->g->nr_installs; i++) {
		in = e->g->installs + i;
		if (!(in->classes & classes))
			continue;
		printf("policy %s: %s", in->name, state_text(in->state));
		if (in->link_id)
			printf(", link %u", in->link_id);
		print_brought(in, ", ");
		putchar('\n');
	}
}

/* Classes of which there is nothing to be said but that they are closed. */
static bool is_plainly_closed(const struct explain *e, unsigned int class)
{
	return e->class < 0 && standing_of(e->g, class) == CLASS_CLOSED &&
	       !was_refused(e, class);
}

static void print_ways(const struct explain *e)
{
	size_t i;

	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr == MEMGATE_REFUSAL_WAY)
			print_refusal(e->refusal + i);
}

static void print_all(const struct explain *e)
{
	uint64_t classes = shown_classes(e), closed = 0, like;
	unsigned int class;

	print_header(e->g);
	print_policies(e, classes);
	if (about_somebody(e))
		print_somebody(e);
	for (class = 0; class < 64; class++) {
		if (!(classes >> class & 1))
			continue;
		if (is_plainly_closed(e, class)) {
			closed |= 1ULL << class;
			continue;
		}
		like = classes_like(e, classes, class);
		print_class(e, class, like);
		classes &= ~like;
	}
	if (closed) {
		fputs("closed, no policy on this gate decides them: ", stdout);
		print_classes(closed);
		putchar('\n');
	}
	if (e->class < 0)
		print_ways(e);
	if (e->unread)
		puts(e->unread);
}

static void add_recorder(struct json_object *obj, const struct explain *e)
{
	struct json_object *r = json_object_new_object();

	add_bool(r, "on", e->recorder.on);
	if (e->recorder.on)
		add_u64(r, "seconds", seconds_since(e->recorder.since));
	if (e->unread)
		add_str(r, "unread", e->unread);
	json_object_object_add(obj, "recorder", r);
}

static void json_all(const struct explain *e)
{
	struct json_object *obj = json_object_new_object(), *list;
	uint64_t classes = shown_classes(e);
	unsigned int class;
	size_t i;

	json_object_object_add(obj, "gate", gate_json(e->g));
	add_bool(obj, "gone", false);
	if (about_somebody(e))
		json_object_object_add(obj, "about", somebody_json(e));
	list = json_object_new_array();
	for (class = 0; class < 64; class++)
		if (classes >> class & 1)
			json_object_array_add(list, class_json(e, class));
	json_object_object_add(obj, "classes", list);
	list = json_object_new_array();
	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr == MEMGATE_REFUSAL_WAY)
			json_object_array_add(list,
					      refusal_json(e->refusal + i));
	json_object_object_add(obj, "ways", list);
	add_recorder(obj, e);
	print_json(obj);
}

/* Of a gate that is gone the recorder may know. */
static int explain_gone(const struct explain *e)
{
	struct json_object *obj, *list;
	size_t i;

	if (!e->nr_refusals)
		return report_errno(EXIT_REFUSED, ENOENT, e->unread ?
				    e->unread :
				    "'memgate gate list' shows the gates",
				    "no gate %llu is to be seen, and no "
				    "refusal of it",
				    (unsigned long long)e->id);
	if (!json_output) {
		printf("gate %llu: gone, or out of sight\n",
		       (unsigned long long)e->id);
		for (i = 0; i < e->nr_refusals; i++)
			print_refusal(e->refusal + i);
		return EXIT_OK;
	}
	obj = json_object_new_object();
	list = json_object_new_object();
	add_u64(list, "id", e->id);
	json_object_object_add(obj, "gate", list);
	add_bool(obj, "gone", true);
	list = json_object_new_array();
	for (i = 0; i < e->nr_refusals; i++)
		json_object_array_add(list, refusal_json(e->refusal + i));
	json_object_object_add(obj, "refused", list);
	add_recorder(obj, e);
	print_json(obj);
	return EXIT_OK;
}

static int explain(struct words *w, struct explain *e)
{
	int err;

	err = parse_gate(w, &e->id, &e->g);
	if (!err)
		err = parse_about(w, e);
	if (err)
		return err;
	read_refusals(e);
	if (!e->g)
		return explain_gone(e);
	err = open_policies(e);
	if (err)
		return err;
	if (json_output)
		json_all(e);
	else
		print_all(e);
	return EXIT_OK;
}

int cmd_explain(struct words *w)
{
	struct explain e = { .class = -1 };
	size_t i;
	int err;

	err = memgate_probe();
	if (err)
		return errno = -err, report();
	err = explain(w, &e);
	for (i = 0; e.policy && i < e.g->nr_installs; i++)
		memgate_policy__free(e.policy[i]);
	free(e.policy);
	free(e.refusal);
	memgate_gate_info__free(e.g);
	return err;
}
