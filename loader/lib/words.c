// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Values that are given in words of their own: enumerators, flags, classes of
 * access, addresses and ids of PCI devices.
 */
#include <ctype.h>

#include "params.h"

struct enumerator {
	const char *name;
	uint64_t value;
};

static struct enumerator enumerator(const struct btf *btf,
				    const struct btf_type *t, int i)
{
	struct enumerator e;

	if (btf_is_enum(t)) {
		e.name = mg_btf_name(btf, btf_enum(t)[i].name_off);
		e.value = btf_enum(t)[i].val;
		/* Signed, or 32 bits and no more. */
		if (!btf_kflag(t))
			e.value = (uint32_t)e.value;
		return e;
	}
	e.name = mg_btf_name(btf, btf_enum64(t)[i].name_off);
	e.value = btf_enum64_value(btf_enum64(t) + i);
	return e;
}

/* Of flags the highest may be the sign. */
static uint64_t as_bits(const struct btf_type *t, uint64_t v)
{
	return t->size < 8 ? v & ((1ULL << (t->size * 8)) - 1) : v;
}

/* Two or more values, each of them a single bit? */
bool mg_is_flags(const struct btf *btf, const struct btf_type *t)
{
	uint64_t v;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		v = as_bits(t, enumerator(btf, t, i).value);
		if (!v || (v & (v - 1)))
			return false;
	}
	return i >= 2;
}

/*
 * How many characters of every name are a common prefix that ends with _ and
 * may be left out: PARAMS_ of PARAMS_RED, PARAMS_BLUE.
 */
static size_t common_prefix(const struct btf *btf, const struct btf_type *t)
{
	const char *first, *name;
	size_t len;
	int i;

	if (!btf_vlen(t))
		return 0;
	first = enumerator(btf, t, 0).name;
	len = strlen(first);
	for (i = 1; i < btf_vlen(t); i++) {
		name = enumerator(btf, t, i).name;
		while (len && strncmp(first, name, len))
			len--;
	}
	while (len && first[len - 1] != '_')
		len--;
	return len;
}

/* By its name, or without the prefix and in any case. */
static bool find_enumerator(const struct btf *btf, const struct btf_type *t,
			    const char *word, uint64_t *v)
{
	size_t prefix = common_prefix(btf, t);
	struct enumerator e;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		e = enumerator(btf, t, i);
		if (*word && !strcmp(e.name, word))
			return *v = e.value, true;
	}
	for (i = 0; i < btf_vlen(t); i++) {
		e = enumerator(btf, t, i);
		if (*word && !strcasecmp(e.name + prefix, word))
			return *v = e.value, true;
	}
	return false;
}

static bool find_class(const char *word, uint64_t *v)
{
	const char *name;
	unsigned int i;
	char by_number[16];

	for (i = 0; i < MG_MAX_CLASSES; i++) {
		name = memgate_class_name(i);
		if (!name) {
			/* as it is shown if it is newer than this library */
			snprintf(by_number, sizeof(by_number), "class%u", i);
			name = by_number;
		}
		if (!strcmp(name, word))
			return *v = MEMGATE_CLASS(i), true;
	}
	return false;
}

/* "RED, BLUE" or, of flags, "READ|WRITE": true if there are words. */
bool mg_words_list(const struct btf *btf, const struct mg_field *f, char *buf,
		   size_t size)
{
	struct mg_field e = *f;
	const struct btf_type *t;
	size_t len = 0;
	int i;

	while (e.kind == MG_ARRAY && e.nelems)
		if (mg_field_element(btf, &e, 0, &e))
			return false;
	if (e.kind != MG_ENUM && e.kind != MG_FLAGS)
		return false;
	t = btf__type_by_id(btf, e.type_id);
	buf[0] = '\0';
	for (i = 0; i < btf_vlen(t) && len + 1 < size; i++) {
		snprintf(buf + len, size - len, "%s%s", !i ? "" :
			 e.kind == MG_FLAGS ? "|" : ", ",
			 enumerator(btf, t, i).name);
		len = strlen(buf);
	}
	mg_printable(buf);
	return len;
}

static int unknown_word(const struct btf *btf, const struct mg_field *f,
			const char *word)
{
	struct mg_field one = *f;
	unsigned int i;
	char list[1024];

	mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL, "'%s' is none of ", word);
	if (mg_words_list(btf, &one, list, sizeof(list)))
		mg_error_append("%s", list);
	else
		for (i = 0; memgate_class_name(i); i++)
			mg_error_append("%s%s", i ? "|" : "",
					memgate_class_name(i));
	return -EINVAL;
}

static int parse_word(const struct btf *btf, const struct mg_field *f,
		      const char *word, uint64_t *v)
{
	const struct btf_type *t = btf__type_by_id(btf, f->type_id);
	bool is_signed = f->kind == MG_ENUM && btf_kflag(t);
	struct mg_number n;
	int err;

	if (f->kind == MG_CLASSES && find_class(word, v))
		return 0;
	if (f->kind != MG_CLASSES && find_enumerator(btf, t, word, v)) {
		if (f->kind == MG_FLAGS)
			*v = as_bits(t, *v);
		return 0;
	}
	err = mg_parse_number(word, &n);
	if (err == -EINVAL)
		return unknown_word(btf, f, word);
	if (err || (n.negative && n.abs && !is_signed) ||
	    (n.negative && n.abs > 1ULL << 63))
		return mg_too_large(word, f);
	*v = n.negative ? -n.abs : n.abs;
	return 0;
}

/* A|B; what separates them is up to the caller. */
static int parse_words(const struct btf *btf, const struct mg_field *f,
		       const char *value, const char *separators, uint64_t *v)
{
	uint64_t one;
	char word[128];
	size_t len;
	int err;

	*v = 0;
	do {
		len = strcspn(value, separators);
		if (len >= sizeof(word))
			return mg_bad_value(value, "short enough");
		memcpy(word, value, len);
		word[len] = '\0';
		err = parse_word(btf, f, word, &one);
		if (err)
			return err;
		*v |= one;
		value += len;
	} while (*value++);
	return 0;
}

/* Up to @most hexadecimal digits, then @end. */
static bool take_hex(const char **s, int most, char end, uint64_t *v)
{
	int digits = 0;

	for (*v = 0; isxdigit((unsigned char)**s); (*s)++, digits++)
		*v = *v << 4 | (isdigit((unsigned char)**s) ? **s - '0' :
				(**s | 32) - 'a' + 10);
	if (!digits || digits > most || **s != end)
		return false;
	*s += end != '\0';
	return true;
}

/* 0000:03:00.0, or 03:00.0 for the domain 0000. */
static int parse_pci_addr(const char *value, uint64_t *v)
{
	uint64_t domain = 0, bus, slot, func;
	const char *s = value;

	if (strchr(s, ':') != strrchr(s, ':') && !take_hex(&s, 8, ':', &domain))
		goto bad;
	if (!take_hex(&s, 2, ':', &bus) || !take_hex(&s, 2, '.', &slot) ||
	    !take_hex(&s, 1, '\0', &func) || slot > 0x1f || func > 7)
		goto bad;
	*v = domain << 16 | bus << 8 | slot << 3 | func;
	return 0;
bad:
	return mg_bad_value(value, "a PCI address such as 0000:03:00.0");
}

static int parse_pci_id(const char *value, uint64_t *v)
{
	uint64_t vendor, device;
	const char *s = value;

	if (!take_hex(&s, 4, ':', &vendor) || !take_hex(&s, 4, '\0', &device))
		return mg_bad_value(value, "a vendor and a device such as "
				    "8086:1572");
	*v = vendor << 16 | device;
	return 0;
}

/* Any of the kinds above; whether the field has room is not looked at. */
int mg_words_parse(const struct btf *btf, const struct mg_field *f,
		   const char *value, const char *separators, uint64_t *v)
{
	switch (f->kind) {
	case MG_ENUM:
		return parse_word(btf, f, value, v);
	case MG_FLAGS:
	case MG_CLASSES:
		return parse_words(btf, f, value, separators, v);
	case MG_PCI_ADDR:
		return parse_pci_addr(value, v);
	case MG_PCI_ID:
		return parse_pci_id(value, v);
	default:
		return mg_bad_value(value, "settable");
	}
}

static void print_flags(const struct btf *btf, const struct btf_type *t,
			uint64_t v, FILE *out)
{
	const char *separator = "";
	struct enumerator e;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		e = enumerator(btf, t, i);
		e.value = as_bits(t, e.value);
		if (!e.value || (v & e.value) != e.value)
			continue;
		fprintf(out, "%s%s", separator, e.name);
		separator = "|";
		v &= ~e.value;
	}
	if (v)
		fprintf(out, "%s0x%llx", separator, (unsigned long long)v);
	else if (!*separator)
		putc('0', out);
}

static void print_classes(uint64_t v, FILE *out)
{
	const char *name, *separator = "";
	unsigned int i;

	for (i = 0; i < MG_MAX_CLASSES; i++) {
		if (!(v >> i & 1))
			continue;
		name = memgate_class_name(i);
		if (name)
			fprintf(out, "%s%s", separator, name);
		else
			fprintf(out, "%sclass%u", separator, i);
		separator = "|";
	}
	if (!*separator)
		putc('0', out);
}

static void print_enum(const struct btf *btf, const struct btf_type *t,
		       const struct mg_field *f, uint64_t v, FILE *out)
{
	struct enumerator e;
	int i;

	if (btf_kflag(t) && f->bits < 64 && v >> (f->bits - 1) & 1)
		v |= ~0ULL << f->bits;
	for (i = 0; i < btf_vlen(t); i++) {
		e = enumerator(btf, t, i);
		if (e.value == v) {
			fputs(e.name, out);
			return;
		}
	}
	if (btf_kflag(t))
		fprintf(out, "%lld", (long long)v);
	else
		fprintf(out, "%llu", (unsigned long long)v);
}

void mg_words_print(const struct btf *btf, const struct mg_field *f,
		    uint64_t v, FILE *out)
{
	const struct btf_type *t = btf__type_by_id(btf, f->type_id);

	switch (f->kind) {
	case MG_ENUM:
		print_enum(btf, t, f, v, out);
		break;
	case MG_FLAGS:
		print_flags(btf, t, v, out);
		break;
	case MG_CLASSES:
		print_classes(v, out);
		break;
	case MG_PCI_ADDR:
		fprintf(out, "%04llx:%02x:%02x.%x",
			(unsigned long long)v >> 16,
			(unsigned int)(v >> 8 & 0xff),
			(unsigned int)(v >> 3 & 0x1f), (unsigned int)(v & 7));
		break;
	default:
		fprintf(out, "%04x:%04x", (unsigned int)(v >> 16) & 0xffff,
			(unsigned int)v & 0xffff);
	}
}
