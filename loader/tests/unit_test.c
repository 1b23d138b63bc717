// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Run every unit test: unit_test DIR, where DIR holds the test policies. */
#include "tap.h"

bool tap_failed;
const char *tap_progs;

static const struct tap_test * const lists[] = {
	readback_tests,
	number_tests, param_tests, value_tests, fdinfo_tests,
	records_tests, log_tests, file_tests, inspect_tests, memfd_tests,
	self_tests, core_tests, events_tests, learn_tests,
};

#define NR_LISTS (sizeof(lists) / sizeof(lists[0]))

int main(int argc, char **argv)
{
	const struct tap_test *t;
	int total = 0, nr = 0, failures = 0;
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 1;
	}
	tap_progs = argv[1];
	for (i = 0; i < NR_LISTS; i++)
		for (t = lists[i]; t->name; t++)
			total++;
	printf("TAP version 13\n1..%d\n", total);
	for (i = 0; i < NR_LISTS; i++)
		for (t = lists[i]; t->name; t++) {
			tap_failed = false;
			t->run();
			failures += tap_failed;
			printf("%sok %d %s\n", tap_failed ? "not " : "", ++nr,
			       t->name);
			fflush(stdout);
		}
	return failures != 0;
}
