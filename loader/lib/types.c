// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * The BTF of a loaded policy, which names its parameters.
 *
 * The kernel gives the BTF of a map only to CAP_SYS_ADMIN, but an
 * unprivileged VMM shall install a policy with parameters by name.  So a
 * copy is pinned beside the map, as the one value of a frozen array.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "internal.h"

/* libbpf says to stderr what is wrong with it, unless it is told not to. */
struct btf *mg_btf_new(const void *data, size_t size)
{
	struct btf *btf;

	if (size > UINT32_MAX)
		return NULL;
	mg_log_begin();
	btf = btf__new(data, size);
	free(mg_log_end());
	return btf;
}

static struct btf *read_pin(const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	struct bpf_map_info info;
	uint32_t len = sizeof(info);
	int __autoclose fd = -1;
	struct btf *btf = NULL;
	void *value;
	int key = 0;

	memset(&info, 0, sizeof(info));
	fd = bpf_obj_get_opts(path, &opts);
	if (fd < 0 || bpf_map_get_info_by_fd(fd, &info, &len) ||
	    info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(key))
		return NULL;
	value = malloc(info.value_size);
	if (value && !bpf_map_lookup_elem(fd, &key, value))
		btf = mg_btf_new(value, info.value_size);
	free(value);
	return btf;
}

/* Who loads with CAP_BPF alone may not read back what it loaded. */
static struct btf *copy_of(const struct btf *btf)
{
	const void *raw;
	uint32_t size;

	raw = btf ? btf__raw_data(btf, &size) : NULL;
	return raw ? mg_btf_new(raw, size) : NULL;
}

/* Make policy->types valid. */
int mg_types_of_map(struct memgate_policy *p)
{
	struct bpf_map_info info;
	uint32_t len = sizeof(info);

	if (p->types)
		return 0;
	memset(&info, 0, sizeof(info));
	if (p->obj)
		p->types = copy_of(bpf_object__btf(p->obj));
	if (!p->types &&
	    !bpf_map_get_info_by_fd(p->map_fd, &info, &len) && info.btf_id)
		p->types = btf__load_from_kernel_by_id(info.btf_id);
	if (!p->types && *p->types_pin)
		p->types = read_pin(p->types_pin);
	if (p->types)
		return 0;
	if (!info.btf_id)
		return mg_fail(MEMGATE_ERR_INPUT, ENODATA,
			       "compile the policy with -g",
			       "policy %s carries no types, so its parameters "
			       "have no names", p->name);
	return mg_fail(MEMGATE_ERR_REFUSED, EPERM,
		       "load it with 'memgate policy load FILE mode 0444', or "
		       "install as CAP_SYS_ADMIN",
		       "the parameter types of policy %s may not be read",
		       p->name);
}

int mg_types_pin(struct memgate_policy *p, const char *path)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int __autoclose fd = -1;
	const void *raw;
	uint32_t size;
	int key = 0;

	raw = btf__raw_data(p->types, &size);
	if (!raw)
		return -ENOMEM;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "memgate_types", sizeof(key),
			    size, 1, &opts);
	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(fd, &key, raw, BPF_ANY) ||
	    bpf_map_freeze(fd) || bpf_obj_pin(fd, path))
		return -errno;
	return 0;
}
