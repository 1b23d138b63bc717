// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Parameters of an install as words: given again, these words make the same
 * bytes, for every type that a parameter can have.
 */
#include <bpf/btf.h>

#include "../lib/internal.h"
#include "tap.h"

static struct memgate_policy *policy(void)
{
	struct memgate_policy *p = calloc(1, sizeof(*p));
	uint32_t type_id;
	char path[512];

	snprintf(path, sizeof(path), "%s/values.bpf.o", tap_progs);
	p->map_fd = -1;
	p->link_fd = -1;
	p->types = btf__parse(path, NULL);
	if (p->types && !mg_params_type(p->types, &type_id))
		p->params_size = btf__resolve_size(p->types, type_id);
	return p;
}

struct words {
	struct memgate_params *again;
	int nr;
	int err;
	char text[2048];
};

static int take(const char *key, const char *value, void *ctx)
{
	struct words *w = ctx;
	size_t len = strlen(w->text);

	snprintf(w->text + len, sizeof(w->text) - len, "%s%s=%s",
		 len ? " " : "", key, value);
	w->err |= memgate_params__set(w->again, key, value);
	w->nr++;
	return 0;
}

/* Give KEY, VALUE, ..., NULL; the words that come back, which say the same. */
static const char *words_of(const char * const *given)
{
	struct memgate_policy *p = policy();
	struct memgate_params *params = memgate_params__new(p);
	static struct words w;
	const void *data, *again;
	size_t size, i;
	int err = 0;

	memset(&w, 0, sizeof(w));
	w.again = memgate_params__new(p);
	for (i = 0; given[i]; i += 2)
		err |= memgate_params__set(params, given[i], given[i + 1]);
	data = memgate_params__data(params, &size);
	err |= memgate_policy__param_values(p, data, size, take, &w);
	again = memgate_params__data(w.again, &size);
	if (err || w.err || !size || memcmp(data, again, size))
		snprintf(w.text, sizeof(w.text), "given %d, taken %d: %s", err,
			 w.err, memgate_error_text());
	memgate_params__free(params);
	memgate_params__free(w.again);
	memgate_policy__free(p);
	return w.text;
}

#define WORDS(...)	words_of((const char * const []){ __VA_ARGS__, NULL })

static void every_type(void)
{
	EXPECT_STR(WORDS("mode", "BELOW", "rights", "READ|TOP", "mask", "3",
			 "choice", "2", "big", "BIG_B"),
		   "mode=VALUES_MODE_BELOW rights=VALUES_READ|VALUES_TOP "
		   "mask=LEFT|RIGHT choice=RIGHT big=BIG_B");
	EXPECT_STR(WORDS("classes", "map|file", "addr", "0000:03:00.1", "id",
			 "8086:1572"),
		   "classes=map|file addr=0000:03:00.1 id=8086:1572");
	EXPECT_STR(WORDS("before", "5", "low", "31", "middle", "-200", "wide",
			 "0xffffffffff", "bit", "1", "tiny", "FAST"),
		   "before=5 low=31 middle=-200 wide=1099511627775 bit=true "
		   "tiny=VALUES_MODE_FAST");
	EXPECT_STR(WORDS("one.two.deep", "7", "inner[1].host", "0:1:2.3",
			 "inner[1].port", "1,2", "last", "abc"),
		   "inner[1].host=0000:01:02.3 inner[1].port=1,2 "
		   "one.two.deep=7 last=abc");
}

static void lists(void)
{
	EXPECT_STR(WORDS("numbers", "0,5,0,6"), "numbers=0,5,0,6");
	EXPECT_STR(WORDS("numbers[1]", "5"), "numbers=0,5");
	EXPECT_STR(WORDS("sets", "map,kvm|file"), "sets=map,file|kvm");
	EXPECT_STR(WORDS("flags", "false,true"), "flags=false,true");
	EXPECT_STR(WORDS("small", "-1,-128"), "small=-1,-128");
	EXPECT_STR(WORDS("modes[1]", "FAST"),
		   "modes=VALUES_MODE_SLOW,VALUES_MODE_FAST");
	/* Lists of lists have no word of their own. */
	EXPECT_STR(WORDS("square[1]", "3,4"), "square[1]=3,4");
}

static void nothing(void)
{
	EXPECT_STR(words_of((const char * const []){ NULL }), "");
}

static int refuse(const char *key, const char *value, void *ctx)
{
	return 42;
}

static void ends(void)
{
	struct memgate_policy *p = policy();
	char data[MEMGATE_PARAMS_MAX];

	memset(data, 1, sizeof(data));
	EXPECT_NUM(memgate_policy__param_values(p, data, p->params_size,
						refuse, NULL), 42);
	EXPECT_NUM(memgate_policy__param_values(p, data, p->params_size - 1,
						refuse, NULL), -EMSGSIZE);
	memgate_policy__free(p);
}

/* What nobody could have given by words is still shown, and printable. */
static int printable(const char *key, const char *value, void *ctx)
{
	for (; *value; value++)
		if (*value < ' ' || *value > '~')
			return 1;
	return 0;
}

static void garbage(void)
{
	struct memgate_policy *p = policy();
	char data[MEMGATE_PARAMS_MAX];
	int i;

	for (i = 1; i < 256; i++) {
		memset(data, i, sizeof(data));
		EXPECT_NUM(memgate_policy__param_values(p, data,
							p->params_size,
							printable, NULL), 0);
	}
	memgate_policy__free(p);
}

const struct tap_test readback_tests[] = {
	{ "readback: every type", every_type },
	{ "readback: lists", lists },
	{ "readback: all zero", nothing },
	{ "readback: the end, and another size", ends },
	{ "readback: any bytes", garbage },
	{ 0 }
};
