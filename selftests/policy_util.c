// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading a policy, and the link system calls, raw: what libbpf's own
 * wrappers cannot say (a target, parameters) is what the tests are about.
 */
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kselftest.h"
#include "memgate_util.h"
#include "param_util.h"

#define LOG_SIZE	(256 * 1024)

/* libbpf has one print callback: the log of the policy being loaded. */
static char *current_log;

static int to_log(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t used;

	if (!current_log || level == LIBBPF_DEBUG)
		return 0;
	used = strlen(current_log);
	vsnprintf(current_log + used, LOG_SIZE - used, fmt, ap);
	return 0;
}

/* build/selftests/PROGRAM finds build/selftests/progs and build/bpf. */
static int find_object(const char *name, char *path, size_t size)
{
	static const char *const dirs[] = { "progs", "../bpf",
					    "../bpf/examples" };
	char exe[4096], *dir;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	size_t i;

	if (n < 0)
		return -errno;
	exe[n] = '\0';
	dir = dirname(exe);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, size, "%s/%s/%s.bpf.o", dir, dirs[i], name);
		if (!access(path, R_OK))
			return 0;
	}
	printf("# no %s.bpf.o in progs or ../bpf of %s\n", name, dir);
	return -ENOENT;
}

/*
 * A struct_ops map is registered by the update that libbpf hides in its
 * attach; the link that this makes is one without a target and can go.
 */
static int register_map(struct bpf_map *map)
{
	struct bpf_link *link = bpf_map__attach_struct_ops(map);

	if (!link)
		return -errno;
	return bpf_link__destroy(link);
}

static int load_object(struct mg_policy *policy, const char *path,
		       bool registered)
{
	struct bpf_map *map;
	int err;

	policy->obj = bpf_object__open_file(path, NULL);
	if (!policy->obj)
		return -errno;
	err = bpf_object__load(policy->obj);
	if (err)
		return err;
	policy->params_size = mg_params_size(policy);
	if (policy->params_size > sizeof(policy->params))
		return -E2BIG;
	bpf_object__for_each_map(map, policy->obj) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		policy->map_fd = bpf_map__fd(map);
		return registered ? register_map(map) : 0;
	}
	return -ENOENT;
}

static int load_policy(struct mg_policy *policy, const char *name,
		       bool registered)
{
	char path[4200];
	int err;

	memset(policy, 0, sizeof(*policy));
	policy->map_fd = -1;
	policy->log = calloc(1, LOG_SIZE);
	if (!policy->log)
		return -ENOMEM;
	current_log = policy->log;
	libbpf_set_print(to_log);
	err = find_object(name, path, sizeof(path));
	if (!err)
		err = load_object(policy, path, registered);
	current_log = NULL;
	return err;
}

/* What mg_policy_preload() has loaded. */
static struct {
	const char *name;
	struct mg_policy policy;
} preloaded[8];

int mg_policy_load(struct mg_policy *policy, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(preloaded); i++) {
		if (!preloaded[i].name || strcmp(preloaded[i].name, name))
			continue;
		*policy = preloaded[i].policy;
		return 0;
	}
	return load_policy(policy, name, true);
}

void mg_policy_preload(const char *name)
{
	struct mg_policy policy;
	size_t i;

	if (mg_policy_load(&policy, name)) {
		mg_policy_free(&policy);
		return;
	}
	policy.preloaded = true;
	for (i = 0; i < ARRAY_SIZE(preloaded); i++) {
		if (preloaded[i].name)
			continue;
		preloaded[i].name = name;
		preloaded[i].policy = policy;
		return;
	}
}

int mg_policy_load_unregistered(struct mg_policy *policy, const char *name)
{
	return load_policy(policy, name, false);
}

void mg_policy_free(struct mg_policy *policy)
{
	if (policy->preloaded)
		return;
	bpf_object__close(policy->obj);
	free(policy->log);
	policy->obj = NULL;
	policy->log = NULL;
	policy->map_fd = -1;
}

int mg_policy_map(struct mg_policy *policy, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(policy->obj, name);

	return fd < 0 ? -ENOENT : fd;
}

static int sys_bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

int mg_install_raw(int map_fd, int target_fd, unsigned int flags,
		   const void *params, unsigned int params_len)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.map_fd = map_fd;
	attr.link_create.target_fd = target_fd;
	attr.link_create.attach_type = BPF_STRUCT_OPS;
	attr.link_create.flags = flags;
	attr.link_create.iter_info = (uintptr_t)params;
	attr.link_create.iter_info_len = params_len;
	return sys_bpf(BPF_LINK_CREATE, &attr);
}

int mg_install(const struct mg_policy *policy, int fd)
{
	return mg_install_raw(policy->map_fd, fd, BPF_F_STRUCT_OPS_FD,
			      policy->params_size ? policy->params : NULL,
			      policy->params_size);
}

int mg_link_update(int link_fd, int new_map_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_update.link_fd = link_fd;
	attr.link_update.new_map_fd = new_map_fd;
	return sys_bpf(BPF_LINK_UPDATE, &attr);
}

int mg_link_detach(int link_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_detach.link_fd = link_fd;
	return sys_bpf(BPF_LINK_DETACH, &attr);
}
