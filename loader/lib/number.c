// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Numbers as people write them: -5, 0x10, 4G. */
#include <ctype.h>

#include "internal.h"

static int suffix_shift(const char *s)
{
	static const char units[] = "kmgt";
	const char *unit;

	if (!*s)
		return 0;
	unit = strchr(units, tolower((unsigned char)*s));
	if (!unit)
		return -EINVAL;
	s++;
	/* "4G", "4GB" and "4GiB" all mean 2^30. */
	if (*s && strcasecmp(s, "b") && strcasecmp(s, "ib"))
		return -EINVAL;
	return 10 * (int)(unit - units + 1);
}

/* -EINVAL: not a number; -ERANGE: over 64 bits. */
int mg_parse_number(const char *s, struct mg_number *n)
{
	unsigned long long v;
	int shift;
	char *end;

	n->negative = *s == '-';
	if (n->negative || *s == '+')
		s++;
	/* strtoull() would take blanks and another sign. */
	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, s[0] == '0' && (s[1] | 32) == 'x' ? 16 : 10);
	if (errno == ERANGE)
		return -ERANGE;
	if (s[0] == '0' && (s[1] | 32) == 'x' && end == s + 1)
		return -EINVAL;
	shift = suffix_shift(end);
	if (shift < 0)
		return shift;
	if (v << shift >> shift != v)
		return -ERANGE;
	n->abs = v << shift;
	return 0;
}
