/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parameters that are more than a number (for those mg_param() will do):
 * lists of texts, and lists of structs.
 */
#ifndef PARAM_UTIL_H
#define PARAM_UTIL_H

#include "memgate_util.h"

/* Bytes of parameters that the policy declares. */
size_t mg_params_size(struct mg_policy *policy);
/* field[index] = text; texts as long as their room have no end, on purpose. */
int mg_param_text(struct mg_policy *policy, const char *field, int index,
		  const char *text);
/* field[index].member = value */
int mg_param_at(struct mg_policy *policy, const char *field, int index,
		const char *member, long long value);
/* Forgets all that was set, for another install of the same policy. */
void mg_params_clear(struct mg_policy *policy);

#endif /* PARAM_UTIL_H */
