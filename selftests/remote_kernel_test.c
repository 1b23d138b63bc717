// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel itself reads a process's memory for another: for a BPF program,
 * for /proc.
 */
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "remote.h"
#include "see_util.h"
#include "policy_progs/look.h"

static char buf[MG_BYTES];

/*
 * A BPF program that copies from another task, which is handed to it by an
 * iterator over that task.  Owner and peer have the program from the start.
 */
static struct bpf_object *peeker;

static __attribute__((constructor)) void load_peeker(void)
{
	peeker = see_load("peek_task");
}

static int peek_by_bpf(pid_t pid, struct peek *peek)
{
	int map = bpf_object__find_map_fd_by_name(peeker, "peek");
	int prog = bpf_program__fd(bpf_object__next_program(peeker, NULL));
	union bpf_iter_link_info info = { .task.pid = pid };
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .iter_info = &info, .iter_info_len = sizeof(info));
	int link, iter, err = 0;
	__u32 key = 0;
	char none;

	if (bpf_map_update_elem(map, &key, peek, BPF_ANY))
		return -errno;
	link = bpf_link_create(prog, 0, BPF_TRACE_ITER, &opts);
	iter = bpf_iter_create(link);
	if (iter < 0 || read(iter, &none, 1) ||
	    bpf_map_lookup_elem(map, &key, peek))
		err = -EPROTO;
	close(iter);
	close(link);
	return err;
}

static long try_bpf_copy(int fd, long arg)
{
	struct peek peek = {
		.addr = (uintptr_t)map_of(arg) + MG_AT, .ret = -ENOMSG,
	};
	int err = peeker ? peek_by_bpf(other(), &peek) : -ENOENT;
	bool same = mg_matches(peek.bytes, MG_AT, sizeof(peek.bytes));

	if (err)
		return err;
	if (peek.ret)
		return same ? -ENOTRECOVERABLE : peek.ret;
	return same ? 0 : -EBADMSG;
}

/*
 * The kernel reads the command line and the environment of a process from
 * where the process says they are, but from anonymous memory only.
 */
static long map_as_strings(int fd, long arg)
{
	unsigned long start = (unsigned long)map_of(arg) + MG_AT;
	long ret = map_shared(fd, arg);

	if (ret)
		return ret;
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, start, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ARG_END, start + MG_BYTES, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ENV_START, start, 0, 0) ||
	    prctl(PR_SET_MM, PR_SET_MM_ENV_END, start + MG_BYTES, 0, 0))
		return -errno;
	return 0;
}

/* Where that works, to see that it does. */
static long fill_as_strings(int fd, long arg)
{
	long ret = map_as_strings(fd, arg);

	munmap(map_of(arg), MG_LEN);
	if (mmap(map_of(arg), MG_LEN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	mg_fill(map_of(arg), 0, 0x10000);
	return ret;
}

static long read_strings(const char *name)
{
	char path[64];
	int fd, err;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", other(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ESRCH;
	memset(buf, 0, sizeof(buf));
	n = read(fd, buf, MG_BYTES);
	err = errno;
	close(fd);
	if (mg_matches(buf, MG_AT, 64))
		return -ENOTRECOVERABLE;
	return n < 0 ? -err : n;
}

static long strings(int fd, long arg)
{
	return read_strings("cmdline") ?: read_strings("environ");
}

FIXTURE(remote_kernel) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(remote_kernel);

FIXTURE_SETUP(remote_kernel)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	peer_pid = self->scene.peer.pid;
}

FIXTURE_TEARDOWN(remote_kernel)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

TEST_F_TIMEOUT(remote_kernel, bpf_copy, 60)
{
	static const struct mg_access access = {
		.class = MEMGATE_REMOTE,
		.prepare = map_shared,
		.attempt = try_bpf_copy,
		.refused = EFAULT,
	};

	mg_mediated(_metadata, &self->scene, &access);
}

/* Not possible with any memfd, so that there is nothing to ask about. */
TEST_F_TIMEOUT(remote_kernel, cmdline, 60)
{
	struct mg_scene *s = &self->scene;
	struct mg_policy allow;
	int link, peer;

	for (peer = 0; peer < 2; peer++) {
		ASSERT_EQ(0, mg_run(s, !peer, fill_as_strings, MG_OLD));
		EXPECT_EQ(-ENOTRECOVERABLE, mg_run(s, peer, strings, MG_OLD));
		ASSERT_EQ(0, mg_run(s, !peer, map_as_strings, MG_OLD));
		EXPECT_LE(-EIO, mg_run(s, peer, strings, MG_OLD));
	}
	mg_load(_metadata, &allow, "allow");
	link = mg_install(&allow, s->fd);
	ASSERT_LE(0, link);
	for (peer = 0; peer < 2; peer++)
		EXPECT_LE(-EIO, mg_run(s, peer, strings, MG_OLD));
	close(link);
	mg_policy_free(&allow);
}

TEST_HARNESS_MAIN
