// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* How `memgate run` names itself, and {words} in arguments. */
#include <sys/prctl.h>

#include "../cli/cmd.h"
#undef ARRAY_SIZE
#undef __printf
#include "../lib/internal.h"
#include "tap.h"

static void start_time(void)
{
	uint64_t before, odd;

	EXPECT_NUM(memgate_process_start(0, &before), 0);
	EXPECT(before > 0);
	/* A name that looks like fields must not shift them. */
	EXPECT_NUM(prctl(PR_SET_NAME, ") S 1 2 3 ("), 0);
	EXPECT_NUM(memgate_process_start(0, &odd), 0);
	EXPECT_NUM(odd, before);
}

static void expansion(void)
{
	static const char * const names[] = { "fd", "size" };
	static const char * const values[] = { "7", "4096" };
	static const char * const cases[][2] = {
		{ "", "" }, { "plain", "plain" }, { "{fd}", "7" },
		{ "id=m0,mem-path=/proc/self/fd/{fd},size={size},share=on",
		  "id=m0,mem-path=/proc/self/fd/7,size=4096,share=on" },
		{ "{fd}{fd}", "77" }, { "{", "{" }, { "{fd", "{fd" },
		{ "{fdx}", "{fdx}" }, { "{tgid}", "{tgid}" },
		{ "{{fd}}", "{7}" }, { "{}", "{}" },
	};
	char *got;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		got = expand(cases[i][0], names, values, 2);
		EXPECT(got);
		EXPECT_STR(got, cases[i][1]);
		free(got);
	}
}

static void policy_words(void)
{
	char *word[] = { "owner", "param", "tgid=5", "param", "uid=", "pin" };
	struct words w = { 6, word };
	struct use use;

	EXPECT_NUM(parse_use(&w, &use), 0);
	EXPECT_STR(use.policy, "owner");
	EXPECT_NUM(use.nr_params, 2);
	EXPECT_STR(use.param[0], "tgid=5");
	EXPECT_STR(use.param[1], "uid=");
	EXPECT_NUM(w.nr, 1);
	EXPECT(take_word(&w, "pin"));
	EXPECT(!take_word(&w, "pin"));
	EXPECT(!next_word(&w));
}

const struct tap_test self_tests[] = {
	{ "self: start time, whatever the name", start_time },
	{ "self: {fd} and {size} in arguments", expansion },
	{ "words: policy NAME param K=V", policy_words },
	{ 0 }
};
