// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The parameters of an install, as the words that 'gate attach' takes.  They
 * are there for CAP_BPF and CAP_PERFMON alone; their names are the policy's.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* A shell leaves it as it is. */
static bool is_plain(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";

	return strspn(s, plain) == strlen(s);
}

static void print_quoted(const char *key, const char *value)
{
	if (is_plain(key) && is_plain(value)) {
		printf("param %s=%s", key, value);
		return;
	}
	printf("param '%s=", key);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	}
	putchar('\'');
}

static int print_one(const char *key, const char *value, void *ctx)
{
	const char **before = ctx;

	fputs(*before, stdout);
	print_quoted(key, value);
	*before = " ";
	return 0;
}

/* Of a list of gates many have the same policy, and opening one takes time. */
static struct known {
	uint32_t map_id;
	struct memgate_policy *policy;		/* NULL: may not be read */
} *known;
static size_t nr_known;

void forget_policies(void)
{
	while (nr_known)
		memgate_policy__free(known[--nr_known].policy);
	free(known);
	known = NULL;
}

static struct memgate_policy *policy_of(const struct memgate_install_info *in)
{
	struct known *k;
	size_t i;

	if (!in->map_id)
		return NULL;
	for (i = 0; i < nr_known; i++)
		if (known[i].map_id == in->map_id)
			return known[i].policy;
	k = reallocarray(known, nr_known + 1, sizeof(*k));
	if (!k)
		return NULL;
	known = k;
	k += nr_known++;
	k->map_id = in->map_id;
	k->policy = memgate_policy__open_id(in->map_id);
	return k->policy;
}

/* Their bytes, where nobody knows a name for them. */
static void add_hex(struct json_object *obj,
		    const struct memgate_install_info *in)
{
	char hex[2 * MEMGATE_PARAMS_MAX + 1] = "";
	const unsigned char *data = in->params;
	uint32_t i;

	for (i = 0; i < in->params_len; i++)
		sprintf(hex + 2 * i, "%02x", data[i]);
	add_str(obj, "params_hex", hex);
}

static bool is_zero(const struct memgate_install_info *in)
{
	const unsigned char *data = in->params;
	uint32_t i;

	for (i = 0; i < in->params_len; i++)
		if (data[i])
			return false;
	return true;
}

/* After @before; false if there was nothing to be printed. */
bool print_brought(const struct memgate_install_info *in, const char *before)
{
	struct memgate_policy *policy;
	const char *sep = before;
	int err = -1;

	if (!in->params_known || !in->params_len || is_zero(in))
		return false;
	policy = policy_of(in);
	if (policy)
		err = memgate_policy__param_values(policy, in->params,
						   in->params_len, print_one,
						   &sep);
	if (err)
		printf("%s%u bytes of parameters, whose names %s", sep,
		       in->params_len, in->map_id ? "may not be read" :
		       "went with the policy");
	return err || sep != before;
}

static int add_one(const char *key, const char *value, void *ctx)
{
	add_str(ctx, key, value);
	return 0;
}

/* "params", or "params_hex" if they have no names; none if not to be seen. */
void add_brought(struct json_object *obj,
		 const struct memgate_install_info *in)
{
	struct json_object *params;
	struct memgate_policy *policy;
	int err = 0;

	if (!in->params_known)
		return;
	params = json_object_new_object();
	if (in->params_len) {
		policy = policy_of(in);
		err = !policy ||
		      memgate_policy__param_values(policy, in->params,
						   in->params_len, add_one,
						   params);
	}
	if (!err) {
		json_object_object_add(obj, "params", params);
		return;
	}
	json_object_put(params);
	add_hex(obj, in);
}
