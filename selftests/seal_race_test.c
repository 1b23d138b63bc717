// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing while threads hammer the memfd.  Two things must never be seen:
 *
 *  - an access that began after F_ADD_SEALS had returned and succeeded;
 *  - an access, whenever it began, that brings bytes which the owner wrote
 *    after F_ADD_SEALS had returned: it would have gone on unmediated behind
 *    the seal.
 *
 * Mappings show the second kind by right if they are older than the seal.
 * All those must have been counted, so the mapping thread keeps what it gets
 * and the number of its mappings is compared with the gate's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "loop_util.h"

#define ROUNDS		12
#define REFUSALS	20	/* that a thread must have seen after it */
#define MAX_MAPS	20000
#define SECRET		0x5ec2e75ec2e75ec2ULL

/* One round: a memfd, and the threads that are at it. */
struct round {
	enum mg_mem mem;
	int fd;
	char *map;		/* owner's, written after the seal */
	char *dio_map;		/* for direct I/O, older than the seal */
	int disk, backing;
	_Atomic int nr_maps;
	_Atomic bool sealed, stop;
};

struct hammer {
	const char *name;
	/* One access at @off: 1 done with bytes in @buf, 0 done, -errno. */
	int (*access)(struct round *r, off_t off, char *buf);
	struct round *round;
	pthread_t thread;
	_Atomic unsigned long before, refused;
	unsigned long late, leaked, strange;
};

static int do_pread(struct round *r, off_t off, char *buf)
{
	return pread(r->fd, buf, MG_BYTES, off) == MG_BYTES ? 1 : -errno;
}

static int do_splice(struct round *r, off_t off, char *buf)
{
	loff_t pos = off;
	int p[2], ret;

	if (pipe(p))
		return -errno;
	if (splice(r->fd, &pos, p[1], NULL, MG_BYTES, 0) != MG_BYTES)
		ret = -errno;
	else
		ret = read(p[0], buf, MG_BYTES) == MG_BYTES ? 1 : -EIO;
	close(p[0]);
	close(p[1]);
	return ret;
}

static int do_direct(struct round *r, off_t off, char *buf)
{
	if (pwrite(r->disk, r->dio_map + off, MG_BYTES, 0) != MG_BYTES)
		return -errno;
	return pread(r->backing, buf, MG_BYTES, 0) == MG_BYTES ? 1 : -EIO;
}

static int do_vmsplice(struct round *r, off_t off, char *buf)
{
	struct iovec v = { r->dio_map + off, MG_BYTES };
	int p[2], ret;

	if (pipe(p))
		return -errno;
	if (vmsplice(p[1], &v, 1, 0) != MG_BYTES)
		ret = -errno;
	else
		ret = read(p[0], buf, MG_BYTES) == MG_BYTES ? 1 : -EIO;
	close(p[0]);
	close(p[1]);
	return ret;
}

/* Never merges: every second one is of another kind. */
static int do_mmap(struct round *r, off_t off, char *buf)
{
	int n = r->nr_maps++;

	if (n >= MAX_MAPS && !r->sealed) {
		/* Enough of them: wait for the seal. */
		usleep(1000);
		return 0;
	}
	return mmap(NULL, MG_HUGE_SIZE, n & 1 ? PROT_READ : PROT_NONE,
		    MAP_SHARED, r->fd, 0) == MAP_FAILED ? -errno : 0;
}

static int do_falloc(struct round *r, off_t off, char *buf)
{
	return fallocate(r->fd, FALLOC_FL_KEEP_SIZE, 0, MG_HUGE_SIZE) ?
	       -errno : 0;
}

static bool has_secret(const char *buf)
{
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof(word) <= MG_BYTES; i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		if (word == SECRET)
			return true;
	}
	return false;
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	struct round *r = h->round;
	unsigned int seed = (uintptr_t)h;
	char *buf = malloc(MG_BYTES);
	bool sealed;
	off_t off;
	int ret;

	while (!r->stop) {
		off = (rand_r(&seed) % (MG_LEN / MG_BYTES)) * MG_BYTES;
		/* Before the access begins: what is sealed now was then. */
		sealed = r->sealed;
		ret = h->access(r, off, buf);
		if (ret > 0 && has_secret(buf))
			h->leaked++;
		if (ret >= 0 && sealed)
			h->late++;
		if (ret >= 0 && !sealed)
			h->before++;
		if (ret == -EACCES)
			h->refused++;
		else if (ret < 0)
			h->strange++;
	}
	free(buf);
	return NULL;
}

static void wait_for(_Atomic unsigned long *counter, unsigned long value)
{
	int i;

	for (i = 0; i < 20000 && *counter < value; i++)
		usleep(500);
}

/* Mappings of the memfd in this process now. */
static unsigned int count_maps(int fd)
{
	unsigned long inode;
	unsigned int count = 0;
	struct stat st;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	fstat(fd, &st);
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%*s %*s %*s %*s %lu", &inode) == 1 &&
		    inode == st.st_ino && strstr(line, "memfd:"))
			count++;
	if (maps)
		fclose(maps);
	return count;
}

/* Pins come and go all the time, so it may take some tries. */
static int seal_in_the_end(int fd)
{
	int i, ret = -1;

	for (i = 0; i < 200 && ret; i++) {
		ret = mg_seal(fd);
		if (ret && errno != EBUSY)
			break;
	}
	return ret;
}

static void write_secret(char *map)
{
	size_t i;

	for (i = 0; i < MG_LEN; i += 512)
		*(volatile uint64_t *)(map + i) = SECRET;
}

FIXTURE(race) {
	struct round round;
};

MG_MEM_VARIANTS(race);

FIXTURE_SETUP(race)
{
	struct round *r = &self->round;

	r->mem = variant->mem;
	r->backing = memfd_create("disk", MFD_CLOEXEC);
	ASSERT_EQ(0, ftruncate(r->backing, MG_LEN));
	r->disk = mg_loop_open(r->backing, O_RDWR | O_DIRECT);
	ASSERT_LE(0, r->disk);
}

FIXTURE_TEARDOWN(race)
{
	close(self->round.disk);
	close(self->round.backing);
}

static void round_up(struct __test_metadata *const _metadata, struct round *r)
{
	r->fd = mg_memfd(r->mem, MG_LEN);
	ASSERT_LE(0, r->fd);
	r->map = mg_map(r->mem, r->fd, MG_LEN, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, r->map);
	r->dio_map = mg_map(r->mem, r->fd, MG_LEN, PROT_READ | PROT_WRITE,
			    MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, r->dio_map);
	ASSERT_TRUE(mg_matches(r->dio_map, 0, MG_LEN));
	r->nr_maps = 0;
	r->sealed = false;
	r->stop = false;
}

/* Takes down the mappings that do_mmap() left too. */
static void round_down(struct round *r)
{
	unsigned long start, end, inode;
	struct stat st;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	fstat(r->fd, &st);
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end,
			   &inode) == 3 && inode == st.st_ino)
			munmap((void *)start, end - start);
	if (maps)
		fclose(maps);
	close(r->fd);
}

/* @nr threads, sealed under them, judged. */
static void one_round(struct __test_metadata *const _metadata,
		      struct round *r, struct hammer *h, int nr)
{
	struct mg_gate gate;
	unsigned int maps;
	int i;

	round_up(_metadata, r);
	for (i = 0; i < nr; i++) {
		h[i].round = r;
		h[i].before = h[i].refused = 0;
		h[i].late = h[i].leaked = h[i].strange = 0;
		ASSERT_EQ(0, pthread_create(&h[i].thread, NULL, hammer, &h[i]));
	}
	for (i = 0; i < nr; i++)
		wait_for(&h[i].before, 5);

	ASSERT_EQ(0, seal_in_the_end(r->fd)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	r->sealed = true;
	write_secret(r->map);
	for (i = 0; i < nr; i++)
		wait_for(&h[i].refused, REFUSALS);
	r->stop = true;
	for (i = 0; i < nr; i++) {
		pthread_join(h[i].thread, NULL);
		EXPECT_LE(5, (unsigned long)h[i].before);
		EXPECT_LE(REFUSALS, (unsigned long)h[i].refused);
		EXPECT_EQ(0, h[i].late);
		EXPECT_EQ(0, h[i].leaked);
		EXPECT_EQ(0, h[i].strange);
		if (h[i].late || h[i].leaked || h[i].strange)
			TH_LOG("%s: %lu before, %lu refused, %lu late, %lu leaked, %lu other errors",
			       h[i].name, h[i].before, h[i].refused, h[i].late,
			       h[i].leaked, h[i].strange);
	}

	/*
	 * One that was refused when it was there already may have been
	 * counted; one that is there must have been.
	 */
	maps = count_maps(r->fd);
	ASSERT_EQ(0, mg_gate_read(0, r->fd, &gate));
	EXPECT_LE(maps, gate.premapped);
	EXPECT_LE(gate.premapped, maps + nr);
	round_down(r);
}

static void all_rounds(struct __test_metadata *const _metadata,
		       struct round *r, struct hammer *h, int nr)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		one_round(_metadata, r, h, nr);
}

#define RACE_TEST(what)							\
	TEST_F_TIMEOUT(race, what, 120)					\
	{								\
		struct hammer h[] = {					\
			{ .name = #what, .access = do_##what },		\
			{ .name = #what " 2", .access = do_##what },	\
		};							\
									\
		all_rounds(_metadata, &self->round, h, 2);		\
	}

RACE_TEST(pread)
RACE_TEST(mmap)
RACE_TEST(direct)
RACE_TEST(vmsplice)
RACE_TEST(falloc)

TEST_F_TIMEOUT(race, splice, 120)
{
	struct hammer h[] = { { .name = "splice", .access = do_splice } };

	/* hugetlbfs does not splice: nothing to race with. */
	if (variant->mem != MG_HUGETLB)
		all_rounds(_metadata, &self->round, h, 1);
	else
		EXPECT_GT(0, do_splice(&self->round, 0, NULL));
}

TEST_F_TIMEOUT(race, all_at_once, 120)
{
	struct hammer h[] = {
		{ .name = "pread", .access = do_pread },
		{ .name = "mmap", .access = do_mmap },
		{ .name = "direct", .access = do_direct },
		{ .name = "falloc", .access = do_falloc },
	};

	all_rounds(_metadata, &self->round, h, 4);
}

TEST_HARNESS_MAIN
