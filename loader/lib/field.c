// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The fields of a policy's parameters, found by name in its BTF.
 *
 * The BTF may be anybody's, from a file that nobody has checked.  libbpf has
 * seen to it that ids and offsets of names are in range; that structs do not
 * hold themselves, and that members lie within them, is checked here once, by
 * mg_params_type(), and relied on by everything else.
 */
#include <ctype.h>

#include "params.h"

#define MAX_DEPTH	8	/* of nested structs, of dimensions */
#define MAX_MEMBERS	8192	/* of all structs, for each place they are at */

const char *mg_btf_name(const struct btf *btf, uint32_t offset)
{
	const char *name = btf__name_by_offset(btf, offset);

	return name ? name : "";
}

/* What a typedef of memgate/policy.bpf.h makes of a number. */
static enum mg_kind kind_of_typedef(const char *name)
{
	if (!strcmp(name, "memgate_classes_t"))
		return MG_CLASSES;
	if (!strcmp(name, "memgate_pci_addr_t"))
		return MG_PCI_ADDR;
	if (!strcmp(name, "memgate_pci_id_t"))
		return MG_PCI_ID;
	return MG_NONE;
}

/* Skip typedef, const, volatile; NULL if that leads nowhere. */
static const struct btf_type *resolve(const struct btf *btf, uint32_t *id,
				      enum mg_kind *special)
{
	const struct btf_type *t = btf__type_by_id(btf, *id);
	int hops = 0;

	while (t && (btf_is_mod(t) || btf_is_typedef(t)) && hops++ < 32) {
		if (btf_is_typedef(t) && *special == MG_NONE)
			*special = kind_of_typedef(mg_btf_name(btf,
							       t->name_off));
		*id = t->type;
		t = btf__type_by_id(btf, *id);
	}
	return t;
}

static enum mg_kind kind_of_int(const struct btf_type *t)
{
	uint8_t encoding = btf_int_encoding(t);

	if (t->size > 8 || !t->size || (t->size & (t->size - 1)) ||
	    btf_int_bits(t) != t->size * 8 || btf_int_offset(t))
		return MG_NONE;
	if (encoding & BTF_INT_BOOL)
		return MG_BOOL;
	return encoding & BTF_INT_SIGNED ? MG_SINT : MG_UINT;
}

static bool is_char(const struct btf *btf, uint32_t id)
{
	enum mg_kind special = MG_NONE;
	const struct btf_type *t = resolve(btf, &id, &special);

	return t && btf_is_int(t) && t->size == 1 &&
	       !strcmp(mg_btf_name(btf, t->name_off), "char");
}

static enum mg_kind kind_of(const struct btf *btf, const struct btf_type *t,
			    enum mg_kind special, bool flags)
{
	enum mg_kind kind;

	if (btf_is_int(t)) {
		kind = kind_of_int(t);
		return kind == MG_UINT && special != MG_NONE ? special : kind;
	}
	if (btf_is_enum(t) || btf_is_enum64(t)) {
		if (t->size > 8 || !t->size || (t->size & (t->size - 1)))
			return MG_NONE;
		return flags || mg_is_flags(btf, t) ? MG_FLAGS : MG_ENUM;
	}
	if (btf_is_array(t))
		return is_char(btf, btf_array(t)->type) ? MG_TEXT : MG_ARRAY;
	return btf_is_composite(t) ? MG_STRUCT : MG_NONE;
}

/* Kind, size and type of a field; its place is the caller's to say. */
static int set_type(const struct btf *btf, uint32_t id, struct mg_field *f)
{
	enum mg_kind special = MG_NONE;
	const struct btf_type *t = resolve(btf, &id, &special);
	long long size = btf__resolve_size(btf, id);

	f->type_id = id;
	f->kind = MG_NONE;
	if (!t || size < 0 || size > MEMGATE_PARAMS_MAX)
		return -EINVAL;
	f->bits = size * 8;
	f->kind = kind_of(btf, t, special, f->flags);
	f->nelems = btf_is_array(t) ? btf_array(t)->nelems : 0;
	return 0;
}

/* An enum, or an array of them: all that MEMGATE_FLAGS() is about. */
static bool has_enums(const struct btf *btf, uint32_t id)
{
	enum mg_kind special = MG_NONE;
	const struct btf_type *t = resolve(btf, &id, &special);
	int dimension;

	for (dimension = 0; t && btf_is_array(t) && dimension <= MAX_DEPTH;
	     dimension++) {
		id = btf_array(t)->type;
		t = resolve(btf, &id, &special);
	}
	return t && btf_is_any_enum(t);
}

static int set_member(const struct btf *btf, const struct mg_field *of, int i,
		      struct mg_field *f)
{
	const struct btf_type *t = btf__type_by_id(btf, of->type_id);
	uint32_t bit = btf_member_bit_offset(t, i);
	uint32_t bits = btf_member_bitfield_size(t, i);

	memset(f, 0, sizeof(*f));
	f->flags = has_enums(btf, btf_members(t)[i].type) &&
		   mg_is_tagged_flags(btf, of->type_id, i);
	f->struct_id = of->type_id;
	f->member = i;
	if (set_type(btf, btf_members(t)[i].type, f))
		return -EINVAL;
	if (bits > f->bits || (bits && f->kind > MG_PCI_ID))
		return -EINVAL;
	if (bits)
		f->bits = bits;
	else if (bit % 8)
		return -EINVAL;
	if ((uint64_t)bit + f->bits > of->bits)
		return -EINVAL;
	f->bit = of->bit + bit;
	return 0;
}

/* @f may be @array itself. */
int mg_field_element(const struct btf *btf, const struct mg_field *array,
		     uint32_t n, struct mg_field *f)
{
	const struct btf_type *t = btf__type_by_id(btf, array->type_id);
	struct mg_field e = *array;

	if (!t || !btf_is_array(t) || n >= array->nelems)
		return -ENOENT;
	if (set_type(btf, btf_array(t)->type, &e) ||
	    (uint64_t)e.bits * array->nelems > array->bits)
		return -EINVAL;
	e.bit += n * e.bits;
	*f = e;
	return 0;
}

/* Follow every struct once for each place it is at. */
static int check_members(const struct btf *btf, const struct mg_field *of,
			 int depth, int *budget)
{
	const struct btf_type *t = btf__type_by_id(btf, of->type_id);
	struct mg_field f;
	int i, dimension;

	if (depth > MAX_DEPTH)
		return -EINVAL;
	for (i = 0; i < btf_vlen(t); i++) {
		if (!(*budget)-- || set_member(btf, of, i, &f))
			return -EINVAL;
		for (dimension = 0; f.kind == MG_ARRAY && f.nelems;
		     dimension++)
			if (dimension == MAX_DEPTH ||
			    mg_field_element(btf, &f, 0, &f))
				return -EINVAL;
		if (f.kind == MG_STRUCT &&
		    check_members(btf, &f, depth + 1, budget))
			return -EINVAL;
	}
	return 0;
}

static int whole(const struct btf *btf, uint32_t type_id, struct mg_field *f)
{
	memset(f, 0, sizeof(*f));
	if (set_type(btf, type_id, f) || f->kind != MG_STRUCT)
		return -EINVAL;
	return 0;
}

/*
 * The struct behind the variable memgate_params.  -ENOENT if there is none,
 * -EINVAL if it is none that could be filled.
 */
int mg_params_type(const struct btf *btf, uint32_t *type_id)
{
	int budget = MAX_MEMBERS;
	struct mg_field f;
	int var;

	var = btf__find_by_name_kind(btf, "memgate_params", BTF_KIND_VAR);
	if (var < 0)
		return -ENOENT;
	if (whole(btf, btf__type_by_id(btf, var)->type, &f) ||
	    check_members(btf, &f, 0, &budget))
		return -EINVAL;
	*type_id = f.type_id;
	return 0;
}

/*
 * The same for a policy that says that it has @size bytes: the two must agree,
 * or no name is right.  @type_id is 0 if it declares no struct.
 */
int mg_params_check(const struct btf *btf, const char *policy, size_t size,
		    uint32_t *type_id)
{
	int err = mg_params_type(btf, type_id);
	long long have;

	if (err == -ENOENT)
		return *type_id = 0;
	if (err)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "declare a struct of at most 4096 bytes, "
			       "nested 8 deep at most, by MEMGATE_PARAMS()",
			       "%s: the type of its parameters cannot be used",
			       policy);
	have = btf__resolve_size(btf, *type_id);
	if (have >= 0 && (size_t)have == size)
		return 0;
	return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
		       "set .params_size = sizeof(the struct given to "
		       "MEMGATE_PARAMS())",
		       "%s: params_size is %zu, but its parameters are %lld "
		       "bytes", policy, size, have);
}

static const char *name_of_type(const struct btf *btf,
				const struct mg_field *f)
{
	return mg_btf_name(btf, btf__type_by_id(btf, f->type_id)->name_off);
}

/* The type in words, as errors and `policy show` print it. */
void mg_field_type(const struct btf *btf, const struct mg_field *f, char *buf,
		   size_t size)
{
	static const char * const words[] = {
		[MG_NONE] = "a type that cannot be set", [MG_BOOL] = "bool",
		[MG_ENUM] = "enum ", [MG_FLAGS] = "flags ",
		[MG_CLASSES] = "classes", [MG_PCI_ADDR] = "pci-address",
		[MG_PCI_ID] = "pci-id", [MG_TEXT] = "char",
		[MG_ARRAY] = "empty", [MG_STRUCT] = "struct ",
	};
	uint32_t dimension[MAX_DEPTH + 1];
	struct mg_field e = *f;
	size_t len;
	int i, nr = 0;

	while (e.kind == MG_ARRAY && e.nelems && nr < MAX_DEPTH) {
		dimension[nr++] = e.nelems;
		if (mg_field_element(btf, &e, 0, &e))
			break;
	}
	if (e.kind == MG_TEXT)
		dimension[nr++] = e.nelems;
	if (e.kind == MG_UINT || e.kind == MG_SINT)
		snprintf(buf, size, "%c%u", e.kind == MG_SINT ? 's' : 'u',
			 e.bits);
	else
		snprintf(buf, size, "%s%s", words[e.kind],
			 e.kind == MG_ENUM || e.kind == MG_FLAGS ||
			 e.kind == MG_STRUCT ? name_of_type(btf, &e) : "");
	for (i = 0; i < nr; i++) {
		len = strlen(buf);
		snprintf(buf + len, size - len, "[%u]", dimension[i]);
	}
	mg_printable(buf);
}

/*
 * Of an array of structs the struct, and "[0..7]" for the name; an array of
 * anything else is a parameter as it is.
 */
static void into_array(const struct btf *btf, struct mg_field *f, char *name,
		       size_t size)
{
	struct mg_field e = *f;
	size_t len;

	while (e.kind == MG_ARRAY && e.nelems)
		if (mg_field_element(btf, &e, 0, &e))
			return;
	if (e.kind != MG_STRUCT)
		return;
	while (f->kind == MG_ARRAY) {
		len = strlen(name);
		snprintf(name + len, size - len, "[0..%u]", f->nelems - 1);
		mg_field_element(btf, f, 0, f);
	}
}

struct walk {
	const struct btf *btf;
	int (*fn)(const struct memgate_field *field, void *ctx);
	void *ctx;
};

static int show_field(const struct walk *w, const struct mg_field *f,
		      char *name, const char *doc)
{
	char type[96], values[512], text[512];
	struct memgate_field field = { .name = name, .type = type };

	if (!*name)
		return 0;
	mg_printable(name);
	mg_field_type(w->btf, f, type, sizeof(type));
	if (mg_words_list(w->btf, f, values, sizeof(values)))
		field.values = values;
	if (doc) {
		snprintf(text, sizeof(text), "%s", doc);
		mg_printable(text);
		field.doc = text;
	}
	return w->fn(&field, w->ctx);
}

/* @doc: what is said of the member that @of is; its own say more. */
static int walk_members(const struct walk *w, const struct mg_field *of,
			const char *prefix, const char *doc)
{
	const struct btf_type *t = btf__type_by_id(w->btf, of->type_id);
	const struct btf_member *m = btf_members(t);
	const char *of_member;
	struct mg_field f;
	char name[256];
	int i, err = 0;

	for (i = 0; i < btf_vlen(t) && !err; i++) {
		if (set_member(w->btf, of, i, &f))
			return -EINVAL;
		snprintf(name, sizeof(name), "%s%s%s", prefix,
			 *prefix && m[i].name_off ? "." : "",
			 mg_btf_name(w->btf, m[i].name_off));
		into_array(w->btf, &f, name, sizeof(name));
		of_member = mg_doc_of_member(w->btf, of->type_id, i) ?: doc;
		err = f.kind == MG_STRUCT ?
			walk_members(w, &f, name, of_member) :
			show_field(w, &f, name, of_member);
	}
	return err;
}

int mg_params_fields(const struct btf *btf, uint32_t type_id,
		     int (*fn)(const struct memgate_field *, void *),
		     void *ctx)
{
	struct walk w = { .btf = btf, .fn = fn, .ctx = ctx };
	struct mg_field f;

	return whole(btf, type_id, &f) ?: walk_members(&w, &f, "", NULL);
}

/* A member by name, looking through anonymous structs and unions. */
static bool find_member(const struct btf *btf, const struct mg_field *of,
			const char *name, size_t len, struct mg_field *found)
{
	const struct btf_type *t = btf__type_by_id(btf, of->type_id);
	const struct btf_member *m = btf_members(t);
	struct mg_field f;
	const char *s;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		s = mg_btf_name(btf, m[i].name_off);
		if (*s && (strlen(s) != len || memcmp(s, name, len)))
			continue;
		if (set_member(btf, of, i, &f))
			return false;
		if (!*s && (f.kind != MG_STRUCT ||
			    !find_member(btf, &f, name, len, &f)))
			continue;
		*found = f;
		return true;
	}
	return false;
}

/* One [N] of a key. */
static int index_array(const struct btf *btf, const char **key,
		       struct mg_field *f)
{
	unsigned long n;
	char *end;

	if (!isdigit((unsigned char)(*key)[1]))
		return -ENOENT;
	n = strtoul(*key + 1, &end, 10);
	if (*end != ']' || n >= f->nelems || mg_field_element(btf, f, n, f))
		return -ENOENT;
	*key = end + 1;
	return 0;
}

int mg_field_find(const struct btf *btf, uint32_t type_id, const char *key,
		  struct mg_field *f)
{
	size_t len;

	if (whole(btf, type_id, f))
		return -ENOENT;
	for (;;) {
		len = strcspn(key, ".[");
		if (!len || f->kind != MG_STRUCT ||
		    !find_member(btf, f, key, len, f))
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
