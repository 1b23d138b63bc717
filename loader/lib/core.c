// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The part of the kernel's BTF that relocates one of our own programs.
 *
 * libbpf looks through all types of the kernel for each type of a program,
 * which is most of the time that loading takes.  Here they are looked through
 * once, and libbpf gets the few that have a name that the program uses, with
 * what these contain.  Programs that use types of modules, or relocate
 * anything but members, sizes and existence of structures, are not for this.
 */
#include <sys/mman.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "internal.h"

struct part {
	const struct btf *from;
	struct btf *to;
	/* What a type of @from is in @to; 0: not there yet. */
	uint32_t *ids;
};

static int take_type(struct part *p, uint32_t id);

static int add_array(struct part *p, const struct btf_type *t)
{
	const struct btf_array *a = btf_array(t);
	int index = take_type(p, a->index_type);
	int element = index < 0 ? index : take_type(p, a->type);

	return element < 0 ? element :
	       btf__add_array(p->to, index, element, a->nelems);
}

/* A pointer's target is of no interest, so that it comes to an end. */
static int add_one(struct part *p, const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return take_type(p, t->type);
	case BTF_KIND_ARRAY:
		return add_array(p, t);
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_FWD:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return btf__add_type(p->to, p->from, t);
	default:
		return btf__add_ptr(p->to, 0);
	}
}

/* Members of @t, which is type @id of p->to, now have the types of @to. */
static int take_members(struct part *p, const struct btf_type *t, int id)
{
	const struct btf_member *m = btf_members(t);
	struct btf_type *copy;
	int i, type;

	for (i = 0; i < btf_vlen(t); i++) {
		type = take_type(p, m[i].type);
		if (type < 0)
			return type;
		/* It moves when one is added. */
		copy = (struct btf_type *)btf__type_by_id(p->to, id);
		btf_members(copy)[i].type = type;
	}
	return 0;
}

/* The id of a type in p->to, where it has been put if it was not. */
static int take_type(struct part *p, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(p->from, id);
	int err = 0, new;

	if (!id || p->ids[id])
		return p->ids[id];
	new = t ? add_one(p, t) : -EINVAL;
	if (new < 0)
		return new;
	p->ids[id] = new;
	if (btf_is_composite(t))
		err = take_members(p, t, new);
	return err ?: new;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char * const *)a, *(char * const *)b);
}

/* pid___v2 is another view of the kernel's pid. */
static char *essential_name(const char *name)
{
	const char *end = strstr(name, "___");

	return end ? strndup(name, end - name) : strdup(name);
}

struct names {
	char **name;
	size_t nr;
};

static void free_names(struct names *names)
{
	while (names->nr)
		free(names->name[--names->nr]);
	free(names->name);
}

static bool has_name(const struct btf *btf, const struct btf_type *t)
{
	return t->name_off && (btf_is_composite(t) || btf_is_any_enum(t));
}

static int read_names(const struct btf *btf, struct names *names)
{
	uint32_t id, nr = btf__type_cnt(btf);
	const struct btf_type *t;
	char *name;

	names->nr = 0;
	names->name = calloc(nr, sizeof(*names->name));
	if (!names->name)
		return -ENOMEM;
	for (id = 1; id < nr; id++) {
		t = btf__type_by_id(btf, id);
		if (!has_name(btf, t))
			continue;
		name = essential_name(btf__name_by_offset(btf, t->name_off));
		if (!name)
			return -ENOMEM;
		names->name[names->nr++] = name;
	}
	qsort(names->name, names->nr, sizeof(*names->name), by_text);
	return 0;
}

static int take_named(struct part *p, const struct names *names)
{
	uint32_t id, nr = btf__type_cnt(p->from);
	const struct btf_type *t;
	const char *name;
	int err;

	for (id = 1; id < nr; id++) {
		t = btf__type_by_id(p->from, id);
		if (!has_name(p->from, t))
			continue;
		name = btf__name_by_offset(p->from, t->name_off);
		if (!bsearch(&name, names->name, names->nr,
			     sizeof(*names->name), by_text))
			continue;
		err = take_type(p, id);
		if (err < 0)
			return err;
	}
	return 0;
}

struct btf *mg_core_part(const struct btf *kernel, const struct btf *program)
{
	struct part p = { .from = kernel, .to = btf__new_empty() };
	struct names names = { 0 };
	int err = -ENOMEM;

	p.ids = calloc(btf__type_cnt(kernel), sizeof(*p.ids));
	if (p.to && p.ids)
		err = read_names(program, &names);
	if (!err)
		err = take_named(&p, &names);
	free_names(&names);
	free(p.ids);
	if (!err)
		return p.to;
	btf__free(p.to);
	return errno = -err, NULL;
}

/* libbpf takes a file by its path only. */
static int write_file(const struct btf *btf)
{
	const void *data;
	uint32_t size;
	int fd;

	data = btf__raw_data(btf, &size);
	if (!data)
		return -ENOMEM;
	fd = memfd_create("memgate-btf", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, data, size) != (ssize_t)size)
		mg_close(&fd);
	return fd;
}

static int make_file(const void *data, size_t size)
{
	struct btf *kernel = mg_vmlinux_btf(), *part = NULL;
	struct bpf_object *obj;
	int fd = -1;

	obj = kernel ? bpf_object__open_mem(data, size, NULL) : NULL;
	if (obj && bpf_object__btf(obj))
		part = mg_core_part(kernel, bpf_object__btf(obj));
	if (part)
		fd = write_file(part);
	btf__free(part);
	bpf_object__close(obj);
	return fd;
}

/*
 * Open an object that is part of the library.  @file has to stay open until it
 * is loaded.  It is -1 if something went wrong: then libbpf finds everything
 * by itself, and says what it does not find.
 */
struct bpf_object *mg_core_open(const void *data, size_t size, int *file)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	char path[64];

	*file = make_file(data, size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *file);
	if (*file >= 0)
		opts.btf_custom_path = path;
	return bpf_object__open_mem(data, size, &opts);
}
