// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate feature probe */
#include <errno.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cmd.h"

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

static void show(struct json_object *obj, const char *name, bool have,
		 const char *what)
{
	if (obj)
		add_bool(obj, name, have);
	else
		printf("%-16s %-4s %s\n", name, have ? "yes" : "no", what);
}

int cmd_feature_probe(struct words *w)
{
	struct json_object *obj = NULL;
	unsigned long long set;
	int seal, btf;
	size_t i;

	if (w->nr)
		return no_more_words(w);
	seal = memgate_probe();
	btf = memgate_probe_btf();
	if (json_output)
		obj = json_object_new_object();
	show(obj, "seal", !seal, "memfds take F_SEAL_ACCESS");
	show(obj, "memgate_ops", !btf,
	     "policies can be loaded (struct memgate_ops in BTF)");
	show(obj, "bpffs", pins_on_bpffs(), memgate_pin_dir());
	set = effective_caps();
	for (i = 0; i < ARRAY_SIZE(caps); i++)
		show(obj, caps[i].name, set >> caps[i].nr & 1,
		     "of this process");
	if (obj)
		print_json(obj);
	return seal || btf ? EXIT_NO_MEMGATE : EXIT_OK;
}
