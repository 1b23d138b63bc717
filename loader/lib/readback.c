// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What an install brought, said in the words in which it was given: a key and
 * a value for each parameter that is not zero.
 */
#include "params.h"

struct reader {
	struct memgate_params *have;
	struct memgate_params *zero;
	int (*fn)(const char *key, const char *value, void *ctx);
	void *ctx;
};

/* As text to be freed; NULL with errno.  It is seldom long. */
static char *text_of(struct memgate_params *params, const char *key)
{
	char buf[256], *text;
	int len = memgate_params__get(params, key, buf, sizeof(buf));

	if (len < 0)
		return errno = -len, NULL;
	if ((size_t)len < sizeof(buf))
		return strdup(buf);
	text = malloc(len + 1);
	if (text)
		memgate_params__get(params, key, text, len + 1);
	return text;
}

static int show_value(struct reader *r, const char *key)
{
	char *have = text_of(r->have, key);
	char *zero = have ? text_of(r->zero, key) : NULL;
	int err = have && zero ? 0 : -errno;

	if (!err && strcmp(have, zero)) {
		mg_printable(have);
		err = r->fn(key, have, r->ctx);
	}
	free(have);
	free(zero);
	return err;
}

static int show_elements(struct reader *r, const char *key);

/* What has no value as a whole may have elements; what has none is no text. */
static int show_parts(struct reader *r, const char *key)
{
	int err = show_value(r, key);

	return err == -EINVAL ? show_elements(r, key) : err;
}

/* KEY[0], KEY[1] and so on. */
static int show_elements(struct reader *r, const char *key)
{
	char elem[256];
	int i, err = 0;

	for (i = 0; !err; i++) {
		snprintf(elem, sizeof(elem), "%s[%d]", key, i);
		err = show_parts(r, elem);
	}
	return err == -ENOENT ? 0 : err;
}

/* A list cannot be given as one word where a text of it has a comma. */
static bool is_one_word(struct reader *r, const char *key)
{
	bool one = true, ended = false;
	char elem[256];
	char *text;
	int i;

	for (i = 0; one; i++) {
		snprintf(elem, sizeof(elem), "%s[%d]", key, i);
		text = text_of(r->have, elem);
		if (!text)
			return true;
		one = !strchr(text, ',') && !(ended && *text);
		ended |= !*text;
		free(text);
	}
	return false;
}

static int append_key(struct memgate_policy *policy, const char *name,
		      bool texts)
{
	struct mg_key *key;
	struct mg_field f;

	if (mg_field_find(policy->types, policy->params_type, name, &f))
		return -EINVAL;
	key = reallocarray(policy->keys, policy->nr_keys + 1, sizeof(*key));
	if (!key)
		return -ENOMEM;
	policy->keys = key;
	key += policy->nr_keys;
	key->first = f.bit / 8;
	key->end = (f.bit + f.bits + 7) / 8;
	key->texts = texts;
	key->name = strdup(name);
	if (!key->name)
		return -ENOMEM;
	policy->nr_keys++;
	return 0;
}

/* NAME[0..7].MEMBER stands for eight of them. */
static int append_each(struct memgate_policy *policy, const char *name,
		       bool texts)
{
	const char *at = strstr(name, "[0..");
	unsigned long i, last;
	char key[256], *end;
	int err = 0;

	if (!at)
		return append_key(policy, name, texts);
	last = strtoul(at + 4, &end, 10);
	for (i = 0; i <= last && !err; i++) {
		snprintf(key, sizeof(key), "%.*s[%lu%s", (int)(at - name),
			 name, i, end);
		err = append_each(policy, key, texts);
	}
	return err;
}

static int append_field(const struct memgate_field *field, void *policy)
{
	/* char[8][32] is a list of texts. */
	bool texts = !strncmp(field->type, "char[", 5) &&
		     strchr(field->type + 5, '[');

	return append_each(policy, field->name, texts);
}

void mg_keys_free(struct memgate_policy *policy)
{
	while (policy->nr_keys)
		free(policy->keys[--policy->nr_keys].name);
	free(policy->keys);
	policy->keys = NULL;
}

/* Once for a policy: it may be read back for thousands of gates. */
static int get_keys(struct memgate_policy *policy)
{
	int err;

	if (policy->keys)
		return 0;
	err = memgate_policy__fields(policy, append_field, policy);
	if (err)
		mg_keys_free(policy);
	return err;
}

/* Bytes are looked at before texts are made: most of them are zero. */
static int show_key(struct reader *r, const struct mg_key *key)
{
	uint32_t i = key->first;

	while (i < key->end && !r->have->data[i])
		i++;
	if (i == key->end)
		return 0;
	return key->texts && !is_one_word(r, key->name) ?
		show_elements(r, key->name) : show_parts(r, key->name);
}

int memgate_policy__param_values(struct memgate_policy *policy,
				 const void *params, size_t size,
				 int (*fn)(const char *key, const char *value,
					   void *ctx), void *ctx)
{
	struct reader r = { .fn = fn, .ctx = ctx };
	int err = -ENOMEM;
	size_t i;

	r.have = memgate_params__new(policy);
	r.zero = memgate_params__new(policy);
	if (r.have && r.zero)
		err = memgate_params__set_data(r.have, params, size);
	/* A list ends where the zeros begin: nobody has named them here. */
	if (!err && size)
		memset(r.have->data + size, 0, size);
	if (!err)
		err = get_keys(policy);
	for (i = 0; i < policy->nr_keys && !err; i++)
		err = show_key(&r, policy->keys + i);
	memgate_params__free(r.have);
	memgate_params__free(r.zero);
	return err;
}
