// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings: class MAP.  Every way by which a mapping of a memfd comes
 * into being, becomes larger, or gets more rights.  What the policy is told
 * is in map_question_test.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "fuse_util.h"

#define HALF		MG_HUGE_SIZE
#define NOT_HUGETLB	(1 << MG_HUGETLB)

/* Mappings are made here, with room behind them. */
#define MAP_BASE	0x200000000000UL
#define MAP_STEP	0x10000000UL

static int files[MG_AGES] = { -1, -1 };
static struct mg_fuse fuses[MG_AGES];

static char *map_of(long arg)
{
	return (char *)(MAP_BASE + MAP_STEP * MG_ARG_AGE(arg));
}

static int file_of(long arg)
{
	return files[MG_ARG_AGE(arg)];
}

static long open_file(int fd, long arg)
{
	int *file = &files[MG_ARG_AGE(arg)];

	if (*file >= 0)
		close(*file);
	*file = MG_ARG_AGE(arg) == MG_OLD ? fcntl(fd, F_DUPFD_CLOEXEC, 0) :
					     mg_reopen(fd, O_RDWR);
	return *file < 0 ? -errno : 0;
}

/* A file, and @len bytes of it mapped at map_of(). */
static long map_at(int fd, long arg, size_t len, int prot, int flags)
{
	long ret = open_file(fd, arg);
	char *map = map_of(arg);

	munmap(map, 2 * MG_LEN);
	if (!ret && mg_map_at(MG_ARG_MEM(arg), map, file_of(arg), len, prot,
			      flags, 0) == MAP_FAILED)
		ret = -errno;
	if (!ret && (prot & PROT_READ) && !mg_matches(map, 0, MG_BYTES))
		ret = -EBADMSG;
	return ret;
}

static long have_half(int fd, long arg)
{
	return map_at(fd, arg, HALF, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static long have_all(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static long have_private(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static long have_read_only(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ, MAP_SHARED);
}

static long have_no_rights(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_NONE, MAP_SHARED);
}

/* Is a result of mmap() or mremap() the memfd from @off on?  Takes it down. */
static long good_map(char *map, off_t off, size_t len)
{
	long ret;

	if (map == MAP_FAILED)
		return -errno;
	ret = mg_matches(map, off, len) ? 0 : -EBADMSG;
	munmap(map, len);
	return ret;
}

static long map_file(int file, int prot, int flags)
{
	return good_map(mmap(NULL, HALF, prot, flags, file, HALF), HALF, HALF);
}

static long try_shared(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ | PROT_WRITE, MAP_SHARED);
}

static long try_read_only(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ, MAP_SHARED);
}

static long try_private(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static long try_populate(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ, MAP_SHARED | MAP_POPULATE);
}

/* No right at all is still a mapping: rights could be added later. */
static long try_no_rights(int fd, long arg)
{
	char *map = mmap(NULL, HALF, PROT_NONE, MAP_SHARED, file_of(arg), 0);

	return map == MAP_FAILED ? -errno : munmap(map, HALF);
}

static long try_proc_fd(int fd, long arg)
{
	int file = mg_reopen(file_of(arg), O_RDWR);
	long ret;

	if (file < 0)
		return -ENOENT;
	ret = map_file(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(file);
	return ret;
}

static long try_map_files(int fd, long arg)
{
	unsigned long start = (unsigned long)map_of(arg);
	char path[96];
	long ret;
	int file;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start,
		 start + MG_LEN);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (file < 0)
		return -ENOENT;
	ret = map_file(file, PROT_READ | PROT_WRITE, MAP_SHARED);
	close(file);
	return ret;
}

/* The next bytes of the same file behind an old mapping: one VMA, extended. */
static long try_merge(int fd, long arg)
{
	return good_map(mmap(map_of(arg) + HALF, HALF, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED_NOREPLACE, file_of(arg),
			     HALF), HALF, HALF);
}

/* Over an old mapping, which must stay if the new one is refused. */
static long try_map_over(int fd, long arg)
{
	char *map = mmap(map_of(arg), HALF, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, file_of(arg), HALF);
	long ret = map == MAP_FAILED ? -errno : 0;

	if (!mg_matches(map_of(arg), ret ? 0 : HALF, HALF))
		return -EBADMSG;
	if (!ret && mmap(map_of(arg), HALF, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, file_of(arg), 0) == MAP_FAILED)
		ret = -errno;
	return ret;
}

static long try_remap_file_pages(int fd, long arg)
{
	char *map = map_of(arg);
	long ret;

	if (syscall(__NR_remap_file_pages, map, HALF, 0, HALF >> 12, 0))
		ret = -errno;
	else
		ret = mg_matches(map, HALF, HALF) ? 0 : -EBADMSG;
	if (!ret && syscall(__NR_remap_file_pages, map, HALF, 0, 0, 0))
		ret = -errno;
	return mg_matches(map, 0, HALF) ? ret : -EBADMSG;
}

static long try_mremap_grow(int fd, long arg)
{
	char *map = map_of(arg);

	if (mremap(map, HALF, MG_LEN, 0) == MAP_FAILED)
		return mg_matches(map, 0, HALF) ? -errno : -EBADMSG;
	return good_map(map + HALF, HALF, HALF);
}

static long try_mremap_grow_move(int fd, long arg)
{
	char *map = map_of(arg), *to = map + MG_LEN, *got;

	got = mremap(map, HALF, MG_LEN, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (got == MAP_FAILED)
		return mg_matches(map, 0, HALF) ? -errno : -EBADMSG;
	if (!mg_matches(got, 0, MG_LEN))
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
	return mg_matches(map, 0, HALF) ? ret : -EBADMSG;
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
		_exit(mg_matches(map, 0, MG_LEN) ? 0 : EBADMSG);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (!mg_matches(map, 0, MG_LEN))
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

/* A FUSE file that passes through to the memfd is the memfd. */
static long mount_fuse(int fd, long arg)
{
	struct mg_fuse *fuse = &fuses[MG_ARG_AGE(arg)];
	int *file = &files[MG_ARG_AGE(arg)];
	long ret;

	if (*file >= 0)
		close(*file);
	mg_fuse_unmount(fuse);
	ret = mg_fuse_mount(fuse, fcntl(fd, F_DUPFD_CLOEXEC, 0));
	if (ret)
		return ret;
	*file = open(fuse->file, O_RDWR | O_CLOEXEC);
	return *file < 0 ? -errno : 0;
}

static long try_passthrough_shared(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ | PROT_WRITE, MAP_SHARED);
}

static long try_passthrough_private(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ, MAP_PRIVATE);
}

static long try_passthrough_read(int fd, long arg)
{
	char buf[MG_BYTES] = { 0 };
	ssize_t n = pread(file_of(arg), buf, sizeof(buf), MG_AT);

	if (n < 0)
		return -errno;
	return n == sizeof(buf) && mg_matches(buf, MG_AT, sizeof(buf)) ?
	       0 : -EBADMSG;
}

static long try_passthrough_write(int fd, long arg)
{
	char buf[MG_BYTES];
	ssize_t n;

	mg_fill(buf, MG_AT + MG_MARK, sizeof(buf));
	n = pwrite(file_of(arg), buf, sizeof(buf), MG_AT);
	return n < 0 ? -errno : n == sizeof(buf) ? 0 : -EBADMSG;
}

static long unmount_fuses(int fd, long arg)
{
	int age;

	for (age = MG_OLD; age < MG_AGES; age++) {
		if (fuses[age].dir[0] && files[age] >= 0)
			close(files[age]);
		mg_fuse_unmount(&fuses[age]);
	}
	return 0;
}

FIXTURE(map) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(map);

FIXTURE_SETUP(map)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(map)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define MAP_ACCESS(name, set_up, ...)					\
	static const struct mg_access access = {			\
		.prepare = set_up,					\
		.attempt = try_##name,					\
		.refused = EACCES,					\
		__VA_ARGS__						\
	}

#define MAP_TEST(name, set_up, ...)					\
	TEST_F_TIMEOUT(map, name, 60)					\
	{								\
		MAP_ACCESS(name, set_up, .class = MEMGATE_MAP,		\
			   __VA_ARGS__);				\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

MAP_TEST(shared, open_file)
MAP_TEST(read_only, open_file)
MAP_TEST(private, open_file)
MAP_TEST(populate, open_file)
MAP_TEST(no_rights, open_file)
MAP_TEST(proc_fd, open_file)
MAP_TEST(map_files, have_all)
MAP_TEST(merge, have_half)
MAP_TEST(map_over, have_half)
MAP_TEST(remap_file_pages, have_all)
/* hugetlb mappings do not grow, nor are they left behind. */
MAP_TEST(mremap_grow, have_half, .lacks = NOT_HUGETLB)
MAP_TEST(mremap_grow_move, have_half, .lacks = NOT_HUGETLB)
MAP_TEST(mremap_duplicate, have_half, .lacks = NOT_HUGETLB)
MAP_TEST(mremap_dontunmap, have_half, .lacks = NOT_HUGETLB)
MAP_TEST(mprotect_write, have_read_only)
MAP_TEST(mprotect_read, have_no_rights)
MAP_TEST(mprotect_exec, have_read_only)
MAP_TEST(fork, have_all)
MAP_TEST(fork_private, have_private)

/*
 * Stacked on FUSE.  Not for hugetlb: the outer file system does not know how
 * such a mapping has to be aligned, so stock kernels cannot do it either.
 */
FIXTURE(stacked) {
	struct mg_scene scene;
};

FIXTURE_VARIANT(stacked) {
	enum mg_mem mem;
};

FIXTURE_VARIANT_ADD(stacked, page_4k) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(stacked, thp) { .mem = MG_THP };

FIXTURE_SETUP(stacked)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(stacked)
{
	unmount_fuses(-1, 0);
	mg_peer_call(&self->scene.peer, unmount_fuses, -1, 0);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define STACKED_TEST(name, its_class, ...)				\
	TEST_F_TIMEOUT(stacked, name, 60)				\
	{								\
		MAP_ACCESS(passthrough_##name, mount_fuse,		\
			   .class = MEMGATE_##its_class, __VA_ARGS__);	\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

STACKED_TEST(shared, MAP)
STACKED_TEST(private, MAP)
STACKED_TEST(read, FILE)
STACKED_TEST(write, FILE, .changed = mg_marked)

TEST_HARNESS_MAIN
