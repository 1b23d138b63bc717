// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* GATE := gate ID | fd N | pid PID fd N, of those who only look at it. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "cmd.h"

int parse_id(const char *s, uint64_t *id)
{
	char *end;

	if (!s || !isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*id = strtoull(s, &end, 10);
	return errno || *end || !*id ? -EINVAL : 0;
}

/* Takes it out of the list that it is in. */
static int find_id(uint64_t id, struct memgate_gate_info **g)
{
	struct memgate_gate_info **gates;
	size_t nr, i;
	int err;

	err = memgate_gate__list(&gates, &nr);
	if (err)
		return errno = -err, report();
	for (i = 0; i < nr; i++)
		if (gates[i]->id == id) {
			*g = gates[i];
			gates[i] = NULL;
		}
	memgate_gate__free_list(gates, nr);
	return 0;
}

/*
 * 0 or the exit code.  *g is to be freed; it is NULL, and *id set, for a gate
 * that was named by an id that no gate in sight has.
 */
int parse_gate(struct words *w, uint64_t *id, struct memgate_gate_info **g)
{
	struct memgate_gate_info *info;
	int fd, err;

	*g = NULL;
	if (take_word(w, "gate")) {
		if (parse_id(next_word(w), id))
			return report_usage("'gate' needs the id of one, as "
					    "'gate list' prints it");
		return find_id(*id, g);
	}
	if (!w->nr)
		return report_usage("name the gate: 'gate ID', 'fd N' or "
				    "'pid PID fd N'");
	err = parse_target(w, &fd);
	if (err)
		return err;
	info = memgate_gate__info(fd);
	if (!info)
		return report();
	*id = info->id;
	/* With its holders; parameters if they may be seen. */
	err = find_id(*id, g);
	if (err || *g)
		memgate_gate_info__free(info);
	else
		*g = info;
	return err;
}
