// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing while hammers read the memfd in every way.  Two things must never
 * be seen:
 *
 *  - an access that began after F_ADD_SEALS had returned and succeeded;
 *  - an access, whenever it began, that brings bytes which the owner wrote
 *    after F_ADD_SEALS had returned: it would have gone on unmediated behind
 *    the seal.
 *
 * What leaves something behind instead (mappings, filled pages) is in
 * seal_race_map_test.c.
 */
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "loop_util.h"
#include "mediated.h"
#include "race_util.h"

#define TESTS		(3 * 10)

/* What the hammers of one round are at. */
struct round {
	enum mg_mem mem;
	int fd;
	char *map;		/* owner's, written after the seal */
	char *old_map;		/* the hammers', older than the seal */
	int disk, backing;	/* a block device, and what is on it */
	struct guest guest;
};

/* Each hammer has a page of the disk. */
static off_t disk_page(struct hammer *h)
{
	return h->nr * MG_BYTES;
}

static int from_disk(struct hammer *h, char *buf)
{
	struct round *r = h->target;

	return pread(r->backing, buf, MG_BYTES, disk_page(h)) == MG_BYTES ?
	       1 : -EIO;
}

static int do_pread(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;

	return pread(r->fd, buf, MG_BYTES, off) == MG_BYTES ? 1 : -errno;
}

static int do_falloc(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;

	return fallocate(r->fd, FALLOC_FL_KEEP_SIZE, 0, MG_HUGE_SIZE) ?
	       -errno : 0;
}

/*
 * What is in a pipe stays there for a while before somebody looks at it: long
 * enough to be there still when the owner writes after the seal, if the seal
 * has not waited for it, and not as long as the seal waits.
 */
static int through_pipe(struct hammer *h, int p[2], ssize_t in, char *buf)
{
	int ret = in == MG_BYTES ? 1 : -errno;

	if (ret > 0) {
		usleep(rand_r(&h->seed) % 80000);
		if (read(p[0], buf, MG_BYTES) != MG_BYTES)
			ret = -EIO;
	}
	close(p[0]);
	close(p[1]);
	return ret;
}

static int do_splice(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	loff_t pos = off;
	int p[2];

	if (pipe(p))
		return -errno;
	return through_pipe(h, p, splice(r->fd, &pos, p[1], NULL, MG_BYTES, 0),
			    buf);
}

static int do_vmsplice(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	struct iovec v = { r->old_map + off, MG_BYTES };
	int p[2];

	if (pipe(p))
		return -errno;
	return through_pipe(h, p, vmsplice(p[1], &v, 1, 0), buf);
}

/* No page table entry: GUP-fast finds nothing, slow GUP faults it in. */
static int do_vmsplice_slow(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	off_t page = off & ~(mg_page_size(r->mem) - 1);

	madvise(r->old_map + page, mg_page_size(r->mem), MADV_DONTNEED);
	return do_vmsplice(h, off, buf);
}

static int do_direct(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;

	if (pwrite(r->disk, r->old_map + off, MG_BYTES, disk_page(h)) !=
	    MG_BYTES)
		return -errno;
	return from_disk(h, buf);
}

static int write_fixed(struct hammer *h, struct io_uring *ring,
		       struct iovec *v)
{
	struct round *r = h->target;
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int ret;

	io_uring_prep_write_fixed(sqe, r->backing, v->iov_base, v->iov_len,
				  disk_page(h), 0);
	ret = io_uring_submit_and_wait(ring, 1);
	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		return ret;
	ret = cqe->res == MG_BYTES ? 0 : cqe->res < 0 ? cqe->res : -EIO;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* A long-term pin: a registered buffer, used after a while. */
static int do_fixed(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	struct iovec v = { r->old_map + off, MG_BYTES };
	struct io_uring ring;
	int ret;

	ret = io_uring_queue_init(2, &ring, 0);
	if (ret)
		return ret;
	ret = io_uring_register_buffers(&ring, &v, 1);
	if (!ret) {
		usleep(rand_r(&h->seed) % 20000);
		ret = write_fixed(h, &ring, &v) ?: from_disk(h, buf);
	}
	io_uring_queue_exit(&ring);
	return ret;
}

/* By another process. */
static int do_remote(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	struct iovec to = { buf, MG_BYTES };
	struct iovec from = { r->old_map + off, MG_BYTES };

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == MG_BYTES ?
	       1 : -errno;
}

/* A guest that faults each time, as its page is taken from it before. */
static int do_guest(struct hammer *h, off_t off, char *buf)
{
	struct round *r = h->target;
	off_t page = off & ~(mg_page_size(r->mem) - 1);
	uint32_t val;
	int ret;

	madvise(r->old_map + page, mg_page_size(r->mem), MADV_DONTNEED);
	ret = guest_read(&r->guest, h->nr, GUEST_GPA + off, &val, NULL);
	if (ret)
		return ret;
	/* Both halves of the secret are the same. */
	memset(buf, 0, MG_BYTES);
	memcpy(buf, &val, sizeof(val));
	memcpy(buf + sizeof(val), &val, sizeof(val));
	return 1;
}

/* Rounds ********************************************************************/

FIXTURE(race) {
	struct round round;
	struct race *race;
	struct mg_policy deny;
};

MG_MEM_VARIANTS(race);

FIXTURE_SETUP(race)
{
	struct round *r = &self->round;

	mg_load(_metadata, &self->deny, "deny");
	self->race = race_shared(sizeof(*self->race));
	ASSERT_NE(NULL, self->race);
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
	mg_policy_free(&self->deny);
}

static void round_up(struct __test_metadata *const _metadata, struct round *r,
		     int cpus)
{
	r->fd = mg_memfd(r->mem, MG_LEN);
	ASSERT_LE(0, r->fd);
	r->map = mg_map(r->mem, r->fd, MG_LEN, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, r->map);
	r->old_map = mg_map(r->mem, r->fd, MG_LEN, PROT_READ | PROT_WRITE,
			    MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, r->old_map);
	ASSERT_TRUE(mg_matches(r->old_map, 0, MG_LEN));
	/* Faults would take their time after the seal. */
	ASSERT_TRUE(mg_matches(r->map, 0, MG_LEN));
	r->guest.nr_cpus = 0;
	if (!cpus)
		return;
	ASSERT_EQ(0, guest_open(&r->guest, cpus, 0));
	ASSERT_EQ(0, guest_memslot(&r->guest, 1, GUEST_GPA, r->old_map, MG_LEN,
				   0));
}

static void round_down(struct round *r)
{
	if (r->guest.nr_cpus)
		guest_close(&r->guest);
	munmap(r->map, MG_LEN);
	munmap(r->old_map, MG_LEN);
	close(r->fd);
}

static void judge_all(struct __test_metadata *const _metadata,
		      const struct race *race)
{
	const struct hammer *h;

	for (h = race->hammer; h < race->hammer + race->nr; h++) {
		EXPECT_LE(RACE_REFUSALS, (unsigned long)h->refused);
		EXPECT_TRUE(!h->late && !h->leaked && !h->strange) {
			TH_LOG("%s went on behind the seal: %lu before, %lu refused, %lu late, %lu leaked, %lu other errors (%s)",
			       h->name, h->before, h->refused, h->late,
			       h->leaked, h->strange, strerror(h->what));
		}
	}
}

static void one_round(struct __test_metadata *const _metadata,
		      FIXTURE_DATA(race) *self, const struct hammer *h, int nr,
		      int cpus, int round)
{
	struct round *r = &self->round;
	struct mg_gate gate;

	round_up(_metadata, r, cpus);
	ASSERT_EQ(0, race_start(self->race, h, nr, r, MG_LEN));
	ASSERT_TRUE(race_warm(self->race, 3));
	ASSERT_EQ(0, race_seal(r->fd, &self->deny, round)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	race_write_secret(r->map, MG_LEN);
	race_sealed(self->race);
	race_stop(self->race);
	judge_all(_metadata, self->race);
	/* Two mappings here, and two in each process that was forked off. */
	ASSERT_EQ(0, mg_gate_read(0, r->fd, &gate));
	EXPECT_EQ(race_count_maps(r->fd), gate.premapped);
	race_leave(self->race);
	round_down(r);
}

static void all_rounds(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(race) *self, const struct hammer *h,
		       int nr, int cpus)
{
	struct race_clock clock;

	for (race_clock_start(&clock, TESTS);
	     race_again(&clock) && !_metadata->exit_code;)
		one_round(_metadata, self, h, nr, cpus, clock.rounds);
}

#define TWICE(what, ...)						\
	{ .name = #what, .access = do_##what, __VA_ARGS__ },		\
	{ .name = #what " 2", .access = do_##what, __VA_ARGS__ }

#define RACE_TEST(what, ...)						\
	TEST_F_TIMEOUT(race, what, 240)					\
	{								\
		const struct hammer h[] = { TWICE(what, __VA_ARGS__) };	\
									\
		all_rounds(_metadata, self, h, 2, 0);			\
	}

RACE_TEST(pread)
RACE_TEST(direct)
RACE_TEST(vmsplice)
RACE_TEST(vmsplice_slow)
RACE_TEST(falloc)
RACE_TEST(fixed, .refusal = EFAULT)
RACE_TEST(remote, .process = true, .refusal = EFAULT)

TEST_F_TIMEOUT(race, splice, 240)
{
	const struct hammer h[] = { TWICE(splice) };
	struct hammer lacks = { .target = &self->round };

	/* hugetlbfs does not splice: nothing to race with. */
	if (variant->mem != MG_HUGETLB) {
		all_rounds(_metadata, self, h, 2, 0);
	} else {
		self->round.fd = mg_memfd(variant->mem, MG_LEN);
		EXPECT_EQ(-EINVAL, do_splice(&lacks, 0, NULL));
	}
}

TEST_F_TIMEOUT(race, guest, 240)
{
	const struct hammer h[] = { TWICE(guest, .refusal = EFAULT) };

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	all_rounds(_metadata, self, h, 2, 2);
}

TEST_F_TIMEOUT(race, all_at_once, 240)
{
	const struct hammer h[] = {
		{ .name = "pread", .access = do_pread },
		{ .name = "direct", .access = do_direct },
		{ .name = "vmsplice", .access = do_vmsplice_slow },
		{ .name = "falloc", .access = do_falloc },
		{ .name = "remote", .access = do_remote, .process = true,
		  .refusal = EFAULT },
	};

	all_rounds(_metadata, self, h, 5, 0);
}

TEST_HARNESS_MAIN
