// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What an install brought, said in the words in which it was given: a key and
 * a value for each parameter that is not zero.
 */
#include "internal.h"

struct reader {
	struct memgate_params *have;
	struct memgate_params *zero;
	int (*fn)(const char *key, const char *value, void *ctx);
	void *ctx;
};

/* As text to be freed; NULL with errno. */
static char *text_of(struct memgate_params *params, const char *key)
{
	int len = memgate_params__get(params, key, NULL, 0);
	char *text;

	if (len < 0)
		return errno = -len, NULL;
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

/* NAME[0..7].MEMBER stands for eight of them. */
static int show_each(struct reader *r, const char *name, bool texts)
{
	const char *at = strstr(name, "[0..");
	unsigned long i, last;
	char key[256], *end;
	int err = 0;

	if (!at)
		return texts && !is_one_word(r, name) ?
			show_elements(r, name) : show_parts(r, name);
	last = strtoul(at + 4, &end, 10);
	for (i = 0; i <= last && !err; i++) {
		snprintf(key, sizeof(key), "%.*s[%lu%s", (int)(at - name),
			 name, i, end);
		err = show_each(r, key, texts);
	}
	return err;
}

static int show_field(const struct memgate_field *field, void *ctx)
{
	/* char[8][32] is a list of texts. */
	bool texts = !strncmp(field->type, "char[", 5) &&
		     strchr(field->type + 5, '[');

	return show_each(ctx, field->name, texts);
}

int memgate_policy__param_values(struct memgate_policy *policy,
				 const void *params, size_t size,
				 int (*fn)(const char *key, const char *value,
					   void *ctx), void *ctx)
{
	struct reader r = { .fn = fn, .ctx = ctx };
	int err = -ENOMEM;

	r.have = memgate_params__new(policy);
	r.zero = memgate_params__new(policy);
	if (r.have && r.zero)
		err = memgate_params__set_data(r.have, params, size);
	/* A list ends where the zeros begin: nobody has named them here. */
	if (!err && size)
		memset(r.have->data + size, 0, size);
	if (!err)
		err = memgate_policy__fields(policy, show_field, &r);
	memgate_params__free(r.have);
	memgate_params__free(r.zero);
	return err;
}
