// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* /proc/PID/fdinfo/FD, and after a first byte of 1 what the iterator writes. */
#include <string.h>

#include "../../lib/internal.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return 0;
}

static void must_print(const char *s)
{
	for (; *s; s++)
		MUST(*s >= ' ' && *s <= '~');
}

static void look(const struct memgate_gate_info *g)
{
	const struct memgate_consumer_info *c;
	size_t i, d;

	must_print(g->name);
	for (i = 0; i < g->nr_installs; i++)
		must_print(g->installs[i].name);
	for (i = 0; i < g->nr_consumers; i++) {
		c = g->consumers + i;
		for (d = 0; d < c->nr_devices; d++)
			must_print(c->devices[d].name);
	}
}

static void records(const uint8_t *data, size_t size)
{
	struct memgate_gate_info **gates = NULL;
	size_t nr = 0, i;
	/* Records are aligned, and end where they end. */
	void *copy = malloc(size ?: 1);

	memcpy(copy, data, size);
	mg_records_parse(copy, size, &gates, &nr);
	for (i = 0; i < nr; i++)
		look(gates[i]);
	memgate_gate__free_list(gates, nr);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memgate_gate_info *g;
	FILE *f;

	if (size && *data == 1) {
		records(data + 1, size - 1);
		return 0;
	}
	f = fmemopen((void *)data, size ?: 1, "r");
	if (!f)
		return 0;
	g = mg_fdinfo_parse(f);
	fclose(f);
	if (g)
		look(g);
	memgate_gate_info__free(g);
	return 0;
}
