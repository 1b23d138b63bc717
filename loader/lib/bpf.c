// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Small wrappers of bpf(2) and of what decides whether it will be allowed. */
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <linux/bpf.h>
#include <linux/magic.h>

#include <bpf/bpf.h>

#include "internal.h"

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC 0xcafe4a11
#endif

/* Read from /proc, so that the library does not need libcap for one bit. */
int mg_have_cap(int cap)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *f;

	f = fopen("/proc/self/status", "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	fclose(f);
	return caps >> cap & 1;
}

/*
 * libbpf's bpf_link_create() refuses flags and targets for struct_ops, so
 * the attribute is filled here.  The parameters are at the place of
 * iter_info, see linux/memgate.h.
 */
int mg_link_create(int map_fd, int target_fd, uint32_t flags,
		   const void *params, uint32_t params_len)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.map_fd = map_fd;
	attr.link_create.target_fd = target_fd;
	attr.link_create.attach_type = BPF_STRUCT_OPS;
	attr.link_create.flags = flags;
	attr.link_create.iter_info = (uintptr_t)params;
	attr.link_create.iter_info_len = params_len;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

bool mg_is_bpffs(const char *path)
{
	struct statfs st;

	return !statfs(path, &st) && (uint32_t)st.f_type == BPF_FS_MAGIC;
}

/* Id and name of a struct_ops map; -EINVAL if it is another kind of map. */
int mg_map_id(int map_fd, uint32_t *id, char *name, size_t size)
{
	struct bpf_map_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_map_get_info_by_fd(map_fd, &info, &len))
		return -errno;
	if (info.type != BPF_MAP_TYPE_STRUCT_OPS)
		return -EINVAL;
	*id = info.id;
	if (name)
		snprintf(name, size, "%s", info.name);
	return 0;
}

/* -EINVAL if it is no struct_ops link; map id 0 if its target is gone. */
int mg_link_map_id(int link_fd, uint32_t *link_id, uint32_t *map_id)
{
	struct bpf_link_info info;
	uint32_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (bpf_link_get_info_by_fd(link_fd, &info, &len))
		return -errno;
	if (info.type != BPF_LINK_TYPE_STRUCT_OPS)
		return -EINVAL;
	*link_id = info.id;
	*map_id = info.struct_ops.map_id;
	return 0;
}
