// SPDX-License-Identifier: GPL-2.0-only
/*
 * File access that is more than one call: loop devices over the memfd, holes
 * through a mapping, and the memfd as a program.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"

/* A loop device of each age; the new one is made under a policy. */
static int disks[MG_AGES] = { -1, -1 };
static char *maps[MG_AGES];
static char buf[MG_BYTES] __attribute__((aligned(4096)));

static int make_loop(int fd, long arg, int flags)
{
	int *disk = &disks[MG_ARG_AGE(arg)];

	if (*disk >= 0)
		close(*disk);
	*disk = mg_loop_open(fd, flags | O_DIRECT);
	return *disk < 0 ? -errno : 0;
}

static long loop_read_only(int fd, long arg)
{
	return make_loop(fd, arg, O_RDONLY);
}

static long loop_writable(int fd, long arg)
{
	return make_loop(fd, arg, O_RDWR);
}

static long try_loop_read(int fd, long arg)
{
	int disk = disks[MG_ARG_AGE(arg)];
	ssize_t n;

	memset(buf, 0, sizeof(buf));
	n = pread(disk, buf, MG_BYTES, MG_AT);
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -errno;
	return mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static long try_loop_write(int fd, long arg)
{
	int disk = disks[MG_ARG_AGE(arg)];
	ssize_t n;

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	n = pwrite(disk, buf, MG_BYTES, MG_AT);
	return n < 0 ? -errno : n == MG_BYTES ? 0 : -EIO;
}

static long map_it(int fd, long arg)
{
	char **map = &maps[MG_ARG_AGE(arg)];

	if (*map)
		munmap(*map, MG_LEN);
	*map = mg_map(MG_ARG_MEM(arg), fd, MG_LEN, PROT_READ | PROT_WRITE,
		      MAP_SHARED, 0);
	if (*map != MAP_FAILED)
		return 0;
	*map = NULL;
	return -errno;
}

static long try_madv_remove(int fd, long arg)
{
	return madvise(maps[MG_ARG_AGE(arg)] + MG_HUGE_SIZE, MG_HUGE_SIZE,
		       MADV_REMOVE) ? -errno : 0;
}

static bool hole_punched(const char *map)
{
	const char *p = map + MG_HUGE_SIZE;

	return !p[0] && !memcmp(p, p + 1, MG_HUGE_SIZE - 1);
}

FIXTURE(more) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(more);

FIXTURE_SETUP(more)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(more)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define MORE_TEST(name, set_up, errno_seen, ...)			\
	TEST_F_TIMEOUT(more, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_FILE,				\
			.prepare = set_up,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

/* The block layer knows one error for all.  There are none on hugetlbfs. */
MORE_TEST(loop_read, loop_read_only, EIO, .lacks = 1 << MG_HUGETLB)
MORE_TEST(loop_write, loop_writable, EIO, .changed = mg_marked,
	  .lacks = 1 << MG_HUGETLB)
MORE_TEST(madv_remove, map_it, EACCES, .changed = hole_punched)

/* Programs ******************************************************************/

FIXTURE(exec) {
	int fd;
};

FIXTURE_VARIANT(exec) {
	enum mg_mem mem;
};

/* hugetlbfs cannot be written as a program is, and ELF wants small pages. */
FIXTURE_VARIANT_ADD(exec, page_4k) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(exec, thp) { .mem = MG_THP };

static long copy_program(const char *path, int to)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *map;
	long ret;

	if (from < 0 || fstat(from, &st))
		return -errno;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	close(from);
	if (map == MAP_FAILED)
		return -errno;
	ret = pwrite(to, map, st.st_size, 0) == st.st_size ? 0 : -EIO;
	munmap(map, st.st_size);
	return ret;
}

FIXTURE_SETUP(exec)
{
	self->fd = mg_memfd(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, copy_program("/bin/true", self->fd));
}

FIXTURE_TEARDOWN(exec)
{
	close(self->fd);
}

/*
 * 0: it ran; -errno: execveat() said so; -ECHILD: it was killed on the way,
 * after the point of no return.
 */
static long run_program(int fd)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	volatile int err = 0;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = vfork();
	if (!pid) {
		syscall(__NR_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		err = errno;
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return err ? -err : status ? -ECHILD : 0;
}

/* Reading the program is class FILE, mapping it class MAP: it needs both. */
TEST_F(exec, program)
{
	static const struct {
		uint64_t classes;
		long expected;
	} cases[] = {
		{ MEMGATE_CLASS(MEMGATE_FILE) | MEMGATE_CLASS(MEMGATE_MAP), 0 },
		{ MEMGATE_CLASS(MEMGATE_FILE), -ECHILD },
		{ MEMGATE_CLASS(MEMGATE_MAP), -EACCES },
	};
	struct mg_policy allow, deny, answer;
	int link;
	size_t i;

	ASSERT_EQ(0, run_program(self->fd));
	ASSERT_EQ(0, mg_seal(self->fd)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	EXPECT_EQ(-EACCES, run_program(self->fd));
	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &deny, "deny");
	link = mg_install(&allow, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, run_program(self->fd));
	ASSERT_EQ(0, mg_link_update(link, deny.map_fd));
	EXPECT_EQ(-EACCES, run_program(self->fd));
	ASSERT_EQ(0, mg_link_update(link, allow.map_fd));
	EXPECT_EQ(0, run_program(self->fd));

	mg_load(_metadata, &answer, "answer");
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = mg_memfd(variant->mem, MG_LEN), one;

		ASSERT_LE(0, fd);
		ASSERT_EQ(0, copy_program("/bin/true", fd));
		ASSERT_EQ(0, mg_param(&answer, "allow_classes",
				      cases[i].classes));
		one = mg_install(&answer, fd);
		ASSERT_LE(0, one);
		EXPECT_EQ(cases[i].expected, run_program(fd));
		close(one);
		close(fd);
	}
	close(link);
}

TEST_HARNESS_MAIN
