// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Parameters by name, from BTF as clang writes it. */
#include <bpf/btf.h>

#include "../lib/params.h"
#include "tap.h"

/* The same struct as in progs/params.bpf.c, laid out alike on x86-64. */
struct layout {
	uint8_t u8;
	int8_t s8;
	uint16_t u16;
	int32_t s32;
	uint64_t u64;
	int64_t s64;
	bool flag;
	enum { RED = 1, BLUE = 7, NEGATIVE = -2 } colour;
	char text[8];
	struct {
		uint32_t id;
		uint32_t list[3];
	} dev[2];
	union {
		uint32_t either;
		uint32_t other;
	};
	uint32_t bits : 3;
	void *pointer;
	uint8_t bytes[4];
	char words[3][6];
};

static struct btf *btf;
static uint32_t type_id;
static struct layout v;
static unsigned char named[sizeof(v)];

static bool open_types(void)
{
	char path[512];

	memset(&v, 0, sizeof(v));
	memset(named, 0, sizeof(named));
	if (btf)
		return true;
	snprintf(path, sizeof(path), "%s/params.bpf.o", tap_progs);
	btf = btf__parse(path, NULL);
	return btf && !mg_params_type(btf, &type_id) &&
	       btf__resolve_size(btf, type_id) == sizeof(v);
}

static int set(const char *key, const char *value)
{
	struct mg_bytes bytes = { sizeof(v), (unsigned char *)&v, named };

	return mg_params_fill(btf, type_id, &bytes, key, value);
}

static void integers(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("u8", "255"), 0);
	EXPECT_NUM(v.u8, 255);
	EXPECT_NUM(set("s8", "-128"), 0);
	EXPECT_NUM(v.s8, -128);
	EXPECT_NUM(v.u8, 255);		/* the neighbours stay */
	EXPECT_NUM(v.u16, 0);
	EXPECT_NUM(set("u16", "0xffff"), 0);
	EXPECT_NUM(v.u16, 0xffff);
	EXPECT_NUM(set("s32", "-2147483648"), 0);
	EXPECT_NUM(v.s32, INT32_MIN);
	EXPECT_NUM(set("u64", "18446744073709551615"), 0);
	EXPECT(v.u64 == UINT64_MAX);
	EXPECT_NUM(set("s64", "-9223372036854775808"), 0);
	EXPECT(v.s64 == INT64_MIN);
	EXPECT_NUM(set("u64", "4G"), 0);
	EXPECT(v.u64 == 4ULL << 30);
}

static void integers_out_of_range(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("u8", "256"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "256 does not fit in u8");
	EXPECT_NUM(set("u8", "-1"), -ERANGE);
	EXPECT_NUM(set("s8", "128"), -ERANGE);
	EXPECT_NUM(set("s8", "-129"), -ERANGE);
	EXPECT_NUM(set("s32", "2G"), -ERANGE);
	EXPECT_NUM(set("s64", "9223372036854775808"), -ERANGE);
	EXPECT_NUM(set("u64", "18446744073709551616"), -ERANGE);
	EXPECT_NUM(set("u64", "-1"), -ERANGE);
	EXPECT_NUM(set("u8", "many"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "'u8': 'many' is not a number");
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_INPUT);
	EXPECT_NUM(v.u8, 0);
	EXPECT_NUM(v.s32, 0);
}

static void booleans(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("flag", "true"), 0);
	EXPECT_NUM(v.flag, 1);
	EXPECT_NUM(set("flag", "off"), 0);
	EXPECT_NUM(v.flag, 0);
	EXPECT_NUM(set("flag", "1"), 0);
	EXPECT_NUM(v.flag, 1);
	EXPECT_NUM(set("flag", "2"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "'2' is not true or false");
}

static void enumerators(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("colour", "BLUE"), 0);
	EXPECT_NUM(v.colour, BLUE);
	EXPECT_NUM(set("colour", "NEGATIVE"), 0);
	EXPECT_NUM(v.colour, NEGATIVE);
	EXPECT_NUM(set("colour", "1"), 0);
	EXPECT_NUM(v.colour, RED);
	EXPECT_NUM(set("colour", "-2"), 0);
	EXPECT_NUM(v.colour, NEGATIVE);
	EXPECT_NUM(set("colour", "GREEN"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "is none of RED, BLUE, NEGATIVE");
}

static void texts(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("text", "1234567"), 0);
	EXPECT_STR(v.text, "1234567");
	EXPECT_NUM(set("text", "ab"), 0);
	EXPECT(!memcmp(v.text, "ab\0\0\0\0\0", 8));
	EXPECT_NUM(set("text", "12345678"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "has 8 bytes, room for 7");
	EXPECT_NUM(set("text[1]", "0x5a"), 0);
	EXPECT_STR(v.text, "aZ");
}

static void lists_of_texts(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("words", "a,bcdef"), 0);
	EXPECT_STR(v.words[0], "a");
	EXPECT_STR(v.words[1], "bcdef");
	EXPECT_STR(v.words[2], "");
	/* one more */
	EXPECT_NUM(set("words", "gh"), 0);
	EXPECT_STR(v.words[0], "a");
	EXPECT_STR(v.words[2], "gh");
	/* no more */
	EXPECT_NUM(set("words", "i"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "1 more texts, room for 0");
	/* one of them, in which a comma is a comma */
	EXPECT_NUM(set("words[1]", "x,y"), 0);
	EXPECT_STR(v.words[1], "x,y");
	EXPECT_NUM(set("words[3]", "z"), -ENOENT);
	EXPECT(!memcmp(v.words, "a\0\0\0\0\0x,y\0\0\0gh\0\0\0\0", 18));
	EXPECT_NUM(v.bytes[3], 0);
}

static void bad_lists_of_texts(void)
{
	static const char * const bad[] = {
		"", ",", "a,", ",a", "a,,b", "abcdef", "a,abcdef", "a,b,c,d",
	};
	size_t i;

	EXPECT(open_types());
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_NUM(set("words", bad[i]), i < 5 ? -EINVAL : -ERANGE);
	EXPECT_HAS(memgate_error_text(), "4 more texts, room for 3");
	EXPECT_NUM(set("words", "a,abcdef"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "'abcdef' has 6 bytes, room for 5");
	EXPECT_NUM(set("words", "a,"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "is not a list of texts");
	/* nothing of them was set */
	EXPECT(!v.words[0][0] && !v.words[1][0] && !v.words[2][0]);
}

static void nested(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("dev[1].id", "3"), 0);
	EXPECT_NUM(v.dev[1].id, 3);
	EXPECT_NUM(set("dev[1].list[2]", "4"), 0);
	EXPECT_NUM(v.dev[1].list[2], 4);
	EXPECT_NUM(v.dev[0].id, 0);
	EXPECT_NUM(set("other", "9"), 0);
	EXPECT_NUM(v.either, 9);
	EXPECT_NUM(set("bytes[3]", "1"), 0);
	EXPECT_NUM(v.bytes[3], 1);
}

static void unknown_names(void)
{
	static const char * const keys[] = {
		"nothing", "", "u", "u88", "u8.x", "u8[0]", "dev[2].id",
		"dev[-1].id", "dev[0]id", "dev.id", "dev[0].", "bytes[4]",
		"dev[0", ".u8", "dev[99999999999999999999].id",
	};
	struct layout zero;
	size_t i;

	EXPECT(open_types());
	memset(&zero, 0, sizeof(zero));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		EXPECT_NUM(set(keys[i], "1"), -ENOENT);
	EXPECT(!memcmp(&zero, &v, sizeof(v)));
	EXPECT_NUM(set("nothing", "1"), -ENOENT);
	EXPECT_HAS(memgate_error_text(), "no parameter 'nothing'");
	EXPECT_HAS(memgate_error_text(), "u8 (u8), s8 (s8)");
	EXPECT_HAS(memgate_error_text(), "text (char[8])");
	EXPECT_HAS(memgate_error_text(), "colour (enum colour)");
	EXPECT_HAS(memgate_error_text(), "flag (bool)");
	EXPECT_HAS(memgate_error_text(), "dev[0..1].id (u32)");
	EXPECT_HAS(memgate_error_text(), "words (char[3][6])");
}

static void unsettable(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("pointer", "1"), -EINVAL);
	EXPECT_NUM(set("dev", "1"), -EINVAL);
	EXPECT_HAS(memgate_error_hint(), "one element");
	EXPECT_NUM(set("dev[0]", "1"), -EINVAL);
	EXPECT_NUM(set("bytes", "1,2,3,4,5"), -ERANGE);
}

static int count(const struct memgate_field *field, void *ctx)
{
	int *n = ctx;

	(*n)++;
	return 0;
}

static void lists_fields(void)
{
	int n = 0;

	EXPECT(open_types());
	EXPECT_NUM(mg_params_fields(btf, type_id, count, &n), 0);
	EXPECT_NUM(n, 17);
}

static void no_params(void)
{
	struct btf *none;
	char path[512];
	uint32_t id;
	int err;

	snprintf(path, sizeof(path), "%s/params_short.bpf.o", tap_progs);
	none = btf__parse(path, NULL);
	EXPECT(none);
	err = mg_params_type(none, &id);
	btf__free(none);
	btf__free(btf);
	btf = NULL;
	EXPECT_NUM(err, -ENOENT);
}

const struct tap_test param_tests[] = {
	{ "params: integers of every size", integers },
	{ "params: integers that do not fit", integers_out_of_range },
	{ "params: bool", booleans },
	{ "params: enum by name and number", enumerators },
	{ "params: text", texts },
	{ "params: lists of texts", lists_of_texts },
	{ "params: lists of texts that are none", bad_lists_of_texts },
	{ "params: structs, arrays, unions", nested },
	{ "params: unknown names list the known", unknown_names },
	{ "params: types that cannot be set", unsettable },
	{ "params: all fields are listed", lists_fields },
	{ "params: a policy without any", no_params },
	{ 0 }
};
