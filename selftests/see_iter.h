/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of tests about the iterator "memgate".
 *
 * Include after kselftest_harness.h.
 */
#ifndef SEE_ITER_H
#define SEE_ITER_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memgate_util.h"
#include "see_util.h"

#define PIN		"/sys/fs/bpf/memgate-see-iter-test"
#define LEN		MG_HUGE_SIZE
#define CHUNK		65536

/* Loading takes longer than most tests: once for all. */
static struct see_iter loaded;
static int loaded_err;

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_map");
	mg_policy_preload("answer_access");
	mg_policy_preload("answer_kvm");
	loaded_err = see_iter_open(&loaded);
}

FIXTURE(iter)
{
	int link;		/* of the iterator */
	struct mg_policy map, access, kvm;
};

FIXTURE_SETUP(iter)
{
	ASSERT_EQ(0, loaded_err) {
		TH_LOG("no iterator: %s", strerror(-loaded_err));
	}
	self->link = loaded.link;
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
	ASSERT_EQ(0, mg_policy_load(&self->access, "answer_access"));
	ASSERT_EQ(0, mg_policy_load(&self->kvm, "answer_kvm"));
}

FIXTURE_TEARDOWN(iter)
{
	mg_policy_free(&self->map);
	mg_policy_free(&self->access);
	mg_policy_free(&self->kvm);
	unlink(PIN);
}

static inline unsigned long long gate_id(int fd)
{
	struct mg_gate gate;

	return mg_gate_read(0, fd, &gate) ? 0 : gate.id;
}

/* How often a pass comes by a gate. */
static inline int times(const char *text, unsigned long long id)
{
	char line[64];

	snprintf(line, sizeof(line), "gate %llu ", id);
	return see_lines(text, line);
}

#endif /* SEE_ITER_H */
