// SPDX-License-Identifier: GPL-2.0-only
/*
 * What policies are asked: that each access leads to the right question,
 * once, with the right operation, rights and range, and that the answer may
 * depend on them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "trace_util.h"
#include "loop_util.h"

#define HALF	MG_HUGE_SIZE
#define R	MEMGATE_READ
#define W	MEMGATE_WRITE
#define X	MEMGATE_EXEC

FIXTURE(question) {
	struct mg_scene scene;
	struct mg_policy trace;
	struct mg_gate gate;
	int fd, link;
};

MG_MEM_VARIANTS(question);

FIXTURE_SETUP(question)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->fd = self->scene.fd;
	ASSERT_EQ(0, mg_seal(self->fd));
	mg_load(_metadata, &self->trace, "trace");
	self->link = mg_install(&self->trace, self->fd);
	ASSERT_LE(0, self->link);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &self->gate));
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
}

FIXTURE_TEARDOWN(question)
{
	close(self->link);
	mg_policy_free(&self->trace);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

/* What all questions have in common. */
static void expect_common(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(question) *self,
			  const struct trace_event *e, pid_t tgid)
{
	EXPECT_EQ(self->gate.id, e->gate);
	EXPECT_EQ(MG_LEN, e->size);
	EXPECT_EQ(F_SEAL_ACCESS, e->seals);
	EXPECT_EQ(self->gate.premapped, e->premapped);
	EXPECT_EQ((__u32)tgid, e->tgid);
	EXPECT_EQ(0, e->device);
	EXPECT_EQ(0, e->attached);
	EXPECT_EQ(0, e->listed);
}

/* Question @nr since the last reset. */
static void expect_question(struct __test_metadata *const _metadata,
			    FIXTURE_DATA(question) *self, long nr, __u32 op,
			    __u32 rights, __u64 start, __u64 len)
{
	struct trace_event e = { 0 };

	ASSERT_EQ(0, mg_trace_get(&self->trace, nr, &e));
	EXPECT_EQ(TRACE_MAY_MAP, e.what);
	EXPECT_EQ(op, e.op);
	EXPECT_EQ(rights, e.rights);
	EXPECT_EQ(start, e.start);
	EXPECT_EQ(len, e.len);
	EXPECT_EQ(0, e.answer);
	expect_common(_metadata, self, &e, getpid());
}

/* The one question about a mapping since the last reset. */
static void expect_map(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(question) *self, __u32 op, __u32 rights,
		       __u64 start, __u64 len)
{
	EXPECT_EQ(1, mg_trace_count(&self->trace));
	expect_question(_metadata, self, 0, op, rights, start, len);
	mg_trace_reset(&self->trace);
}

/* What a new mapping asks: for itself, and for what it may be widened to. */
static void expect_mmap(struct __test_metadata *const _metadata,
			FIXTURE_DATA(question) *self, bool shared,
			__u32 rights, __u64 start, __u64 len)
{
	long nr = 0;

	expect_question(_metadata, self, nr++, MEMGATE_OP_MMAP, rights, start,
			len);
	if (shared && !(rights & W))
		expect_question(_metadata, self, nr++, MEMGATE_OP_MPROTECT,
				rights | R | W, start, len);
	if (!(rights & X))
		expect_question(_metadata, self, nr++, MEMGATE_OP_MPROTECT,
				rights | R | X, start, len);
	EXPECT_EQ(nr, mg_trace_count(&self->trace));
	mg_trace_reset(&self->trace);
}

/* The last of one or more questions of that kind, and there is no other. */
static void expect_attach(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(question) *self, __u32 kind,
			  __u32 rights, __u64 start, pid_t tgid)
{
	struct trace_event e = { 0 };
	long nr;

	nr = mg_trace_find(&self->trace, TRACE_MAY_ATTACH, kind, &e);
	EXPECT_LE(1, nr);
	EXPECT_EQ(nr, mg_trace_count(&self->trace));
	EXPECT_EQ(rights, e.rights);
	EXPECT_LE(start, e.start + e.len);
	EXPECT_LE(e.start, start);
	EXPECT_EQ(0, e.consumer);
	EXPECT_EQ((__u32)tgid, e.consumer_tgid);
	expect_common(_metadata, self, &e, tgid);
	mg_trace_reset(&self->trace);
}

static const struct {
	const char *name;
	int prot, flags;
	__u32 rights;
} mmaps[] = {
	{ "no rights", PROT_NONE, MAP_SHARED, 0 },
	{ "read", PROT_READ, MAP_SHARED, R },
	{ "write", PROT_WRITE, MAP_SHARED, R | W },
	{ "read, write", PROT_READ | PROT_WRITE, MAP_SHARED, R | W },
	{ "exec", PROT_READ | PROT_EXEC, MAP_SHARED, R | X },
	{ "all", PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, R | W | X },
	/* Writes to a private mapping do not reach the memfd. */
	{ "private", PROT_READ | PROT_WRITE, MAP_PRIVATE, R },
	{ "private, exec", PROT_READ | PROT_EXEC, MAP_PRIVATE, R | X },
};

TEST_F(question, mmap)
{
	size_t i;
	char *map;

	for (i = 0; i < ARRAY_SIZE(mmaps); i++) {
		map = mmap(NULL, HALF, mmaps[i].prot, mmaps[i].flags, self->fd,
			   HALF);
		ASSERT_NE(MAP_FAILED, map);
		expect_mmap(_metadata, self, mmaps[i].flags & MAP_SHARED,
			    mmaps[i].rights, HALF, HALF);
		if (_metadata->exit_code)
			TH_LOG("mapping for %s", mmaps[i].name);
		munmap(map, HALF);
	}
	EXPECT_EQ(0, mg_trace_count(&self->trace));
}

TEST_F(question, mprotect)
{
	char *map = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ,
			   MAP_SHARED, 0);

	ASSERT_NE(MAP_FAILED, map);
	expect_mmap(_metadata, self, true, R, 0, MG_LEN);
	ASSERT_EQ(0, mprotect(map + HALF, HALF, PROT_READ | PROT_WRITE));
	expect_map(_metadata, self, MEMGATE_OP_MPROTECT, R | W, HALF, HALF);
	/* Fewer rights, or the same, are no question. */
	ASSERT_EQ(0, mprotect(map + HALF, HALF, PROT_READ));
	ASSERT_EQ(0, mprotect(map, HALF, PROT_READ));
	ASSERT_EQ(0, mprotect(map, HALF, PROT_NONE));
	EXPECT_EQ(0, mg_trace_count(&self->trace));
	ASSERT_EQ(0, mprotect(map, HALF, PROT_READ));
	expect_map(_metadata, self, MEMGATE_OP_MPROTECT, R, 0, HALF);
	munmap(map, MG_LEN);
}

TEST_F(question, mremap)
{
	struct trace_event e = { 0 };
	char *map, *got;

	map = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
	/* Moving it and making it smaller gives nothing new. */
	got = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, got);
	ASSERT_EQ(0, mg_trace_reset(&self->trace));
	ASSERT_EQ(got, mremap(map, MG_LEN, MG_LEN,
			      MREMAP_MAYMOVE | MREMAP_FIXED, got));
	ASSERT_EQ(got, mremap(got, MG_LEN, HALF, 0));
	EXPECT_EQ(0, mg_trace_count(&self->trace));
	if (variant->mem == MG_HUGETLB)
		return;

	/* The part that is new, or more, is asked about. */
	map = mremap(got, HALF, MG_LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   &e));
	EXPECT_EQ(MEMGATE_OP_MREMAP, e.op);
	EXPECT_EQ(R, e.rights);
	EXPECT_LE(e.start, HALF);
	EXPECT_LE(MG_LEN, e.start + e.len);
	expect_common(_metadata, self, &e, getpid());
	ASSERT_EQ(0, mg_trace_reset(&self->trace));

	got = mremap(map, 0, MG_LEN, MREMAP_MAYMOVE);
	ASSERT_NE(MAP_FAILED, got);
	expect_map(_metadata, self, MEMGATE_OP_MREMAP, R, 0, MG_LEN);
	munmap(got, MG_LEN);
	munmap(map, MG_LEN);
}

/* One question for each mapping that the child would get, to the parent. */
TEST_F(question, fork)
{
	struct trace_event e;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(!mg_matches(self->scene.map, 0, MG_LEN));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_MAP, MEMGATE_MAP,
				   &e));
	EXPECT_EQ(MEMGATE_OP_FORK, e.op);
	EXPECT_EQ(R | W, e.rights);
	EXPECT_EQ(0, e.start);
	EXPECT_EQ(MG_LEN, e.len);
	expect_common(_metadata, self, &e, getpid());
}

static long peer_read(int fd, long arg)
{
	char buf[MG_BYTES];

	return pread(fd, buf, MG_BYTES, MG_AT) == MG_BYTES ? 0 : -errno;
}

TEST_F(question, file)
{
	char buf[MG_BYTES];

	ASSERT_EQ(MG_BYTES, pread(self->fd, buf, MG_BYTES, MG_AT));
	expect_attach(_metadata, self, MEMGATE_FILE, R, MG_AT, getpid());
	ASSERT_EQ(0, mg_peer_call(&self->scene.peer, peer_read, self->fd, 0));
	expect_attach(_metadata, self, MEMGATE_FILE, R, MG_AT,
		      self->scene.peer.pid);
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, MG_LEN));
	expect_attach(_metadata, self, MEMGATE_FILE, W, 0, getpid());
	ASSERT_EQ(0, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, HALF, HALF));
	expect_attach(_metadata, self, MEMGATE_FILE, W, HALF, getpid());
	if (variant->mem == MG_HUGETLB)
		return;
	ASSERT_EQ(MG_BYTES, pwrite(self->fd, buf, MG_BYTES, MG_AT));
	expect_attach(_metadata, self, MEMGATE_FILE, W, MG_AT, getpid());
}

TEST_F(question, own_pin)
{
	int backing = memfd_create("disk", MFD_CLOEXEC), disk;
	char *page = self->scene.map + MG_AT;

	ASSERT_EQ(0, ftruncate(backing, MG_LEN));
	disk = mg_loop_open(backing, O_RDWR | O_DIRECT);
	ASSERT_LE(0, disk);
	ASSERT_EQ(0, mg_trace_count(&self->trace));
	ASSERT_EQ(MG_BYTES, pwrite(disk, page, MG_BYTES, 0));
	expect_attach(_metadata, self, MEMGATE_OWN_PIN, R, MG_AT, getpid());
	ASSERT_EQ(MG_BYTES, pread(disk, page, MG_BYTES, 0));
	expect_attach(_metadata, self, MEMGATE_OWN_PIN, R | W, MG_AT,
		      getpid());
	close(disk);
	close(backing);
}

static long peer_vm_read(int fd, long addr)
{
	char buf[MG_BYTES];
	struct iovec local = { buf, MG_BYTES };
	struct iovec remote = { (void *)addr, MG_BYTES };

	return process_vm_readv(getppid(), &local, 1, &remote, 1, 0);
}

TEST_F(question, remote)
{
	char *page = self->scene.map + MG_AT;

	ASSERT_EQ(MG_BYTES, mg_peer_call(&self->scene.peer, peer_vm_read, -1,
					 (long)page));
	expect_attach(_metadata, self, MEMGATE_REMOTE, R, MG_AT,
		      self->scene.peer.pid);
}

/* Answers that depend on the question. */

static int install_answer(struct __test_metadata *const _metadata,
			  FIXTURE_DATA(question) *self, const char *field,
			  long long value)
{
	struct mg_policy answer;
	int link;

	mg_load(_metadata, &answer, "answer");
	EXPECT_EQ(0, mg_param(&answer, field, value));
	link = mg_install(&answer, self->fd);
	EXPECT_LE(0, link);
	mg_policy_free(&answer);
	return link;
}

TEST_F(question, read_only_policy)
{
	int link = install_answer(_metadata, self, "allow_rights", R);
	char buf[MG_BYTES], *map;

	EXPECT_EQ(MG_BYTES, pread(self->fd, buf, MG_BYTES, MG_AT));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	EXPECT_EQ(-1, fallocate(self->fd, FALLOC_FL_KEEP_SIZE, 0, MG_LEN));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, HALF));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HALF, PROT_READ | PROT_WRITE,
				   MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, HALF, PROT_READ | PROT_EXEC,
				   MAP_SHARED, self->fd, 0));
	EXPECT_EQ(EACCES, errno);
	map = mmap(NULL, HALF, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(mg_matches(map, 0, HALF));
	/* No way from there to more. */
	EXPECT_EQ(-1, mprotect(map, HALF, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(map, HALF, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(mg_matches(map, 0, HALF));
	munmap(map, HALF);
	/* A private copy may be written. */
	map = mmap(NULL, HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->fd,
		   0);
	ASSERT_NE(MAP_FAILED, map);
	map[0] = 0;
	EXPECT_TRUE(mg_matches(self->scene.map, 0, HALF));
	munmap(map, HALF);
	close(link);
}

/* mmap is allowed, fork is not: the child lacks what the parent has. */
TEST_F(question, no_fork_policy)
{
	int link = install_answer(_metadata, self, "allow_ops",
				  1 << MEMGATE_OP_MMAP |
				  1 << MEMGATE_OP_MPROTECT);
	unsigned char vec;
	char *map;
	int status;
	pid_t pid;

	map = mmap(NULL, HALF, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map, HALF, PROT_READ | PROT_WRITE));
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, HALF, MREMAP_MAYMOVE));
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(mincore(map, 4096, &vec) ? errno : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(ENOMEM, WEXITSTATUS(status));
	EXPECT_TRUE(mg_matches(map, 0, HALF));
	munmap(map, HALF);
	close(link);
}

/* mmap passes on what the policy said. */
TEST_F(question, own_errno)
{
	int link = install_answer(_metadata, self, "map_answer", -ENOTNAM);

	EXPECT_EQ(MAP_FAILED, mmap(NULL, HALF, PROT_READ, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(ENOTNAM, errno);
	close(link);
}

TEST_HARNESS_MAIN
