// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Object files that are policies, nearly, or not at all. */
#include <string.h>

#include <bpf/btf.h>

#include "../../lib/internal.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

static void must_print(const char *s)
{
	MUST(s);
	for (; *s; s++)
		MUST(*s >= ' ' && *s <= '~');
}

static int look(const struct memgate_field *field, void *ctx)
{
	must_print(field->name);
	must_print(field->type);
	if (field->values)
		must_print(field->values);
	if (field->doc)
		must_print(field->doc);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memgate_policy_info *info = mg_inspect(data, size, "file");
	const char *rule;
	size_t i;

	if (!info)
		return 0;
	must_print(info->name);
	must_print(info->license);
	must_print(memgate_policy__title(info->policy));
	for (i = 0; i < info->nr_programs; i++)
		must_print(info->programs[i].name);
	for (i = 0; i < info->nr_maps; i++)
		must_print(info->maps[i].name);
	for (i = 0; i < info->nr_kfuncs; i++)
		must_print(info->kfuncs[i].name);
	for (i = 0; i < info->nr_faults; i++)
		must_print(info->faults[i]);
	memgate_policy__fields(info->policy, look, NULL);
	for (i = 0; i < 64; i++) {
		rule = memgate_policy__rule(info->policy, i);
		if (rule)
			must_print(rule);
	}
	memgate_policy_info__free(info);
	return 0;
}
