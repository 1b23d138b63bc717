// SPDX-License-Identifier: GPL-2.0-only
/* Memory of the three kinds, and what sets it up. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "memgate_util.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL	0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC	0x0010U
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB	(21U << 26)
#endif

#define THP_SHMEM "/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGETLB_DIR "/sys/kernel/mm/hugepages/hugepages-2048kB/"

int mg_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		err = -errno;
	close(fd);
	return err;
}

static int read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

int mg_reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

int mg_drop_privileges(void)
{
	/* The keep-caps flag is off, so leaving uid 0 clears every set. */
	if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
	    setresuid(65534, 65534, 65534))
		return -1;
	return prctl(PR_SET_DUMPABLE, 1);
}

/* Memory ********************************************************************/

size_t mg_page_size(enum mg_mem mem)
{
	return mem == MG_4K ? 4096 : MG_HUGE_SIZE;
}

/* Transparent huge pages of a memfd come from MADV_HUGEPAGE and "advise". */
static int want_thp(void)
{
	char buf[128];
	int err;

	err = read_file(THP_SHMEM, buf, sizeof(buf));
	if (err)
		return err;
	if (strstr(buf, "[advise]"))
		return 0;
	return mg_write_file(THP_SHMEM, "advise");
}

/* There must be @nr free huge pages besides those that others reserved. */
static int want_hugetlb(unsigned long nr)
{
	unsigned long total, avail, resv;
	char buf[32];

	if (read_file(HUGETLB_DIR "nr_hugepages", buf, sizeof(buf)))
		return -ENOENT;
	total = strtoul(buf, NULL, 10);
	if (read_file(HUGETLB_DIR "free_hugepages", buf, sizeof(buf)))
		return -ENOENT;
	avail = strtoul(buf, NULL, 10);
	if (read_file(HUGETLB_DIR "resv_hugepages", buf, sizeof(buf)))
		return -ENOENT;
	resv = strtoul(buf, NULL, 10);
	if (avail >= resv + nr)
		return 0;
	snprintf(buf, sizeof(buf), "%lu", total + resv + nr - avail);
	return mg_write_file(HUGETLB_DIR "nr_hugepages", buf);
}

int mg_memfd_empty(enum mg_mem mem, size_t len)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd;

	if (mem == MG_THP && want_thp())
		printf("# cannot switch on huge pages for shmem\n");
	if (mem == MG_HUGETLB) {
		flags |= MFD_HUGETLB | MFD_HUGE_2MB;
		if (want_hugetlb(len / MG_HUGE_SIZE))
			printf("# cannot reserve 2 MiB huge pages\n");
	}
	fd = memfd_create("memgate-test", flags | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("memgate-test", flags);
	if (fd >= 0 && ftruncate(fd, len)) {
		close(fd);
		return -1;
	}
	return fd;
}

void *mg_map_at(enum mg_mem mem, void *addr, int fd, size_t len, int prot,
		int flags, off_t off)
{
	void *map = mmap(addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, off);
	int err;

	if (map == MAP_FAILED)
		return MAP_FAILED;
	if (mem == MG_THP && madvise(map, len, MADV_HUGEPAGE)) {
		err = errno;
		munmap(map, len);
		errno = err;
		return MAP_FAILED;
	}
	return map;
}

void *mg_map(enum mg_mem mem, int fd, size_t len, int prot, int flags,
	     off_t off)
{
	char *area, *addr;

	/* Find room to align in. */
	area = mmap(NULL, len + MG_HUGE_SIZE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return MAP_FAILED;
	addr = (char *)(((uintptr_t)area + MG_HUGE_SIZE - 1) &
			~(MG_HUGE_SIZE - 1));
	munmap(area, len + MG_HUGE_SIZE);
	return mg_map_at(mem, addr, fd, len, prot, flags, off);
}

int mg_memfd(enum mg_mem mem, size_t len)
{
	int fd = mg_memfd_empty(mem, len);
	size_t got, off;
	char *map;

	if (fd < 0)
		return -1;
	map = mg_map(mem, fd, len, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return -1;
	}
	mg_fill(map, 0, len);
	for (off = 0; off < len; off += MG_HUGE_SIZE) {
		got = mg_mapped_page_size(map + off);
		if (got == mg_page_size(mem))
			continue;
		printf("# wanted pages of %zu bytes at %zu, got %zu\n",
		       mg_page_size(mem), off, got);
		munmap(map, len);
		close(fd);
		errno = ENOMEM;
		return -1;
	}
	munmap(map, len);
	return fd;
}

/* The page size in kB of the area whose fields follow in smaps. */
static size_t smaps_area(FILE *smaps)
{
	unsigned long kb, rss = 0, huge = 0, hugetlb = 0;
	char line[512], key[32];

	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%31[A-Za-z_]: %lu kB", key, &kb) != 2)
			continue;
		if (!strcmp(key, "KernelPageSize") && kb > 4)
			hugetlb = kb;
		if (!strcmp(key, "Rss"))
			rss = kb;
		if (!strcmp(key, "ShmemPmdMapped") ||
		    !strcmp(key, "FilePmdMapped") ||
		    !strcmp(key, "AnonHugePages"))
			huge += kb;
		if (!strcmp(key, "ProtectionKey") || !strcmp(key, "THPeligible"))
			break;
	}
	if (hugetlb)
		return hugetlb;
	/* Huge only if all that is mapped is. */
	return rss && huge == rss ? MG_HUGE_SIZE >> 10 : 4;
}

size_t mg_mapped_page_size(const void *addr)
{
	unsigned long start, end, at = (unsigned long)addr;
	size_t kb = 0;
	char line[512];
	FILE *smaps = fopen("/proc/self/smaps", "re");

	if (!smaps)
		return 0;
	while (!kb && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) != 2)
			continue;
		if (start <= at && at < end)
			kb = smaps_area(smaps);
	}
	fclose(smaps);
	return kb << 10;
}

/* Differs from word to word, and no byte is zero. */
static uint64_t word_at(off_t off)
{
	return ((uint64_t)(off >> 3) * 0x9e3779b97f4a7c15ULL) |
	       0x0101010101010101ULL;
}

static unsigned char byte_at(off_t off)
{
	return word_at(off) >> (off & 7) * 8;
}

void mg_fill(void *buf, off_t off, size_t len)
{
	unsigned char *p = buf;
	uint64_t word;
	size_t i;

	for (i = 0; i < len;) {
		if ((off + i) & 7 || len - i < 8) {
			p[i] = byte_at(off + i);
			i++;
			continue;
		}
		word = word_at(off + i);
		memcpy(p + i, &word, 8);
		i += 8;
	}
}

bool mg_matches(const void *buf, off_t off, size_t len)
{
	const unsigned char *p = buf;
	uint64_t word;
	size_t i;

	for (i = 0; i < len;) {
		if ((off + i) & 7 || len - i < 8) {
			if (p[i] != byte_at(off + i))
				return false;
			i++;
			continue;
		}
		word = word_at(off + i);
		if (memcmp(p + i, &word, 8))
			return false;
		i += 8;
	}
	return true;
}

bool mg_pages_match(const void *buf, off_t off, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += 4096) {
		if (!mg_matches((const char *)buf + at, off + at, 64))
			return false;
	}
	return true;
}
