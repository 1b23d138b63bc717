/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of file access share: files of each age, a buffer, and the
 * table's row for class FILE.  Include after mediated.h.
 */
#ifndef FILE_UTIL_H
#define FILE_UTIL_H

#include <fcntl.h>

/* hugetlbfs has neither write nor splice; its reads and falloc are its own. */
#define NOT_HUGETLB	(1 << MG_HUGETLB)
#define NONE_HAS_IT	(1 << MG_4K | 1 << MG_THP | 1 << MG_HUGETLB)

/* The files of this process: as it got it, and opened after the seal. */
static int files[MG_AGES] = { -1, -1 };

static inline int file_of(long arg)
{
	return files[MG_ARG_AGE(arg)];
}

static inline long open_file(int fd, long arg)
{
	int *file = &files[MG_ARG_AGE(arg)];

	if (*file >= 0)
		close(*file);
	*file = MG_ARG_AGE(arg) == MG_OLD ? fcntl(fd, F_DUPFD_CLOEXEC, 0) :
					     mg_reopen(fd, O_RDWR);
	return *file < 0 ? -errno : 0;
}

/* What is read and written. */
static char buf[MG_BYTES] __attribute__((aligned(4096), unused));

/* A read is good if all bytes came and are those of the place. */
static inline long good_read(ssize_t n)
{
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -errno;
	return n == MG_BYTES && mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static inline long good_write(ssize_t n)
{
	return n == MG_BYTES ? 0 : n < 0 ? -errno : -EBADMSG;
}

static inline void wipe(void)
{
	memset(buf, 0, sizeof(buf));
}

static inline void mark(void)
{
	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
}

#define FILE_TEST(name, ...)						\
	TEST_F_TIMEOUT(file, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_FILE,				\
			.prepare = open_file,				\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

#endif /* FILE_UTIL_H */
