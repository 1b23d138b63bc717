/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of CPU mappings share: files and mappings of each age, and
 * the table's row for class MAP.  Include after mediated.h.
 */
#ifndef MAP_UTIL_H
#define MAP_UTIL_H

#include "file_util.h"

#define HALF		MG_HUGE_SIZE

/* Mappings are made here, with room behind them. */
#define MAP_BASE	0x200000000000UL
#define MAP_STEP	0x10000000UL

static inline char *map_of(long arg)
{
	return (char *)(MAP_BASE + MAP_STEP * MG_ARG_AGE(arg));
}

/* A file, and @len bytes of it mapped at map_of(). */
static inline long map_at(int fd, long arg, size_t len, int prot, int flags)
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

static inline long have_half(int fd, long arg)
{
	return map_at(fd, arg, HALF, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static inline long have_all(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static inline long have_private(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static inline long have_read_only(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_READ, MAP_SHARED);
}

static inline long have_no_rights(int fd, long arg)
{
	return map_at(fd, arg, MG_LEN, PROT_NONE, MAP_SHARED);
}

/* Is a result of mmap() or mremap() the memfd from @off on?  Takes it down. */
static inline long good_map(char *map, off_t off, size_t len)
{
	long ret;

	if (map == MAP_FAILED)
		return -errno;
	ret = mg_pages_match(map, off, len) ? 0 : -EBADMSG;
	munmap(map, len);
	return ret;
}

static inline long map_file(int file, int prot, int flags)
{
	return good_map(mmap(NULL, HALF, prot, flags, file, HALF), HALF, HALF);
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

#endif /* MAP_UTIL_H */
