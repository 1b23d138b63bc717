// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* "policy NAME [param KEY=VALUE]..." on a command line. */
#include <errno.h>
#include <string.h>

#include "cmd.h"

/* After the word "policy". */
int parse_use(struct words *w, struct use *use)
{
	const char *param;

	use->nr_params = 0;
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

/*
 * Install; reports what goes wrong.  Returns the link's descriptor, or minus
 * the exit code.  Gives the name that the policy is known by.
 */
int install_use(int memfd, const struct use *use, char *name, size_t size)
{
	struct memgate_policy *policy;
	struct memgate_params *params;
	int fd = -EXIT_REFUSED, err;

	policy = memgate_policy__open(use->policy);
	if (!policy)
		return -report();
	snprintf(name, size, "%s", memgate_policy__name(policy));
	params = memgate_params__new(policy);
	if (!params) {
		fd = -report();
		goto out;
	}
	err = set_params(params, use);
	if (err) {
		fd = -err;
		goto out;
	}
	fd = memgate_gate__install(memfd, policy, params);
	if (fd < 0) {
		errno = -fd;
		fd = -report();
	}
out:
	memgate_params__free(params);
	memgate_policy__free(policy);
	return fd;
}
