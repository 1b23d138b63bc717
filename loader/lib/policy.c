// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A policy object: from an object file, from a map. */
#include <fcntl.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "elf.h"

struct memgate_policy *mg_policy_new(void)
{
	struct memgate_policy *p = calloc(1, sizeof(*p));

	if (!p)
		return mg_fail_ptr(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
				   "no memory for a policy");
	p->map_fd = -1;
	p->link_fd = -1;
	return p;
}

void memgate_policy__free(struct memgate_policy *p)
{
	int i;

	if (!p)
		return;
	for (i = 0; i < MG_MAX_CLASSES; i++)
		free(p->rules[i]);
	mg_keys_free(p);
	mg_close(&p->link_fd);
	mg_close(&p->map_fd);
	btf__free(p->types);
	bpf_object__close(p->obj);
	free(p);
}

bool mg_is_memgate_ops(const struct btf *btf, uint32_t type_id)
{
	const struct btf_type *t = btf__type_by_id(btf, type_id);
	const char *name = t ? btf__name_by_offset(btf, t->name_off) : NULL;
	size_t len = strlen("memgate_ops");

	if (!name || !btf_is_struct(t))
		return false;

	/* name___flavour is the same type to CO-RE */
	return !strncmp(name, "memgate_ops", len) &&
	       (!name[len] || !strncmp(name + len, "___", 3));
}

/* The one struct memgate_ops of an open object. */
static struct bpf_map *find_ops(struct bpf_object *obj, const char *path)
{
	const struct btf *btf = bpf_object__btf(obj);
	struct bpf_map *found = NULL, *map;

	bpf_object__for_each_map(map, obj) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		if (!mg_is_memgate_ops(btf, bpf_map__btf_value_type_id(map)))
			return mg_fail_ptr(MEMGATE_ERR_INPUT, EINVAL, NULL,
					   "%s: %s is struct_ops of another "
					   "subsystem", path,
					   bpf_map__name(map));
		if (found)
			return mg_fail_ptr(MEMGATE_ERR_INPUT, EINVAL,
					   "put each policy into a file of "
					   "its own",
					   "%s has two policies, %s and %s",
					   path, bpf_map__name(found),
					   bpf_map__name(map));
		found = map;
	}
	if (!found)
		return mg_fail_ptr(MEMGATE_ERR_INPUT, ENOENT,
				   "a policy is a struct memgate_ops in "
				   "SEC(\".struct_ops.link\")",
				   "%s has no policy", path);
	if (!(bpf_map__map_flags(found) & BPF_F_LINK))
		return mg_fail_ptr(MEMGATE_ERR_INPUT, EINVAL,
				   "put it into SEC(\".struct_ops.link\")",
				   "%s: policy %s cannot be linked", path,
				   bpf_map__name(found));
	return found;
}

/* What the kernel would refuse with a bare EINVAL, said in words. */
static int check_ops(struct memgate_policy *p, const struct bpf_map *map,
		     const char *path)
{
	const struct btf *btf = bpf_object__btf(p->obj);
	uint32_t type_id = bpf_map__btf_value_type_id(map);
	struct mg_ops_data data;
	const char *class;
	int missing;

	data.data = bpf_map__initial_value(map, &data.size);
	if (!data.data || mg_ops_read(btf, type_id, &data, p))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "compile it against memgate/policy.bpf.h",
			       "%s: its struct memgate_ops lacks members",
			       path);
	if (!*p->title)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "set .name in its struct memgate_ops",
			       "%s: the policy has no name", path);
	if (!p->decides)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "set .decides in its struct memgate_ops",
			       "%s: the policy decides no class", path);
	missing = mg_ops_missing(btf, type_id, &data, p->decides);
	class = missing < 0 ? NULL : memgate_class_name(missing);
	if (missing >= 0)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "%s: the policy decides class %s, but has no "
			       "program %s", path, class ? class : "(new)",
			       missing == MEMGATE_MAP ? "may_map" :
							"may_attach");
	if (p->params_size > MEMGATE_PARAMS_MAX)
		return mg_fail(MEMGATE_ERR_INPUT, E2BIG, NULL,
			       "%s: parameters of %u bytes, at most %u are "
			       "possible", path, p->params_size,
			       MEMGATE_PARAMS_MAX);
	return 0;
}

/* The capabilities that loading takes and this process lacks, or NULL. */
const char *mg_lacks_caps(void)
{
	bool bpf, perfmon;

	if (mg_have_cap(MG_CAP_SYS_ADMIN))
		return NULL;
	bpf = mg_have_cap(MG_CAP_BPF);
	perfmon = mg_have_cap(MG_CAP_PERFMON);
	if (!bpf)
		return perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
	return perfmon ? NULL : "CAP_PERFMON";
}

static int check_caps(void)
{
	const char *lacks = mg_lacks_caps();

	if (!lacks)
		return 0;
	return mg_fail(MEMGATE_ERR_REFUSED, EPERM,
		       "have an administrator load it; installing a loaded "
		       "policy needs no privilege",
		       "loading a policy needs %s, which this process lacks",
		       lacks);
}

static int load_failed(const char *path, int err, const char *log)
{
	char verdict[1024] = "";

	if (log)
		mg_log_verdict(log, verdict, sizeof(verdict));
	if (*verdict)
		return mg_fail(MEMGATE_ERR_REFUSED, err,
			       "memgate -d shows the verifier's whole log",
			       "the verifier refused %s: %s", path, verdict);
	if (log)
		mg_log_complaint(log, verdict, sizeof(verdict));
	return mg_fail(MEMGATE_ERR_REFUSED, err,
		       err == EPERM ? "loading needs CAP_BPF and CAP_PERFMON" :
				      "memgate -d shows what libbpf says",
		       "the kernel refused to load %s: %s%s%s", path,
		       mg_errno_name(err), *verdict ? ", " : "", verdict);
}

static int register_failed(const struct memgate_policy *p, const char *path,
			   int err)
{
	return mg_fail(MEMGATE_ERR_REFUSED, err,
		       err == EINVAL ?
		       "its name takes letters, digits, _ and ., 31 at most; "
		       "it may decide only classes that this kernel knows" :
		       NULL, "the kernel refused to register policy %s of %s: "
		       "%s", p->title, path, mg_errno_name(err));
}

static int load(struct memgate_policy *p, struct bpf_map *map,
		const char *path)
{
	struct bpf_link *link;
	char *log;
	int err;

	mg_log_begin();
	err = bpf_object__load(p->obj);
	log = mg_log_end();
	if (err)
		err = load_failed(path, -err, log);
	free(log);
	if (err)
		return err;
	p->map_fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3);
	if (p->map_fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "%s: %s", path, mg_errno_name(errno));
	err = mg_map_id(p->map_fd, &p->map_id, p->name, sizeof(p->name));
	if (err)
		return mg_fail(MEMGATE_ERR_REFUSED, -err, NULL,
			       "%s: no info of its map: %s", path,
			       mg_errno_name(err));
	/* libbpf writes the ops into the map only when it attaches them. */
	mg_log_begin();
	link = bpf_map__attach_struct_ops(map);
	err = link ? 0 : errno;
	free(mg_log_end());
	if (!link)
		return register_failed(p, path, err);
	p->link_fd = fcntl(bpf_link__fd(link), F_DUPFD_CLOEXEC, 3);
	err = errno;
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	if (p->link_fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL, "%s: %s", path,
			       mg_errno_name(err));
	mg_link_map_id(p->link_fd, &p->link_id, &p->map_id);
	return 0;
}

/* libbpf has errnos of its own from 4000 on. */
static int open_failed(const char *path, int err)
{
	return mg_fail(MEMGATE_ERR_INPUT, err < 4000 ? err : EINVAL,
		       "memgate -d shows what libbpf says",
		       "%s is no BPF object file that libbpf can read", path);
}

/* What libbpf begins the names of maps of variables with. */
static void object_name(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');

	path = slash ? slash + 1 : path;
	snprintf(name, size, "%.*s", (int)strcspn(path, "."), path);
}

/* libbpf reads a file that it did not write itself: look first. */
static int open_object(struct memgate_policy *p, const char *path,
		       const void *data, size_t size)
{
	char name[64];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = name);
	int err;

	err = mg_check_object(data, size, path);
	if (err)
		return err;
	object_name(path, name, sizeof(name));
	mg_log_begin();
	p->obj = bpf_object__open_mem(data, size, &opts);
	err = p->obj ? 0 : errno;
	free(mg_log_end());
	return err ? open_failed(path, err) : 0;
}

static int load_object(struct memgate_policy *p, const char *path)
{
	struct bpf_map *map = find_ops(p->obj, path);
	uint32_t type_id;
	int err;

	err = map ? check_ops(p, map, path) : -errno;
	if (!err)
		err = mg_params_check(bpf_object__btf(p->obj), path,
				      p->params_size, &type_id);
	if (!err)
		err = memgate_probe();
	if (!err)
		err = check_caps();
	if (!err)
		err = memgate_probe_btf();
	if (!err)
		err = load(p, map, path);
	return err;
}

static struct memgate_policy *load_policy(const char *path, const void *data,
					  size_t size)
{
	struct memgate_policy *p = mg_policy_new();
	int err;

	if (!p)
		return NULL;
	err = open_object(p, path, data, size);
	if (!err)
		err = load_object(p, path);
	if (!err)
		return p;
	memgate_policy__free(p);
	errno = -err;
	return NULL;
}

struct memgate_policy *memgate_policy__load_mem(const void *data, size_t size,
						const char *name)
{
	if (!data || !size)
		return mg_fail_ptr(MEMGATE_ERR_INPUT, EINVAL, NULL,
				   "%s: the policy is empty", name);
	return load_policy(name, data, size);
}

struct memgate_policy *memgate_policy__load(const char *path)
{
	struct memgate_policy *p = NULL;
	void *data = NULL;
	size_t size = 0;
	int err;

	err = mg_read_object(path, &data, &size);
	if (!err) {
		p = load_policy(path, data, size);
		err = -errno;
	}
	free(data);
	errno = -err;
	return p;
}

struct memgate_policy *memgate_policy__from_map_fd(int map_fd)
{
	struct memgate_policy *p = mg_policy_new();
	int err;

	if (!p)
		return NULL;
	p->map_fd = fcntl(map_fd, F_DUPFD_CLOEXEC, 3);
	err = p->map_fd < 0 ? -errno :
		mg_map_id(p->map_fd, &p->map_id, p->name, sizeof(p->name));
	if (!err)
		err = mg_ops_read_map(p);
	if (!err)
		return p;
	memgate_policy__free(p);
	return mg_fail_ptr(err == -EINVAL || err == -ENOENT ?
			   MEMGATE_ERR_INPUT : MEMGATE_ERR_REFUSED, -err, NULL,
			   err == -EINVAL || err == -ENOENT ?
			   "this is no memgate policy" :
			   "cannot read a policy: %s", mg_errno_name(err));
}

const char *memgate_policy__name(const struct memgate_policy *p)
{
	return p->name;
}

const char *memgate_policy__title(const struct memgate_policy *p)
{
	return p->title;
}

int memgate_policy__map_fd(const struct memgate_policy *p)
{
	return p->map_fd;
}

uint32_t memgate_policy__map_id(const struct memgate_policy *p)
{
	return p->map_id;
}

uint32_t memgate_policy__link_id(const struct memgate_policy *p)
{
	return p->link_id;
}

uint64_t memgate_policy__decides(const struct memgate_policy *p)
{
	return p->decides;
}

uint32_t memgate_policy__params_size(const struct memgate_policy *p)
{
	return p->params_size;
}
