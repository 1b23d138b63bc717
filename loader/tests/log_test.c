// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What is quoted of a verifier's log. */
#include "../lib/internal.h"
#include "tap.h"

static char verdict[256];

static const char *verdict_of(const char *log)
{
	mg_log_verdict(log, verdict, sizeof(verdict));
	return verdict;
}

static void reason(void)
{
	EXPECT_STR(verdict_of(
		"libbpf: prog 'f': BPF program load failed: EACCES\n"
		"libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n"
		"0: R1=ctx() R10=fp0\n"
		"; return *(u32 *)0; @ f.bpf.c:7\n"
		"0: (b7) r1 = 0                        ; R1_w=0\n"
		"1: (61) r0 = *(u32 *)(r1 +0)\n"
		"R1 invalid mem access 'scalar'\n"
		"processed 2 insns (limit 1000000) max_states_per_insn 0\n"
		"-- END PROG LOAD LOG --\n"
		"libbpf: prog 'f': failed to load: -13\n"),
		"1: (61) r0 = *(u32 *)(r1 +0); "
		"R1 invalid mem access 'scalar'");
}

static void only_a_reason(void)
{
	EXPECT_STR(verdict_of(
		"libbpf: prog 'f': -- BEGIN PROG LOAD LOG --\n"
		"attach to unsupported member may_map of struct memgate_ops\n"
		"processed 0 insns (limit 1000000)\n"
		"-- END PROG LOAD LOG --\n"),
		"attach to unsupported member may_map of struct memgate_ops");
}

static void last_program(void)
{
	EXPECT_STR(verdict_of(
		"libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n"
		"one\n-- END PROG LOAD LOG --\n"
		"libbpf: prog 'b': -- BEGIN PROG LOAD LOG --\n"
		"two\n-- END PROG LOAD LOG --\n"), "two");
}

static void no_log(void)
{
	EXPECT_STR(verdict_of(""), "");
	EXPECT_STR(verdict_of("libbpf: failed to find BTF\n"), "");
	EXPECT_STR(verdict_of("x -- BEGIN PROG LOAD LOG --\ncut"), "");
	EXPECT_STR(verdict_of("-- BEGIN PROG LOAD LOG --"), "");
}

static void complaint(void)
{
	mg_log_complaint("libbpf: map 'x': failed to create\n"
			 "libbpf: failed to load object 'y'\n", verdict,
			 sizeof(verdict));
	EXPECT_STR(verdict, "map 'x': failed to create");
	mg_log_complaint("", verdict, sizeof(verdict));
	EXPECT_STR(verdict, "");
}

static void a_failure_is_remembered(void)
{
	EXPECT_NUM(mg_fail(MEMGATE_ERR_REFUSED, EPERM, "do", "no %s", "way"),
		   -EPERM);
	EXPECT_STR(memgate_error_text(), "no way");
	EXPECT_STR(memgate_error_hint(), "do");
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_REFUSED);
	mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL, "again");
	EXPECT_STR(memgate_error_hint(), "");
	mg_error_append(", %d", 7);
	EXPECT_STR(memgate_error_text(), "again, 7");
	EXPECT_STR(mg_errno_name(EPERM), "EPERM");
	EXPECT_STR(mg_errno_name(-ENOENT), "ENOENT");
	EXPECT_STR(mg_errno_name(99999), "unknown error");
}

const struct tap_test log_tests[] = {
	{ "verifier log: instruction and reason", reason },
	{ "verifier log: a reason alone", only_a_reason },
	{ "verifier log: the program that failed last", last_program },
	{ "verifier log: none", no_log },
	{ "libbpf's log: the first complaint", complaint },
	{ "errors: text, hint and kind", a_failure_is_remembered },
	{ 0 }
};
