// SPDX-License-Identifier: GPL-2.0-only
/*
 * Gated memory that is swapped out: its pages have left the page cache, and
 * whoever wants them brings them back first.  That must not open a way.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/swap.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"

#define SWAP_SIZE	(32UL << 20)

FIXTURE(swap) {
	int store, device;	/* swap space: a loop device over a memfd */
	char path[64];
	int fd, backing, disk;
	char *map;
};

/* Huge pages of hugetlbfs are never swapped. */
FIXTURE_VARIANT(swap) { enum mg_mem mem; };
FIXTURE_VARIANT_ADD(swap, page_4k) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(swap, thp) { .mem = MG_THP };

/* The header that mkswap(8) writes. */
static int make_swap(int fd)
{
	struct {
		char boot[1024];
		uint32_t version, last_page, nr_bad;
		char rest[4096 - 1024 - 12 - 10];
		char magic[10];
	} header = {
		.version = 1, .last_page = SWAP_SIZE / 4096 - 1,
	};

	memcpy(header.magic, "SWAPSPACE2", sizeof(header.magic));
	return pwrite(fd, &header, sizeof(header), 0) == sizeof(header) ?
	       0 : -1;
}

FIXTURE_SETUP(swap)
{
	char proc[64];
	ssize_t n;

	self->store = memfd_create("swap", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->store, SWAP_SIZE));
	ASSERT_EQ(0, make_swap(self->store));
	self->device = mg_loop_open(self->store, O_RDWR);
	ASSERT_LE(0, self->device);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", self->device);
	n = readlink(proc, self->path, sizeof(self->path) - 1);
	ASSERT_LT(0, n);
	ASSERT_EQ(0, swapon(self->path, SWAP_FLAG_PREFER | 100));

	self->backing = memfd_create("disk", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(self->backing, MG_LEN));
	self->disk = mg_loop_open(self->backing, O_RDWR | O_DIRECT);
	ASSERT_LE(0, self->disk);

	self->fd = mg_memfd(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, MG_LEN,
			   PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_TRUE(mg_matches(self->map, 0, MG_LEN));
}

FIXTURE_TEARDOWN(swap)
{
	munmap(self->map, MG_LEN);
	close(self->fd);
	EXPECT_EQ(0, swapoff(self->path));
	close(self->disk);
	close(self->backing);
	close(self->device);
	close(self->store);
}

/* kB of the mapping at @map that are in swap space. */
static unsigned long swapped(const char *map)
{
	unsigned long start, kb, found = 0;
	bool ours = false;
	char line[512];
	FILE *smaps = fopen("/proc/self/smaps", "re");

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%*x ", &start) == 1 && strchr(line, '-'))
			ours = start == (unsigned long)map;
		if (ours && sscanf(line, "Swap: %lu kB", &kb) == 1)
			found = kb;
	}
	if (smaps)
		fclose(smaps);
	return found;
}

static void swap_out(struct __test_metadata *const _metadata, char *map)
{
	int i;

	/* Only what is mapped is sent out. */
	EXPECT_TRUE(mg_matches(map, 0, MG_LEN));
	for (i = 0; i < 20 && swapped(map) < MG_LEN >> 10; i++) {
		/* Pages that wait to be put on a list do not go out. */
		mg_write_file("/proc/sys/vm/drop_caches", "1");
		EXPECT_EQ(0, madvise(map, MG_LEN, MADV_PAGEOUT));
	}
	EXPECT_EQ(MG_LEN >> 10, swapped(map));
}

TEST_F(swap, refused)
{
	char *page = self->map + MG_AT, buf[MG_BYTES] = { 0 };

	swap_out(_metadata, self->map);
	EXPECT_EQ(MG_BYTES, pwrite(self->disk, page, MG_BYTES, 0));
	EXPECT_EQ(MG_BYTES, pread(self->backing, buf, MG_BYTES, 0));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	swap_out(_metadata, self->map);
	EXPECT_EQ(MG_BYTES, pread(self->fd, buf, MG_BYTES, MG_AT));
	EXPECT_TRUE(mg_matches(buf, MG_AT, MG_BYTES));
	memset(buf, 0, sizeof(buf));
	EXPECT_EQ(MG_BYTES, pwrite(self->backing, buf, MG_BYTES, 0));

	/* Sealed while it is out. */
	swap_out(_metadata, self->map);
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(MG_LEN >> 10, swapped(self->map));
	EXPECT_EQ(-1, pread(self->fd, buf, MG_BYTES, MG_AT));
	EXPECT_EQ(EACCES, errno);
	EXPECT_FALSE(mg_matches(buf, MG_AT, 64));
	EXPECT_EQ(-1, pwrite(self->disk, page, MG_BYTES, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MG_BYTES, pread(self->backing, buf, MG_BYTES, 0));
	EXPECT_FALSE(mg_matches(buf, MG_AT, 64));
	/* The owner has it back as it was, and it can go out again. */
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
	swap_out(_metadata, self->map);
	EXPECT_EQ(-1, pwrite(self->disk, page, MG_BYTES, 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_TRUE(mg_matches(self->map, 0, MG_LEN));
}

TEST_HARNESS_MAIN
