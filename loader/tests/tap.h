/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Tests that need no kernel: each is a function, TAP on stdout.
 *
 * The first expectation that fails ends its test.  The plan comes first,
 * so a program that dies is noticed.
 */
#ifndef _MEMGATE_TAP_H
#define _MEMGATE_TAP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct tap_test {
	const char *name;
	void (*run)(void);
};

extern bool tap_failed;

#define EXPECT(cond) do {						\
	if (!(cond)) {							\
		printf("# %s:%d: not so: %s\n", __FILE__, __LINE__,	\
		       #cond);						\
		tap_failed = true;					\
		return;							\
	}								\
} while (0)

#define EXPECT_NUM(got, want) do {					\
	long long _got = (got), _want = (want);				\
	if (_got != _want) {						\
		printf("# %s:%d: %s is %lld, not %lld\n", __FILE__,	\
		       __LINE__, #got, _got, _want);			\
		tap_failed = true;					\
		return;							\
	}								\
} while (0)

#define EXPECT_STR(got, want) do {					\
	const char *_got = (got), *_want = (want);			\
	if (strcmp(_got, _want)) {					\
		printf("# %s:%d: %s is '%s', not '%s'\n", __FILE__,	\
		       __LINE__, #got, _got, _want);			\
		tap_failed = true;					\
		return;							\
	}								\
} while (0)

/* The text holds a part. */
#define EXPECT_HAS(got, part) do {					\
	const char *_got = (got), *_part = (part);			\
	if (!strstr(_got, _part)) {					\
		printf("# %s:%d: %s is '%s', without '%s'\n", __FILE__,	\
		       __LINE__, #got, _got, _part);			\
		tap_failed = true;					\
		return;							\
	}								\
} while (0)

/* Each file of tests ends its list with an empty entry. */
extern const struct tap_test core_tests[];
extern const struct tap_test events_tests[];
extern const struct tap_test fdinfo_tests[];
extern const struct tap_test file_tests[];
extern const struct tap_test inspect_tests[];
extern const struct tap_test learn_tests[];
extern const struct tap_test log_tests[];
extern const struct tap_test memfd_tests[];
extern const struct tap_test number_tests[];
extern const struct tap_test param_tests[];
extern const struct tap_test records_tests[];
extern const struct tap_test self_tests[];
extern const struct tap_test value_tests[];
extern const struct tap_test readback_tests[];

/* Where the compiled test policies are. */
extern const char *tap_progs;

#endif /* _MEMGATE_TAP_H */
