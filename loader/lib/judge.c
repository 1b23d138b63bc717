// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Would this kernel take the policy?  What it would refuse with a bare EINVAL
 * is said in words; only the verifier is not asked.
 */
#include <ctype.h>
#include <dirent.h>

#include <bpf/btf.h>

#include "params.h"

/* license_is_gpl_compatible() of the kernel */
static bool is_gpl_compatible(const char *license)
{
	static const char * const ok[] = {
		"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL",
		"Dual MIT/GPL", "Dual MPL/GPL",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ok); i++)
		if (!strcmp(license, ok[i]))
			return true;
	return false;
}

/* By the bytes: a name without an end is none. */
static void judge_name(struct memgate_policy_info *info, const struct btf *btf,
		       uint32_t ops_id, const struct mg_ops_data *ops)
{
	const struct btf_member *m = mg_ops_member(btf, ops_id, "name");
	const char *name, *s;
	size_t len, room = ops->size - m->offset / 8;

	/* mg_ops_read() has seen that it is there, of whatever length. */
	name = (const char *)ops->data + m->offset / 8;
	len = strnlen(name, room < MEMGATE_NAME_LEN ? room : MEMGATE_NAME_LEN);
	if (!len)
		mg_add_fault(info, "the policy has no name: set .name in its "
			     "struct memgate_ops");
	if (len == MEMGATE_NAME_LEN)
		mg_add_fault(info, "its name is longer than %d characters",
			     MEMGATE_NAME_LEN - 1);
	for (s = name; s < name + len; s++)
		if (!isalnum((unsigned char)*s) && *s != '_' && *s != '.')
			break;
	if (s < name + len)
		mg_add_fault(info, "its name has a '%c': letters, digits, _ "
			     "and . are possible", *s);
}

static void judge_file(struct memgate_policy_info *info, const struct btf *btf,
		       uint32_t ops_id, const struct mg_ops_data *ops)
{
	struct memgate_policy *p = info->policy;
	const char *class;
	uint32_t type_id;
	int missing;

	judge_name(info, btf, ops_id, ops);
	if (!p->decides)
		mg_add_fault(info, "it decides no class: set .decides in its "
			     "struct memgate_ops");
	missing = mg_ops_missing(btf, ops_id, ops, p->decides);
	class = missing < 0 ? NULL : memgate_class_name(missing);
	if (missing >= 0)
		mg_add_fault(info, "it decides class %s, but has no program "
			     "%s", class ? class : "(new)",
			     missing == MEMGATE_MAP ? "may_map" :
						      "may_attach");
	if (p->params_size > MEMGATE_PARAMS_MAX)
		mg_add_fault(info, "parameters of %u bytes: at most %u are "
			     "possible", p->params_size, MEMGATE_PARAMS_MAX);
	else if (mg_params_check(btf, p->title, p->params_size, &type_id))
		mg_add_fault(info, "%s", memgate_error_text());
	if (!is_gpl_compatible(info->license))
		mg_add_fault(info, "its licence '%s' is not compatible with "
			     "the GPL, which the kernel's functions ask for",
			     info->license);
}

/* Is anything but zero in a member that this kernel does not know? */
static bool is_set(const struct btf *btf, const struct btf_member *m,
		   const struct mg_ops_data *ops)
{
	long long size = btf__resolve_size(btf, m->type);
	const unsigned char *bytes = ops->data;
	size_t i, from = m->offset / 8;

	for (i = from; i < ops->size && (long long)(i - from) < size; i++)
		if (bytes[i])
			return true;
	return false;
}

static void judge_members(struct memgate_policy_info *info,
			  const struct btf *btf, uint32_t ops_id,
			  const struct mg_ops_data *ops,
			  const struct btf *kernel, uint32_t kernel_ops)
{
	const struct btf_type *t = btf__type_by_id(btf, ops_id);
	const struct btf_member *m = btf_members(t), *theirs;
	const char *name;
	int i;

	for (i = 0; i < btf_vlen(t); i++) {
		name = mg_btf_name(btf, m[i].name_off);
		theirs = mg_ops_member(kernel, kernel_ops, name);
		if (!theirs && is_set(btf, m + i, ops))
			mg_add_fault(info, "this kernel's struct memgate_ops "
				     "has no member %s", name);
		if (theirs && btf__resolve_size(btf, m[i].type) !=
			      btf__resolve_size(kernel, theirs->type))
			mg_add_fault(info, "in this kernel's struct "
				     "memgate_ops %s has another size", name);
	}
}

static void judge_classes(struct memgate_policy_info *info,
			  const struct btf *kernel)
{
	uint64_t decides = info->policy->decides;
	const struct btf_enum *e;
	const struct btf_type *t;
	int i, id, nr = 64;

	id = btf__find_by_name_kind(kernel, "memgate_class", BTF_KIND_ENUM);
	t = id < 0 ? NULL : btf__type_by_id(kernel, id);
	e = t ? btf_enum(t) : NULL;
	for (i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(mg_btf_name(kernel, e[i].name_off),
			    "MEMGATE_NR_CLASSES"))
			nr = e[i].val;
	for (i = nr; i >= 0 && i < 64; i++)
		if (decides >> i & 1)
			mg_add_fault(info, "it decides class %d, which this "
				     "kernel does not know", i);
}

static bool find_in_module(const char *module, const char *name)
{
	struct btf *btf;
	bool found;

	mg_log_begin();
	btf = btf__load_module_btf(module, mg_vmlinux_btf());
	free(mg_log_end());
	found = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
	btf__free(btf);
	return found;
}

static bool find_in_modules(const char *name)
{
	DIR *dir = opendir("/sys/kernel/btf");
	bool found = false;
	struct dirent *d;

	while (dir && !found && (d = readdir(dir)))
		if (d->d_name[0] != '.' && strcmp(d->d_name, "vmlinux"))
			found = find_in_module(d->d_name, name);
	if (dir)
		closedir(dir);
	return found;
}

static void judge_kfuncs(struct memgate_policy_info *info,
			 const struct btf *kernel)
{
	struct memgate_kfunc_info *k;
	size_t i;

	for (i = 0; i < info->nr_kfuncs; i++) {
		k = info->kfuncs + i;
		k->found = btf__find_by_name_kind(kernel, k->name,
						  BTF_KIND_FUNC) > 0 ||
			   find_in_modules(k->name);
		if (!k->found && !k->optional)
			mg_add_fault(info, "this kernel has no function %s",
				     k->name);
	}
}

void mg_judge(struct memgate_policy_info *info, uint32_t ops_id,
	      const struct mg_ops_data *ops)
{
	const struct btf *btf = info->policy->types;
	const struct btf *kernel;
	int id;

	info->lacks = mg_lacks_caps();
	info->no_memgate = memgate_probe_btf();
	if (mg_ops_read(btf, ops_id, ops, info->policy)) {
		mg_add_fault(info, "its struct memgate_ops lacks members: "
			     "compile it against memgate/policy.bpf.h");
		return;
	}
	judge_file(info, btf, ops_id, ops);
	if (info->no_memgate)
		return;
	kernel = mg_vmlinux_btf();
	id = btf__find_by_name_kind(kernel, "memgate_ops", BTF_KIND_STRUCT);
	judge_members(info, btf, ops_id, ops, kernel, id);
	judge_classes(info, kernel);
	judge_kfuncs(info, kernel);
}
