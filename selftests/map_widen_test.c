// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings that become more: class MAP.  mremap makes them larger or makes
 * two of one, mprotect adds rights, fork gives them to a child.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "map_util.h"
#include "trace_util.h"

static long try_mremap_grow(int fd, long arg)
{
	char *map = map_of(arg);

	if (mremap(map, HALF, MG_LEN, 0) == MAP_FAILED)
		return mg_pages_match(map, 0, HALF) ? -errno : -EBADMSG;
	return good_map(map + HALF, HALF, HALF);
}

static long try_mremap_grow_move(int fd, long arg)
{
	char *map = map_of(arg), *to = map + MG_LEN, *got;

	got = mremap(map, HALF, MG_LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (got == MAP_FAILED)
		return mg_pages_match(map, 0, HALF) ? -errno : -EBADMSG;
	if (!mg_pages_match(got, 0, MG_LEN))
		return -EBADMSG;
	/* Back, and small again: never a question. */
	got = mremap(got, MG_LEN, HALF, MREMAP_MAYMOVE | MREMAP_FIXED, map);
	return got == map ? 0 : -errno;
}

static long try_mremap_duplicate(int fd, long arg)
{
	return good_map(mremap(map_of(arg), 0, HALF, MREMAP_MAYMOVE), 0, HALF);
}

static long try_mremap_dontunmap(int fd, long arg)
{
	char *map = map_of(arg);
	long ret;

	ret = good_map(mremap(map, HALF, HALF,
			      MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0), 0, HALF);
	return mg_pages_match(map, 0, HALF) ? ret : -EBADMSG;
}

/* Adds rights to a mapping and takes them away again. */
static long widen(long arg, int from, int to)
{
	char *map = map_of(arg);
	long ret;

	if (mprotect(map, MG_LEN, to))
		return -errno;
	ret = mg_matches(map, 0, MG_BYTES) ? 0 : -EBADMSG;
	if (to & PROT_WRITE)
		*(volatile char *)map = *map;
	return mprotect(map, MG_LEN, from) ? -errno : ret;
}

static long try_mprotect_write(int fd, long arg)
{
	return widen(arg, PROT_READ, PROT_READ | PROT_WRITE);
}

static long try_mprotect_read(int fd, long arg)
{
	return widen(arg, PROT_NONE, PROT_READ);
}

static long try_mprotect_exec(int fd, long arg)
{
	return widen(arg, PROT_READ, PROT_READ | PROT_EXEC);
}

/*
 * pkey_mprotect() is mprotect() with one more argument, and has its own way
 * in.  Without protection keys -1 is the one key that there is.
 */
static long try_pkey_mprotect(int fd, long arg)
{
	int key = syscall(__NR_pkey_alloc, 0, 0);
	char *map = map_of(arg);
	long ret = 0;

	if (syscall(__NR_pkey_mprotect, map, MG_LEN, PROT_READ | PROT_WRITE,
		    key))
		ret = -errno;
	else
		*(volatile char *)map = *map;
	if (!mg_matches(map, 0, MG_BYTES))
		ret = -EBADMSG;
	/* Back to what it was, and to key 0. */
	if (syscall(__NR_pkey_mprotect, map, MG_LEN, PROT_READ,
		    key < 0 ? -1 : 0))
		ret = -EPROTO;
	if (key >= 0)
		syscall(__NR_pkey_free, key);
	return ret;
}

/* -EACCES: the child does not have the range; the parent always does. */
static long fork_has(char *map)
{
	unsigned char vec[1];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (mincore(map, 4096, vec))
			_exit(errno == ENOMEM ? EACCES : errno);
		_exit(mg_pages_match(map, 0, MG_LEN) ? 0 : EBADMSG);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!mg_pages_match(map, 0, MG_LEN))
		return -EBADMSG;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static long try_fork(int fd, long arg)
{
	return fork_has(map_of(arg));
}

static long try_fork_private(int fd, long arg)
{
	return fork_has(map_of(arg));
}

MG_SCENE_FIXTURE(map)

/* hugetlb mappings do not grow, nor are they left behind. */
MAP_TEST(mremap_grow, have_half, .rights = MEMGATE_WRITE,
	 .lacks = NOT_HUGETLB)
MAP_TEST(mremap_grow_move, have_half, .rights = MEMGATE_WRITE,
	 .lacks = NOT_HUGETLB)
MAP_TEST(mremap_duplicate, have_half, .rights = MEMGATE_WRITE,
	 .lacks = NOT_HUGETLB)
MAP_TEST(mremap_dontunmap, have_half, .rights = MEMGATE_WRITE,
	 .lacks = NOT_HUGETLB)
MAP_TEST(mprotect_write, have_read_only, .rights = MEMGATE_WRITE)
MAP_TEST(mprotect_read, have_no_rights)
MAP_TEST(pkey_mprotect, have_read_only, .rights = MEMGATE_WRITE)
MAP_TEST(mprotect_exec, have_read_only, .rights = MEMGATE_EXEC)
MAP_TEST(fork, have_all, .rights = MEMGATE_WRITE)
MAP_TEST(fork_private, have_private)

/* Who shares the mappings instead of getting a copy is not asked about. ****/

static char *shared_map;

/* In a process or thread that has the same mm. */
static int look_and_mark(void *arg)
{
	bool good = mg_matches(shared_map + MG_AT, MG_AT, MG_BYTES);

	mg_fill(shared_map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
	_exit(good ? 0 : 1);
}

static long by_clone(void)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	int status;
	pid_t pid;

	pid = clone(look_and_mark, stack + sizeof(stack), CLONE_VM | SIGCHLD,
		    NULL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EBADMSG : 0;
}

static long by_vfork(void)
{
	int status;
	pid_t pid;

	pid = vfork();
	if (!pid)
		look_and_mark(NULL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return status ? -EBADMSG : 0;
}

/* Once in each state; a policy that answers no is not even asked. */
TEST_F_TIMEOUT(map, same_mm, 60)
{
	long (*const ways[])(void) = { by_clone, by_vfork };
	char *map = self->scene.map;
	struct mg_policy trace;
	int state, link = -1;
	size_t i;

	shared_map = map;
	mg_load(_metadata, &trace, "trace");
	ASSERT_EQ(0, mg_param(&trace, "map_answer", -EACCES));
	for (state = 0; state < 3; state++) {
		if (state == 1)
			ASSERT_EQ(0, mg_seal(self->scene.fd));
		if (state == 2) {
			link = mg_install(&trace, self->scene.fd);
			ASSERT_LE(0, link);
			ASSERT_EQ(0, mg_trace_reset(&trace));
		}
		for (i = 0; i < ARRAY_SIZE(ways); i++) {
			EXPECT_EQ(0, ways[i]());
			EXPECT_TRUE(mg_marked(map));
			mg_fill(map, 0, MG_LEN);
		}
	}
	EXPECT_EQ(0, mg_trace_count(&trace));
	/* That it counts: a copy is a question. */
	EXPECT_EQ(-EACCES, fork_has(map));
	EXPECT_LT(0, mg_trace_count(&trace));
	close(link);
	mg_policy_free(&trace);
}

/* What a mapping may become is settled when it is made **********************/

FIXTURE(settled) {
	struct mg_scene scene;
	struct mg_policy allow, read_only;
	int link;
	char *old;		/* for reading, older than the seal */
};

MG_MEM_VARIANTS(settled);

/* A gate that allows only reading. */
FIXTURE_SETUP(settled)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->old = mg_map(variant->mem, self->scene.fd, MG_LEN, PROT_READ,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->old);
	mg_load(_metadata, &self->allow, "allow");
	mg_load(_metadata, &self->read_only, "read_only");
	self->link = mg_install(&self->read_only, self->scene.fd);
	ASSERT_LE(0, self->link);
}

FIXTURE_TEARDOWN(settled)
{
	munmap(self->old, MG_LEN);
	close(self->link);
	mg_policy_free(&self->allow);
	mg_policy_free(&self->read_only);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

static char *map_to_read(struct mg_scene *s, int flags)
{
	return mg_map(s->mem, s->fd, MG_LEN, PROT_READ, flags, 0);
}

/* 0 or the errno of mprotect(); the mapping is as before afterwards. */
static int widened(char *map, int prot)
{
	int err = mprotect(map, MG_LEN, prot) ? errno : 0;

	return mprotect(map, MG_LEN, PROT_READ) ? EPROTO : err;
}

/* Made for reading only, it stays so whatever the policy becomes. */
TEST_F_TIMEOUT(settled, read_only, 60)
{
	char *map = map_to_read(&self->scene, MAP_SHARED), *again;

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_EXEC));
	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_EXEC));
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	/* A new mapping at the same place is another one. */
	again = mmap(map, MG_LEN, PROT_READ, MAP_SHARED | MAP_FIXED,
		     self->scene.fd, 0);
	ASSERT_EQ(map, again);
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_EXEC));
	munmap(map, MG_LEN);
}

/* Nor does it become more by being moved, doubled or given to a child. */
TEST_F_TIMEOUT(settled, moved, 60)
{
	char *map = map_to_read(&self->scene, MAP_SHARED), *to, *twin;
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	to = map_to_read(&self->scene, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, to);
	to = mremap(map, MG_LEN, MG_LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	ASSERT_NE(MAP_FAILED, to);
	EXPECT_EQ(EACCES, widened(to, PROT_READ | PROT_WRITE));
	if (variant->mem != MG_HUGETLB) {
		twin = mremap(to, 0, MG_LEN, MREMAP_MAYMOVE);
		ASSERT_NE(MAP_FAILED, twin);
		EXPECT_EQ(EACCES, widened(twin, PROT_READ | PROT_WRITE));
		munmap(twin, MG_LEN);
	}
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(widened(to, PROT_READ | PROT_WRITE));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(EACCES, WEXITSTATUS(status));
	munmap(to, MG_LEN);
}

/* Writes to a private mapping do not reach the memfd; running it reads it. */
TEST_F_TIMEOUT(settled, private_mapping, 60)
{
	char *map = map_to_read(&self->scene, MAP_PRIVATE);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_EXEC));
	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_EXEC));
	munmap(map, MG_LEN);
}

/* What was granted then is still asked about at the time of mprotect(). */
TEST_F_TIMEOUT(settled, made_wide, 60)
{
	char *map;

	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	map = map_to_read(&self->scene, MAP_SHARED);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_EXEC));
	ASSERT_EQ(0, mg_link_update(self->link, self->read_only.map_fd));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(map, PROT_READ | PROT_EXEC));
	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	EXPECT_EQ(0, widened(map, PROT_READ | PROT_WRITE));
	munmap(map, MG_LEN);
}

/* A mapping that is older than the seal has lost nothing: it is asked. */
TEST_F_TIMEOUT(settled, older, 60)
{
	EXPECT_EQ(EACCES, widened(self->old, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, widened(self->old, PROT_READ | PROT_EXEC));
	ASSERT_EQ(0, mg_link_update(self->link, self->allow.map_fd));
	EXPECT_EQ(0, widened(self->old, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, widened(self->old, PROT_READ | PROT_EXEC));
}

TEST_HARNESS_MAIN
