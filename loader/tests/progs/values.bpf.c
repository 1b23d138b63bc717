// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Only types: parameters that are given in words of their own, with what the
 * policy says of them.  The test has the same struct and compares.
 */
#include <memgate/policy.bpf.h>

/* with a prefix that may be left out */
enum values_mode { VALUES_MODE_SLOW, VALUES_MODE_FAST, VALUES_MODE_BELOW = -1 };

/* flags, by what the values are */
enum values_right { VALUES_READ = 1, VALUES_WRITE = 2, VALUES_TOP = 1U << 31 };

/* flags only by MEMGATE_FLAGS */
enum values_mask { NONE = 0, LEFT = 1, RIGHT = 2, BOTH = 3 };

enum values_big { BIG_A = 1ULL << 40, BIG_B = 1ULL << 41 };

struct values_inner {
	memgate_pci_addr_t host MEMGATE_DOC("its own words");
	__u16 port[2];
};

struct values_params {
	enum values_mode mode MEMGATE_DOC("fast or slow");
	enum values_right rights;
	enum values_mask mask MEMGATE_FLAGS MEMGATE_DOC("a side, or two");
	enum values_mask choice;
	enum values_big big;
	memgate_classes_t classes;
	memgate_pci_addr_t addr;
	memgate_pci_id_t id;
	memgate_pci_addr_t addrs[3];
	memgate_classes_t sets[2];
	__u32 numbers[4];
	__s8 small[2];
	bool flags[3];
	enum values_mode modes[2];
	__u16 square[2][2];
	__u8 before : 3;
	__u8 low : 5;
	__s32 middle : 9;
	__u64 wide : 40;
	bool bit : 1;
	enum values_mode tiny : 3;
	struct values_inner inner[2] MEMGATE_DOC("the outer words");
	struct {
		struct {
			__u8 deep;
		} two;
	} one;
	float real;
	char last[4];
};
MEMGATE_PARAMS(struct values_params);

MEMGATE_RULE(MEMGATE_KVM, "one, or\ttwo");
MEMGATE_RULE(MEMGATE_MAP, "whoever asks");
