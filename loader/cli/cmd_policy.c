// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate policy load | list | show | unload */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>

#include "cmd.h"

static struct json_object *policy_json(const struct memgate_policy *p)
{
	struct json_object *obj = json_object_new_object();

	add_str(obj, "name", memgate_policy__name(p));
	add_str(obj, "policy", memgate_policy__title(p));
	add_u64(obj, "map", memgate_policy__map_id(p));
	add_u64(obj, "link", memgate_policy__link_id(p));
	json_object_object_add(obj, "decides",
			       classes_json(memgate_policy__decides(p)));
	add_u64(obj, "params_size", memgate_policy__params_size(p));
	return obj;
}

static int print_loaded(const struct memgate_policy *p)
{
	struct json_object *obj;

	if (json_output) {
		obj = policy_json(p);
		print_json(obj);
		return EXIT_OK;
	}
	printf("%s: loaded as %s/%s (map %u, link %u), decides ",
	       memgate_policy__title(p), memgate_pin_dir(),
	       memgate_policy__name(p), memgate_policy__map_id(p),
	       memgate_policy__link_id(p));
	print_classes(memgate_policy__decides(p));
	putchar('\n');
	return EXIT_OK;
}

static int parse_mode(const char *s, mode_t *mode)
{
	unsigned long v;
	char *end;

	if (!s || !*s)
		return -EINVAL;
	v = strtoul(s, &end, 8);
	if (*end || v > 0777)
		return -EINVAL;
	*mode = v;
	return 0;
}

/* By name or by number. */
static int parse_group(const char *s, gid_t *gid)
{
	struct group *gr;
	char *end;

	if (!s || !*s)
		return -EINVAL;
	gr = getgrnam(s);
	if (gr) {
		*gid = gr->gr_gid;
		return 0;
	}
	errno = 0;
	*gid = strtoul(s, &end, 10);
	return *end || errno || *gid == (gid_t)-1 || *s == '-' ? -EINVAL : 0;
}

int cmd_policy_load(struct words *w)
{
	const char *file = next_word(w);
	const char *name = NULL;
	struct memgate_policy *p;
	const char *group = NULL;
	gid_t gid = (gid_t)-1;
	mode_t mode = 0;
	int err;

	if (!file)
		return report_usage("'policy load' needs a file");
	while (w->nr) {
		if (take_word(w, "name")) {
			name = next_word(w);
			if (!name)
				return report_usage("'name' needs a name");
		} else if (take_word(w, "mode")) {
			if (parse_mode(next_word(w), &mode))
				return report_usage("'mode' needs octal "
						    "permissions such as "
						    "0444");
		} else if (take_word(w, "group")) {
			group = next_word(w);
			if (parse_group(group, &gid))
				return report_usage("'group' needs the name "
						    "or number of a group, "
						    "not '%s'",
						    group ? group : "");
		} else {
			return no_more_words(w);
		}
	}
	p = memgate_policy__load(file);
	if (!p)
		return report();
	/* A group that may do nothing would be a strange wish. */
	if (group && !mode)
		mode = 0440;
	err = memgate_policy__pin_group(p, name, mode, gid);
	errno = -err;
	err = err ? report() : print_loaded(p);
	memgate_policy__free(p);
	return err;
}

static int list_one(struct memgate_policy *p, const char *name, void *ctx)
{
	struct json_object *list = ctx, *obj;

	if (list) {
		obj = p ? policy_json(p) : json_object_new_object();
		if (!p) {
			add_str(obj, "name", name);
			add_str(obj, "error", memgate_error_text());
		}
		json_object_array_add(list, obj);
		return 0;
	}
	if (!p) {
		fprintf(stderr, "%s: %s\n", name, memgate_error_text());
		return 0;
	}
	printf("%-16s map %-5u link %-5u params %-4u decides ", name,
	       memgate_policy__map_id(p), memgate_policy__link_id(p),
	       memgate_policy__params_size(p));
	print_classes(memgate_policy__decides(p));
	putchar('\n');
	return 0;
}

int cmd_policy_list(struct words *w)
{
	struct json_object *list = NULL;
	int err;

	if (w->nr)
		return no_more_words(w);
	err = memgate_probe();
	if (err)
		return errno = -err, report();
	if (json_output)
		list = json_object_new_array();
	err = memgate_policy__list(list_one, list);
	if (err) {
		json_object_put(list);
		return errno = -err, report();
	}
	if (list)
		print_json(list);
	return EXIT_OK;
}

int show_policy_field(const struct memgate_field *field, void *ctx)
{
	struct json_object *list = ctx, *obj;

	if (!list) {
		printf("\t\t%-20s %s\n", field->name, field->type);
		if (field->values)
			printf("\t\t    %s\n", field->values);
		if (field->doc)
			printf("\t\t    %s\n", field->doc);
		return 0;
	}
	obj = json_object_new_object();
	add_str(obj, "name", field->name);
	add_str(obj, "type", field->type);
	if (field->values)
		add_str(obj, "values", field->values);
	if (field->doc)
		add_str(obj, "doc", field->doc);
	json_object_array_add(list, obj);
	return 0;
}

/* Whom the policy allows, in its own words: a line for each class. */
void print_policy_rules(struct memgate_policy *p)
{
	uint64_t decides = memgate_policy__decides(p);
	const char *rule, *title = "\tallows\n";
	unsigned int class;
	char buf[16];

	for (class = 0; class < 64; class++) {
		rule = decides >> class & 1 ? memgate_policy__rule(p, class) :
					      NULL;
		if (!rule)
			continue;
		printf("%s\t\t%-20s %s\n", title,
		       class_text(class, buf, sizeof(buf)), rule);
		title = "";
	}
}

struct json_object *policy_rules_json(struct memgate_policy *p)
{
	struct json_object *obj = json_object_new_object();
	uint64_t decides = memgate_policy__decides(p);
	unsigned int class;
	const char *rule;
	char buf[16];

	for (class = 0; class < 64; class++) {
		rule = decides >> class & 1 ? memgate_policy__rule(p, class) :
					      NULL;
		if (rule)
			add_str(obj, class_text(class, buf, sizeof(buf)),
				rule);
	}
	return obj;
}

static int show_policy(struct memgate_policy *p)
{
	struct json_object *obj = NULL, *list = NULL;
	int err;

	if (json_output) {
		obj = policy_json(p);
		json_object_object_add(obj, "allows", policy_rules_json(p));
		list = json_object_new_array();
		json_object_object_add(obj, "params", list);
	} else {
		printf("%s\n\tpolicy\t%s\n\tmap\t%u\n\tlink\t%u\n\tdecides\t",
		       memgate_policy__name(p), memgate_policy__title(p),
		       memgate_policy__map_id(p), memgate_policy__link_id(p));
		print_classes(memgate_policy__decides(p));
		putchar('\n');
		print_policy_rules(p);
		printf("\tparams\t%u bytes\n",
		       memgate_policy__params_size(p));
	}
	err = memgate_policy__fields(p, show_policy_field, list);
	if (err) {
		json_object_put(obj);
		return errno = -err, report();
	}
	if (obj)
		print_json(obj);
	return EXIT_OK;
}

int cmd_policy_show(struct words *w)
{
	const char *name = next_word(w);
	struct memgate_policy *p;
	int err;

	if (!name)
		return cmd_policy_list(w);
	if (w->nr)
		return no_more_words(w);
	err = memgate_probe();
	if (err)
		return errno = -err, report();
	p = memgate_policy__open(name);
	if (!p)
		return report();
	err = show_policy(p);
	memgate_policy__free(p);
	return err;
}

int cmd_policy_unload(struct words *w)
{
	const char *name = next_word(w);
	int err;

	if (!name)
		return report_usage("'policy unload' needs the name of a "
				    "policy");
	if (w->nr)
		return no_more_words(w);
	err = memgate_probe();
	if (!err)
		err = memgate_policy__unload(name);
	if (err)
		return errno = -err, report();
	if (!json_output)
		printf("%s: unloaded; gates that have it keep it\n", name);
	else
		print_json(json_object_new_object());
	return EXIT_OK;
}
