// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * "key=value" lines against BTF: that of a policy, or anything.
 *
 * Input: one byte, which of the policies of $FUZZ_OBJECTS, or 0 for BTF that
 * the input brings; two bytes, length of the lines; the lines; BTF.
 */
#include <string.h>

#include "../../lib/params.h"
#include "fuzz.h"

#define MAX_POLICIES	16

static struct btf *policies[MAX_POLICIES];
static int nr_policies;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *list = getenv("FUZZ_OBJECTS"), *file;

	for (file = list ? strtok(strdup(list), " ") : NULL;
	     file && nr_policies < MAX_POLICIES; file = strtok(NULL, " ")) {
		policies[nr_policies] = btf__parse(file, NULL);
		MUST(policies[nr_policies]);
		nr_policies++;
	}
	return 0;
}

static int count(const struct memgate_field *field, void *ctx)
{
	MUST(*field->name && *field->type);
	(*(int *)ctx)++;
	return 0;
}

/* What was set can be read, and setting what was read changes nothing. */
static void read_back(const struct btf *btf, uint32_t type_id,
		      struct mg_bytes *bytes, const char *key)
{
	unsigned char data[MEMGATE_PARAMS_MAX], named[MEMGATE_PARAMS_MAX];
	struct mg_bytes copy = { bytes->size, data, named };
	struct mg_field f;
	char *text = NULL;
	size_t len;
	FILE *out;

	MUST(!mg_field_find(btf, type_id, key, &f));
	out = open_memstream(&text, &len);
	MUST(!mg_params_text(btf, type_id, bytes, key, out));
	fclose(out);
	memcpy(data, bytes->data, bytes->size);
	memset(named, 0, bytes->size);
	/* A list is appended to; a text may have been no text. */
	if (f.kind < MG_TEXT) {
		MUST(!mg_params_fill(btf, type_id, &copy, key, text));
		MUST(!memcmp(data, bytes->data, bytes->size));
	}
	free(text);
}

static void set_lines(const struct btf *btf, uint32_t type_id, char *lines)
{
	static unsigned char data[MEMGATE_PARAMS_MAX], before[sizeof(data)];
	static unsigned char named[sizeof(data)];
	struct mg_bytes bytes = { 0, data, named };
	char *line, *value, *rest;

	bytes.size = btf__resolve_size(btf, type_id);
	MUST(bytes.size <= sizeof(data));
	memset(data, 0, sizeof(data));
	memset(named, 0, sizeof(named));
	for (line = strtok_r(lines, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = '\0';
		memcpy(before, data, sizeof(data));
		if (mg_params_fill(btf, type_id, &bytes, line, value))
			MUST(!memcmp(before, data, sizeof(data)));
		else
			read_back(btf, type_id, &bytes, line);
	}
}

static void use(const struct btf *btf, char *lines)
{
	uint32_t type_id;
	int nr = 0, class;

	for (class = 0; class < 64; class += 9)
		mg_rule_of(btf, class);
	if (mg_params_type(btf, &type_id))
		return;
	MUST(!mg_params_fields(btf, type_id, count, &nr));
	set_lines(btf, type_id, lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct btf *btf;
	size_t len;
	char *lines;

	if (size < 3)
		return 0;
	len = data[1] | data[2] << 8;
	len = len < size - 3 ? len : size - 3;
	lines = strndup((const char *)data + 3, len);
	if (data[0] && nr_policies) {
		use(policies[data[0] % nr_policies], lines);
	} else {
		btf = mg_btf_new(data + 3 + len, size - 3 - len);
		if (btf)
			use(btf, lines);
		btf__free(btf);
	}
	free(lines);
	return 0;
}
