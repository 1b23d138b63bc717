// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What is in the object file of a policy.  The file may be anything: it is read
 * by elf.c, which trusts nothing, and libbpf sees no more of it than its BTF,
 * whose ids and names it checks itself.
 */
#include <stdarg.h>

#include <bpf/btf.h>
#include <linux/bpf.h>

#include "elf.h"
#include "params.h"

/* The struct memgate_ops of a file, and where it is. */
struct found_ops {
	const char *name;	/* of its variable */
	uint32_t type_id;
	unsigned int section;
	uint64_t offset;
	struct mg_ops_data data;
	bool linkable;
	int nr;
};

/* A copy that may be printed, or NULL. */
static char *text_of(const char *s)
{
	char *copy = strdup(s);

	if (copy)
		mg_printable(copy);
	return copy;
}

/* Room for one more at the end of a list, zero; NULL if there is no memory. */
static void *one_more(void *list, size_t *nr, size_t size)
{
	void **array = list;
	char *grown = reallocarray(*array, *nr + 1, size);

	if (!grown)
		return NULL;
	*array = grown;
	grown += *nr * size;
	memset(grown, 0, size);
	(*nr)++;
	return grown;
}

void mg_add_fault(struct memgate_policy_info *info, const char *fmt, ...)
{
	char text[4096];
	char **fault;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fault = one_more(&info->faults, &info->nr_faults, sizeof(*fault));
	if (fault)
		*fault = text_of(text);
}

/* Types of a section's variables and functions, as BTF lists them. */
static const struct btf_type *section_types(const struct btf *btf,
					    const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_DATASEC);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

/* Skip typedef, const and the like. */
static uint32_t plain_type(const struct btf *btf, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	int hops = 0;

	while (t && (btf_is_mod(t) || btf_is_typedef(t)) && hops++ < 32) {
		id = t->type;
		t = btf__type_by_id(btf, id);
	}
	return id;
}

static int take_ops(const struct mg_elf *elf, const struct btf *btf,
		    const struct btf_type *var, unsigned int section,
		    struct found_ops *ops)
{
	const unsigned char *bytes;
	Elf64_Sym symbol;
	size_t size = 0;

	if (ops->nr++)
		return 0;
	ops->name = mg_btf_name(btf, var->name_off);
	ops->type_id = plain_type(btf, var->type);
	ops->section = section;
	bytes = mg_elf_bytes(elf, section, &size);
	if (!bytes || !mg_elf_find_symbol(elf, ops->name, &symbol) ||
	    symbol.st_shndx != section || symbol.st_value > size ||
	    symbol.st_size > size - symbol.st_value)
		return -EINVAL;
	ops->offset = symbol.st_value;
	ops->data.data = bytes + symbol.st_value;
	ops->data.size = symbol.st_size;
	return 0;
}

/* All struct_ops of one section.  -EINVAL: broken; -ENXIO: another's. */
static int find_in_section(const struct mg_elf *elf, const struct btf *btf,
			   const char *name, struct found_ops *ops)
{
	const struct btf_type *t = section_types(btf, name), *var;
	unsigned int section = mg_elf_section(elf, name);
	const struct btf_var_secinfo *v;
	int i, err = 0;

	if (!t || !section)
		return 0;
	v = btf_var_secinfos(t);
	for (i = 0; i < btf_vlen(t) && !err; i++) {
		var = btf__type_by_id(btf, v[i].type);
		if (!var || !btf_is_var(var))
			return -EINVAL;
		if (!mg_is_memgate_ops(btf, plain_type(btf, var->type)))
			return -ENXIO;
		err = take_ops(elf, btf, var, section, ops);
	}
	return err;
}

static int find_ops(const struct mg_elf *elf, const struct btf *btf,
		    const char *path, struct found_ops *ops)
{
	int err;

	err = find_in_section(elf, btf, ".struct_ops.link", ops);
	ops->linkable = ops->nr;
	if (!err)
		err = find_in_section(elf, btf, ".struct_ops", ops);
	if (err == -ENXIO)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "%s has struct_ops of another subsystem", path);
	if (err)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, "compile it again",
			       "%s: the policy in it cannot be read", path);
	if (ops->nr > 1)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "put each policy into a file of its own",
			       "%s has %d policies", path, ops->nr);
	if (ops->nr)
		return 0;
	return mg_fail(MEMGATE_ERR_INPUT, ENOENT,
		       "a policy is a struct memgate_ops in "
		       "SEC(\".struct_ops.link\")", "%s has no policy", path);
}

static int add_program(struct memgate_policy_info *info, const char *member,
		       const char *name)
{
	struct memgate_program_info *p;

	p = one_more(&info->programs, &info->nr_programs, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->member = text_of(member);
	p->name = text_of(name);
	return p->member && p->name ? 0 : -ENOMEM;
}

/*
 * Members that are relocated to a program.  @bytes: a copy of the ops, in which
 * they become something else than NULL, as libbpf has it.
 */
static int add_programs(struct memgate_policy_info *info,
			const struct mg_elf *elf, const struct btf *btf,
			const struct found_ops *ops, unsigned char *bytes)
{
	const struct btf_type *t = btf__type_by_id(btf, ops->type_id);
	const struct btf_member *m = btf_members(t);
	const char *member, *section;
	Elf64_Sym symbol;
	uint32_t at;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		at = btf_member_bit_offset(t, i) / 8;
		if (at >= ops->data.size ||
		    !btf_is_ptr(btf__type_by_id(btf, plain_type(btf,
								m[i].type))) ||
		    !mg_elf_target(elf, ops->section, ops->offset + at,
				   &symbol))
			continue;
		bytes[at] = 1;
		member = mg_btf_name(btf, m[i].name_off);
		section = mg_elf_section_name(elf, symbol.st_shndx);
		if (strstr(section, "struct_ops.s"))
			mg_add_fault(info, "%s is sleepable (SEC(\"%s\")): it "
				     "is asked where nobody may sleep", member,
				     section);
		if (add_program(info, member,
				mg_elf_symbol_name(elf, &symbol)))
			return -ENOMEM;
	}
	return 0;
}

/* __uint(name, N) of a map's definition: a pointer to an array of N. */
static uint32_t map_number(const struct btf *btf, uint32_t type_id,
			   const char *name)
{
	const struct btf_member *m = mg_ops_member(btf, type_id, name);
	const struct btf_type *t;

	t = m ? btf__type_by_id(btf, plain_type(btf, m->type)) : NULL;
	t = t && btf_is_ptr(t) ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_array(t) ? btf_array(t)->nelems : 0;
}

static int add_map(struct memgate_policy_info *info, const char *name,
		   uint32_t type, uint32_t max_entries)
{
	struct memgate_map_info *map;

	map = one_more(&info->maps, &info->nr_maps, sizeof(*map));
	if (!map)
		return -ENOMEM;
	map->name = text_of(name);
	map->type = type;
	map->max_entries = max_entries;
	return map->name ? 0 : -ENOMEM;
}

/* Those that the author declared, and those that hold his variables. */
static int add_maps(struct memgate_policy_info *info, const struct mg_elf *elf,
		    const struct btf *btf)
{
	const struct btf_type *t = section_types(btf, ".maps"), *var;
	const struct btf_var_secinfo *v = t ? btf_var_secinfos(t) : NULL;
	uint32_t type_id, i;
	const char *name;
	int err = 0;

	for (i = 0; t && i < btf_vlen(t) && !err; i++) {
		var = btf__type_by_id(btf, v[i].type);
		if (!var || !btf_is_var(var))
			continue;
		type_id = plain_type(btf, var->type);
		err = add_map(info, mg_btf_name(btf, var->name_off),
			      map_number(btf, type_id, "type"),
			      map_number(btf, type_id, "max_entries"));
	}
	for (i = 1; i < elf->nr_sections && !err; i++) {
		name = mg_elf_section_name(elf, i);
		if (elf->sections[i].sh_size &&
		    elf->sections[i].sh_type != SHT_REL &&
		    strcmp(name, ".rodata.memgate") &&
		    (!strncmp(name, ".rodata", 7) ||
		     !strncmp(name, ".data", 5) || !strncmp(name, ".bss", 4)))
			err = add_map(info, name, BPF_MAP_TYPE_ARRAY, 1);
	}
	return err;
}

static int add_kfuncs(struct memgate_policy_info *info,
		      const struct mg_elf *elf, const struct btf *btf)
{
	const struct btf_type *t = section_types(btf, ".ksyms"), *f;
	const struct btf_var_secinfo *v = t ? btf_var_secinfos(t) : NULL;
	struct memgate_kfunc_info *k;
	Elf64_Sym symbol;
	int i;

	for (i = 0; t && i < btf_vlen(t); i++) {
		f = btf__type_by_id(btf, v[i].type);
		if (!f || !btf_is_func(f))
			continue;
		k = one_more(&info->kfuncs, &info->nr_kfuncs, sizeof(*k));
		if (!k)
			return -ENOMEM;
		k->name = text_of(mg_btf_name(btf, f->name_off));
		if (!k->name)
			return -ENOMEM;
		k->optional = mg_elf_find_symbol(elf, k->name, &symbol) &&
			      ELF64_ST_BIND(symbol.st_info) == STB_WEAK;
	}
	return 0;
}

static int set_license(struct memgate_policy_info *info,
		       const struct mg_elf *elf)
{
	const char *bytes;
	char text[128];
	size_t size = 0;

	bytes = mg_elf_bytes(elf, mg_elf_section(elf, "license"), &size);
	if (size >= sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, bytes ? bytes : "", size);
	text[size] = '\0';
	info->license = text_of(text);
	return info->license ? 0 : -ENOMEM;
}

/* Everything that the file says; then what the kernel would say. */
static int describe(struct memgate_policy_info *info, const struct mg_elf *elf,
		    const struct found_ops *ops)
{
	struct memgate_policy *p = info->policy;
	struct mg_ops_data data = { NULL, ops->data.size };
	unsigned char *bytes;
	int err;

	bytes = malloc(data.size + 1);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, ops->data.data, data.size);
	data.data = bytes;
	snprintf(p->name, sizeof(p->name), "%.15s", ops->name);
	mg_printable(p->name);
	info->name = p->name;
	err = add_programs(info, elf, p->types, ops, bytes);
	if (!err)
		err = add_maps(info, elf, p->types);
	if (!err)
		err = add_kfuncs(info, elf, p->types);
	if (!err)
		err = set_license(info, elf);
	if (!err && !ops->linkable)
		mg_add_fault(info, "it cannot be linked: put it into "
			     "SEC(\".struct_ops.link\")");
	if (!err)
		mg_judge(info, ops->type_id, &data);
	free(bytes);
	return err;
}

static int inspect(struct memgate_policy_info *info, const struct mg_elf *elf,
		   const char *path)
{
	struct found_ops ops = { .nr = 0 };
	const void *types;
	size_t size = 0;
	int err;

	types = mg_elf_bytes(elf, mg_elf_section(elf, ".BTF"), &size);
	if (!types)
		return mg_fail(MEMGATE_ERR_INPUT, ENODATA,
			       "compile the policy with -g",
			       "%s carries no types (BTF)", path);
	info->policy->types = mg_btf_new(types, size);
	if (!info->policy->types)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, "compile it again",
			       "%s: its types (BTF) are broken", path);
	err = find_ops(elf, info->policy->types, path, &ops);
	if (err)
		return err;
	err = describe(info, elf, &ops);
	return err ? mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
			     "no memory to look at %s", path) : 0;
}

struct memgate_policy_info *mg_inspect(const void *data, size_t size,
				       const char *path)
{
	struct memgate_policy_info *info;
	struct mg_elf elf;
	int err;

	err = mg_check_object(data, size, path);
	if (err)
		return errno = -err, NULL;
	if (mg_elf_init(&elf, data, size))
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
				   "no memory to look at %s", path);
	info = calloc(1, sizeof(*info));
	if (info)
		info->policy = mg_policy_new();
	err = info && info->policy ? inspect(info, &elf, path) :
		mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL, "no memory");
	mg_elf_exit(&elf);
	if (!err)
		return info;
	memgate_policy_info__free(info);
	errno = -err;
	return NULL;
}

struct memgate_policy_info *memgate_policy__inspect(const char *path)
{
	struct memgate_policy_info *info;
	void *data = NULL;
	size_t size = 0;
	int err;

	err = mg_read_object(path, &data, &size);
	if (err)
		return errno = -err, NULL;
	info = mg_inspect(data, size, path);
	err = errno;
	free(data);
	errno = err;
	return info;
}

void memgate_policy_info__free(struct memgate_policy_info *info)
{
	size_t i;

	if (!info)
		return;
	for (i = 0; i < info->nr_programs; i++) {
		free((char *)info->programs[i].member);
		free((char *)info->programs[i].name);
	}
	for (i = 0; i < info->nr_maps; i++)
		free((char *)info->maps[i].name);
	for (i = 0; i < info->nr_kfuncs; i++)
		free((char *)info->kfuncs[i].name);
	for (i = 0; i < info->nr_faults; i++)
		free(info->faults[i]);
	free(info->programs);
	free(info->maps);
	free(info->kfuncs);
	free(info->faults);
	free((char *)info->license);
	memgate_policy__free(info->policy);
	free(info);
}
