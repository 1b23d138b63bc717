// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The parameters of an install.  Nothing here knows a policy. */
#include <linux/bpf.h>

#include "params.h"

static int append_field(const struct memgate_field *field, void *ctx)
{
	bool *first = ctx;

	mg_error_append("%s%s (%s)", *first ? " " : ", ", field->name,
			field->type);
	*first = false;
	return 0;
}

static int unknown_field(const struct btf *btf, uint32_t type_id,
			 const char *key)
{
	bool first = true;

	mg_fail(MEMGATE_ERR_INPUT, ENOENT,
		"see 'memgate policy show NAME' for the parameters",
		"no parameter '%s'; the policy has", key);
	mg_params_fields(btf, type_id, append_field, &first);
	if (first)
		mg_error_append(" none");
	return -ENOENT;
}

/* Set the field that key names; all of it, or nothing. */
int mg_params_fill(const struct btf *btf, uint32_t type_id,
		   struct mg_bytes *bytes, const char *key, const char *value)
{
	unsigned char data[MEMGATE_PARAMS_MAX], named[MEMGATE_PARAMS_MAX];
	struct mg_bytes copy = { bytes->size, data, named };
	struct mg_field f;
	int err;

	if (mg_field_find(btf, type_id, key, &f))
		return unknown_field(btf, type_id, key);
	memcpy(data, bytes->data, bytes->size);
	memcpy(named, bytes->named, bytes->size);
	err = mg_field_put(btf, &f, &copy, value);
	if (err) {
		mg_error_prepend("parameter '%s': ", key);
		return err;
	}
	memcpy(bytes->data, data, bytes->size);
	memcpy(bytes->named, named, bytes->size);
	return 0;
}

int mg_params_text(const struct btf *btf, uint32_t type_id,
		   const struct mg_bytes *bytes, const char *key, FILE *out)
{
	struct mg_field f;
	int err;

	if (mg_field_find(btf, type_id, key, &f))
		return unknown_field(btf, type_id, key);
	err = mg_field_get(btf, &f, bytes, out);
	if (err)
		mg_error_prepend("parameter '%s': ", key);
	return err;
}

struct memgate_params *memgate_params__new(struct memgate_policy *policy)
{
	uint32_t size = policy->params_size;
	struct memgate_params *p;

	if (size > MEMGATE_PARAMS_MAX)
		return mg_fail_ptr(MEMGATE_ERR_INPUT, E2BIG, NULL,
				   "policy %s declares %u bytes of parameters, "
				   "at most %u are possible", policy->name,
				   size, MEMGATE_PARAMS_MAX);
	p = calloc(1, sizeof(*p) + 2 * size);
	if (!p)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
				   "no memory for parameters");
	p->policy = policy;
	p->size = size;
	return p;
}

static struct mg_bytes bytes_of(const struct memgate_params *p)
{
	unsigned char *data = (unsigned char *)p->data;

	return (struct mg_bytes){ p->size, data, data + p->size };
}

/* Types are read at the first key: an install without any needs none. */
static int get_types(struct memgate_policy *policy)
{
	int err;

	if (policy->params_checked)
		return 0;
	err = mg_types_of_map(policy);
	if (!err)
		err = mg_params_check(policy->types, policy->name,
				      policy->params_size,
				      &policy->params_type);
	policy->params_checked = !err;
	return err;
}

/* The same, and that there is a parameter at all. */
static int get_struct(struct memgate_params *p, const char *key)
{
	int err = get_types((struct memgate_policy *)p->policy);

	if (err || p->policy->params_type)
		return err;
	return mg_fail(MEMGATE_ERR_INPUT, ENOENT, NULL,
		       "no parameter '%s'; policy %s has none", key,
		       p->policy->name);
}

int memgate_params__set(struct memgate_params *p, const char *key,
			const char *value)
{
	struct mg_bytes bytes = bytes_of(p);

	return get_struct(p, key) ?:
	       mg_params_fill(p->policy->types, p->policy->params_type,
			      &bytes, key, value);
}

int memgate_params__get(struct memgate_params *p, const char *key, char *buf,
			size_t size)
{
	struct mg_bytes bytes = bytes_of(p);
	char *text = NULL;
	size_t len = 0;
	FILE *out;
	int err;

	err = get_struct(p, key);
	if (err)
		return err;
	out = open_memstream(&text, &len);
	if (!out)
		return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			       "no memory for parameter '%s'", key);
	err = mg_params_text(p->policy->types, p->policy->params_type, &bytes,
			     key, out);
	if (fclose(out) && !err)
		err = mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			      "no memory for parameter '%s'", key);
	if (!err) {
		snprintf(buf, size, "%s", text);
		err = len;
	}
	free(text);
	return err;
}

int memgate_params__set_data(struct memgate_params *p, const void *data,
			     size_t size)
{
	if (size != p->size)
		return mg_fail(MEMGATE_ERR_INPUT, EMSGSIZE, NULL,
			       "%zu bytes of parameters, policy %s declares "
			       "%zu", size, p->policy->name, p->size);
	memcpy(p->data, data, size);
	memset(p->data + size, 1, size);
	return 0;
}

const void *memgate_params__data(const struct memgate_params *p, size_t *size)
{
	*size = p->size;
	return p->data;
}

void memgate_params__free(struct memgate_params *params)
{
	free(params);
}

int memgate_policy__fields(struct memgate_policy *policy,
			   int (*fn)(const struct memgate_field *, void *),
			   void *ctx)
{
	int err;

	if (!policy->params_size)
		return 0;
	err = get_types(policy);
	if (err || !policy->params_type)
		return err;
	return mg_params_fields(policy->types, policy->params_type, fn, ctx);
}
