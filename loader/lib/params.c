// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The parameters of an install, filled by the names that the policy's own
 * BTF gives to them.  Nothing here knows a policy.
 *
 * The kernel has accepted the BTF, or libbpf has read it from a file; still
 * every offset is checked against the size of the whole.
 */
#include <ctype.h>

#include <bpf/btf.h>

#include "internal.h"

#define MAX_DEPTH	8	/* of nested structs */

struct field {
	uint32_t type_id;
	uint32_t offset;	/* bytes */
	uint32_t bits;		/* of a bitfield, else 0 */
};

/* Skip typedef, const, volatile; NULL if that leads nowhere. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t *id)
{
	const struct btf_type *t = btf__type_by_id(btf, *id);
	int hops = 0;

	while (t && (btf_is_mod(t) || btf_is_typedef(t)) && hops++ < 32) {
		*id = t->type;
		t = btf__type_by_id(btf, *id);
	}
	return t;
}

static bool is_text(const struct btf *btf, const struct btf_type *t)
{
	uint32_t id = btf_array(t)->type;
	const struct btf_type *elem = resolve(btf, &id);
	const char *name;

	if (!elem || !btf_is_int(elem) || elem->size != 1)
		return false;
	name = btf__name_by_offset(btf, elem->name_off);
	return !strcmp(name, "char");
}

/* An array of texts; *len is the room of each. */
static bool is_texts(const struct btf *btf, const struct btf_type *t,
		     uint32_t *len)
{
	uint32_t id = btf_array(t)->type;
	const struct btf_type *elem = resolve(btf, &id);

	if (!elem || !btf_is_array(elem) || !is_text(btf, elem))
		return false;
	*len = btf_array(elem)->nelems;
	return true;
}

/* The type in words, as errors and `policy show` print it. */
static void type_name(const struct btf *btf, uint32_t id, char *buf,
		      size_t size)
{
	const struct btf_type *t = resolve(btf, &id);
	const char *name = t ? btf__name_by_offset(btf, t->name_off) : "";
	char elem[64];
	uint32_t len;

	if (t && btf_is_int(t) && (btf_int_encoding(t) & BTF_INT_BOOL)) {
		snprintf(buf, size, "bool");
	} else if (t && btf_is_int(t)) {
		snprintf(buf, size, "%c%u",
			 btf_int_encoding(t) & BTF_INT_SIGNED ? 's' : 'u',
			 t->size * 8);
	} else if (t && (btf_is_enum(t) || btf_is_enum64(t))) {
		snprintf(buf, size, "enum %s", name);
	} else if (t && btf_is_array(t) && is_texts(btf, t, &len)) {
		snprintf(buf, size, "char[%u][%u]", btf_array(t)->nelems, len);
	} else if (t && btf_is_array(t)) {
		id = btf_array(t)->type;
		if (is_text(btf, t))
			snprintf(elem, sizeof(elem), "char");
		else
			type_name(btf, id, elem, sizeof(elem));
		snprintf(buf, size, "%s[%u]", elem, btf_array(t)->nelems);
	} else if (t && btf_is_composite(t)) {
		snprintf(buf, size, "struct %s", name);
	} else {
		snprintf(buf, size, "a type that cannot be set");
	}
}

/* The struct behind the variable memgate_params; -ENOENT if there is none. */
int mg_params_type(const struct btf *btf, uint32_t *type_id)
{
	const struct btf_type *t;
	int var;

	var = btf__find_by_name_kind(btf, "memgate_params", BTF_KIND_VAR);
	if (var < 0)
		return -ENOENT;
	*type_id = btf__type_by_id(btf, var)->type;
	t = resolve(btf, type_id);
	return t && btf_is_struct(t) ? 0 : -ENOENT;
}

/*
 * For an array of structs "NAME[0..7]" and its element's type; an array of
 * anything else is a parameter as it is.
 */
static const struct btf_type *into_array(const struct btf *btf,
					 const struct btf_type *t,
					 uint32_t *id, char *name, size_t size)
{
	const struct btf_type *elem;
	size_t len = strlen(name);
	uint32_t elem_id;

	if (!t || !btf_is_array(t))
		return t;
	elem_id = btf_array(t)->type;
	elem = resolve(btf, &elem_id);
	if (!elem || !btf_is_composite(elem) || !btf_array(t)->nelems)
		return t;
	snprintf(name + len, size - len, "[0..%u]", btf_array(t)->nelems - 1);
	*id = elem_id;
	return elem;
}

static int walk_fields(const struct btf *btf, uint32_t id, const char *prefix,
		       int depth, int (*fn)(const struct memgate_field *,
					    void *), void *ctx)
{
	const struct btf_type *t = resolve(btf, &id);
	const struct btf_member *m = btf_members(t);
	const struct btf_type *mt;
	char name[256], type[96];
	struct memgate_field field = { .name = name, .type = type };
	uint32_t mid;
	int i, err;

	for (i = 0; i < btf_vlen(t); i++) {
		mid = m[i].type;
		mt = resolve(btf, &mid);
		snprintf(name, sizeof(name), "%s%s%s", prefix,
			 *prefix && m[i].name_off ? "." : "",
			 btf__name_by_offset(btf, m[i].name_off));
		mt = into_array(btf, mt, &mid, name, sizeof(name));
		if (mt && btf_is_composite(mt) && depth < MAX_DEPTH) {
			err = walk_fields(btf, mid, name, depth + 1, fn, ctx);
		} else {
			type_name(btf, mid, type, sizeof(type));
			field.doc = mg_doc_of_member(btf, id, i);
			err = *name ? fn(&field, ctx) : 0;
		}
		if (err)
			return err;
	}
	return 0;
}

int mg_params_fields(const struct btf *btf, uint32_t type_id,
		     int (*fn)(const struct memgate_field *, void *),
		     void *ctx)
{
	return walk_fields(btf, type_id, "", 0, fn, ctx);
}

static int append_field(const struct memgate_field *field, void *ctx)
{
	bool *first = ctx;

	mg_error_append("%s%s (%s)", *first ? " " : ", ", field->name,
			field->type);
	*first = false;
	return 0;
}

static int unknown_field(const struct btf *btf, uint32_t type_id,
			 const char *key)
{
	bool first = true;

	mg_fail(MEMGATE_ERR_INPUT, ENOENT,
		"see 'memgate policy show NAME' for the parameters",
		"no parameter '%s'; the policy has", key);
	mg_params_fields(btf, type_id, append_field, &first);
	if (first)
		mg_error_append(" none");
	return -ENOENT;
}

/* A member by name, looking through anonymous structs and unions. */
static bool find_field(const struct btf *btf, const char *name, size_t len,
		       int depth, struct field *f)
{
	const struct btf_type *t = resolve(btf, &f->type_id);
	const struct btf_member *m;
	struct field sub;
	const char *s;
	int i;

	if (!t || !btf_is_composite(t) || depth > MAX_DEPTH)
		return false;
	m = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++) {
		sub.type_id = m[i].type;
		sub.offset = f->offset + btf_member_bit_offset(t, i) / 8;
		sub.bits = btf_member_bitfield_size(t, i);
		s = btf__name_by_offset(btf, m[i].name_off);
		if (*s ? strlen(s) == len && !memcmp(s, name, len) :
		    find_field(btf, name, len, depth + 1, &sub)) {
			*f = sub;
			return true;
		}
	}
	return false;
}

/* One [N] of a key. */
static int index_array(const struct btf *btf, const char **key,
		       struct field *f)
{
	const struct btf_type *t = resolve(btf, &f->type_id);
	unsigned long n;
	long long size;
	char *end;

	if (!t || !btf_is_array(t) || !isdigit((unsigned char)(*key)[1]))
		return -ENOENT;
	n = strtoul(*key + 1, &end, 10);
	size = btf__resolve_size(btf, btf_array(t)->type);
	if (*end != ']' || n >= btf_array(t)->nelems || size < 0)
		return -ENOENT;
	f->type_id = btf_array(t)->type;
	f->offset += n * size;
	*key = end + 1;
	return 0;
}

static int find_key(const struct btf *btf, const char *key, struct field *f)
{
	size_t len;

	for (;;) {
		len = strcspn(key, ".[");
		if (!len || !find_field(btf, key, len, 0, f))
			return -ENOENT;
		key += len;
		while (*key == '[')
			if (index_array(btf, &key, f))
				return -ENOENT;
		if (!*key)
			return 0;
		if (*key++ != '.')
			return -ENOENT;
	}
}

static int bad_value(const char *key, const char *value, const char *what)
{
	return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
		       "parameter '%s': '%s' is not %s", key, value, what);
}

static int put_int(void *to, uint32_t size, bool is_signed, const char *key,
		   const char *value)
{
	struct mg_number n;
	uint64_t max, v;
	int err;

	err = mg_parse_number(value, &n);
	if (err == -EINVAL)
		return bad_value(key, value, "a number");
	max = size < 8 ? (1ULL << (size * 8)) - 1 : UINT64_MAX;
	if (is_signed)
		max = (max >> 1) + (n.negative ? 1 : 0);
	else if (n.negative)
		max = 0;
	if (err || n.abs > max)
		return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
			       "parameter '%s': %s does not fit in %c%u", key,
			       value, is_signed ? 's' : 'u', size * 8);
	v = n.negative ? -n.abs : n.abs;
	memcpy(to, &v, size);	/* little endian, as everything memgate is */
	return 0;
}

static int put_bool(void *to, uint32_t size, const char *key,
		    const char *value)
{
	static const char * const words[2][4] = {
		{ "0", "false", "no", "off" },
		{ "1", "true", "yes", "on" },
	};
	uint64_t v;
	size_t i;

	for (v = 0; v < 2; v++)
		for (i = 0; i < ARRAY_SIZE(words[v]); i++)
			if (!strcmp(value, words[v][i])) {
				memcpy(to, &v, size);
				return 0;
			}
	return bad_value(key, value, "true or false");
}

static int put_enum(const struct btf *btf, const struct btf_type *t, void *to,
		    const char *key, const char *value)
{
	const struct btf_enum64 *e64 = btf_enum64(t);
	const struct btf_enum *e = btf_enum(t);
	const char *name;
	uint64_t v;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		name = btf__name_by_offset(btf, btf_is_enum(t) ?
					   e[i].name_off : e64[i].name_off);
		if (strcmp(name, value))
			continue;
		v = btf_is_enum(t) ? (uint64_t)e[i].val :
				     btf_enum64_value(e64 + i);
		memcpy(to, &v, t->size);
		return 0;
	}
	if (isdigit((unsigned char)*value) || *value == '-')
		return put_int(to, t->size, btf_kflag(t), key, value);
	mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
		"parameter '%s': '%s' is none of", key, value);
	for (i = 0; i < btf_vlen(t); i++) {
		name = btf__name_by_offset(btf, btf_is_enum(t) ?
					   e[i].name_off : e64[i].name_off);
		mg_error_append("%s %s", i ? "," : "", name);
	}
	return -EINVAL;
}

static int put_text(void *to, uint32_t size, const char *key,
		    const char *value)
{
	/* Leave room for the NUL that the policy may rely on. */
	if (strlen(value) >= size)
		return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
			       "parameter '%s': text of %zu bytes, room for %u",
			       key, strlen(value), size - 1);
	memset(to, 0, size);
	memcpy(to, value, strlen(value));
	return 0;
}

/* The next of texts with commas between them; *list is behind it. */
static size_t next_text(const char **list, const char **text)
{
	size_t len = strcspn(*list, ",");

	*text = *list;
	*list += len + ((*list)[len] == ',');
	return len;
}

static int check_texts(uint32_t room, uint32_t size, const char *key,
		       const char *value)
{
	const char *list = value, *text;
	size_t len, nr = 0;

	do {
		len = next_text(&list, &text);
		nr++;
		if (!len)
			return bad_value(key, value,
					 "a list of texts with one comma "
					 "between them");
		if (len >= size)
			return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
				       "parameter '%s': '%.*s' has %zu bytes, room for %u",
				       key, (int)len, text, len, size - 1);
	} while (text[len]);
	if (nr > room)
		return mg_fail(MEMGATE_ERR_INPUT, ERANGE, NULL,
			       "parameter '%s': %zu more texts, room for %u",
			       key, nr, room);
	return 0;
}

/* Append: a list may be given at once, or one after another, or both. */
static int put_texts(char *to, uint32_t nr, uint32_t size, const char *key,
		     const char *value)
{
	uint32_t used = nr;
	const char *text;
	size_t len;
	int err;

	while (used && !to[(used - 1) * size])
		used--;
	err = check_texts(nr - used, size, key, value);
	if (err)
		return err;
	do {
		len = next_text(&value, &text);
		memset(to + used * size, 0, size);
		memcpy(to + used++ * size, text, len);
	} while (text[len]);
	return 0;
}

/* Set the field that key names in data, which is as large as the struct. */
int mg_params_fill(const struct btf *btf, uint32_t type_id, void *data,
		   const char *key, const char *value)
{
	struct field f = { .type_id = type_id };
	long long whole, size;
	const struct btf_type *t;
	uint32_t len;
	char type[96];
	void *to;

	if (find_key(btf, key, &f))
		return unknown_field(btf, type_id, key);
	whole = btf__resolve_size(btf, type_id);
	size = btf__resolve_size(btf, f.type_id);
	t = resolve(btf, &f.type_id);
	if (!t || f.bits || size <= 0 || f.offset + size > whole)
		goto unsettable;
	to = (char *)data + f.offset;
	if (btf_is_int(t) && size <= 8)
		return btf_int_encoding(t) & BTF_INT_BOOL ?
			put_bool(to, size, key, value) :
			put_int(to, size,
				btf_int_encoding(t) & BTF_INT_SIGNED, key,
				value);
	if (btf_is_enum(t) || btf_is_enum64(t))
		return put_enum(btf, t, to, key, value);
	if (btf_is_array(t) && is_text(btf, t))
		return put_text(to, size, key, value);
	if (btf_is_array(t) && is_texts(btf, t, &len) && len)
		return put_texts(to, btf_array(t)->nelems, len, key, value);
unsettable:
	type_name(btf, f.type_id, type, sizeof(type));
	return mg_fail(MEMGATE_ERR_INPUT, EINVAL, t && !f.bits &&
		       (btf_is_array(t) || btf_is_composite(t)) ?
		       "name one element of it: field[0] or field.member" :
		       NULL, "parameter '%s' cannot be set: it is %s", key,
		       f.bits ? "a bitfield" : type);
}

struct memgate_params *memgate_params__new(struct memgate_policy *policy)
{
	struct memgate_params *p;

	p = calloc(1, sizeof(*p) + policy->params_size);
	if (!p)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
				   "no memory for parameters");
	p->policy = policy;
	p->size = policy->params_size;
	return p;
}

/* Types are read at the first key: an install without any needs none. */
static int get_types(struct memgate_params *p)
{
	struct memgate_policy *policy = (struct memgate_policy *)p->policy;
	int err;

	if (p->types)
		return 0;
	err = mg_types_of_map(policy);
	if (err)
		return err;
	if (!mg_params_type(policy->types, &p->type_id) &&
	    (size_t)btf__resolve_size(policy->types, p->type_id) != p->size)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "in the policy, set .params_size = "
			       "sizeof(the struct given to MEMGATE_PARAMS())",
			       "policy %s declares params_size %zu, but its "
			       "parameters are %lld bytes", policy->name,
			       p->size, (long long)
			       btf__resolve_size(policy->types, p->type_id));
	p->types = policy->types;
	return 0;
}

int memgate_params__set(struct memgate_params *p, const char *key,
			const char *value)
{
	int err = get_types(p);

	if (err)
		return err;
	if (!p->type_id)
		return mg_fail(MEMGATE_ERR_INPUT, ENOENT, NULL,
			       "no parameter '%s'; policy %s has none", key,
			       p->policy->name);
	return mg_params_fill(p->types, p->type_id, p->data, key, value);
}

const void *memgate_params__data(const struct memgate_params *p, size_t *size)
{
	*size = p->size;
	return p->data;
}

void memgate_params__free(struct memgate_params *params)
{
	free(params);
}

int memgate_policy__fields(struct memgate_policy *policy,
			   int (*fn)(const struct memgate_field *, void *),
			   void *ctx)
{
	uint32_t type_id;
	int err;

	if (!policy->params_size)
		return 0;
	err = mg_types_of_map(policy);
	if (err)
		return err;
	if (mg_params_type(policy->types, &type_id))
		return 0;
	return mg_params_fields(policy->types, type_id, fn, ctx);
}
