// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Memory to be gated: options old and new, sizes, seals. */
#include <fcntl.h>
#include <sys/stat.h>

#include "../lib/internal.h"
#include "tap.h"

#define PAGE	4096

static int create(struct memgate_memfd_opts *opts, const char *words)
{
	int fd = memgate_memfd__create(opts);

	if (fd < 0 && !strstr(memgate_error_text(), words))
		printf("# '%s' without '%s'\n", memgate_error_text(), words);
	return fd < 0 && !strstr(memgate_error_text(), words) ? -1 : fd;
}

static void made(void)
{
	struct memgate_memfd_opts opts = {
		.sz = sizeof(opts), .size = 2 * PAGE, .seal_size = true,
	};
	int fd = create(&opts, "");
	struct stat st;

	EXPECT(fd >= 0);
	EXPECT_NUM(fstat(fd, &st), 0);
	EXPECT_NUM(st.st_size, 2 * PAGE);
	EXPECT_NUM(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_NUM(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
	close(fd);
	opts.seal_size = false;
	opts.name = "named";
	fd = create(&opts, "");
	EXPECT(fd >= 0);
	EXPECT_NUM(fcntl(fd, F_GET_SEALS), 0);
	close(fd);
}

/* A program that knows less than the library, or more. */
static void sizes_of_options(void)
{
	struct {
		struct memgate_memfd_opts opts;
		uint64_t later;
	} new = { .opts = { .sz = sizeof(new), .size = PAGE } };
	int fd;

	fd = create(&new.opts, "");
	EXPECT(fd >= 0);
	close(fd);
	new.later = 1;
	EXPECT_NUM(create(&new.opts, "newer than this library"), -E2BIG);
	/* what it does not know must not be looked at */
	new.opts.hugetlb = 5;
	new.opts.sz = offsetof(struct memgate_memfd_opts, hugetlb);
	fd = create(&new.opts, "");
	EXPECT(fd >= 0);
	close(fd);
	new.opts.sz = 0;
	EXPECT_NUM(create(&new.opts, "have no size"), -EINVAL);
	EXPECT_NUM(create(NULL, "have no size"), -EINVAL);
}

static void wrong(void)
{
	struct memgate_memfd_opts opts = { .sz = sizeof(opts) };
	char name[300];

	EXPECT_NUM(create(&opts, "size 0 is no multiple"), -EINVAL);
	opts.size = PAGE + 1;
	EXPECT_NUM(create(&opts, "multiple of the page size 4096"), -EINVAL);
	opts.size = UINT64_MAX - PAGE + 1;
	EXPECT_NUM(create(&opts, "is no multiple"), -EINVAL);
	opts.size = PAGE;
	opts.hugetlb = 4 << 20;
	EXPECT_NUM(create(&opts, "2M and 1G are possible"), -EINVAL);
	opts.hugetlb = 2 << 20;
	EXPECT_NUM(create(&opts, "page size 2097152"), -EINVAL);
	opts.hugetlb = 0;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	opts.name = name;
	EXPECT_NUM(create(&opts, "249 bytes at most"), -EINVAL);
	EXPECT_NUM(memgate_error_kind(), MEMGATE_ERR_INPUT);
}

/* No machine has a million of them. */
static void too_few_huge_pages(void)
{
	struct memgate_memfd_opts opts = {
		.sz = sizeof(opts), .size = 1ULL << 50, .hugetlb = 1 << 30,
	};
	int err = memgate_memfd__create(&opts);

	EXPECT(err == -ENOMEM || err == -EOPNOTSUPP);
	if (err == -ENOMEM) {
		EXPECT_HAS(memgate_error_text(), "1048576 huge pages of 1G");
		EXPECT_HAS(memgate_error_hint(), "nr_hugepages");
	} else {
		EXPECT_HAS(memgate_error_text(), "no huge pages of 1G");
	}
}

const struct tap_test memfd_tests[] = {
	{ "memfd: size, seals, close-on-exec", made },
	{ "memfd: options of an older and a newer program", sizes_of_options },
	{ "memfd: options that are wrong", wrong },
	{ "memfd: too few huge pages", too_few_huge_pages },
	{ 0 }
};
