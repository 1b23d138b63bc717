// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Policy files that are refused before the kernel is asked, so these run
 * on any kernel.
 */
#include "../lib/internal.h"
#include "tap.h"

/* Load is refused as the caller's mistake, with these words. */
static void refused(const char *file, int err, const char *words)
{
	struct memgate_policy *p;
	char path[512];

	snprintf(path, sizeof(path), "%s%s%s", *file == '/' ? "" : tap_progs,
		 *file == '/' ? "" : "/", file);
	p = memgate_policy__load(path);
	EXPECT(!p);
	EXPECT_NUM(errno, err);
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_INPUT);
	EXPECT_HAS(memgate_error_text(), words);
	EXPECT_HAS(memgate_error_text(), path);
}

static void no_file(void)
{
	refused("nothing.bpf.o", ENOENT, "cannot open policy file");
}

static void directory(void)
{
	refused("/", EISDIR, "is no file");
}

static void no_elf(void)
{
	refused("/proc/version", ENOEXEC, "is no ELF object file");
}

static void empty(void)
{
	refused("/dev/null", EINVAL, "is no file");
}

static void elf_of_something_else(void)
{
	refused("/proc/self/exe", ENOEXEC, "is no BPF object file");
}

static void no_policy(void)
{
	refused("bad_no_policy.bpf.o", ENOENT, "has no policy");
}

static void two_policies(void)
{
	refused("bad_two_policies.bpf.o", EINVAL, "has two policies, "
		"bad_two_first and bad_two_second");
}

static void empty_name(void)
{
	refused("bad_name_empty.bpf.o", EINVAL, "the policy has no name");
}

static void decides_nothing(void)
{
	refused("bad_decides_nothing.bpf.o", EINVAL, "decides no class");
}

static void no_may_map(void)
{
	refused("bad_no_may_map.bpf.o", EINVAL,
		"decides class map, but has no program may_map");
}

static void no_may_attach(void)
{
	refused("bad_no_may_attach.bpf.o", EINVAL,
		"but has no program may_attach");
}

static void too_many_params(void)
{
	refused("bad_params_size.bpf.o", E2BIG, "at most 4096 are possible");
}

static void good_file_bad_kernel(void)
{
	struct memgate_policy *p;
	char path[512];

	if (!memgate_probe())
		return;		/* this kernel would load it */
	snprintf(path, sizeof(path), "%s/params_types.bpf.o", tap_progs);
	p = memgate_policy__load(path);
	EXPECT(!p);
	EXPECT_NUM(errno, EOPNOTSUPP);
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_NO_MEMGATE);
	EXPECT_HAS(memgate_error_text(), "this kernel has no memgate");
	EXPECT_HAS(memgate_error_hint(), "CONFIG_MEMGATE");
}

const struct tap_test file_tests[] = {
	{ "policy file: does not exist", no_file },
	{ "policy file: a directory", directory },
	{ "policy file: text", no_elf },
	{ "policy file: empty", empty },
	{ "policy file: a program of this machine", elf_of_something_else },
	{ "policy file: no policy", no_policy },
	{ "policy file: two policies", two_policies },
	{ "policy file: no name", empty_name },
	{ "policy file: decides nothing", decides_nothing },
	{ "policy file: may_map is missing", no_may_map },
	{ "policy file: may_attach is missing", no_may_attach },
	{ "policy file: parameters over 4 KiB", too_many_params },
	{ "policy file: good, but a kernel without memgate",
	  good_file_bad_kernel },
	{ 0 }
};
