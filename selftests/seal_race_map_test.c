// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing while hammers map the memfd, widen, copy and fork mappings of it,
 * and fill its pages by userfaultfd.
 *
 * A mapping shows by right what comes later, so here the gate's count of the
 * mappings that were there when it was shut is what finds those that were not:
 * hammers only ever add areas (a mapping that is widened page by page falls
 * into one area for each), and in the end there must not be more of them, in
 * all processes together, than the gate has counted.  What was in the middle of
 * it when the gate was shut, and came through unasked, is one too many.
 *
 * A fill is found likewise: the memfd may not have more pages than it had
 * when F_ADD_SEALS returned.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "race_util.h"

#define TESTS		(3 * 7)
#define MAX_AREAS	8000	/* that a hammer makes in one round */
#define STEPS		256	/* in which a mapping is widened */
#define MAX_CHILDREN	24
#define FILL_LEN	(16 * MG_HUGE_SIZE)

/* Shared with the processes: what each hammer is doing. */
struct bench {
	enum mg_mem mem;
	int fd;
	int uffd;
	char *fill;		/* mapping that is filled */
	char *source;		/* a page to fill from */
	struct place {
		char *map;
		size_t step;
		int areas;
		int nr_children;
		pid_t child[MAX_CHILDREN];
		_Atomic int has;	/* of the newest child: -1 not yet */
	} place[8];
};

static struct place *place_of(struct hammer *h)
{
	return &((struct bench *)h->target)->place[h->nr];
}

/* Enough of them: wait for the seal. */
static bool enough(struct hammer *h)
{
	if (place_of(h)->areas < MAX_AREAS || h->race->sealed)
		return false;
	usleep(1000);
	return true;
}

/* Never merges: every second one is of another kind. */
static int do_mmap(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	struct place *p = place_of(h);
	int prot = p->areas & 1 ? PROT_READ : PROT_NONE;

	if (enough(h))
		return 0;
	if (mmap(NULL, MG_HUGE_SIZE, prot, MAP_SHARED, b->fd, 0) == MAP_FAILED)
		return -errno;
	p->areas++;
	return 0;
}

/*
 * The only mapping of a process, gone again at once: nobody who looks for
 * processes that have mappings finds this one.  It is kept if the memfd is
 * sealed when it is there, as it must have been counted then, or refused.
 */
static int do_first_mmap(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	void *map = mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED, b->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	if (!(fcntl(b->fd, F_GET_SEALS) & F_SEAL_ACCESS))
		munmap(map, MG_HUGE_SIZE);
	return 0;
}

/* A mapping that nobody may touch, longer than the memfd needs to be. */
static int new_place(struct bench *b, struct place *p)
{
	char *map = mmap(NULL, 2 * STEPS * mg_page_size(b->mem), PROT_NONE,
			 MAP_SHARED | MAP_NORESERVE, b->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	p->map = map;
	p->step = 0;
	p->areas++;
	return 0;
}

/* One more page, and one that stays as it is: two more areas each time. */
static int do_mprotect(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	struct place *p = place_of(h);
	size_t page = mg_page_size(b->mem);
	int err;

	if (enough(h))
		return 0;
	/* The last one is left, for what is tried after the seal. */
	if (!p->map || (p->step == STEPS - 1 && !h->race->sealed)) {
		err = new_place(b, p);
		if (err)
			return err;
	}
	if (mprotect(p->map + (2 * p->step + 1) * page, page, PROT_READ))
		return -errno;
	p->step++;
	p->areas += 2;
	return 0;
}

/* A length of zero makes a second mapping of the same. */
static int do_mremap(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	struct place *p = place_of(h);

	if (enough(h))
		return 0;
	if (!p->map)
		return new_place(b, p);
	if (mremap(p->map, 0, mg_page_size(b->mem), MREMAP_MAYMOVE) ==
	    MAP_FAILED)
		return -errno;
	p->areas++;
	return 0;
}

/* msync() knows what is mapped and takes no part in it. */
static void child_of(struct hammer *h)
{
	struct place *p = place_of(h);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	p->has = !msync(p->map, 4096, MS_ASYNC);
	for (;;)
		pause();
}

static void kill_children(struct place *p)
{
	int status;

	while (p->nr_children) {
		kill(p->child[--p->nr_children], SIGKILL);
		waitpid(p->child[p->nr_children], &status, 0);
	}
}

/* A child that keeps what it gets: the mapping, or nothing. */
static int do_fork(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	struct place *p = place_of(h);
	pid_t pid;
	int err;

	if (!p->map) {
		err = new_place(b, p);
		if (err)
			return err;
	}
	/* Those of before the seal are not missed; those of after it would. */
	if (p->nr_children == MAX_CHILDREN)
		kill_children(p);
	p->has = -1;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		child_of(h);
	p->child[p->nr_children++] = pid;
	while (p->has < 0)
		usleep(100);
	if (p->has)
		return 0;
	/* Makes room for those that have it. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	p->nr_children--;
	return -EACCES;
}

/*
 * Fills the mapping of another process, page after page, each hammer in its
 * half.  When that is full all is taken out again, which is for the time
 * before the seal; from then on there is still something to fill, if that is
 * not refused.
 */
static int do_fill(struct hammer *h, off_t off, char *buf)
{
	struct bench *b = h->target;
	struct place *p = place_of(h);
	size_t page = mg_page_size(b->mem), half = FILL_LEN / page / 2;
	struct uffdio_copy copy = { .src = (uintptr_t)b->source, .len = page };

	if (p->step >= half &&
	    !fallocate(b->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		       FILL_LEN))
		p->step = 0;
	usleep(rand_r(&h->seed) % (b->mem == MG_HUGETLB ? 40000 : 100));
	/* Each has a half, or one would run behind the other. */
	copy.dst = (uintptr_t)b->fill +
		   (h->nr % 2 * half + p->step % half) * page;
	if (!ioctl(b->uffd, UFFDIO_COPY, &copy)) {
		p->step++;
		return 0;
	}
	/* Another hammer was here. */
	if (errno == EEXIST) {
		p->step++;
		return -EAGAIN;
	}
	return -errno;
}

/* Rounds ********************************************************************/

FIXTURE(race) {
	struct bench *bench;
	struct race *race;
	struct mg_policy deny;
	int other;		/* another sealed memfd: hooks are awake */
};

MG_MEM_VARIANTS(race);

FIXTURE_SETUP(race)
{
	mg_load(_metadata, &self->deny, "deny");
	self->race = race_shared(sizeof(*self->race));
	ASSERT_NE(NULL, self->race);
	self->bench = race_shared(sizeof(*self->bench));
	ASSERT_NE(NULL, self->bench);
	self->bench->mem = variant->mem;
	self->bench->uffd = -1;
	self->other = -1;
}

FIXTURE_TEARDOWN(race)
{
	mg_policy_free(&self->deny);
}

/* What belongs to the processes has gone with them. */
static void round_down(struct bench *b)
{
	unsigned long start, end, inode;
	struct stat st;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	fstat(b->fd, &st);
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end,
			   &inode) == 3 && inode == st.st_ino &&
		    strstr(line, "memfd:memgate-test"))
			munmap((void *)start, end - start);
	if (maps)
		fclose(maps);
	close(b->fd);
}

static long blocks(int fd)
{
	struct stat st;

	fstat(fd, &st);
	return st.st_blocks;
}

static void judge_all(struct __test_metadata *const _metadata,
		      const struct race *race)
{
	const struct hammer *h;

	for (h = race->hammer; h < race->hammer + race->nr; h++) {
		EXPECT_LE(RACE_REFUSALS, (unsigned long)h->refused);
		EXPECT_TRUE(!h->late && !h->strange) {
			TH_LOG("%s went on behind the seal: %lu before, %lu refused, %lu late, %lu other errors (%s)",
			       h->name, h->before, h->refused, h->late,
			       h->strange, strerror(h->what));
		}
	}
}

/* The first seal of all wakes the hooks up, the later ones find them so. */
static bool one_more(FIXTURE_DATA(race) *self, struct race_clock *clock)
{
	if (clock->rounds == 1) {
		self->other = mg_memfd_empty(MG_4K, 4096);
		mg_seal(self->other);
	}
	return race_again(clock);
}

static void one_round(struct __test_metadata *const _metadata,
		      FIXTURE_DATA(race) *self, const struct hammer *h, int nr,
		      int round)
{
	struct bench *b = self->bench;
	struct mg_gate gate;
	unsigned int maps;
	long filled;

	memset(b->place, 0, sizeof(b->place));
	ASSERT_EQ(0, race_start(self->race, h, nr, b, MG_LEN));
	ASSERT_TRUE(race_warm(self->race, 5));
	ASSERT_EQ(0, race_seal(b->fd, &self->deny, round)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	filled = blocks(b->fd);
	race_sealed(self->race);
	race_stop(self->race);
	judge_all(_metadata, self->race);
	EXPECT_EQ(filled, blocks(b->fd)) {
		TH_LOG("pages were filled behind the seal");
	}
	/*
	 * One that was refused when it was there already may have been
	 * counted; one that is there must have been.
	 */
	maps = race_count_maps(b->fd);
	ASSERT_EQ(0, mg_gate_read(0, b->fd, &gate));
	EXPECT_LE(maps, gate.premapped) {
		TH_LOG("areas were mapped behind the seal");
	}
	race_leave(self->race);
}

static void all_rounds(struct __test_metadata *const _metadata,
		       FIXTURE_DATA(race) *self, const struct hammer *h, int nr)
{
	struct bench *b = self->bench;
	struct race_clock clock;

	for (race_clock_start(&clock, TESTS);
	     one_more(self, &clock) && !_metadata->exit_code;) {
		b->fd = mg_memfd_empty(b->mem, MG_LEN);
		ASSERT_LE(0, b->fd);
		one_round(_metadata, self, h, nr, clock.rounds);
		round_down(b);
	}
}

/* In the address space of the one who seals, and in two others. */
#define THREE(what)							\
	{ .name = #what, .access = do_##what },				\
	{ .name = #what " 2", .access = do_##what, .process = true },	\
	{ .name = #what " 3", .access = do_##what, .process = true }

#define RACE_TEST(what)							\
	TEST_F_TIMEOUT(race, what, 240)					\
	{								\
		const struct hammer h[] = { THREE(what) };		\
									\
		all_rounds(_metadata, self, h, 3);			\
	}

RACE_TEST(mmap)
RACE_TEST(mprotect)

TEST_F_TIMEOUT(race, mremap, 240)
{
	const struct hammer h[] = { THREE(mremap) };
	struct hammer lacks = { .target = self->bench };
	struct race race = { };

	if (variant->mem != MG_HUGETLB) {
		all_rounds(_metadata, self, h, 3);
	} else {
		/* hugetlbfs has no second mapping this way: no race. */
		lacks.race = &race;
		self->bench->fd = mg_memfd_empty(variant->mem, MG_LEN);
		ASSERT_EQ(0, do_mremap(&lacks, 0, NULL));
		EXPECT_EQ(-EINVAL, do_mremap(&lacks, 0, NULL));
	}
}

TEST_F_TIMEOUT(race, first_mmap, 240)
{
	const struct hammer h[] = {
		{ .name = "first_mmap", .access = do_first_mmap,
		  .process = true },
	};

	all_rounds(_metadata, self, h, 1);
}

/* A process with threads cannot be forked as fast: each is alone. */
TEST_F_TIMEOUT(race, fork, 240)
{
	const struct hammer h[] = {
		{ .name = "fork", .access = do_fork, .process = true },
		{ .name = "fork 2", .access = do_fork, .process = true },
	};

	all_rounds(_metadata, self, h, 2);
}

TEST_F_TIMEOUT(race, all_at_once, 240)
{
	const struct hammer h[] = {
		{ .name = "mmap", .access = do_mmap },
		{ .name = "mprotect", .access = do_mprotect },
		{ .name = "mprotect 2", .access = do_mprotect,
		  .process = true },
		{ .name = "fork", .access = do_fork, .process = true },
	};

	all_rounds(_metadata, self, h, 4);
}

static int register_fill(struct bench *b)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	b->uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	b->source = mg_map(MG_4K, -1, MG_HUGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, 0);
	b->fill = mg_map(b->mem, b->fd, FILL_LEN, PROT_READ | PROT_WRITE,
			 MAP_SHARED, 0);
	if (b->uffd < 0 || b->source == MAP_FAILED || b->fill == MAP_FAILED)
		return -errno;
	memset(b->source, 1, MG_HUGE_SIZE);
	if (ioctl(b->uffd, UFFDIO_API, &api))
		return -errno;
	reg.range.start = (uintptr_t)b->fill;
	reg.range.len = FILL_LEN;
	return ioctl(b->uffd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

TEST_F_TIMEOUT(race, fill, 240)
{
	const struct hammer h[] = {
		{ .name = "fill", .access = do_fill, .process = true },
		{ .name = "fill 2", .access = do_fill, .process = true },
	};
	struct bench *b = self->bench;
	struct race_clock clock;

	for (race_clock_start(&clock, TESTS);
	     one_more(self, &clock) && !_metadata->exit_code;) {
		b->fd = mg_memfd_empty(b->mem, FILL_LEN);
		ASSERT_LE(0, b->fd);
		ASSERT_EQ(0, register_fill(b));
		one_round(_metadata, self, h, 2, clock.rounds);
		munmap(b->source, MG_HUGE_SIZE);
		close(b->uffd);
		round_down(b);
	}
}

TEST_HARNESS_MAIN
