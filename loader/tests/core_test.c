// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The part of the kernel's BTF that relocates a program. */
#include <bpf/btf.h>

#include "../lib/internal.h"
#include "tap.h"

/*
 * struct inner { int a; };
 * struct other { int b; };
 * typedef struct inner inner_t;
 * struct wanted { const inner_t in; struct other *to; struct inner three[3]; };
 */
static struct btf *make_kernel(void)
{
	struct btf *btf = btf__new_empty();
	int number, inner, other, in, to, three;

	number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	inner = btf__add_struct(btf, "inner", 4);
	btf__add_field(btf, "a", number, 0, 0);
	other = btf__add_struct(btf, "other", 4);
	btf__add_field(btf, "b", number, 0, 0);
	in = btf__add_const(btf, btf__add_typedef(btf, "inner_t", inner));
	to = btf__add_ptr(btf, other);
	three = btf__add_array(btf, number, inner, 3);
	btf__add_struct(btf, "wanted", 32);
	btf__add_field(btf, "in", in, 0, 0);
	btf__add_field(btf, "to", to, 64, 0);
	btf__add_field(btf, "three", three, 128, 0);
	return btf;
}

/* The part for a program that has one structure of this name. */
static struct btf *part_for(const char *name)
{
	struct btf *kernel = make_kernel(), *program = btf__new_empty();
	struct btf *part;

	btf__add_struct(program, name, 0);
	part = mg_core_part(kernel, program);
	btf__free(program);
	btf__free(kernel);
	return part;
}

static int find(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);
}

static const struct btf_type *member_type(const struct btf *btf, int nr)
{
	const struct btf_type *t = btf__type_by_id(btf, find(btf, "wanted"));

	return btf__type_by_id(btf, btf_members(t)[nr].type);
}

static bool has_name(const struct btf *btf, uint32_t offset, const char *name)
{
	return !strcmp(btf__name_by_offset(btf, offset), name);
}

static void named(void)
{
	struct btf *part = part_for("wanted");
	const struct btf_type *t;
	const char *names[] = { "in", "to", "three" };
	int i;

	EXPECT(part);
	EXPECT(find(part, "wanted") > 0);
	t = btf__type_by_id(part, find(part, "wanted"));
	EXPECT_NUM(t->size, 32);
	EXPECT_NUM(btf_vlen(t), 3);
	for (i = 0; i < 3; i++) {
		EXPECT(has_name(part, btf_members(t)[i].name_off, names[i]));
		EXPECT_NUM(btf_member_bit_offset(t, i), 64 * i);
	}
	btf__free(part);
}

static void contained(void)
{
	struct btf *part = part_for("wanted");
	const struct btf_type *inner, *three;

	EXPECT(part);
	inner = btf__type_by_id(part, find(part, "inner"));
	EXPECT(inner);
	EXPECT(member_type(part, 0) == inner);
	EXPECT_NUM(btf_kind(btf__type_by_id(part, btf_members(inner)->type)),
		   BTF_KIND_INT);
	three = member_type(part, 2);
	EXPECT(btf_is_array(three));
	EXPECT_NUM(btf_array(three)->nelems, 3);
	EXPECT(btf__type_by_id(part, btf_array(three)->type) == inner);
	EXPECT_NUM(btf__resolve_size(part, find(part, "wanted")), 32);
	btf__free(part);
}

static void pointed_to(void)
{
	struct btf *part = part_for("wanted");

	EXPECT(part);
	EXPECT(btf_is_ptr(member_type(part, 1)));
	EXPECT_NUM(member_type(part, 1)->type, 0);
	EXPECT(find(part, "other") < 0);
	btf__free(part);
}

static void views(void)
{
	struct btf *part = part_for("other___old");

	EXPECT(part);
	EXPECT(find(part, "other") > 0);
	EXPECT(find(part, "wanted") < 0);
	btf__free(part);
}

static void nothing(void)
{
	struct btf *part = part_for("unknown");

	EXPECT(part);
	EXPECT_NUM(btf__type_cnt(part), 1);
	btf__free(part);
}

const struct tap_test core_tests[] = {
	{ "the kernel's types for a program: those of its names", named },
	{ "what they contain comes with them", contained },
	{ "what they point to does not", pointed_to },
	{ "a view has the name without its suffix", views },
	{ "a name that the kernel does not have is left out", nothing },
	{ }
};
