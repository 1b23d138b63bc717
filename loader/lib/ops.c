// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * Read a struct memgate_ops by the names of its members, from an object
 * file (in the layout of the object's BTF) or from a loaded map (in the
 * kernel's), so that members may move and new ones come.
 */
#include <pthread.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>

#include "internal.h"

static struct btf *vmlinux_btf;

static void load_vmlinux_btf(void)
{
	vmlinux_btf = btf__load_vmlinux_btf();
}

/* Parsed once; takes a while for a whole kernel.  NULL with errno. */
struct btf *mg_vmlinux_btf(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load_vmlinux_btf);
	if (!vmlinux_btf)
		errno = ENOENT;
	return vmlinux_btf;
}

const struct btf_member *
mg_ops_member(const struct btf *btf, uint32_t type_id, const char *name)
{
	const struct btf_type *t = btf__type_by_id(btf, type_id);
	const struct btf_member *m;
	int i;

	if (!t || !btf_is_struct(t))
		return NULL;
	m = btf_members(t);
	for (i = 0; i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), name))
			return m + i;
	return NULL;
}

/* Copy a scalar or text member; what does not fit is left out. */
static bool get_member(const struct btf *btf, uint32_t type_id,
		       const struct mg_ops_data *data, const char *name,
		       void *to, size_t size)
{
	const struct btf_member *m = mg_ops_member(btf, type_id, name);
	long long have;

	if (!m || m->offset % 8)
		return false;
	have = btf__resolve_size(btf, m->type);
	if (have <= 0 || m->offset / 8 > data->size ||
	    (size_t)have > data->size - m->offset / 8)
		return false;
	memcpy(to, (const char *)data->data + m->offset / 8,
	       (size_t)have < size ? (size_t)have : size);
	return true;
}

/*
 * Fill title, decides and params_size of a policy.  Whatever else is wrong, the
 * title may be printed.
 */
int mg_ops_read(const struct btf *btf, uint32_t type_id,
		const struct mg_ops_data *data, struct memgate_policy *p)
{
	bool named;

	memset(p->title, 0, sizeof(p->title));
	named = get_member(btf, type_id, data, "name", p->title,
			   sizeof(p->title) - 1);
	mg_printable(p->title);
	if (!named ||
	    !get_member(btf, type_id, data, "decides", &p->decides,
			sizeof(p->decides)) ||
	    !get_member(btf, type_id, data, "params_size", &p->params_size,
			sizeof(p->params_size)))
		return -EINVAL;
	return 0;
}

/*
 * A decided class whose program is missing, or -1.  In an object file a
 * member that has a program is not NULL.
 */
int mg_ops_missing(const struct btf *btf, uint32_t type_id,
		   const struct mg_ops_data *data, uint64_t decides)
{
	uint64_t map = MEMGATE_CLASS(MEMGATE_MAP);
	void *prog;

	prog = NULL;
	get_member(btf, type_id, data, "may_map", &prog, sizeof(prog));
	if ((decides & map) && !prog)
		return MEMGATE_MAP;
	prog = NULL;
	get_member(btf, type_id, data, "may_attach", &prog, sizeof(prog));
	if ((decides & ~map) && !prog)
		return __builtin_ctzll(decides & ~map);
	return -1;
}

/*
 * The value of a loaded map, to be freed; NULL with errno.  It is a struct
 * bpf_struct_ops_... of the kernel with the ops as member "data".  ENOENT: not
 * memgate's.
 */
static void *read_value(int map_fd, struct mg_ops_data *data,
			uint32_t *type_id)
{
	const struct btf *btf = mg_vmlinux_btf();
	const struct btf_member *m;
	struct bpf_map_info info;
	uint32_t len = sizeof(info);
	const struct btf_type *t;
	const char *name;
	void *value;
	int key = 0;
	int err;

	memset(&info, 0, sizeof(info));
	if (!btf || bpf_map_get_info_by_fd(map_fd, &info, &len))
		return NULL;
	m = mg_ops_member(btf, info.btf_vmlinux_value_type_id, "data");
	t = m ? btf__type_by_id(btf, m->type) : NULL;
	name = t ? btf__name_by_offset(btf, t->name_off) : "";
	if (strcmp(name, "memgate_ops"))
		return errno = ENOENT, NULL;
	value = calloc(1, info.value_size);
	if (value && bpf_map_lookup_elem(map_fd, &key, value)) {
		err = errno;
		free(value);
		return errno = err, NULL;
	}
	*type_id = m->type;
	data->data = (char *)value + m->offset / 8;
	data->size = info.value_size - m->offset / 8;
	return value;
}

/* Fill the same members from a loaded map; -ENOENT: not memgate's. */
int mg_ops_read_map(struct memgate_policy *p)
{
	struct mg_ops_data data;
	uint32_t type_id;
	void *value;
	int err;

	value = read_value(p->map_fd, &data, &type_id);
	if (!value)
		return -errno;
	err = mg_ops_read(mg_vmlinux_btf(), type_id, &data, p);
	free(value);
	return err;
}

/*
 * The id of the program that a loaded policy has as member @name; 0: none.
 * The kernel puts it where an object file has the program's address.
 */
int mg_ops_program(int map_fd, const char *name, uint32_t *id)
{
	struct mg_ops_data data;
	uint64_t prog = 0;
	uint32_t type_id;
	void *value;
	bool have;

	value = read_value(map_fd, &data, &type_id);
	if (!value)
		return -errno;
	have = get_member(mg_vmlinux_btf(), type_id, &data, name, &prog,
			  sizeof(prog));
	free(value);
	*id = prog;
	return have ? 0 : -ENOENT;
}
