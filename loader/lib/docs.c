// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What a policy says of itself, in BTF: MEMGATE_DOC() and MEMGATE_RULE() of
 * memgate/policy.bpf.h.
 */
#include <bpf/btf.h>

#include "internal.h"

#define DOC	"memgate_doc:"
#define RULE	"memgate_rule:"
#define RULE_OF	"memgate_rule_"

/* The text of a tag of this kind on a type or its component, or NULL. */
static const char *find_tag(const struct btf *btf, uint32_t type_id,
			    int component, const char *kind)
{
	uint32_t id, nr = btf__type_cnt(btf);
	const struct btf_type *t;
	const char *text;

	for (id = 1; id < nr; id++) {
		t = btf__type_by_id(btf, id);
		if (!btf_is_decl_tag(t) || t->type != type_id ||
		    btf_decl_tag(t)->component_idx != component)
			continue;
		text = btf__name_by_offset(btf, t->name_off);
		if (text && !strncmp(text, kind, strlen(kind)))
			return text + strlen(kind);
	}
	return NULL;
}

const char *mg_doc_of_member(const struct btf *btf, uint32_t struct_id,
			     int member)
{
	return find_tag(btf, struct_id, member, DOC);
}

bool mg_is_tagged_flags(const struct btf *btf, uint32_t struct_id, int member)
{
	return find_tag(btf, struct_id, member, "memgate_flags");
}

/* MEMGATE_RULE() made an array of one element more than the class's number. */
static bool is_rule_of(const struct btf *btf, const struct btf_type *t,
		       unsigned int class_nr)
{
	const char *name;

	if (!btf_is_var(t))
		return false;
	name = btf__name_by_offset(btf, t->name_off);
	t = btf__type_by_id(btf, t->type);
	return name && !strncmp(name, RULE_OF, strlen(RULE_OF)) && t &&
	       btf_is_array(t) && btf_array(t)->nelems == class_nr + 1;
}

const char *mg_rule_of(const struct btf *btf, unsigned int class_nr)
{
	uint32_t id, nr = btf__type_cnt(btf);

	for (id = 1; id < nr; id++)
		if (is_rule_of(btf, btf__type_by_id(btf, id), class_nr))
			return find_tag(btf, id, -1, RULE);
	return NULL;
}

const char *memgate_policy__rule(struct memgate_policy *policy,
				 unsigned int class_nr)
{
	const char *text;
	int err;

	if (class_nr >= MG_MAX_CLASSES)
		return NULL;
	if (policy->rules[class_nr])
		return policy->rules[class_nr];
	err = mg_types_of_map(policy);
	if (err)
		return errno = -err, NULL;
	text = mg_rule_of(policy->types, class_nr);
	if (!text)
		return NULL;
	policy->rules[class_nr] = strdup(text);
	if (policy->rules[class_nr])
		mg_printable(policy->rules[class_nr]);
	return policy->rules[class_nr];
}
