// SPDX-License-Identifier: GPL-2.0-only
/*
 * One parameter of every type that a loader can fill.  Allows a mapping if
 * they have the values below, and else answers with the errno of the first
 * that does not, ENODATA and counting up.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

enum params_colour {
	PARAMS_RED = 1,
	PARAMS_BLUE = 7,
};

struct params_types_params {
	__u8 u8;		/* 200 */
	__s16 s16;		/* -300 */
	__u32 u32;		/* 4000000000 */
	__s64 s64;		/* -5000000000 */
	bool flag;		/* true */
	enum params_colour colour;	/* PARAMS_BLUE */
	char text[8];		/* "hello" */
};
MEMGATE_PARAMS(struct params_types_params);

int MEMGATE_PROG(may_map, params_types_may_map, struct memgate *gate)
{
	const struct params_types_params *p;

	p = MEMGATE_GET_PARAMS(gate, struct params_types_params);
	if (!p)
		return -EACCES;
	if (p->u8 != 200)
		return -ENODATA;
	if (p->s16 != -300)
		return -ENODATA - 1;
	if (p->u32 != 4000000000U)
		return -ENODATA - 2;
	if (p->s64 != -5000000000LL)
		return -ENODATA - 3;
	if (!p->flag)
		return -ENODATA - 4;
	if (p->colour != PARAMS_BLUE)
		return -ENODATA - 5;
	if (p->text[0] != 'h' || p->text[4] != 'o' || p->text[5])
		return -ENODATA - 6;
	return 0;
}

MEMGATE_POLICY(params_types,
	.decides = MEMGATE_CLASS(MEMGATE_MAP),
	.params_size = sizeof(struct params_types_params),
	.may_map = (void *)params_types_may_map,
);
