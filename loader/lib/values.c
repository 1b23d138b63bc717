// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What a text means for a field, and a field as text.  Everything is little
 * endian, as everything memgate is.
 */
#include "params.h"

int mg_bad_value(const char *value, const char *what)
{
	return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL, "'%s' is not %s",
		       value, what);
}

int mg_too_large(const char *value, const struct mg_field *f)
{
	return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
		       "%s does not fit in %c%u", value,
		       f->kind == MG_SINT ? 's' : 'u', f->bits);
}

static uint64_t get_bits(const struct mg_field *f, const unsigned char *data)
{
	uint64_t v = 0;
	uint32_t i, bit;

	for (i = 0; i < f->bits && i < 64; i++) {
		bit = f->bit + i;
		v |= (uint64_t)(data[bit / 8] >> bit % 8 & 1) << i;
	}
	return v;
}

static void put_bits(const struct mg_field *f, struct mg_bytes *b, uint64_t v)
{
	uint32_t i, bit;

	for (i = 0; i < f->bits && i < 64; i++) {
		bit = f->bit + i;
		b->data[bit / 8] &= ~(1 << bit % 8);
		b->data[bit / 8] |= (v >> i & 1) << bit % 8;
		b->named[bit / 8] = 1;
	}
}

/* Two's complement: the bits above are all like the sign, or all zero. */
static bool has_room(const struct mg_field *f, bool is_signed, uint64_t v)
{
	if (f->bits >= 64)
		return true;
	if (is_signed)
		return (int64_t)v >= -(1LL << (f->bits - 1)) &&
		       (int64_t)v < 1LL << (f->bits - 1);
	return !(v >> f->bits);
}

static int parse_int(const struct mg_field *f, const char *value, uint64_t *v)
{
	bool is_signed = f->kind == MG_SINT;
	struct mg_number n;
	int err;

	err = mg_parse_number(value, &n);
	if (err == -EINVAL)
		return mg_bad_value(value, "a number");
	if (err || (n.negative && n.abs && !is_signed) ||
	    (is_signed && n.abs > (1ULL << 63) - !n.negative))
		return mg_too_large(value, f);
	*v = n.negative ? -n.abs : n.abs;
	return has_room(f, is_signed, *v) ? 0 : mg_too_large(value, f);
}

static int parse_bool(const char *value, uint64_t *v)
{
	static const char * const words[2][4] = {
		{ "0", "false", "no", "off" },
		{ "1", "true", "yes", "on" },
	};
	size_t i;

	for (*v = 0; *v < 2; (*v)++)
		for (i = 0; i < ARRAY_SIZE(words[*v]); i++)
			if (!strcmp(value, words[*v][i]))
				return 0;
	return mg_bad_value(value, "true or false");
}

static int put_words(const struct btf *btf, const struct mg_field *f,
		     struct mg_bytes *b, const char *value,
		     const char *separators)
{
	const struct btf_type *t = btf__type_by_id(btf, f->type_id);
	bool is_signed = f->kind == MG_ENUM && btf_kflag(t);
	uint64_t v;
	int err;

	err = mg_words_parse(btf, f, value, separators, &v);
	if (err)
		return err;
	if (!has_room(f, is_signed, v))
		return mg_too_large(value, f);
	put_bits(f, b, v);
	return 0;
}

/* @separators: of flags; in a list a comma is the list's. */
static int put_scalar(const struct btf *btf, const struct mg_field *f,
		      struct mg_bytes *b, const char *value,
		      const char *separators)
{
	uint64_t v = 0;
	int err;

	if (f->kind != MG_UINT && f->kind != MG_SINT && f->kind != MG_BOOL)
		return put_words(btf, f, b, value, separators);
	err = f->kind == MG_BOOL ? parse_bool(value, &v) :
				   parse_int(f, value, &v);
	if (!err)
		put_bits(f, b, v);
	return err;
}

static int put_text(const struct mg_field *f, struct mg_bytes *b,
		    const char *value)
{
	size_t len = strlen(value);

	/* Leave room for the NUL that the policy may rely on. */
	if (len >= f->nelems)
		return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
			       "'%s' has %zu bytes, room for %u", value, len,
			       f->nelems ? f->nelems - 1 : 0);
	memset(b->data + f->bit / 8, 0, f->nelems);
	memset(b->named + f->bit / 8, 1, f->nelems);
	memcpy(b->data + f->bit / 8, value, len);
	return 0;
}

/* How many elements there are up to the last that is set, or named. */
static uint32_t used_of(const struct mg_field *array,
			const struct mg_field *elem, const struct mg_bytes *b)
{
	uint32_t size = elem->bits / 8, from = array->bit / 8;
	uint32_t i = size * array->nelems;

	while (i && !b->data[from + i - 1] && !b->named[from + i - 1])
		i--;
	return (i + size - 1) / size;
}

static int put_element(const struct btf *btf, const struct mg_field *elem,
		       struct mg_bytes *b, const char *text, size_t len)
{
	char *value = strndup(text, len);
	int err;

	if (!value)
		return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			       "no memory for it");
	err = elem->kind == MG_TEXT ? put_text(elem, b, value) :
				      put_scalar(btf, elem, b, value, "|");
	free(value);
	return err;
}

static size_t count_commas(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == ',';
	return n;
}

/* Append: a list may be given at once, or one after another, or both. */
static int put_list(const struct btf *btf, const struct mg_field *array,
		    struct mg_bytes *b, const char *value)
{
	struct mg_field elem;
	uint32_t used;
	size_t len, nr = count_commas(value) + 1;
	const char *words;
	int err;

	if (mg_field_element(btf, array, 0, &elem))
		return -EINVAL;
	words = elem.kind == MG_TEXT ? "texts" : "values";
	used = used_of(array, &elem, b);
	if (nr > array->nelems - used && *value)
		return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
			       "%zu more %s, room for %u", nr, words,
			       array->nelems - used);
	do {
		len = strcspn(value, ",");
		if (!len)
			return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
				       "'%s' is not a list of %s with one "
				       "comma between them", value, words);
		if (mg_field_element(btf, array, used++, &elem))
			return -EINVAL;
		err = put_element(btf, &elem, b, value, len);
		if (err)
			return err;
		value += len;
	} while (*value++);
	return 0;
}

static bool is_list(const struct btf *btf, const struct mg_field *f)
{
	struct mg_field elem;

	return f->kind == MG_ARRAY && f->nelems &&
	       !mg_field_element(btf, f, 0, &elem) && elem.bits &&
	       elem.kind != MG_NONE && elem.kind <= MG_TEXT;
}

static int unsettable(const struct btf *btf, const struct mg_field *f)
{
	char type[96];

	mg_field_type(btf, f, type, sizeof(type));
	return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
		       f->kind == MG_ARRAY || f->kind == MG_STRUCT ?
		       "name one element of it: field[0] or field.member" :
		       NULL, "it cannot be set: it is %s", type);
}

static bool is_inside(const struct mg_field *f, const struct mg_bytes *b)
{
	return f->bits && (uint64_t)f->bit + f->bits <= (uint64_t)b->size * 8;
}

/* On an error some of a list may be put already: give a copy. */
int mg_field_put(const struct btf *btf, const struct mg_field *f,
		 struct mg_bytes *b, const char *value)
{
	if (f->kind == MG_NONE || !is_inside(f, b))
		return unsettable(btf, f);
	if (f->kind == MG_TEXT)
		return put_text(f, b, value);
	if (is_list(btf, f))
		return put_list(btf, f, b, value);
	if (f->kind > MG_TEXT)
		return unsettable(btf, f);
	return put_scalar(btf, f, b, value, "|,");
}

static void print_text(const struct mg_field *f, const unsigned char *data,
		       FILE *out)
{
	const char *text = (const char *)data + f->bit / 8;

	fprintf(out, "%.*s", (int)strnlen(text, f->nelems), text);
}

static void print_scalar(const struct btf *btf, const struct mg_field *f,
			 const unsigned char *data, FILE *out)
{
	uint64_t v = get_bits(f, data);

	switch (f->kind) {
	case MG_BOOL:
		fputs(v ? "true" : "false", out);
		break;
	case MG_UINT:
		fprintf(out, "%llu", (unsigned long long)v);
		break;
	case MG_SINT:
		if (f->bits < 64 && v >> (f->bits - 1) & 1)
			v |= ~0ULL << f->bits;
		fprintf(out, "%lld", (long long)v);
		break;
	default:
		mg_words_print(btf, f, v, out);
	}
}

/* As mg_field_put() would take it; a list as far as it is set or named. */
int mg_field_get(const struct btf *btf, const struct mg_field *f,
		 const struct mg_bytes *b, FILE *out)
{
	struct mg_field elem;
	uint32_t i, used;

	if (f->kind == MG_NONE || !is_inside(f, b))
		return unsettable(btf, f);
	if (f->kind == MG_TEXT) {
		print_text(f, b->data, out);
	} else if (is_list(btf, f)) {
		mg_field_element(btf, f, 0, &elem);
		used = used_of(f, &elem, b);
		for (i = 0; i < used; i++) {
			mg_field_element(btf, f, i, &elem);
			if (i)
				putc(',', out);
			if (elem.kind == MG_TEXT)
				print_text(&elem, b->data, out);
			else
				print_scalar(btf, &elem, b->data, out);
		}
	} else if (f->kind < MG_TEXT) {
		print_scalar(btf, f, b->data, out);
	} else {
		return unsettable(btf, f);
	}
	return 0;
}
