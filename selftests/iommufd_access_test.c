// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses of iommufd: kernel code that reads and writes what an IOAS has, or
 * pins it, as mediated devices do.  Class IOMMUFD; each access is a consumer
 * of its own.  They come from CONFIG_IOMMUFD_TEST.
 */
#include <fcntl.h>
#include <linux/iommufd.h>
#include <sys/ioctl.h>

#include <drivers/iommu/iommufd/iommufd_test.h>

#include "kselftest_harness.h"
#include "edu_world.h"
#include "trace_util.h"

#define MARK		0x7000000

static int test_ioctl(int iommufd, struct iommu_test_cmd *cmd)
{
	cmd->size = sizeof(*cmd);
	return ioctl(iommufd, IOMMU_TEST_CMD, cmd) < 0 ? -errno : 0;
}

/* A new access to an IOAS: its descriptor. */
static int open_access(struct edu_world *w, int ioas, unsigned int flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_CREATE_ACCESS,
		.id = ioas,
		.create_access = { .flags = flags },
	};
	int err = test_ioctl(w->iommufd, &cmd);

	return err ? err : (int)cmd.create_access.out_access_fd;
}

/* Reads and writes **********************************************************/

static const struct {
	const char *name;
	size_t len;
	unsigned int flags;
} rw_ways[] = {
	{ "through the mapping", 0x3000, 0 },
	{ "a page", 0x800, MOCK_ACCESS_RW_SLOW_PATH },
	{ "pages", 0x3000, MOCK_ACCESS_RW_SLOW_PATH },
};

static char buf[0x3000];

static int rw(struct edu_world *w, int access, unsigned int way,
	      unsigned int flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = access,
		.access_rw = {
			.iova = EDU_IOVA + EDU_TO,
			.length = rw_ways[way].len,
			.uptr = (uintptr_t)buf,
			.flags = rw_ways[way].flags | flags,
		},
	};

	return test_ioctl(w->iommufd, &cmd);
}

static void try_read(struct __test_metadata *const _metadata,
		     struct edu_world *w, int access, unsigned int way,
		     int expected, const char *state)
{
	int err;

	memset(buf, 0, sizeof(buf));
	err = rw(w, access, way, 0);
	EXPECT_EQ(-expected, err) {
		TH_LOG("%s, reads %s: %s", state, rw_ways[way].name,
		       strerror(-err));
	}
	EXPECT_EQ(!expected, mg_matches(buf, EDU_TO, rw_ways[way].len)) {
		TH_LOG("%s, reads %s: wrong bytes", state, rw_ways[way].name);
	}
}

static void try_write(struct __test_metadata *const _metadata,
		      struct edu_world *w, int access, unsigned int way,
		      int expected, const char *state)
{
	int err;

	mg_fill(buf, MARK, sizeof(buf));
	err = rw(w, access, way, MOCK_ACCESS_RW_WRITE);
	EXPECT_EQ(-expected, err) {
		TH_LOG("%s, writes %s: %s", state, rw_ways[way].name,
		       strerror(-err));
	}
	EXPECT_TRUE(mg_matches(w->map + EDU_TO, expected ? EDU_TO : MARK,
			       rw_ways[way].len)) {
		TH_LOG("%s, writes %s: wrong bytes", state, rw_ways[way].name);
	}
	mg_fill(w->map + EDU_TO, EDU_TO, sizeof(buf));
}

/* A new access for each attempt: what one was granted it keeps. */
static void try_rw(struct __test_metadata *const _metadata,
		   struct edu_world *w, int expected, const char *state)
{
	int attached = edu_attachments(w), access;
	long pins = edu_pins();
	unsigned int way;

	for (way = 0; way < ARRAY_SIZE(rw_ways); way++) {
		access = open_access(w, w->ioas[0], 0);
		ASSERT_LE(0, access);
		try_read(_metadata, w, access, way, expected, state);
		close(access);
		access = open_access(w, w->ioas[0], 0);
		ASSERT_LE(0, access);
		try_write(_metadata, w, access, way, expected, state);
		close(access);
	}
	EXPECT_EQ(attached, edu_attachments(w)) {
		TH_LOG("%s: left an attachment", state);
	}
	EXPECT_TRUE(edu_no_more_pins(pins)) {
		TH_LOG("%s: left pins", state);
	}
}

EDU_WORLD_FIXTURE(kinds)

static int no_device(struct edu_world *w)
{
	return cdev_up(w) ?: cdev_map(w, 0);
}

/* The pages are pinned already, for a device. */
static int with_device(struct edu_world *w)
{
	return cdev_use(w, 0, EDU_A) ?: cdev_map(w, 0);
}

/* One kind of access in all states: without and with a device beside it. */
static void in_all_states(struct __test_metadata *const _metadata,
			  struct edu_world *w,
			  void (*try)(struct __test_metadata *const _metadata,
				      struct edu_world *w, int expected,
				      const char *state),
			  int (*set_up)(struct edu_world *w))
{
	struct mg_policy allow, deny;
	enum mg_mem mem = w->mem;

	ASSERT_EQ(0, set_up(w));
	try(_metadata, w, 0, "no gate");
	edu_world_down(w);

	ASSERT_EQ(0, mg_policy_load(&allow, "allow"));
	ASSERT_EQ(0, mg_policy_load(&deny, "deny"));
	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, edu_install(w, &allow));
	ASSERT_EQ(0, set_up(w));
	try(_metadata, w, 0, "allowed");
	ASSERT_EQ(0, mg_link_update(w->link, deny.map_fd));
	try(_metadata, w, EACCES, "denied");
	ASSERT_EQ(0, mg_link_update(w->link, allow.map_fd));
	try(_metadata, w, 0, "allowed again");
	edu_world_close(&w->link);
	try(_metadata, w, EACCES, "policy gone");
}

TEST_F(kinds, rw)
{
	in_all_states(_metadata, &self->w, try_rw, no_device);
}

TEST_F(kinds, rw_beside_device)
{
	in_all_states(_metadata, &self->w, try_rw, with_device);
}

/* Pins **********************************************************************/

#define PINNED		0x20000

static int pin(struct edu_world *w, int access, unsigned int flags)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_PAGES,
		.id = access,
		.access_pages = {
			.iova = EDU_IOVA,
			.length = PINNED,
			/* the kernel compares them with what is mapped here */
			.uptr = (uintptr_t)w->map,
			.flags = flags,
		},
	};
	int err = test_ioctl(w->iommufd, &cmd);

	return err ? err : (int)cmd.access_pages.out_access_pages_id;
}

static int open_pinner(struct edu_world *w)
{
	return open_access(w, w->ioas[0],
			   MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES);
}

static void try_pin(struct __test_metadata *const _metadata,
		    struct edu_world *w, int expected, const char *state)
{
	unsigned int flags[] = { 0, MOCK_FLAGS_ACCESS_WRITE }, i;
	int attached = edu_attachments(w), access, ret;
	long pins = edu_pins();

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		access = open_pinner(w);
		ASSERT_LE(0, access);
		ret = pin(w, access, flags[i]);
		EXPECT_TRUE(expected ? ret == -expected : ret >= 0) {
			TH_LOG("%s, pins%s: %s", state,
			       flags[i] ? " to write" : "", strerror(-ret));
		}
		close(access);
	}
	EXPECT_EQ(attached, edu_attachments(w)) {
		TH_LOG("%s: left an attachment", state);
	}
	EXPECT_TRUE(edu_no_more_pins(pins)) {
		TH_LOG("%s: left pins", state);
	}
}

TEST_F(kinds, pin)
{
	in_all_states(_metadata, &self->w, try_pin, no_device);
}

TEST_F(kinds, pin_beside_device)
{
	in_all_states(_metadata, &self->w, try_pin, with_device);
}

/* The same pages, for another access that has them. */
static int with_pin(struct edu_world *w)
{
	int err = no_device(w), access;

	if (err)
		return err;
	/* Stays until the iommufd is closed, in the end of the test. */
	access = open_pinner(w);
	return access < 0 ? access : pin(w, access, MOCK_FLAGS_ACCESS_WRITE);
}

TEST_F(kinds, pin_beside_pin)
{
	in_all_states(_metadata, &self->w, try_pin, with_pin);
}

TEST_F(kinds, rw_beside_pin)
{
	in_all_states(_metadata, &self->w, try_rw, with_pin);
}

/* A device comes to pages that an access has pinned. */
static int with_pin_open_a(struct edu_world *w)
{
	return with_pin(w) ?: cdev_open(w, EDU_A);
}

static int attach_a(struct edu_world *w)
{
	return edu_attach(&w->edu[EDU_A], w->ioas[0]);
}

FIXTURE(access) {
	struct edu_world w;
};

FIXTURE_SETUP(access)
{
	edu_world_up(_metadata, &self->w, MG_THP);
}

FIXTURE_TEARDOWN(access)
{
	edu_world_down(&self->w);
}

TEST_F(access, device_beside_pin)
{
	struct edu_world *w = &self->w;

	ASSERT_EQ(0, with_pin_open_a(w));
	ASSERT_EQ(0, attach_a(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	edu_world_down(w);

	edu_world_up(_metadata, w, MG_THP);
	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, with_pin_open_a(w));
	ASSERT_EQ(0, attach_a(w));
	EXPECT_TRUE(edu_copies(w, EDU_A));
	EXPECT_EQ(2, edu_attachments(w));
	edu_world_down(w);

	edu_world_up(_metadata, w, MG_THP);
	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, with_pin_open_a(w));
	edu_world_close(&w->link);
	EXPECT_EQ(-EACCES, attach_a(w));
	EXPECT_EQ(1, edu_attachments(w));
	EXPECT_TRUE(edu_excluded(w, EDU_A));
}

/* What is granted ***********************************************************/

static void access_trace(struct __test_metadata *const _metadata,
			 struct edu_world *w, struct mg_policy *trace)
{
	ASSERT_EQ(0, mg_policy_load(trace, "trace"));
	ASSERT_EQ(0, edu_install(w, trace));
	ASSERT_EQ(0, no_device(w));
	ASSERT_EQ(0, mg_trace_reset(trace));
}

#define ASKED()	mg_trace_find(&trace, TRACE_MAY_ATTACH, MEMGATE_IOMMUFD, &e)

/* Asked once, and again for more; each access by itself. */
TEST_F(access, question)
{
	struct edu_world *w = &self->w;
	struct trace_event e = { 0 };
	struct mg_policy trace;
	int first, second;
	__u64 id;

	access_trace(_metadata, w, &trace);
	first = open_access(w, w->ioas[0], 0);
	second = open_access(w, w->ioas[0], 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	EXPECT_EQ(0, ASKED());
	ASSERT_EQ(0, rw(w, first, 0, 0));
	EXPECT_EQ(1, ASKED());
	EXPECT_EQ(MEMGATE_READ, e.rights);
	EXPECT_EQ(0, e.device);
	EXPECT_EQ(getpid(), e.consumer_tgid);
	id = e.consumer;
	ASSERT_EQ(0, rw(w, first, 1, 0));
	EXPECT_EQ(1, ASKED());
	/* Several pages are pinned for all that the IOAS may do with them. */
	ASSERT_EQ(0, rw(w, first, 2, 0));
	EXPECT_EQ(2, ASKED());
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	ASSERT_EQ(0, rw(w, first, 2, MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(2, ASKED());
	EXPECT_EQ(id, e.consumer);

	ASSERT_EQ(0, rw(w, second, 1, 0));
	EXPECT_EQ(3, ASKED());
	EXPECT_NE(id, e.consumer);
	EXPECT_EQ(2, edu_attachments(w));
	close(first);
	EXPECT_EQ(1, edu_attachments(w));
	close(second);
	EXPECT_EQ(0, edu_attachments(w));
}

/* What was granted for reading writes nothing. */
TEST_F(access, rights)
{
	struct edu_world *w = &self->w;
	struct mg_policy answer;
	unsigned int way;
	int access;

	ASSERT_EQ(0, mg_policy_load(&answer, "answer"));
	ASSERT_EQ(0, mg_param(&answer, "allow_rights", MEMGATE_READ));
	ASSERT_EQ(0, edu_install(w, &answer));
	ASSERT_EQ(0, no_device(w));
	access = open_access(w, w->ioas[0], 0);
	ASSERT_LE(0, access);
	for (way = 0; way < ARRAY_SIZE(rw_ways); way++)
		try_write(_metadata, w, access, way, EACCES, "only to read");
	try_read(_metadata, w, access, 0, 0, "only to read");
	try_read(_metadata, w, access, 1, 0, "only to read");
	close(access);
	EXPECT_EQ(0, edu_attachments(w));

	ASSERT_EQ(0, iommufd_map(w->iommufd, w->ioas[1], w->map, EDU_IOVA,
				 EDU_LEN, MEMGATE_READ));
	access = open_access(w, w->ioas[1], 0);
	ASSERT_LE(0, access);
	for (way = 0; way < ARRAY_SIZE(rw_ways); way++)
		try_read(_metadata, w, access, way, 0, "mapped to read");
	close(access);
}

/* A memfd that has died while an access holds its pages *********************/

static void forget(struct edu_world *w)
{
	munmap(w->map, EDU_LEN);
	edu_world_close(&w->fd);
	w->map = mmap(NULL, EDU_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int rw_pinned(struct edu_world *w, int access)
{
	struct iommu_test_cmd cmd = {
		.op = IOMMU_TEST_OP_ACCESS_RW,
		.id = access,
		.access_rw = {
			.iova = EDU_IOVA + EDU_FROM,
			.length = sizeof(buf),
			.uptr = (uintptr_t)buf,
			.flags = MOCK_ACCESS_RW_SLOW_PATH,
		},
	};

	memset(buf, 0, sizeof(buf));
	return test_ioctl(w->iommufd, &cmd);
}

/* As large as what is pinned, so that a page table needs no more of it. */
static int pin_small(struct edu_world *w)
{
	int err = cdev_up(w), access;

	if (!err)
		err = iommufd_map(w->iommufd, w->ioas[0], w->map, EDU_IOVA,
				  PINNED, EDU_RW);
	if (err)
		return err;
	access = open_pinner(w);
	err = access < 0 ? access : pin(w, access, MOCK_FLAGS_ACCESS_WRITE);
	return err < 0 ? err : access;
}

static bool device_knows(struct edu_world *w)
{
	return !edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM) &&
	       edu_knows(w, EDU_A);
}

TEST_F(access, orphan_ungated)
{
	struct edu_world *w = &self->w;
	int access;

	ASSERT_LE(0, pin_small(w));
	forget(w);
	access = open_access(w, w->ioas[0], 0);
	ASSERT_LE(0, access);
	EXPECT_EQ(0, rw_pinned(w, access));
	EXPECT_TRUE(mg_matches(buf, EDU_FROM, EDU_BYTES));
	ASSERT_EQ(0, cdev_use(w, 0, EDU_A));
	EXPECT_TRUE(device_knows(w));
}

/* All are trusted, but nobody can be asked any more. */
TEST_F(access, orphan)
{
	struct edu_world *w = &self->w;
	int access;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_LE(0, pin_small(w));
	EXPECT_EQ(1, edu_attachments(w));
	edu_new_secret(w);
	forget(w);
	access = open_access(w, w->ioas[0], 0);
	ASSERT_LE(0, access);
	EXPECT_EQ(-EACCES, rw_pinned(w, access));
	EXPECT_FALSE(mg_matches(buf, w->secret, EDU_BYTES));
	ASSERT_EQ(0, cdev_open(w, EDU_A));
	EXPECT_EQ(-EACCES, attach_a(w));
	ASSERT_EQ(0, edu_attach(&w->edu[EDU_A], w->ioas[1]));
	EXPECT_FALSE(edu_knows(w, EDU_A));
	EXPECT_EQ(-EACCES, iommufd_copy(w->iommufd, w->ioas[0], w->ioas[1],
					EDU_IOVA, PINNED));
}

/* Pages that the memfd has given up, and an IOAS has not. */
TEST_F(access, punched)
{
	struct edu_world *w = &self->w;
	int access;

	ASSERT_EQ(0, edu_trust_all(w));
	ASSERT_EQ(0, with_device(w));
	ASSERT_EQ(0, fallocate(w->fd, FALLOC_FL_PUNCH_HOLE |
			       FALLOC_FL_KEEP_SIZE, 0, EDU_LEN));
	edu_world_close(&w->link);
	access = open_access(w, w->ioas[0], 0);
	ASSERT_LE(0, access);
	EXPECT_EQ(-EACCES, rw_pinned(w, access));
	EXPECT_FALSE(mg_matches(buf, EDU_FROM, EDU_BYTES));
	close(access);
	access = open_pinner(w);
	ASSERT_LE(0, access);
	EXPECT_EQ(-EACCES, pin(w, access, 0));
	close(access);
}

TEST_HARNESS_MAIN
