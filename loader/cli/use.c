// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* "policy NAME [param KEY=VALUE]..." on a command line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

/* After the word "policy". */
int parse_use(struct words *w, struct use *use)
{
	const char *param;

	use->nr_params = 0;
	use->nr_expanded = 0;
	use->policy = next_word(w);
	if (!use->policy)
		return report_usage("'policy' needs the name of a policy");
	while (take_word(w, "param")) {
		param = next_word(w);
		if (!param || !strchr(param, '=') || *param == '=')
			return report_usage("'param' needs NAME=VALUE, not "
					    "'%s'", param ? param : "");
		if (use->nr_params == MAX_PARAMS)
			return report_usage("more than %d parameters",
					    MAX_PARAMS);
		use->param[use->nr_params++] = param;
	}
	return 0;
}

/* Each {name} in the values; free_use() whatever the answer. */
int expand_use(struct use *use, const char * const *names,
	       const char * const *values, int nr)
{
	char *param;
	int i;

	for (i = 0; i < use->nr_params; i++) {
		param = expand(use->param[i], names, values, nr);
		if (!param)
			return report_errno(EXIT_REFUSED, ENOMEM, NULL,
					    "parameters");
		use->param[i] = param;
		use->nr_expanded++;
	}
	return 0;
}

void free_use(struct use *use)
{
	while (use->nr_expanded)
		free((char *)use->param[--use->nr_expanded]);
	use->nr_params = 0;
}

static int set_params(struct memgate_params *params, const struct use *use)
{
	const char *eq;
	char key[256];
	int i, err;

	for (i = 0; i < use->nr_params; i++) {
		eq = strchr(use->param[i], '=');
		if ((size_t)(eq - use->param[i]) >= sizeof(key))
			return report_usage("parameter '%s': the name is too "
					    "long", use->param[i]);
		memcpy(key, use->param[i], eq - use->param[i]);
		key[eq - use->param[i]] = '\0';
		err = memgate_params__set(params, key, eq + 1);
		if (err) {
			errno = -err;
			return report();
		}
	}
	return 0;
}

void drop_use(struct ready *r)
{
	memgate_params__free(r->params);
	memgate_policy__free(r->policy);
}

/* All that can fail before the kernel is asked; 0 or the exit code. */
int prepare_use(const struct use *use, struct ready *r)
{
	int err;

	r->params = NULL;
	r->policy = memgate_policy__open(use->policy);
	if (!r->policy)
		return report();
	r->params = memgate_params__new(r->policy);
	err = r->params ? set_params(r->params, use) : report();
	if (err)
		drop_use(r);
	return err;
}

/* Returns the link's descriptor, or minus the exit code. */
int install_ready(int memfd, const struct ready *r)
{
	int fd = memgate_gate__install(memfd, r->policy, r->params);

	return fd < 0 ? (errno = -fd, -report()) : fd;
}

/* Both; gives the name that the policy is known by. */
int install_use(int memfd, const struct use *use, char *name, size_t size)
{
	struct ready r;
	int fd, err;

	err = prepare_use(use, &r);
	if (err)
		return -err;
	snprintf(name, size, "%s", memgate_policy__name(r.policy));
	fd = install_ready(memfd, &r);
	drop_use(&r);
	return fd;
}
