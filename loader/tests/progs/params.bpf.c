// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Only types: one parameter of each kind that a policy might declare.  The
 * test has the same struct and compares.
 */
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

enum colour { RED = 1, BLUE = 7, NEGATIVE = -2 };

typedef __s64 signed_t;

struct dev {
	__u32 id;
	__u32 list[3];
};

struct many_params {
	__u8 u8;
	__s8 s8;
	__u16 u16;
	__s32 s32;
	const __u64 u64;
	signed_t s64;
	bool flag;
	enum colour colour;
	char text[8];
	struct dev dev[2];
	union {
		__u32 either;
		__u32 other;
	};
	__u32 bits : 3;
	void *pointer;
	__u8 bytes[4];
	char words[3][6];
};

const struct many_params memgate_params SEC(".rodata.memgate") = {};
