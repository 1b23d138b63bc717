// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Object files of policies, good, wrong, and broken. */
#include "../lib/elf.h"
#include "tap.h"

static struct memgate_policy_info *open_info(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", tap_progs, name);
	return memgate_policy__inspect(path);
}

static bool has_fault(const struct memgate_policy_info *info, const char *part)
{
	size_t i;

	for (i = 0; i < info->nr_faults; i++)
		if (strstr(info->faults[i], part))
			return true;
	return false;
}

static int nothing(const struct memgate_field *field, void *ctx)
{
	*(int *)ctx += *field->type != '\0';
	return 0;
}

static void good(void)
{
	struct memgate_policy_info *info = open_info("exclusive_kvm");
	int fields = 0, params = 0;
	size_t i;

	EXPECT(info);
	EXPECT_STR(info->name, "exclusive_kvm");
	EXPECT_STR(info->license, "GPL");
	EXPECT_STR(memgate_policy__title(info->policy), "exclusive_kvm");
	EXPECT_NUM(memgate_policy__decides(info->policy), 1 << MEMGATE_KVM);
	EXPECT_NUM(memgate_policy__params_size(info->policy), 1);
	EXPECT_HAS(memgate_policy__rule(info->policy, MEMGATE_KVM), "one VM");
	EXPECT_NUM(memgate_policy__fields(info->policy, nothing, &fields), 0);
	EXPECT_NUM(fields, 1);
	EXPECT_NUM(info->nr_programs, 2);
	EXPECT_STR(info->programs[0].member, "may_attach");
	EXPECT_STR(info->programs[1].name, "exclusive_kvm_released");
	EXPECT_NUM(info->nr_maps, 2);
	EXPECT_STR(info->maps[0].name, "first_vm");
	EXPECT_NUM(info->maps[0].type, 1);
	EXPECT_NUM(info->maps[0].max_entries, 65536);
	EXPECT_NUM(info->nr_kfuncs, 5);
	for (i = 0; i < info->nr_kfuncs; i++)
		params += !strcmp(info->kfuncs[i].name, "bpf_memgate_params") &&
			  !info->kfuncs[i].optional;
	EXPECT_NUM(params, 1);
	/* A kernel with memgate takes it; another cannot judge. */
	EXPECT_NUM(info->nr_faults, 0);
	memgate_policy_info__free(info);
}

static void wrong(void)
{
	static const struct {
		const char *name;
		const char *fault;
	} cases[] = {
		{ "bad_decides_nothing", "decides no class" },
		{ "bad_name_empty", "has no name" },
		{ "bad_name_long", "longer than 31" },
		{ "bad_name_space", "has a ' '" },
		{ "bad_no_may_attach", "but has no program may_attach" },
		{ "bad_no_may_map", "class map, but has no program may_map" },
		{ "bad_params_size", "at most 4096" },
		{ "bad_sleepable", "may_map is sleepable" },
		{ "bad_license", "not compatible with the GPL" },
	};
	struct memgate_policy_info *info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		info = open_info(cases[i].name);
		EXPECT(info);
		if (!has_fault(info, cases[i].fault))
			printf("# %s: not '%s'\n", cases[i].name,
			       cases[i].fault);
		EXPECT(has_fault(info, cases[i].fault));
		EXPECT_NUM(info->nr_faults, 1);
		memgate_policy_info__free(info);
	}
}

static void none(void)
{
	EXPECT(!open_info("bad_no_policy"));
	EXPECT_NUM(errno, ENOENT);
	EXPECT_HAS(memgate_error_text(), "has no policy");
	EXPECT(!open_info("bad_two_policies"));
	EXPECT_HAS(memgate_error_text(), "has 2 policies");
	EXPECT(!open_info("bad_kfunc_tcp"));
	EXPECT_HAS(memgate_error_text(), "struct_ops of another subsystem");
	EXPECT(!memgate_policy__inspect("/nonexistent"));
	EXPECT_NUM(errno, ENOENT);
	EXPECT(!memgate_policy__inspect("/proc/self/exe"));
	EXPECT_HAS(memgate_error_text(), "is no BPF object file");
	EXPECT(!memgate_policy__inspect("/dev/zero"));
	EXPECT(!memgate_policy__inspect("/proc/version"));
	EXPECT_HAS(memgate_error_text(), "is no ELF object file");
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_INPUT);
	EXPECT(!memgate_policy__load("/proc/version"));
	EXPECT_NUM(errno, ENOEXEC);
	EXPECT(!memgate_policy__load_mem(NULL, 0, "nothing"));
	EXPECT(!memgate_policy__load_mem("x", 1, "x"));
	EXPECT_NUM(errno, ENOEXEC);
}

/* Cut off anywhere, or with one byte changed: an answer, whatever it is. */
static void broken(void)
{
	struct memgate_policy_info *info;
	unsigned char *data, *copy;
	int fields = 0, seen = 0;
	size_t size, i, step;
	char path[512];

	snprintf(path, sizeof(path), "%s/exclusive_kvm.bpf.o", tap_progs);
	EXPECT_NUM(mg_read_object(path, (void **)&data, &size), 0);
	step = size / (getenv("MEMGATE_TEST_QUICK") ? 37 : 997) + 1;
	for (i = 0; i < size; i += step) {
		/* of its own size, so that a byte too far is noticed */
		copy = malloc(i ?: 1);
		memcpy(copy, data, i);
		EXPECT(!mg_inspect(copy, i, "cut"));
		free(copy);
	}
	for (i = 0; i < size; i += step) {
		data[i] ^= 0xff;
		info = mg_inspect(data, size, "odd");
		data[i] ^= 0xff;
		if (info)
			memgate_policy__fields(info->policy, nothing, &fields);
		seen += !!info;
		memgate_policy_info__free(info);
	}
	free(data);
	/* Most of a file is instructions and debug info. */
	EXPECT(seen > 10);
}

/* All occurrences; both are of the same length. */
static int replace(unsigned char *data, size_t size, const char *from,
		   const char *to, size_t len)
{
	unsigned char *end = data + size;
	int nr = 0;

	while ((data = memmem(data, end - data, from, len))) {
		memcpy(data, to, len);
		nr++;
	}
	return nr;
}

/* A name that is not fit for a terminal, where the rest is unfit too. */
static void control_characters(void)
{
	static const char from[] = "exclusive_kvm\0\0";
	static const char to[] = "exclusive\33\377vm\0\0";
	struct memgate_policy_info *info;
	unsigned char *data;
	char path[512];
	size_t size;

	snprintf(path, sizeof(path), "%s/exclusive_kvm.bpf.o", tap_progs);
	EXPECT_NUM(mg_read_object(path, (void **)&data, &size), 0);
	/* zeros behind it: the member, not one of the tables of strings */
	EXPECT_NUM(replace(data, size, from, to, sizeof(from)), 1);
	info = mg_inspect(data, size, "odd");
	EXPECT(info);
	EXPECT_STR(memgate_policy__title(info->policy), "exclusive??vm");
	memgate_policy_info__free(info);

	EXPECT(replace(data, size, "params_size", "qarams_size", 11) > 0);
	info = mg_inspect(data, size, "odd");
	EXPECT(info);
	EXPECT(has_fault(info, "lacks members"));
	EXPECT_STR(memgate_policy__title(info->policy), "exclusive??vm");
	memgate_policy_info__free(info);
	free(data);
}

const struct tap_test inspect_tests[] = {
	{ "inspect: what is in a policy", good },
	{ "inspect: policies that are wrong in one way each", wrong },
	{ "inspect: files without a policy", none },
	{ "inspect: files that are broken", broken },
	{ "inspect: names with control characters", control_characters },
	{ 0 }
};
