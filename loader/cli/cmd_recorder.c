// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate recorder on | off | show */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cmd.h"
#include "refused.h"

static int done(const char *what)
{
	struct json_object *obj;

	if (!json_output) {
		printf("recorder: %s\n", what);
		return EXIT_OK;
	}
	obj = json_object_new_object();
	add_str(obj, "recorder", what);
	print_json(obj);
	return EXIT_OK;
}

int cmd_recorder_on(struct words *w)
{
	int err;

	if (w->nr)
		return no_more_words(w);
	err = memgate_recorder__start();
	if (err < 0)
		return errno = -err, report();
	return done(err ? "is on already" : "on");
}

int cmd_recorder_off(struct words *w)
{
	int err;

	if (w->nr)
		return no_more_words(w);
	err = memgate_recorder__stop();
	if (err < 0)
		return errno = -err, report();
	return done(err ? "is off already" : "off");
}

static int show(const struct memgate_recorder_info *info,
		struct memgate_refusal *list, size_t nr)
{
	struct json_object *obj, *refusals;
	char ago[32];
	size_t i;

	if (!json_output) {
		printf("recorder: on for %s, %llu refusals not kept\n",
		       ago_text(info->since, ago, sizeof(ago)),
		       (unsigned long long)info->missed);
		for (i = 0; i < nr; i++) {
			printf("gate %llu: ", (unsigned long long)list[i].gate);
			print_refusal(list + i);
		}
		return EXIT_OK;
	}
	obj = json_object_new_object();
	add_bool(obj, "on", true);
	add_u64(obj, "seconds", seconds_since(info->since));
	add_u64(obj, "missed", info->missed);
	refusals = json_object_new_array();
	for (i = 0; i < nr; i++)
		json_object_array_add(refusals, refusal_json(list + i));
	json_object_object_add(obj, "refusals", refusals);
	print_json(obj);
	return EXIT_OK;
}

int cmd_recorder_show(struct words *w)
{
	struct memgate_recorder_info info;
	struct memgate_refusal *list;
	struct json_object *obj;
	size_t nr;
	int err;

	if (w->nr)
		return no_more_words(w);
	err = memgate_probe();
	if (!err)
		err = memgate_recorder__info(&info);
	if (err)
		return errno = -err, report();
	if (!info.on && !json_output)
		return done("off");
	if (!info.on) {
		obj = json_object_new_object();
		add_bool(obj, "on", false);
		print_json(obj);
		return EXIT_OK;
	}
	err = memgate_recorder__read(0, MEMGATE_REFUSALS_LAST, &list, &nr);
	if (err)
		return errno = -err, report();
	err = show(&info, list, nr);
	free(list);
	return err;
}
