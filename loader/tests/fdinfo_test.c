// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#include "../lib/internal.h"
#include "tap.h"

static struct memgate_gate_info *parse(const char *text)
{
	struct memgate_gate_info *g;
	FILE *f = fmemopen((void *)text, strlen(text), "r");

	if (!f)
		return NULL;
	g = mg_fdinfo_parse(f);
	fclose(f);
	return g;
}

static void whole(void)
{
	struct memgate_gate_info *g = parse(
		"pos:\t0\nflags:\t02100002\nmnt_id:\t1\nino:\t1057\n"
		"memgate:\tid 5 premapped 2 frozen 1 classes 0x43\n"
		"memgate-policy:\tname owner map 12 link 7 state live "
		"classes 0x3\n"
		"memgate-policy:\tname exclusive_kvm map 0 link 0 state closed "
		"classes 0x40\n"
		"memgate-consumer:\tkind 6 id 9 rights 0x3 pid 1234\n");

	EXPECT(g);
	EXPECT_NUM(g->id, 5);
	EXPECT_NUM(g->premapped, 2);
	EXPECT_NUM(g->frozen, 1);
	EXPECT_NUM(g->classes, 0x43);
	EXPECT_NUM(g->ino, 1057);
	EXPECT_NUM(g->nr_installs, 2);
	EXPECT_STR(g->installs[0].name, "owner");
	EXPECT_NUM(g->installs[0].map_id, 12);
	EXPECT_NUM(g->installs[0].link_id, 7);
	EXPECT_NUM(g->installs[0].state, MEMGATE_INSTALL_LIVE);
	EXPECT_NUM(g->installs[0].classes, 3);
	EXPECT_STR(g->installs[1].name, "exclusive_kvm");
	EXPECT_NUM(g->installs[1].state, MEMGATE_INSTALL_CLOSED);
	EXPECT_NUM(g->nr_consumers, 1);
	EXPECT_NUM(g->consumers[0].kind, MEMGATE_KVM);
	EXPECT_NUM(g->consumers[0].id, 9);
	EXPECT_NUM(g->consumers[0].rights, MEMGATE_READ | MEMGATE_WRITE);
	EXPECT_NUM(g->consumers[0].pid, 1234);
	memgate_gate_info__free(g);
}

static void pairs_in_any_order(void)
{
	/* New pairs append; a value may look like a key. */
	struct memgate_gate_info *g = parse(
		"memgate:\tid 18446744073709551615 premapped 0 frozen 0 "
		"classes 0x8000000000000000 later 4\n"
		"memgate-policy:\tname link map 3 link 4 state kept "
		"classes 0x1 since 99\n"
		"memgate-policy:\tname new map 1 link 2 state odd classes 0\n"
		"memgate-later:\tid 77\n");

	EXPECT(g);
	EXPECT(g->id == UINT64_MAX);
	EXPECT(g->classes == 1ULL << 63);
	EXPECT_NUM(g->frozen, 0);
	EXPECT_NUM(g->nr_installs, 2);
	EXPECT_STR(g->installs[0].name, "link");
	EXPECT_NUM(g->installs[0].link_id, 4);
	EXPECT_NUM(g->installs[0].state, MEMGATE_INSTALL_KEPT);
	EXPECT_NUM(g->installs[1].state, MEMGATE_INSTALL_UNKNOWN);
	memgate_gate_info__free(g);
}

static void devices(void)
{
	struct memgate_gate_info *g = parse("memgate:\tid 3\n"
		"memgate-device:\tconsumer 9 name early\n"
		"memgate-consumer:\tkind 7 id 9 rights 0x3 pid 1234\n"
		"memgate-device:\tconsumer 9 name 0000:00:10.0\n"
		"memgate-device:\tconsumer 9 name a b\033 name c\n"
		"memgate-consumer:\tkind 13 id 10 rights 0x3 pid 1234\n"
		"memgate-device:\tconsumer 10 name eth0\n"
		"memgate-device:\tconsumer 8 name nobody's\n"
		"memgate-device:\tconsumer 10\n"
		"memgate-consumer:\tkind 6 id 11 rights 0x3 pid 1234\n"
		"memgate-device:\tconsumer 9 name late");

	EXPECT(g);
	EXPECT_NUM(g->nr_consumers, 3);
	EXPECT_NUM(g->consumers[0].nr_devices, 3);
	EXPECT_STR(g->consumers[0].devices[0].name, "0000:00:10.0");
	EXPECT_STR(g->consumers[0].devices[1].name, "a b? name c");
	EXPECT_STR(g->consumers[0].devices[2].name, "late");
	EXPECT_NUM(g->consumers[1].nr_devices, 2);
	EXPECT_STR(g->consumers[1].devices[0].name, "eth0");
	EXPECT_STR(g->consumers[1].devices[1].name, "");
	EXPECT_NUM(g->consumers[2].nr_devices, 0);
	memgate_gate_info__free(g);
}

static void ungated(void)
{
	EXPECT(!parse("pos:\t0\nflags:\t02\nmnt_id:\t1\nino:\t10\n"));
	EXPECT_NUM(errno, ENODATA);
}

static void cut_short(void)
{
	struct memgate_gate_info *g;

	EXPECT(!parse("memgate:"));
	EXPECT(!parse("memgate:\tid"));
	g = parse("memgate:\tid 3\nmemgate-policy:\nmemgate-consumer:\tkind");
	EXPECT(g);
	EXPECT_NUM(g->id, 3);
	EXPECT_STR(g->installs[0].name, "");
	EXPECT_NUM(g->consumers[0].id, 0);
	memgate_gate_info__free(g);
}

static void long_name(void)
{
	struct memgate_gate_info *g = parse("memgate:\tid 3\n"
		"memgate-policy:\tname aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		" map 4\n");

	EXPECT(g);
	EXPECT_NUM(strlen(g->installs[0].name), MEMGATE_NAME_LEN - 1);
	EXPECT_NUM(g->installs[0].map_id, 4);
	memgate_gate_info__free(g);
}

static void printable_names(void)
{
	char name[] = "a b\033[2J\n\xff~";

	mg_printable(name);
	EXPECT_STR(name, "a b?[2J??~");
}

const struct tap_test fdinfo_tests[] = {
	{ "fdinfo: gate, policies, consumers", whole },
	{ "fdinfo: later kernels may say more", pairs_in_any_order },
	{ "fdinfo: devices of consumers", devices },
	{ "fdinfo: a memfd without gate", ungated },
	{ "fdinfo: lines cut short", cut_short },
	{ "fdinfo: a name that is too long", long_name },
	{ "names: nothing for a terminal to obey", printable_names },
	{ 0 }
};
