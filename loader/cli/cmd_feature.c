// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate feature probe: what the kernel has, what this process may do */
#include <errno.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cmd.h"

#ifndef MEMGATE_VERSION
#define MEMGATE_VERSION "0"
#endif

#define BPF_FS_MAGIC 0xcafe4a11

static const struct {
	const char *name;
	int nr;
} caps[] = {
	{ "cap_bpf", 39 },
	{ "cap_perfmon", 38 },
	{ "cap_sys_admin", 21 },
};

static unsigned long long effective_caps(void)
{
	unsigned long long set = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &set) == 1)
			break;
	fclose(f);
	return set;
}

static bool pins_on_bpffs(void)
{
	char dir[128];
	struct statfs st;
	char *slash;

	snprintf(dir, sizeof(dir), "%s", memgate_pin_dir());
	/* The last part is made by the first load. */
	if (statfs(dir, &st) || (unsigned int)st.f_type != BPF_FS_MAGIC) {
		slash = strrchr(dir, '/');
		if (slash != dir)
			*slash = '\0';
		if (statfs(dir, &st))
			return false;
	}
	return (unsigned int)st.f_type == BPF_FS_MAGIC;
}

/* A line, or a member of the object. */
static void show(struct json_object *obj, const char *name, bool have,
		 const char *what)
{
	if (obj)
		add_bool(obj, name, have);
	else
		printf("%-16s %s%-4s%s %s\n", name,
		       paint(have ? PAINT_GOOD : PAINT_BAD),
		       have ? "yes" : "no", paint(PAINT_END), what);
}

/* The same for a list of names, which it frees. */
static void show_list(struct json_object *obj, const char *name,
		      struct json_object *list)
{
	size_t i, nr = json_object_array_length(list);

	if (obj) {
		json_object_object_add(obj, name, list);
		return;
	}
	printf("%-16s %-4zu", name, nr);
	for (i = 0; i < nr; i++)
		printf(" %s", json_object_get_string(
			       json_object_array_get_idx(list, i)));
	putchar('\n');
	json_object_put(list);
}

static int by_text(const void *a, const void *b)
{
	struct json_object * const *x = a, * const *y = b;

	return strcmp(json_object_get_string(*x), json_object_get_string(*y));
}

/* Their order in BTF is that of whatever tool made it. */
static void add_names(struct json_object *list, const struct btf *btf,
		      int kind, const char *prefix)
{
	uint32_t id, nr = btf ? btf__type_cnt(btf) : 1;
	const struct btf_type *t;
	const char *name;

	for (id = 1; id < nr; id++) {
		t = btf__type_by_id(btf, id);
		if (btf_kind(t) != kind)
			continue;
		name = btf__name_by_offset(btf, t->name_off);
		/* A tracepoint is a typedef btf_trace_NAME. */
		if (!strncmp(name, prefix, strlen(prefix)))
			add_item(list, kind == BTF_KIND_TYPEDEF ?
				 name + strlen("btf_trace_") : name);
	}
	json_object_array_sort(list, by_text);
}

/* Members of the struct that a policy fills: which programs can exist. */
static struct json_object *ops_members(const struct btf *btf)
{
	struct json_object *list = json_object_new_array();
	const struct btf_type *t;
	const struct btf_member *m;
	int id, i;

	id = btf ? btf__find_by_name_kind(btf, "memgate_ops",
					  BTF_KIND_STRUCT) : -1;
	if (id < 0)
		return list;
	t = btf__type_by_id(btf, id);
	for (i = 0, m = btf_members(t); i < btf_vlen(t); i++, m++)
		add_item(list, btf__name_by_offset(btf, m->name_off));
	return list;
}

/* The classes that the kernel knows, which may be more or fewer than ours. */
static struct json_object *kernel_classes(const struct btf *btf)
{
	struct json_object *list = json_object_new_array();
	const struct btf_enum *e;
	const struct btf_type *t;
	const char *name;
	char buf[16];
	int id, i;

	id = btf ? btf__find_by_name_kind(btf, "memgate_class",
					  BTF_KIND_ENUM) : -1;
	if (id < 0)
		return list;
	t = btf__type_by_id(btf, id);
	for (i = 0, e = btf_enum(t); i < btf_vlen(t); i++, e++) {
		name = btf__name_by_offset(btf, e->name_off);
		if (strcmp(name, "MEMGATE_NR_CLASSES"))
			add_item(list, class_text(e->val, buf, sizeof(buf)));
	}
	return list;
}

static void show_abi(struct json_object *obj, const struct btf *btf)
{
	struct json_object *kfuncs = json_object_new_array();
	struct json_object *traces = json_object_new_array();
	bool iter = btf && btf__find_by_name_kind(btf, "bpf_iter__memgate",
						  BTF_KIND_STRUCT) > 0;

	show_list(obj, "members", ops_members(btf));
	add_names(kfuncs, btf, BTF_KIND_FUNC, "bpf_memgate_");
	add_names(kfuncs, btf, BTF_KIND_FUNC, "bpf_iter_memgate_");
	add_names(traces, btf, BTF_KIND_TYPEDEF, "btf_trace_memgate_");
	show_list(obj, "kfuncs", kfuncs);
	show(obj, "iterator", iter,
	     "gates without a holder in sight can be listed");
	show_list(obj, "tracepoints", traces);
	show_list(obj, "classes", kernel_classes(btf));
}

static void show_process(struct json_object *obj)
{
	unsigned long long set = effective_caps();
	size_t i;

	show(obj, "bpffs", pins_on_bpffs(),
	     "the pin directory is in a BPF file system");
	show(obj, "pin_dir", !access(memgate_pin_dir(), F_OK),
	     memgate_pin_dir());
	for (i = 0; i < ARRAY_SIZE(caps); i++)
		show(obj, caps[i].name, set >> caps[i].nr & 1,
		     "of this process");
	if (obj) {
		add_str(obj, "pin_path", memgate_pin_dir());
		add_str(obj, "version", MEMGATE_VERSION);
		add_str(obj, "libbpf", libbpf_version_string());
	} else {
		printf("%-16s %s, libbpf %s\n", "version", MEMGATE_VERSION,
		       libbpf_version_string());
	}
}

int cmd_feature_probe(struct words *w)
{
	struct json_object *obj = NULL;
	struct btf *btf;
	int seal, ops;

	if (w->nr)
		return no_more_words(w);
	if (json_output)
		obj = json_object_new_object();
	ops = memgate_probe_btf();
	/* The last one that fails is the one whose remedy is told. */
	seal = memgate_probe();
	if (ops && !seal)
		memgate_probe_btf();
	btf = btf__parse("/sys/kernel/btf/vmlinux", NULL);
	show(obj, "seal", !seal, "memfds take F_SEAL_ACCESS");
	show(obj, "memgate_ops", !ops,
	     "policies can be loaded (struct memgate_ops in BTF)");
	show_abi(obj, btf);
	btf__free(btf);
	show_process(obj);
	if (obj && (seal || ops)) {
		add_str(obj, "error", memgate_error_text());
		add_str(obj, "errno", strerrorname_np(seal ? -seal : -ops));
		add_str(obj, "hint", memgate_error_hint());
	}
	if (obj)
		print_json(obj);
	else if (seal || ops)
		return errno = seal ? -seal : -ops, report();
	return seal || ops ? EXIT_NO_MEMGATE : EXIT_OK;
}
