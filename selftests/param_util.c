// SPDX-License-Identifier: GPL-2.0-only
/* Parameters of a policy, filled by the names that its BTF gives to them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "memgate_util.h"
#include "param_util.h"

/* Type id without const and typedef, which btf__resolve_type() may leave. */
static int resolve(const struct btf *btf, int id)
{
	const struct btf_type *t;

	id = btf__resolve_type(btf, id);
	t = id < 0 ? NULL : btf__type_by_id(btf, id);
	while (t && (btf_is_mod(t) || btf_is_typedef(t))) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	return t ? id : -ENOENT;
}

/* The struct that MEMGATE_PARAMS() declares, or a negative errno. */
static int params_type(struct mg_policy *policy, const struct btf **btf)
{
	int id;

	*btf = bpf_object__btf(policy->obj);
	id = btf__find_by_name_kind(*btf, "memgate_params", BTF_KIND_VAR);
	if (id < 0)
		return -ENOENT;
	id = resolve(*btf, btf__type_by_id(*btf, id)->type);
	return id >= 0 && btf_is_struct(btf__type_by_id(*btf, id)) ? id :
								     -ENOENT;
}

size_t mg_params_size(struct mg_policy *policy)
{
	const struct btf *btf;
	int id = params_type(policy, &btf);

	return id < 0 ? 0 : btf__type_by_id(btf, id)->size;
}

void mg_params_clear(struct mg_policy *policy)
{
	memset(policy->params, 0, sizeof(policy->params));
}

/* Type of a member; its place is added to *at. */
static int member(const struct btf *btf, int id, const char *name, size_t *at)
{
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);
	const struct btf_member *m;
	int i;

	for (i = 0; t && btf_is_composite(t) && i < btf_vlen(t); i++) {
		m = btf_members(t) + i;
		if (strcmp(btf__name_by_offset(btf, m->name_off), name))
			continue;
		*at += btf_member_bit_offset(t, i) / 8;
		return resolve(btf, m->type);
	}
	printf("# policy has no parameter \"%s\"\n", name);
	return -ENOENT;
}

/* Type of an element of an array; its place is added to *at. */
static int element(const struct btf *btf, int id, int index, size_t *at)
{
	const struct btf_type *t = id < 0 ? NULL : btf__type_by_id(btf, id);

	if (!t || !btf_is_array(t) || index < 0 ||
	    (__u32)index >= btf_array(t)->nelems)
		return -ENOENT;
	id = resolve(btf, btf_array(t)->type);
	*at += index * btf__resolve_size(btf, id);
	return id;
}

static int put_number(struct mg_policy *policy, const struct btf *btf, int id,
		      size_t at, long long value)
{
	long long size = id < 0 ? id : btf__resolve_size(btf, id);

	if (size < 1 || size > 8)
		return id < 0 ? id : -EINVAL;
	/* x86: the low bytes come first */
	memcpy(policy->params + at, &value, size);
	return 0;
}

int mg_param(struct mg_policy *policy, const char *field, long long value)
{
	const struct btf *btf;
	size_t at = 0;
	int id;

	id = params_type(policy, &btf);
	id = member(btf, id, field, &at);
	return put_number(policy, btf, id, at, value);
}

int mg_param_at(struct mg_policy *policy, const char *field, int index,
		const char *name, long long value)
{
	const struct btf *btf;
	size_t at = 0;
	int id;

	id = params_type(policy, &btf);
	id = element(btf, member(btf, id, field, &at), index, &at);
	id = member(btf, id, name, &at);
	return put_number(policy, btf, id, at, value);
}

int mg_param_text(struct mg_policy *policy, const char *field, int index,
		  const char *text)
{
	const struct btf *btf;
	size_t at = 0, size;
	int id;

	id = params_type(policy, &btf);
	id = element(btf, member(btf, id, field, &at), index, &at);
	if (id < 0)
		return id;
	size = btf__resolve_size(btf, id);
	if (strlen(text) > size)
		return -ERANGE;
	memset(policy->params + at, 0, size);
	memcpy(policy->params + at, text, strlen(text));
	return 0;
}
