// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate policy check: what is in an object file, and would it be taken? */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "cmd.h"

static const char *map_type(uint32_t type)
{
	const char *name = libbpf_bpf_map_type_str(type);

	return name ? name : "unknown";
}

static struct json_object *programs_json(const struct memgate_policy_info *info)
{
	struct json_object *obj = json_object_new_object();
	size_t i;

	for (i = 0; i < info->nr_programs; i++)
		add_str(obj, info->programs[i].member, info->programs[i].name);
	return obj;
}

static struct json_object *maps_json(const struct memgate_policy_info *info)
{
	struct json_object *list = json_object_new_array(), *obj;
	size_t i;

	for (i = 0; i < info->nr_maps; i++) {
		obj = json_object_new_object();
		add_str(obj, "name", info->maps[i].name);
		add_str(obj, "type", map_type(info->maps[i].type));
		add_u64(obj, "max_entries", info->maps[i].max_entries);
		json_object_array_add(list, obj);
	}
	return list;
}

static struct json_object *kfuncs_json(const struct memgate_policy_info *info)
{
	struct json_object *list = json_object_new_array(), *obj;
	size_t i;

	for (i = 0; i < info->nr_kfuncs; i++) {
		obj = json_object_new_object();
		add_str(obj, "name", info->kfuncs[i].name);
		add_bool(obj, "optional", info->kfuncs[i].optional);
		if (!info->no_memgate)
			add_bool(obj, "found", info->kfuncs[i].found);
		json_object_array_add(list, obj);
	}
	return list;
}

static const char *verdict(const struct memgate_policy_info *info)
{
	if (info->nr_faults)
		return "refused";
	return info->no_memgate ? "unknown" : "taken";
}

static void print_info_json(const struct memgate_policy_info *info)
{
	struct json_object *obj = json_object_new_object();
	struct json_object *params = json_object_new_array();
	struct json_object *faults = json_object_new_array();
	struct memgate_policy *p = info->policy;
	size_t i;

	add_str(obj, "name", info->name);
	add_str(obj, "policy", memgate_policy__title(p));
	add_str(obj, "license", info->license);
	json_object_object_add(obj, "decides",
			       classes_json(memgate_policy__decides(p)));
	json_object_object_add(obj, "allows", policy_rules_json(p));
	json_object_object_add(obj, "programs", programs_json(info));
	add_u64(obj, "params_size", memgate_policy__params_size(p));
	memgate_policy__fields(p, show_policy_field, params);
	json_object_object_add(obj, "params", params);
	json_object_object_add(obj, "maps", maps_json(info));
	json_object_object_add(obj, "kfuncs", kfuncs_json(info));
	add_bool(obj, "kernel_has_memgate", !info->no_memgate);
	add_bool(obj, "may_load", !info->lacks);
	for (i = 0; i < info->nr_faults; i++)
		if (info->faults[i])
			add_item(faults, info->faults[i]);
	json_object_object_add(obj, "faults", faults);
	add_str(obj, "verdict", verdict(info));
	print_json(obj);
}

static void print_parts(const struct memgate_policy_info *info)
{
	const struct memgate_kfunc_info *k;
	size_t i;

	puts("\tprograms");
	for (i = 0; i < info->nr_programs; i++)
		printf("\t\t%-20s %s\n", info->programs[i].member,
		       info->programs[i].name);
	if (info->nr_maps)
		puts("\tmaps");
	for (i = 0; i < info->nr_maps; i++)
		printf("\t\t%-20s %s, %u entries\n", info->maps[i].name,
		       map_type(info->maps[i].type), info->maps[i].max_entries);
	if (info->nr_kfuncs)
		puts("\tkernel functions");
	for (i = 0; i < info->nr_kfuncs; i++) {
		k = info->kfuncs + i;
		printf("\t\t%s%s%s\n", k->name,
		       k->optional ? " (optional)" : "",
		       k->found || info->no_memgate ? "" : " MISSING");
	}
}

static void print_verdict(const struct memgate_policy_info *info)
{
	size_t i;

	printf("\tloading\tneeds CAP_BPF and CAP_PERFMON; this process %s%s\n",
	       info->lacks ? "lacks " : "has them", info->lacks ?: "");
	if (info->nr_faults)
		puts("\tverdict\trefused:");
	else if (info->no_memgate)
		puts("\tverdict\tunknown: this kernel has no memgate");
	else
		puts("\tverdict\ttaken, unless the verifier objects");
	for (i = 0; i < info->nr_faults; i++)
		if (info->faults[i])
			printf("\t\t%s\n", info->faults[i]);
}

static void print_info(const struct memgate_policy_info *info)
{
	struct memgate_policy *p = info->policy;

	printf("%s\n\tpolicy\t%s\n\tlicence\t%s\n\tdecides\t", info->name,
	       memgate_policy__title(p), info->license);
	print_classes(memgate_policy__decides(p));
	putchar('\n');
	print_policy_rules(p);
	printf("\tparams\t%u bytes\n", memgate_policy__params_size(p));
	/* What is wrong with them is among the faults. */
	memgate_policy__fields(p, show_policy_field, NULL);
	print_parts(info);
	print_verdict(info);
}

int cmd_policy_check(struct words *w)
{
	const char *file = next_word(w);
	struct memgate_policy_info *info;
	int code = EXIT_OK;

	if (!file)
		return report_usage("'policy check' needs a file");
	if (w->nr)
		return no_more_words(w);
	info = memgate_policy__inspect(file);
	if (!info)
		return report();
	if (json_output)
		print_info_json(info);
	else
		print_info(info);
	if (info->nr_faults)
		code = EXIT_REFUSED;
	else if (info->no_memgate)
		code = EXIT_NO_MEMGATE;
	memgate_policy_info__free(info);
	return code;
}
