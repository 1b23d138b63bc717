// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU mappings: class MAP.  Every way by which a new mapping of a memfd comes
 * into being.  How mappings grow and get more rights is in map_widen_test.c,
 * what the policy is told in question_test.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "map_util.h"
#include "fuse_util.h"

/* A FUSE file system of each age. */
static struct mg_fuse fuses[MG_AGES];

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

static long try_exec(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ | PROT_EXEC, MAP_PRIVATE);
}

static long try_validated(int fd, long arg)
{
	return map_file(file_of(arg), PROT_READ | PROT_WRITE,
			MAP_SHARED_VALIDATE);
}

static long try_fixed_noreplace(int fd, long arg)
{
	char *map;

	map = mmap(map_of(arg), HALF, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED_NOREPLACE, file_of(arg), HALF);
	return good_map(map, HALF, HALF);
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

	if (!mg_pages_match(map_of(arg), ret ? 0 : HALF, HALF))
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
		ret = mg_pages_match(map, HALF, HALF) ? 0 : -EBADMSG;
	if (!ret && syscall(__NR_remap_file_pages, map, HALF, 0, 0, 0))
		ret = -errno;
	return mg_pages_match(map, 0, HALF) ? ret : -EBADMSG;
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

MG_SCENE_FIXTURE(map)

MAP_TEST(shared, open_file, .rights = MEMGATE_WRITE)
MAP_TEST(read_only, open_file)
MAP_TEST(private, open_file)
MAP_TEST(populate, open_file)
MAP_TEST(no_rights, open_file)
MAP_TEST(exec, open_file, .rights = MEMGATE_EXEC)
MAP_TEST(validated, open_file, .rights = MEMGATE_WRITE)
MAP_TEST(fixed_noreplace, open_file, .rights = MEMGATE_WRITE)
MAP_TEST(merge, have_half, .rights = MEMGATE_WRITE)
MAP_TEST(map_over, have_half, .rights = MEMGATE_WRITE)
MAP_TEST(remap_file_pages, have_all, .rights = MEMGATE_WRITE)

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

STACKED_TEST(shared, MAP, .rights = MEMGATE_WRITE)
STACKED_TEST(private, MAP)
STACKED_TEST(read, FILE)
STACKED_TEST(write, FILE, .changed = mg_marked)

TEST_HARNESS_MAIN
