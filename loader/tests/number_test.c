// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#include "../cli/cmd.h"
#undef ARRAY_SIZE
#undef __printf
#include "../lib/internal.h"
#include "tap.h"

static void numbers(void)
{
	struct mg_number n;

	EXPECT_NUM(mg_parse_number("0", &n), 0);
	EXPECT(n.abs == 0 && !n.negative);
	EXPECT_NUM(mg_parse_number("-5", &n), 0);
	EXPECT(n.abs == 5 && n.negative);
	EXPECT_NUM(mg_parse_number("0x1F", &n), 0);
	EXPECT(n.abs == 31);
	EXPECT_NUM(mg_parse_number("010", &n), 0);
	EXPECT(n.abs == 10);	/* people do not mean octal */
	EXPECT_NUM(mg_parse_number("18446744073709551615", &n), 0);
	EXPECT(n.abs == UINT64_MAX);
}

static void number_suffixes(void)
{
	struct mg_number n;

	EXPECT_NUM(mg_parse_number("4K", &n), 0);
	EXPECT(n.abs == 4096);
	EXPECT_NUM(mg_parse_number("2m", &n), 0);
	EXPECT(n.abs == 2 << 20);
	EXPECT_NUM(mg_parse_number("3GiB", &n), 0);
	EXPECT(n.abs == 3ULL << 30);
	EXPECT_NUM(mg_parse_number("1TB", &n), 0);
	EXPECT(n.abs == 1ULL << 40);
}

static void no_numbers(void)
{
	static const char * const bad[] = {
		"", "-", "x", "0x", " 1", "1 ", "--1", "+-1", "1Q", "4KK",
		"1.5", "0xg", "-0x", "K",
	};
	struct mg_number n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_NUM(mg_parse_number(bad[i], &n), -EINVAL);
}

static void numbers_too_large(void)
{
	struct mg_number n;

	EXPECT_NUM(mg_parse_number("18446744073709551616", &n), -ERANGE);
	EXPECT_NUM(mg_parse_number("16777216T", &n), -ERANGE);
}

static void sizes(void)
{
	uint64_t size;

	EXPECT_NUM(parse_size("4096", &size), 0);
	EXPECT_NUM(size, 4096);
	EXPECT_NUM(parse_size("4G", &size), 0);
	EXPECT_NUM(size, 4LL << 30);
	EXPECT_NUM(parse_size("2MiB", &size), 0);
	EXPECT_NUM(size, 2 << 20);
	EXPECT_NUM(parse_size("-1", &size), -EINVAL);
	EXPECT_NUM(parse_size("", &size), -EINVAL);
	EXPECT_NUM(parse_size("4X", &size), -EINVAL);
	/* a file's size is signed */
	EXPECT_NUM(parse_size("8388608T", &size), -ERANGE);
	EXPECT_NUM(parse_size("99999999999999999999", &size), -ERANGE);
}

static void sizes_as_text(void)
{
	char buf[32];

	EXPECT_STR(size_text(0, buf, sizeof(buf)), "0");
	EXPECT_STR(size_text(4095, buf, sizeof(buf)), "4095");
	EXPECT_STR(size_text(4096, buf, sizeof(buf)), "4K");
	EXPECT_STR(size_text(6ULL << 30, buf, sizeof(buf)), "6G");
}

static void descriptors(void)
{
	int v;

	EXPECT_NUM(parse_int("0", &v), 0);
	EXPECT_NUM(v, 0);
	EXPECT_NUM(parse_int("17", &v), 0);
	EXPECT_NUM(v, 17);
	EXPECT_NUM(parse_int(NULL, &v), -EINVAL);
	EXPECT_NUM(parse_int("", &v), -EINVAL);
	EXPECT_NUM(parse_int("-1", &v), -EINVAL);
	EXPECT_NUM(parse_int("3x", &v), -EINVAL);
	EXPECT_NUM(parse_int("4294967296", &v), -EINVAL);
}

static void every_class_has_its_name(void)
{
	char buf[16];

	EXPECT_STR(memgate_class_name(MEMGATE_MAP), "map");
	EXPECT_STR(memgate_class_name(MEMGATE_DMABUF), "dmabuf");
	EXPECT(!memgate_class_name(MEMGATE_NR_CLASSES));
	EXPECT_STR(class_text(MEMGATE_KVM, buf, sizeof(buf)), "kvm");
	EXPECT_STR(class_text(63, buf, sizeof(buf)), "class63");
}

const struct tap_test number_tests[] = {
	{ "numbers: decimal, hex, negative", numbers },
	{ "numbers: suffixes", number_suffixes },
	{ "numbers: what is none", no_numbers },
	{ "numbers: over 64 bits", numbers_too_large },
	{ "sizes", sizes },
	{ "sizes as text", sizes_as_text },
	{ "descriptor numbers", descriptors },
	{ "classes have names", every_class_has_its_name },
	{ 0 }
};
