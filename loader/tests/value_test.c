// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Parameters in words of their own, lists, bitfields; what is said of them. */
#include "../lib/params.h"
#include "tap.h"

enum mode { SLOW, FAST, BELOW = -1 };

/* The same struct as in progs/values.bpf.c, laid out alike on x86-64. */
struct layout {
	enum mode mode;
	uint32_t rights;
	uint32_t mask;
	uint32_t choice;
	uint64_t big;
	uint64_t classes;
	uint64_t addr;
	uint32_t id;
	uint64_t addrs[3];
	uint64_t sets[2];
	uint32_t numbers[4];
	int8_t small[2];
	bool flags[3];
	enum mode modes[2];
	uint16_t square[2][2];
	uint8_t before : 3;
	uint8_t low : 5;
	int32_t middle : 9;
	uint64_t wide : 40;
	bool bit : 1;
	enum mode tiny : 3;
	struct {
		uint64_t host;
		uint16_t port[2];
	} inner[2];
	struct {
		struct {
			uint8_t deep;
		} two;
	} one;
	float real;
	char last[4];
};

static struct btf *btf;
static uint32_t type_id;
static struct layout v;
static unsigned char named[sizeof(v)];
static struct mg_bytes bytes = { sizeof(v), (unsigned char *)&v, named };

static bool open_types(void)
{
	char path[512];

	memset(&v, 0, sizeof(v));
	memset(named, 0, sizeof(named));
	if (btf)
		return true;
	snprintf(path, sizeof(path), "%s/values.bpf.o", tap_progs);
	btf = btf__parse(path, NULL);
	return btf && !mg_params_type(btf, &type_id) &&
	       btf__resolve_size(btf, type_id) == sizeof(v);
}

static int set(const char *key, const char *value)
{
	return mg_params_fill(btf, type_id, &bytes, key, value);
}

/* The parameter as text, or why there is none. */
static const char *get(const char *key)
{
	static char buf[512];
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	int err;

	strcpy(buf, "#");
	err = mg_params_text(btf, type_id, &bytes, key, f);

	fclose(f);
	if (!err && *buf == '#')
		*buf = '\0';	/* nothing was written */
	return err ? memgate_error_text() : buf;
}

static void enums(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("mode", "VALUES_MODE_FAST"), 0);
	EXPECT_NUM(v.mode, FAST);
	EXPECT_NUM(set("mode", "slow"), 0);
	EXPECT_NUM(v.mode, SLOW);
	EXPECT_NUM(set("mode", "Below"), 0);
	EXPECT_NUM(v.mode, BELOW);
	EXPECT_STR(get("mode"), "VALUES_MODE_BELOW");
	EXPECT_NUM(set("mode", "-7"), 0);
	EXPECT_STR(get("mode"), "-7");
	EXPECT_NUM(set("mode", "MODE_FAST"), -EINVAL);
	EXPECT_STR(memgate_error_text(), "parameter 'mode': 'MODE_FAST' is "
		   "none of VALUES_MODE_SLOW, VALUES_MODE_FAST, "
		   "VALUES_MODE_BELOW");
	EXPECT_NUM(set("mode", ""), -EINVAL);
	EXPECT_NUM(set("mode", "slow|fast"), -EINVAL);
	EXPECT_NUM(set("mode", "2147483648"), -ERANGE);
	EXPECT_NUM(set("mode", "-2147483649"), -ERANGE);
	EXPECT_NUM(set("choice", "both"), 0);	/* there is no prefix */
	EXPECT_NUM(v.choice, 3);
	EXPECT_NUM(set("choice", "LEFT|RIGHT"), -EINVAL);
	EXPECT_NUM(set("choice", "-1"), -ERANGE);
	EXPECT_NUM(set("choice", "4294967295"), 0);
	EXPECT_STR(get("choice"), "4294967295");
	EXPECT_NUM(set("big", "a"), 0);
	EXPECT(v.big == 1ULL << 40);
}

static void flags(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("rights", "READ|write"), 0);
	EXPECT_NUM(v.rights, 3);
	EXPECT_STR(get("rights"), "VALUES_READ|VALUES_WRITE");
	EXPECT_NUM(set("rights", "VALUES_TOP,1"), 0);
	EXPECT(v.rights == 0x80000001);
	EXPECT_NUM(set("rights", "0x100|read"), 0);
	EXPECT_STR(get("rights"), "VALUES_READ|0x100");
	EXPECT_NUM(set("rights", "0"), 0);
	EXPECT_STR(get("rights"), "0");
	EXPECT_NUM(set("rights", "read|"), -EINVAL);
	EXPECT_NUM(set("rights", "|"), -EINVAL);
	EXPECT_NUM(set("rights", ""), -EINVAL);
	EXPECT_NUM(set("rights", "read|execute"), -EINVAL);
	EXPECT_STR(memgate_error_text(), "parameter 'rights': 'execute' is "
		   "none of VALUES_READ|VALUES_WRITE|VALUES_TOP");
	EXPECT_NUM(set("rights", "0x100000000"), -ERANGE);
	EXPECT_NUM(set("rights", "-1"), -ERANGE);
	EXPECT_NUM(v.rights, 0);
	EXPECT_NUM(set("mask", "LEFT|RIGHT"), 0);
	EXPECT_NUM(v.mask, 3);
	EXPECT_NUM(set("big", "BIG_A|BIG_B"), 0);
	EXPECT(v.big == 3ULL << 40);
}

static void classes(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("classes", "map|file"), 0);
	EXPECT_NUM(v.classes, 3);
	EXPECT_NUM(set("classes", "dmabuf,kvm"), 0);
	EXPECT_NUM(v.classes, 1 << MEMGATE_DMABUF | 1 << MEMGATE_KVM);
	EXPECT_STR(get("classes"), "kvm|dmabuf");
	EXPECT_NUM(set("classes", "class63|0x3"), 0);
	EXPECT(v.classes == (1ULL << 63 | 3));
	EXPECT_STR(get("classes"), "map|file|class63");
	EXPECT_NUM(set("classes", "0"), 0);
	EXPECT_STR(get("classes"), "0");
	EXPECT_NUM(set("classes", "class64"), -EINVAL);
	EXPECT_NUM(set("classes", "class0"), -EINVAL);	/* it is map */
	EXPECT_NUM(set("classes", "kvm|maps"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "'classes': 'maps' is none of "
		   "map|file|own_pin|");
	EXPECT_NUM(set("classes", "-1"), -ERANGE);
	EXPECT_NUM(set("classes", "0x10000000000000000"), -ERANGE);
	EXPECT_NUM(v.classes, 0);
}

static void pci_addresses(void)
{
	static const char * const bad[] = {
		"", "0", "3", "03:00", "03.0", "0000:03:00", "0000:03:00.8",
		"0000:03:20.0", "0000:103:00.0", "0000:03:00.0 ", " 03:00.0",
		"0000:03:00.0:", ":03:00.0", "123456789:03:00.0", "x:03:00.0",
		"0000:03:00.00", "0000:03:-1.0", "a:0000:03:00.0", "::.",
	};
	size_t i;

	EXPECT(open_types());
	EXPECT_NUM(set("addr", "0000:03:00.0"), 0);
	EXPECT_NUM(v.addr, 0x300);
	EXPECT_NUM(set("addr", "fE:1F.7"), 0);
	EXPECT_NUM(v.addr, 0xfeff);
	EXPECT_STR(get("addr"), "0000:fe:1f.7");
	EXPECT_NUM(set("addr", "ffffffff:0:1.2"), 0);
	EXPECT_NUM(v.addr, 0xffffffff000aLL);
	EXPECT_STR(get("addr"), "ffffffff:00:01.2");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_NUM(set("addr", bad[i]), -EINVAL);
		EXPECT_HAS(memgate_error_text(), "is not a PCI address");
	}
	EXPECT_NUM(v.addr, 0xffffffff000aLL);
}

static void pci_ids(void)
{
	static const char * const bad[] = {
		"", "8086", "8086:", ":1572", "18086:1572", "8086:15721",
		"8086:1572:", "8086:g", "8086 1572",
	};
	size_t i;

	EXPECT(open_types());
	EXPECT_NUM(set("id", "8086:157F"), 0);
	EXPECT(v.id == 0x8086157f);
	EXPECT_STR(get("id"), "8086:157f");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_NUM(set("id", bad[i]), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "is not a vendor and a device");
	EXPECT(v.id == 0x8086157f);
}

static void lists(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("numbers", "1,2"), 0);
	EXPECT_NUM(set("numbers", "0x30"), 0);
	EXPECT_NUM(v.numbers[0], 1);
	EXPECT_NUM(v.numbers[1], 2);
	EXPECT_NUM(v.numbers[2], 0x30);
	EXPECT_NUM(v.numbers[3], 0);
	EXPECT_STR(get("numbers"), "1,2,48");
	EXPECT_NUM(set("numbers", "4,5"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "2 more values, room for 1");
	EXPECT_NUM(set("numbers", "4294967296"), -ERANGE);
	EXPECT_NUM(set("numbers", "1,"), -ERANGE);
	EXPECT_NUM(set("numbers", ""), -EINVAL);
	EXPECT_STR(get("numbers"), "1,2,48");
	EXPECT_NUM(set("small", "-128,127"), 0);
	EXPECT_NUM(v.small[0], -128);
	EXPECT_NUM(v.small[1], 127);
	EXPECT_NUM(set("flags", "yes,no,on"), 0);
	EXPECT_STR(get("flags"), "true,false,true");
	EXPECT_NUM(set("modes", "fast,VALUES_MODE_SLOW"), 0);
	EXPECT_STR(get("modes"), "VALUES_MODE_FAST,VALUES_MODE_SLOW");
	EXPECT_NUM(set("sets", "map|file,kvm"), 0);
	EXPECT_NUM(v.sets[0], 3);
	EXPECT_NUM(v.sets[1], 1 << MEMGATE_KVM);
	EXPECT_NUM(set("addrs", "03:00.0,0001:04:00.1"), 0);
	EXPECT_NUM(v.addrs[1], 0x10401);
	EXPECT_NUM(set("addrs[2]", "05:00.0"), 0);
	EXPECT_STR(get("addrs"), "0000:03:00.0,0001:04:00.1,0000:05:00.0");
}

/* A zero that somebody named is there; one bad element spoils all. */
static void lists_of_zeroes(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("numbers", "0,0"), 0);
	EXPECT_STR(get("numbers"), "0,0");
	EXPECT_NUM(set("numbers", "7"), 0);
	EXPECT_NUM(v.numbers[2], 7);
	EXPECT_NUM(set("numbers[3]", "0"), 0);
	EXPECT_NUM(set("numbers", "8"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "1 more values, room for 0");
	EXPECT_NUM(set("small", "1,x"), -EINVAL);
	EXPECT_NUM(v.small[0], 0);
	EXPECT_NUM(set("small", "2"), 0);
	EXPECT_NUM(v.small[0], 2);
	EXPECT_NUM(set("square", "1"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "it is u16[2][2]");
	EXPECT_NUM(set("square[1]", "3,4"), 0);
	EXPECT_NUM(v.square[1][1], 4);
	EXPECT_NUM(set("square[1][0]", "5"), 0);
	EXPECT_STR(get("square[1]"), "5,4");
	EXPECT_STR(get("square[0]"), "");
}

static void bitfields(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("low", "31"), 0);
	EXPECT_NUM(v.low, 31);
	EXPECT_NUM(v.before, 0);
	EXPECT_NUM(v.middle, 0);
	EXPECT_NUM(set("low", "32"), -ERANGE);
	EXPECT_HAS(memgate_error_text(), "32 does not fit in u5");
	EXPECT_NUM(set("before", "5"), 0);
	EXPECT_NUM(v.before, 5);
	EXPECT_NUM(set("middle", "-256"), 0);
	EXPECT_NUM(v.middle, -256);
	EXPECT_STR(get("middle"), "-256");
	EXPECT_NUM(set("middle", "256"), -ERANGE);
	EXPECT_NUM(set("middle", "-257"), -ERANGE);
	EXPECT_NUM(set("wide", "0xffffffffff"), 0);
	EXPECT(v.wide == 0xffffffffffULL);
	EXPECT_NUM(set("wide", "1T"), -ERANGE);
	EXPECT_NUM(v.bit, 0);
	EXPECT_NUM(set("bit", "true"), 0);
	EXPECT_NUM(v.bit, 1);
	EXPECT_NUM(set("tiny", "below"), 0);
	EXPECT_NUM(v.tiny, BELOW);
	EXPECT_STR(get("tiny"), "VALUES_MODE_BELOW");
	EXPECT_NUM(set("tiny", "4"), -ERANGE);
	EXPECT_NUM(v.low, 31);
	EXPECT_NUM(v.middle, -256);
}

static void nested(void)
{
	EXPECT(open_types());
	EXPECT_NUM(set("inner[1].host", "03:00.0"), 0);
	EXPECT_NUM(v.inner[1].host, 0x300);
	EXPECT_NUM(set("inner[0].port", "1,65535"), 0);
	EXPECT_NUM(v.inner[0].port[1], 65535);
	EXPECT_NUM(v.inner[1].port[0], 0);
	EXPECT_NUM(set("one.two.deep", "255"), 0);
	EXPECT_NUM(v.one.two.deep, 255);
	EXPECT_NUM(set("one.two", "1"), -EINVAL);
	EXPECT_HAS(memgate_error_hint(), "name one element");
	EXPECT_NUM(set("one.deep", "1"), -ENOENT);
	EXPECT_NUM(set("real", "1"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "a type that cannot be set");
	EXPECT_NUM(set("last", "abc"), 0);
	EXPECT_STR(get("last"), "abc");
	EXPECT_HAS(get("real"), "parameter 'real': it cannot be set");
	EXPECT_HAS(get("inner"), "it is struct values_inner[2]");
	EXPECT_HAS(get("none"), "no parameter 'none'");
}

struct seen {
	char text[4096];
	int nr;
};

static int note_field(const struct memgate_field *f, void *ctx)
{
	struct seen *s = ctx;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%s/%s/%s/%s\n",
		 f->name, f->type, f->values ?: "", f->doc ?: "");
	return ++s->nr == 1000;
}

static void described(void)
{
	struct seen s = { .nr = 0 };

	EXPECT(open_types());
	EXPECT_NUM(mg_params_fields(btf, type_id, note_field, &s), 0);
	EXPECT_HAS(s.text, "mode/enum values_mode/VALUES_MODE_SLOW, "
		   "VALUES_MODE_FAST, VALUES_MODE_BELOW/fast or slow\n");
	EXPECT_HAS(s.text, "rights/flags values_right/VALUES_READ|"
		   "VALUES_WRITE|VALUES_TOP/\n");
	EXPECT_HAS(s.text, "mask/flags values_mask/NONE|LEFT|RIGHT|BOTH/a "
		   "side, or two\n");
	EXPECT_HAS(s.text, "choice/enum values_mask/");
	EXPECT_HAS(s.text, "classes/classes//\n");
	EXPECT_HAS(s.text, "\naddr/pci-address//\n");
	EXPECT_HAS(s.text, "\nid/pci-id//\n");
	EXPECT_HAS(s.text, "addrs/pci-address[3]//\n");
	EXPECT_HAS(s.text, "square/u16[2][2]//\n");
	EXPECT_HAS(s.text, "low/u5//\n");
	EXPECT_HAS(s.text, "middle/s9//\n");
	EXPECT_HAS(s.text, "bit/bool//\n");
	EXPECT_HAS(s.text, "inner[0..1].host/pci-address//its own words\n");
	EXPECT_HAS(s.text, "inner[0..1].port/u16[2]//the outer words\n");
	EXPECT_HAS(s.text, "one.two.deep/u8//\n");
	/* the walk ends when it is told to */
	s.nr = 999;
	EXPECT_NUM(mg_params_fields(btf, type_id, note_field, &s), 1);
}

static void rules(void)
{
	struct memgate_policy p = { .map_fd = -1 };

	EXPECT(open_types());
	p.types = btf;
	EXPECT_STR(memgate_policy__rule(&p, MEMGATE_MAP), "whoever asks");
	/* nothing that moves a terminal's cursor */
	EXPECT_STR(memgate_policy__rule(&p, MEMGATE_KVM), "one, or?two");
	EXPECT(memgate_policy__rule(&p, MEMGATE_KVM) ==
	       memgate_policy__rule(&p, MEMGATE_KVM));
	EXPECT(!memgate_policy__rule(&p, MEMGATE_FILE));
	EXPECT(!memgate_policy__rule(&p, 64));
	EXPECT(!memgate_policy__rule(&p, -1));
	free(p.rules[MEMGATE_MAP]);
	free(p.rules[MEMGATE_KVM]);
}

/* By the functions of the library, for a policy that is nowhere loaded. */
static void whole_params(void)
{
	struct memgate_policy p = { .map_fd = -1, .name = "values" };
	struct memgate_params *params;
	const void *bytes_set;
	struct layout all;
	char buf[8];
	size_t size;

	EXPECT(open_types());
	p.types = btf;
	p.params_size = sizeof(v);
	params = memgate_params__new(&p);
	EXPECT(params);
	EXPECT_NUM(memgate_params__set(params, "classes", "map|file"), 0);
	EXPECT_NUM(memgate_params__get(params, "classes", buf, 4), 8);
	EXPECT_STR(buf, "map");
	EXPECT_NUM(memgate_params__get(params, "classes", NULL, 0), 8);
	EXPECT_NUM(memgate_params__get(params, "nothing", buf, 8), -ENOENT);
	memset(&all, 0, sizeof(all));
	all.id = 0x80861572;
	EXPECT_NUM(memgate_params__set_data(params, &all, 4), -EMSGSIZE);
	EXPECT_HAS(memgate_error_text(), "4 bytes of parameters, policy "
		   "values declares");
	EXPECT_NUM(memgate_params__set_data(params, &all, sizeof(all)), 0);
	bytes_set = memgate_params__data(params, &size);
	EXPECT_NUM(size, sizeof(all));
	EXPECT(!memcmp(bytes_set, &all, size));
	/* every byte was named */
	EXPECT_NUM(memgate_params__set(params, "numbers", "1"), -ERANGE);
	memgate_params__free(params);
	p.params_size = 4097;
	EXPECT(!memgate_params__new(&p));
	EXPECT_HAS(memgate_error_text(), "at most 4096 are possible");
	/* another policy, whose types have not been looked at */
	p.params_size = 8;
	p.params_checked = false;
	params = memgate_params__new(&p);
	EXPECT_NUM(memgate_params__set(params, "id", "1:1"), -EINVAL);
	EXPECT_HAS(memgate_error_text(), "params_size is 8, but its");
	memgate_params__free(params);
	btf__free(btf);
	btf = NULL;
}

const struct tap_test value_tests[] = {
	{ "values: enums, short and long", enums },
	{ "values: flags", flags },
	{ "values: classes", classes },
	{ "values: PCI addresses", pci_addresses },
	{ "values: PCI ids", pci_ids },
	{ "values: lists", lists },
	{ "values: lists of zeroes, nothing by halves", lists_of_zeroes },
	{ "values: bitfields", bitfields },
	{ "values: nested structs", nested },
	{ "values: fields and what is said of them", described },
	{ "values: whom a policy allows", rules },
	{ "values: by the library's functions", whole_params },
	{ 0 }
};
