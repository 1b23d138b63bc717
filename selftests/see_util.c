// SPDX-License-Identifier: GPL-2.0-only
/* The iterator over gates, run and read; and who may do so. */
#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "see_util.h"

static int to_comment(enum libbpf_print_level level, const char *fmt,
		      va_list ap)
{
	return 0;
}

struct bpf_object *see_load(const char *name)
{
	char exe[4096], path[4200];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct bpf_object *obj;
	int err;

	if (n < 0)
		return NULL;
	exe[n] = '\0';
	snprintf(path, sizeof(path), "%s/progs/%s.bpf.o", dirname(exe), name);
	libbpf_set_print(getenv("V") ? NULL : to_comment);
	obj = bpf_object__open_file(path, NULL);
	if (!obj)
		return NULL;
	err = bpf_object__load(obj);
	if (!err)
		return obj;
	bpf_object__close(obj);
	errno = -err;
	return NULL;
}

int see_iter_open(struct see_iter *iter)
{
	struct bpf_program *prog;

	iter->link = -1;
	iter->obj = see_load("see_iter");
	if (!iter->obj)
		return -errno;
	prog = bpf_object__next_program(iter->obj, NULL);
	iter->link = bpf_link_create(bpf_program__fd(prog), 0, BPF_TRACE_ITER,
				     NULL);
	return iter->link < 0 ? -errno : 0;
}

void see_iter_close(struct see_iter *iter)
{
	if (iter->link >= 0)
		close(iter->link);
	bpf_object__close(iter->obj);
	iter->obj = NULL;
	iter->link = -1;
}

char *see_iterate(int link, size_t chunk, int *reads)
{
	size_t len = 0, size = 0;
	char *text = NULL, *grown;
	int fd = bpf_iter_create(link), nr = 0;
	ssize_t n = -1;

	while (fd >= 0) {
		if (size - len < chunk + 1) {
			size = 2 * size + chunk + 1;
			grown = realloc(text, size);
			if (!grown)
				break;
			text = grown;
		}
		n = read(fd, text + len, chunk);
		if (n <= 0)
			break;
		len += n;
		nr++;
	}
	if (fd < 0 || n < 0) {
		free(text);
		text = NULL;
	} else {
		text[len] = '\0';
	}
	if (fd >= 0)
		close(fd);
	if (reads)
		*reads = nr;
	return text;
}

int see_lines(const char *text, const char *start)
{
	size_t len = strlen(start);
	int nr = 0;

	while (text && *text) {
		if (!strncmp(text, start, len))
			nr++;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return nr;
}

int see_become_nobody(uint64_t caps)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {
		{ caps, caps, caps },
		{ caps >> 32, caps >> 32, caps >> 32 },
	};
	unsigned long cap;

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return -errno;
	if (syscall(SYS_capset, &header, data))
		return -errno;
	/* So that they last through an exec. */
	for (cap = 0; cap < 64; cap++)
		if (caps >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			return -errno;
	return 0;
}

/* Its own /proc, so a mount namespace of its own as well. */
static int be_init(int (*fn)(int fd), int fd)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL))
		return 255;
	return fn(fd);
}

static int exit_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 255;
	return WEXITSTATUS(status);
}

int see_in_pid_namespace(int (*fn)(int fd), int fd)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWPID | CLONE_NEWNS))
			_exit(255);
		pid = fork();
		if (!pid)
			_exit(be_init(fn, fd));
		_exit(exit_status(pid));
	}
	status = exit_status(pid);
	return status <= 200 ? status : -1;
}
