// SPDX-License-Identifier: GPL-2.0-only
/*
 * A question that comes up while a policy answers another one is refused, and
 * no policy hears of it.  The module ask_within asks it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "memgate_util.h"
#include "module_util.h"
#include "probe.h"
#include "trace_util.h"

FIXTURE(recursion) {
	struct mg_policy trace;
	int fd, other;		/* asked about within: fd, or another gate */
};

MG_MEM_VARIANTS(recursion);

FIXTURE_SETUP(recursion)
{
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	self->other = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	ASSERT_LE(0, mg_install(&self->trace, self->other));
}

FIXTURE_TEARDOWN(recursion)
{
	mg_module_remove("ask_within");
	close(self->fd);
	close(self->other);
	mg_policy_free(&self->trace);
}

static int answer_of(const char *param)
{
	int answer = -ENODATA;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/ask_within/parameters/%s",
		 param);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%d", &answer) != 1)
		answer = -ENODATA;
	if (f)
		fclose(f);
	return answer;
}

static void expect_refused(struct __test_metadata *const _metadata,
			   FIXTURE_DATA(recursion) *self, int within)
{
	struct trace_event event;
	char params[32];
	int err;

	snprintf(params, sizeof(params), "fd=%d", within);
	err = mg_module_load("ask_within", params);
	ASSERT_EQ(0, err) {
		TH_LOG("ask_within is not loaded: %s", strerror(-err));
	}
	/* The same question, asked by nobody's policy, is allowed. */
	EXPECT_EQ(0, answer_of("outside"));
	EXPECT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   MEMGATE_FILE, &event));
	EXPECT_EQ(0, answer_of("asked"));

	mg_trace_reset(&self->trace);
	EXPECT_EQ(0, probe_map(self->fd));
	EXPECT_LT(0, answer_of("asked"));
	EXPECT_EQ(-EACCES, answer_of("within"));
	EXPECT_EQ(0, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
				   MEMGATE_FILE, NULL));
	EXPECT_LE(1, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));

	/* The one who is refused within may do it without. */
	ASSERT_EQ(0, mg_module_remove("ask_within"));
	EXPECT_EQ(0, probe_read(within));
}

TEST_F(recursion, same_gate)
{
	expect_refused(_metadata, self, self->fd);
}

TEST_F(recursion, other_gate)
{
	expect_refused(_metadata, self, self->other);
}

TEST_HARNESS_MAIN
