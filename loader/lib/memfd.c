// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Memory to be gated: a memfd of its final size. */
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>

#include "internal.h"

#define SIZE_2M	(2ULL << 20)
#define SIZE_1G	(1ULL << 30)
#define NAME_MAX_LEN	249	/* of memfd_create(2) */

static unsigned long long number_in(const char *dir, const char *file)
{
	unsigned long long v = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &v) != 1)
		v = 0;
	fclose(f);
	return v;
}

/*
 * Huge pages are promised when the memory is mapped, and the error then is a
 * bare ENOMEM to somebody else: say it here.
 */
static int check_huge(uint64_t page, uint64_t size)
{
	unsigned long long free_pages, reserved, more, surplus, want;
	char dir[96], hint[192];

	snprintf(dir, sizeof(dir), "/sys/kernel/mm/hugepages/hugepages-%llukB",
		 (unsigned long long)page >> 10);
	if (access("/sys/kernel/mm", F_OK))
		return 0;	/* no /sys: let the kernel judge */
	if (access(dir, F_OK))
		return mg_fail(MEMGATE_ERR_REFUSED, EOPNOTSUPP,
			       "use the other size, or pages of 4K",
			       "this machine has no huge pages of %s",
			       page == SIZE_1G ? "1G" : "2M");
	free_pages = number_in(dir, "free_hugepages");
	reserved = number_in(dir, "resv_hugepages");
	more = number_in(dir, "nr_overcommit_hugepages");
	surplus = number_in(dir, "surplus_hugepages");
	free_pages -= reserved < free_pages ? reserved : free_pages;
	free_pages += surplus < more ? more - surplus : 0;
	want = size / page;
	if (want <= free_pages)
		return 0;
	snprintf(hint, sizeof(hint), "as root: echo %llu > %s/nr_hugepages",
		 number_in(dir, "nr_hugepages") + want - free_pages, dir);
	return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, hint,
		       "%llu huge pages of %s are needed, %llu are free", want,
		       page == SIZE_1G ? "1G" : "2M", free_pages);
}

/* What the caller's program knows, zero where it is older than this. */
static int take_opts(const struct memgate_memfd_opts *from,
		     struct memgate_memfd_opts *o)
{
	const unsigned char *bytes = (const unsigned char *)from;
	size_t i;

	memset(o, 0, sizeof(*o));
	if (!from || from->sz < offsetof(struct memgate_memfd_opts, hugetlb))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "set .sz = sizeof(struct memgate_memfd_opts)",
			       "the options of the memfd have no size");
	for (i = sizeof(*o); i < from->sz; i++)
		if (bytes[i])
			return mg_fail(MEMGATE_ERR_INPUT, E2BIG,
				       "install a newer libmemgate",
				       "an option of the memfd is newer than "
				       "this library");
	memcpy(o, from, from->sz < sizeof(*o) ? from->sz : sizeof(*o));
	if (!o->name)
		o->name = "memgate";
	return 0;
}

static int check_opts(const struct memgate_memfd_opts *o)
{
	uint64_t page = o->hugetlb ? o->hugetlb : (uint64_t)getpagesize();

	if (o->hugetlb && o->hugetlb != SIZE_2M && o->hugetlb != SIZE_1G)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "huge pages of %llu bytes: 2M and 1G are "
			       "possible", (unsigned long long)o->hugetlb);
	if (!o->size || o->size > INT64_MAX || o->size % page)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "size %llu is no multiple of the page size %llu",
			       (unsigned long long)o->size,
			       (unsigned long long)page);
	if (strlen(o->name) > NAME_MAX_LEN)
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "the name of a memfd has %d bytes at most",
			       NAME_MAX_LEN);
	return o->hugetlb ? check_huge(page, o->size) : 0;
}

static int set_size(int fd, const struct memgate_memfd_opts *o)
{
	if (ftruncate(fd, o->size))
		return mg_fail(MEMGATE_ERR_REFUSED, errno, errno == EFBIG ?
			       "raise the limit of file sizes: ulimit -f "
			       "unlimited" : NULL,
			       "cannot make the memfd %llu bytes long: %s",
			       (unsigned long long)o->size,
			       mg_errno_name(errno));
	if (o->seal_size && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "cannot seal the size of the memfd: %s",
			       mg_errno_name(errno));
	return 0;
}

/*
 * Huge pages are reserved for the file by its first mapping, and stay so when
 * that goes: a VMM that fails to map them later says less, or is killed.
 */
static int reserve(int fd, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return mg_fail(MEMGATE_ERR_REFUSED, errno,
			       "see /sys/kernel/mm/hugepages for what is free",
			       "cannot reserve %llu bytes of huge pages: %s",
			       (unsigned long long)size,
			       mg_errno_name(errno));
	munmap(p, size);
	return 0;
}

int memgate_memfd__create(const struct memgate_memfd_opts *opts)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	struct memgate_memfd_opts o;
	int __autoclose fd = -1;
	int err;

	err = take_opts(opts, &o);
	if (!err)
		err = check_opts(&o);
	if (err)
		return err;
	if (o.hugetlb)
		flags |= MFD_HUGETLB | (o.hugetlb == SIZE_1G ? MFD_HUGE_1GB :
							       MFD_HUGE_2MB);
	fd = memfd_create(o.name, flags);
	if (fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, errno == EMFILE ?
			       "raise the limit: ulimit -n" : NULL,
			       "cannot make a memfd: %s",
			       mg_errno_name(errno));
	err = set_size(fd, &o);
	if (!err && o.hugetlb)
		err = reserve(fd, o.size);
	return err ? err : mg_take_fd(&fd);
}
