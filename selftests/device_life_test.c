// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that have gated memory, and the end of everything: memfd, policy,
 * device and container in every order, a process that is killed, a device
 * that is taken from its driver.  What counts is that no attachment, no pin
 * and no memory is left.
 */
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "edu_world.h"
#include "race_util.h"
#include "trace_util.h"

/* What is free **************************************************************/

struct memory {
	long shmem, huge_free;
};

static struct memory memory_now(void)
{
	struct memory m = { -1, -1 };
	char line[128];
	FILE *f;

	mg_write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "Shmem: %ld", &m.shmem);
		sscanf(line, "HugePages_Free: %ld", &m.huge_free);
	}
	if (f)
		fclose(f);
	return m;
}

/* The memory comes back, soon after the last who has it is gone. */
static bool memory_is_back(const struct memory *before)
{
	struct memory now;
	int i;

	for (i = 0; i < 200 * mg_slowness(); i++) {
		now = memory_now();
		/* The test itself has written less than half of a memfd. */
		if (now.huge_free == before->huge_free &&
		    now.shmem < before->shmem + (long)EDU_LEN / 1024 / 2)
			return true;
		usleep(10000);
	}
	return false;
}

/* Both of it: that no such thing is said because nothing was ever there. */
static bool memory_is_taken(const struct memory *before, enum mg_mem mem)
{
	struct memory now = memory_now();

	if (mem == MG_HUGETLB)
		return now.huge_free ==
		       before->huge_free - (long)(EDU_LEN / MG_HUGE_SIZE);
	return now.shmem >= before->shmem + (long)EDU_LEN / 1024 / 2;
}

/* Ways to the memory ********************************************************/

struct way {
	const char *name;
	enum memgate_class class;
	int (*use)(struct edu_world *w);
	int (*map)(struct edu_world *w);
	int (*unmap)(struct edu_world *w);
};

static int type1_use_a(struct edu_world *w)
{
	return type1_use(w, 0, EDU_A);
}

static int type1_map_0(struct edu_world *w)
{
	return type1_map(w, 0);
}

static int type1_unmap_0(struct edu_world *w)
{
	return vfio_unmap(w->container[0], EDU_IOVA, EDU_LEN);
}

static int compat_use_a(struct edu_world *w)
{
	w->compat = true;
	return type1_use_a(w);
}

static int cdev_use_a(struct edu_world *w)
{
	return cdev_use(w, 0, EDU_A);
}

static int cdev_map_0(struct edu_world *w)
{
	return cdev_map(w, 0);
}

static int cdev_unmap_0(struct edu_world *w)
{
	return iommufd_unmap(w->iommufd, w->ioas[0], EDU_IOVA, EDU_LEN);
}

static const struct way ways[] = {
	{ "type1", MEMGATE_VFIO, type1_use_a, type1_map_0, type1_unmap_0 },
	{ "iommufd as container", MEMGATE_IOMMUFD, compat_use_a, type1_map_0,
	  type1_unmap_0 },
	{ "iommufd", MEMGATE_IOMMUFD, cdev_use_a, cdev_map_0, cdev_unmap_0 },
};

EDU_WORLD_FIXTURE(life)

/* Every order ***************************************************************/

enum part { MEMFD, LINK, DEVICE, CONTAINER, PARTS };

static void part_ends(struct edu_world *w, enum part part)
{
	switch (part) {
	case MEMFD:
		munmap(w->map, EDU_LEN);
		w->map = MAP_FAILED;
		edu_world_close(&w->fd);
		break;
	case LINK:
		edu_world_close(&w->link);
		break;
	case DEVICE:
		edu_close(&w->edu[EDU_A]);
		edu_world_close(&w->group[EDU_A]);
		break;
	default:
		edu_world_close(&w->container[0]);
		edu_world_close(&w->iommufd);
	}
}

/* Returns the parts by the @nr-th of their 24 orders. */
static void nth_order(int nr, enum part *order)
{
	enum part left[PARTS] = { MEMFD, LINK, DEVICE, CONTAINER };
	int n, i;

	for (n = PARTS; n > 0; n--) {
		i = nr % n;
		nr /= n;
		order[PARTS - n] = left[i];
		memmove(&left[i], &left[i + 1], (n - i - 1) * sizeof(left[0]));
	}
}

/* A policy whose link is closed is told of nothing any more. */
static bool is_told(const enum part *order, enum part part)
{
	int i;

	for (i = 0; order[i] != part; i++)
		if (order[i] == LINK)
			return false;
	return true;
}

/*
 * An attachment ends with the memfd, and when the consumer has neither its
 * descriptor nor a device; that of a type1 container with the last group.
 */
static bool end_is_told(const enum part *order, enum memgate_class class)
{
	if (is_told(order, MEMFD))
		return true;
	return is_told(order, DEVICE) &&
	       (class == MEMGATE_VFIO || is_told(order, CONTAINER));
}

static long told(struct mg_policy *trace, uint32_t what, uint32_t kind,
		 long expected)
{
	long nr = -1;
	int i;

	for (i = 0; i < 200 * mg_slowness(); i++) {
		nr = mg_trace_find(trace, what, kind, NULL);
		if (nr >= expected)
			break;
		usleep(10000);
	}
	return nr;
}

/* What is there before, and has to be again. */
struct start {
	struct mg_policy trace;
	struct memory memory;
	long pins;
};

static void end_in_order(struct __test_metadata *const _metadata,
			 struct edu_world *w, struct start *start,
			 const struct way *way, const enum part *order)
{
	struct mg_policy *trace = &start->trace;
	enum mg_mem mem = w->mem;
	int i;

	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, mg_trace_reset(trace));
	ASSERT_EQ(0, edu_install(w, trace));
	ASSERT_EQ(0, way->use(w));
	ASSERT_EQ(0, way->map(w));
	ASSERT_EQ(1, edu_attachments(w));
	ASSERT_TRUE(memory_is_taken(&start->memory, mem));
	ASSERT_LT(start->pins, edu_pins());
	for (i = 0; i < PARTS; i++)
		part_ends(w, order[i]);
	EXPECT_TRUE(memory_is_back(&start->memory));
	EXPECT_TRUE(edu_no_more_pins(start->pins));
	i = end_is_told(order, way->class);
	EXPECT_EQ(i, told(trace, TRACE_DETACHED, way->class, i));
	i = is_told(order, MEMFD);
	EXPECT_EQ(i, told(trace, TRACE_RELEASED, ~0U, i));
	edu_world_down(w);
}

static void end_in_orders(struct __test_metadata *const _metadata,
			  struct edu_world *w, const struct way *way)
{
	enum mg_mem mem = w->mem;
	enum part order[PARTS];
	struct start start;
	int nr;

	edu_world_down(w);
	w->mem = mem;
	ASSERT_EQ(0, mg_policy_load(&start.trace, "trace"));
	start.memory = memory_now();
	start.pins = edu_pins();
	for (nr = 0; nr < 24; nr++) {
		nth_order(nr, order);
		end_in_order(_metadata, w, &start, way, order);
		if (_metadata->exit_code != KSFT_PASS) {
			TH_LOG("%s: order %d%d%d%d", way->name, order[0],
			       order[1], order[2], order[3]);
		}
	}
	mg_policy_free(&start.trace);
}

TEST_F_TIMEOUT(life, orders_type1, 60)
{
	end_in_orders(_metadata, &self->w, &ways[0]);
}

TEST_F_TIMEOUT(life, orders_compat, 60)
{
	end_in_orders(_metadata, &self->w, &ways[1]);
}

TEST_F_TIMEOUT(life, orders_iommufd, 60)
{
	end_in_orders(_metadata, &self->w, &ways[2]);
}

/* The device works on while the others go, as long as it has a container. */
TEST_F(life, survives)
{
	struct edu_world *w = &self->w;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		ASSERT_EQ(0, edu_trust_all(w));
		ASSERT_EQ(0, ways[i].use(w));
		ASSERT_EQ(0, ways[i].map(w));
		edu_world_close(&w->link);
		EXPECT_TRUE(edu_copies(w, EDU_A));
		part_ends(w, MEMFD);
		EXPECT_EQ(0, edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM));
		EXPECT_TRUE(edu_knows(w, EDU_A));
		edu_world_down(w);
		edu_world_up(_metadata, w, variant->mem);
	}
}

/* A process that is killed **************************************************/

#define KILLS	8

struct victim {
	_Atomic long rounds;
	_Atomic int error;
};

/* Maps and unmaps for ever; every so often with a DMA that is under way. */
static void be_victim(struct edu_world *w, const struct way *way,
		      struct victim *v)
{
	int err = way->use(w);

	while (!err) {
		err = way->map(w);
		if (!err && v->rounds % 8 == 7)
			err = edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM);
		if (!err)
			err = way->unmap(w);
		v->rounds++;
	}
	v->error = err;
	pause();
}

static void kill_one(struct __test_metadata *const _metadata,
		     struct edu_world *w, const struct way *way, int nr)
{
	struct victim *v = race_shared(sizeof(*v));
	long pins = edu_pins();
	int i, attached = 0;
	pid_t pid;

	ASSERT_NE(NULL, v);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		be_victim(w, way, v);
	for (i = 0; i < 2000 && v->rounds < 2 + nr && !v->error; i++)
		usleep(5000);
	usleep(nr * 1777);
	attached = edu_attachments(w);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, v->error) {
		TH_LOG("%s: %s", way->name, strerror(-v->error));
	}
	EXPECT_LE(2 + nr, v->rounds);
	EXPECT_EQ(1, attached);
	for (i = 0; i < 500 && edu_attachments(w); i++)
		usleep(10000);
	EXPECT_EQ(0, edu_attachments(w)) {
		TH_LOG("%s: an attachment is left", way->name);
	}
	EXPECT_TRUE(edu_no_more_pins(pins));
	munmap(v, sizeof(*v));
}

TEST_F_TIMEOUT(life, killed, 60)
{
	struct edu_world *w = &self->w;
	int i;

	ASSERT_EQ(0, edu_trust_all(w));
	for (i = 0; i < KILLS; i++)
		kill_one(_metadata, w, &ways[i % ARRAY_SIZE(ways)], i);
	/* Nobody has the device any more. */
	ASSERT_EQ(0, type1_use_a(w));
	ASSERT_EQ(0, type1_map_0(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	EXPECT_TRUE(mg_pages_match(w->map + MG_HUGE_SIZE, MG_HUGE_SIZE,
				   MG_HUGE_SIZE));
}

/* A device that is taken from its driver ************************************/

FIXTURE(unbind) {
	struct edu_world w;
	struct mg_peer peer;
};

FIXTURE_SETUP(unbind)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	edu_world_up(_metadata, &self->w, MG_THP);
	ASSERT_EQ(0, edu_trust(&self->w, EDU_BIT(EDU_A) | EDU_BIT(EDU_B)));
}

FIXTURE_TEARDOWN(unbind)
{
	edu_world_down(&self->w);
	mg_peer_stop(&self->peer);
	EXPECT_EQ(0, edu_ready());
}

static long unbind_a(int fd, long arg)
{
	return edu_unbind(EDU_A);
}

/* VFIO waits until the user has closed it; then the device is gone. */
static void unbind_in_use(struct __test_metadata *const _metadata,
			  struct edu_world *w, struct mg_peer *peer)
{
	ASSERT_EQ(0, mg_peer_begin(peer, unbind_a, -1, 0));
	usleep(300000);
	EXPECT_TRUE(edu_copies(w, EDU_A));
	EXPECT_EQ(1, edu_attachments(w));
	edu_close(&w->edu[EDU_A]);
	EXPECT_EQ(0, mg_peer_end(peer));
	EXPECT_FALSE(edu_is_bound(EDU_A));
}

TEST_F(unbind, type1)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, type1_use_a(w));
	ASSERT_EQ(0, type1_map_0(w));
	unbind_in_use(_metadata, w, &self->peer);
	/* Its group has left the container with it: that was all there was. */
	EXPECT_EQ(0, edu_attachments(w));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
}

TEST_F(unbind, iommufd)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, cdev_use_a(w));
	ASSERT_EQ(0, cdev_map_0(w));
	EXPECT_EQ(1, edu_shown(w, EDU_A));
	unbind_in_use(_metadata, w, &self->peer);
	/* The IOAS stays, without the device. */
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_EQ(0, edu_shown(w, EDU_A));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
	edu_world_close(&w->iommufd);
	EXPECT_EQ(0, edu_attachments(w));
}

/* Memfd and driver, one after the other: the pages come back with the last. */
static void unbind_and_forget(struct __test_metadata *const _metadata,
			      struct edu_world *w, struct mg_peer *peer,
			      const struct way *way, bool memfd_first)
{
	struct memory start;
	long pins;

	edu_world_down(w);
	start = memory_now();
	pins = edu_pins();
	edu_world_up(_metadata, w, MG_THP);
	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, way->use(w));
	ASSERT_EQ(0, way->map(w));
	ASSERT_TRUE(memory_is_taken(&start, MG_THP));
	if (memfd_first)
		part_ends(w, MEMFD);
	ASSERT_EQ(0, mg_peer_begin(peer, unbind_a, -1, 0));
	EXPECT_EQ(0, edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM));
	EXPECT_TRUE(edu_knows(w, EDU_A));
	EXPECT_LT(pins, edu_pins());
	edu_close(&w->edu[EDU_A]);
	EXPECT_EQ(0, mg_peer_end(peer));
	EXPECT_FALSE(edu_is_bound(EDU_A));
	if (!memfd_first)
		part_ends(w, MEMFD);
	edu_world_leave(w);
	EXPECT_TRUE(edu_no_more_pins(pins));
	EXPECT_TRUE(memory_is_back(&start));
	edu_world_down(w);
}

TEST_F_TIMEOUT(unbind, and_memfd, 60)
{
	unsigned int i;

	for (i = 0; i < 2 * ARRAY_SIZE(ways); i++)
		unbind_and_forget(_metadata, &self->w, &self->peer,
				  &ways[i / 2], i % 2);
}

/* Another group stays: so does the attachment, and its DMA. */
TEST_F(unbind, one_of_two)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, type1_use_a(w));
	ASSERT_EQ(0, type1_use(w, 0, EDU_B));
	ASSERT_EQ(0, type1_map_0(w));
	EXPECT_EQ(1, edu_shown(w, EDU_A));
	EXPECT_EQ(1, edu_shown(w, EDU_B));
	unbind_in_use(_metadata, w, &self->peer);
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_EQ(0, edu_shown(w, EDU_A));
	EXPECT_EQ(1, edu_shown(w, EDU_B));
	EXPECT_TRUE(edu_copies(w, EDU_B));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
}

/* With the last group all that a type1 container had is gone. */
TEST_F(unbind, groups_leave)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, type1_use_a(w));
	ASSERT_EQ(0, type1_use(w, 0, EDU_B));
	ASSERT_EQ(0, type1_map_0(w));
	edu_close(&w->edu[EDU_A]);
	ASSERT_EQ(0, vfio_leave(w->group[EDU_A]));
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_EQ(0, edu_shown(w, EDU_A));
	EXPECT_TRUE(edu_copies(w, EDU_B));
	edu_close(&w->edu[EDU_B]);
	ASSERT_EQ(0, vfio_leave(w->group[EDU_B]));
	EXPECT_EQ(0, edu_attachments(w));
	EXPECT_EQ(0, edu_shown_all(w));
}

TEST_HARNESS_MAIN
