// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One class of access on a gate: is it closed and why, or who is asked; who has
 * a grant; what was refused last; what can be done.
 *
 * No policy is asked here: an answer may change what it answers next.
 */
#include <string.h>

#include "explain.h"
#include "refused.h"

/* What the policies that come with memgate may allow. */
static const struct {
	const char *name;
	uint64_t classes;
} shipped[] = {
	{ "exclusive_kvm", MEMGATE_CLASS(MEMGATE_KVM) },
	{ "owner", MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_FILE) |
		   MEMGATE_CLASS(MEMGATE_OWN_PIN) |
		   MEMGATE_CLASS(MEMGATE_OWN_LONGTERM) |
		   MEMGATE_CLASS(MEMGATE_IO_URING) |
		   MEMGATE_CLASS(MEMGATE_VHOST) },
	{ "trusted_devices", MEMGATE_CLASS(MEMGATE_VFIO) |
			     MEMGATE_CLASS(MEMGATE_IOMMUFD) |
			     MEMGATE_CLASS(MEMGATE_RDMA) |
			     MEMGATE_CLASS(MEMGATE_VDPA) |
			     MEMGATE_CLASS(MEMGATE_XDP) |
			     MEMGATE_CLASS(MEMGATE_DMABUF) },
	{ "confidential", MEMGATE_CLASS(MEMGATE_MAP) |
			  MEMGATE_CLASS(MEMGATE_FILE) |
			  MEMGATE_CLASS(MEMGATE_OWN_PIN) |
			  MEMGATE_CLASS(MEMGATE_KVM) |
			  MEMGATE_CLASS(MEMGATE_VFIO) |
			  MEMGATE_CLASS(MEMGATE_IOMMUFD) |
			  MEMGATE_CLASS(MEMGATE_RDMA) |
			  MEMGATE_CLASS(MEMGATE_VDPA) |
			  MEMGATE_CLASS(MEMGATE_XDP) |
			  MEMGATE_CLASS(MEMGATE_DMABUF) },
	{ "allow", ~0ULL },
};

static bool decides(const struct memgate_install_info *in, unsigned int class)
{
	return in->classes >> class & 1;
}

enum standing standing_of(const struct memgate_gate_info *g,
			  unsigned int class)
{
	size_t i;

	if (shut_classes(g) >> class & 1)
		return CLASS_LOST;
	if (g->classes >> class & 1)
		return CLASS_ASKED;
	for (i = 0; i < g->nr_installs; i++)
		if (decides(g->installs + i, class))
			return CLASS_LATE;
	return CLASS_CLOSED;
}

bool was_refused(const struct explain *e, unsigned int class)
{
	size_t i;

	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr == class)
			return true;
	return false;
}

/* "exclusive_kvm, owner", of those that decide it, or only of the lost. */
static void names_of(const struct memgate_gate_info *g, unsigned int class,
		     bool lost, char *buf, size_t size)
{
	const struct memgate_install_info *in;
	size_t i, len = 0;

	*buf = '\0';
	for (i = 0; i < g->nr_installs && len < size; i++) {
		in = g->installs + i;
		if (!decides(in, class) ||
		    (lost && in->state != MEMGATE_INSTALL_CLOSED))
			continue;
		len += snprintf(buf + len, size - len, "%s%s",
				len ? ", " : "", in->name);
	}
}

static void why_text(const struct memgate_gate_info *g, unsigned int class,
		     char *buf, size_t size)
{
	enum standing s = standing_of(g, class);
	char names[1024];

	names_of(g, class, s == CLASS_LOST, names, sizeof(names));
	switch (s) {
	case CLASS_ASKED:
		snprintf(buf, size, "asked of %s%s", names,
			 strchr(names, ',') ? ", in this order; all must allow"
					    : "");
		break;
	case CLASS_CLOSED:
		snprintf(buf, size,
			 "closed, no policy on this gate decides it");
		break;
	case CLASS_LATE:
		snprintf(buf, size, "closed, %s came after the gate was "
			 "frozen and opens nothing", names);
		break;
	case CLASS_LOST:
		snprintf(buf, size, "closed for good, %s lost its link before "
			 "the gate was frozen", names);
		break;
	}
}

static void shipped_text(unsigned int class, char *buf, size_t size)
{
	size_t i, len = 0;

	*buf = '\0';
	for (i = 0; i < ARRAY_SIZE(shipped) && len < size; i++)
		if (shipped[i].classes >> class & 1)
			len += snprintf(buf + len, size - len, "%s%s",
					len ? ", " : "", shipped[i].name);
}

static const struct memgate_refusal *last_refusal(const struct explain *e,
						  unsigned int class)
{
	size_t i;

	/* The latest is the first. */
	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr == class)
			return e->refusal + i;
	return NULL;
}

static bool is_on_gate(const struct memgate_gate_info *g, const char *name,
		       unsigned int class)
{
	size_t i;

	for (i = 0; i < g->nr_installs; i++)
		if (decides(g->installs + i, class) &&
		    !strcmp(g->installs[i].name, name))
			return true;
	return false;
}

/* After a refusal of a class that policies are asked about. */
static void advice_asked(const struct explain *e, unsigned int class,
			 char *buf, size_t size)
{
	const char *name = last_refusal(e, class)->policy;

	if (!*name)
		snprintf(buf, size, "the class was closed then and is decided "
			 "now: try again");
	else if (!is_on_gate(e->g, name, class))
		snprintf(buf, size, "%s is not on this gate any more: try "
			 "again", name);
	else if (e->g->frozen)
		snprintf(buf, size, "%s refused by its rule and parameters "
			 "above, which stay: the gate is frozen", name);
	else
		snprintf(buf, size, "%s refused by its rule and parameters "
			 "above; for another rule: 'memgate gate update GATE "
			 "replace %s policy POLICY'", name, name);
}

/* What to do so that it is not refused; false if there is nothing to say. */
static bool advice_text(const struct explain *e, unsigned int class, char *buf,
			size_t size)
{
	const struct memgate_gate_info *g = e->g;
	char names[256];

	switch (standing_of(g, class)) {
	case CLASS_LOST:
		snprintf(buf, size, "nothing opens it again; on new memory, "
			 "keep the link's pin until the gate is frozen");
		return true;
	case CLASS_ASKED:
		if (!was_refused(e, class))
			return false;
		advice_asked(e, class, buf, size);
		return true;
	default:
		break;
	}
	if (g->frozen) {
		snprintf(buf, size, "the gate is frozen, so this stays closed; "
			 "on new memory, install a policy for it before "
			 "F_SEAL_SEAL");
		return true;
	}
	shipped_text(class, names, sizeof(names));
	snprintf(buf, size, "install a policy that decides it ('memgate gate "
		 "attach'); of those that come with memgate: %s", names);
	return true;
}

static const char *rule_of(const struct explain *e, size_t i,
			   unsigned int class)
{
	return e->policy[i] ? memgate_policy__rule(e->policy[i], class) : NULL;
}

static void print_rules(const struct explain *e, unsigned int class)
{
	const char *rule;
	size_t i;

	for (i = 0; i < e->g->nr_installs; i++) {
		rule = decides(e->g->installs + i, class) ?
			rule_of(e, i, class) : NULL;
		if (rule)
			printf("  rule      %s allows %s\n",
			       e->g->installs[i].name, rule);
	}
}

static void print_grants(const struct explain *e, unsigned int class)
{
	const struct memgate_consumer_info *c;
	size_t i;

	for (i = 0; i < e->g->nr_consumers; i++) {
		c = e->g->consumers + i;
		if (c->kind != class)
			continue;
		fputs("  granted   ", stdout);
		print_grant(c);
		putchar('\n');
	}
}

static void print_refusals(const struct explain *e, unsigned int class)
{
	const struct memgate_refusal *r;
	size_t i;

	for (i = 0; i < e->nr_refusals; i++) {
		r = e->refusal + i;
		if (r->class_nr != class)
			continue;
		fputs("  last      ", stdout);
		print_refusal(r);
		if (class == MEMGATE_MAP && r->op == MEMGATE_OP_MPROTECT)
			puts("            after an mmap() that was allowed "
			     "this only means: never more rights");
	}
}

static bool has_grants(const struct explain *e, unsigned int class)
{
	size_t i;

	for (i = 0; i < e->g->nr_consumers; i++)
		if (e->g->consumers[i].kind == class)
			return true;
	return false;
}

static bool same_rules(const struct explain *e, unsigned int a, unsigned int b)
{
	const char *x, *y;
	size_t i;

	for (i = 0; i < e->g->nr_installs; i++) {
		if (decides(e->g->installs + i, a) !=
		    decides(e->g->installs + i, b))
			return false;
		if (!decides(e->g->installs + i, a))
			continue;
		x = rule_of(e, i, a);
		y = rule_of(e, i, b);
		if (!x != !y || (x && strcmp(x, y)))
			return false;
	}
	return true;
}

/* Of @classes those of which the very same is to be said as of this one. */
uint64_t classes_like(const struct explain *e, uint64_t classes,
		      unsigned int class)
{
	uint64_t like = 1ULL << class;
	unsigned int i;

	if (was_refused(e, class) || has_grants(e, class))
		return like;
	for (i = 0; i < 64; i++)
		if (classes >> i & 1 && !was_refused(e, i) &&
		    !has_grants(e, i) &&
		    standing_of(e->g, i) == standing_of(e->g, class) &&
		    same_rules(e, i, class))
			like |= 1ULL << i;
	return like;
}

/* @like: classes_like() of it, which are said to be the same */
void print_class(const struct explain *e, unsigned int class, uint64_t like)
{
	char text[1280];

	why_text(e->g, class, text, sizeof(text));
	print_classes(like);
	printf(": %s\n", text);
	print_rules(e, class);
	print_grants(e, class);
	print_refusals(e, class);
	if (advice_text(e, class, text, sizeof(text)))
		printf("  advice    %s\n", text);
}

static struct json_object *deciders_json(const struct explain *e,
					 unsigned int class)
{
	struct json_object *list = json_object_new_array(), *obj;
	const struct memgate_install_info *in;
	const char *rule;
	size_t i;

	for (i = 0; i < e->g->nr_installs; i++) {
		in = e->g->installs + i;
		if (!decides(in, class))
			continue;
		obj = json_object_new_object();
		add_str(obj, "name", in->name);
		add_str(obj, "state", state_text(in->state));
		rule = rule_of(e, i, class);
		if (rule)
			add_str(obj, "rule", rule);
		json_object_array_add(list, obj);
	}
	return list;
}

static struct json_object *grants_json(const struct explain *e,
				       unsigned int class)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < e->g->nr_consumers; i++)
		if (e->g->consumers[i].kind == class)
			json_object_array_add(list,
				consumer_json(e->g->consumers + i));
	return list;
}

struct json_object *class_json(const struct explain *e, unsigned int class)
{
	static const char * const states[] = {
		[CLASS_ASKED] = "asked", [CLASS_CLOSED] = "closed",
		[CLASS_LATE] = "late", [CLASS_LOST] = "lost",
	};
	struct json_object *obj = json_object_new_object(), *list;
	char buf[16], text[1280];
	size_t i;

	add_str(obj, "class", class_text(class, buf, sizeof(buf)));
	add_str(obj, "state", states[standing_of(e->g, class)]);
	why_text(e->g, class, text, sizeof(text));
	add_str(obj, "why", text);
	json_object_object_add(obj, "policies", deciders_json(e, class));
	json_object_object_add(obj, "granted", grants_json(e, class));
	list = json_object_new_array();
	for (i = 0; i < e->nr_refusals; i++)
		if (e->refusal[i].class_nr == class)
			json_object_array_add(list,
					      refusal_json(e->refusal + i));
	json_object_object_add(obj, "refused", list);
	if (advice_text(e, class, text, sizeof(text)))
		add_str(obj, "advice", text);
	return obj;
}
