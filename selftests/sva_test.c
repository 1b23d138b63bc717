// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page tables that are shared with a device (SVA): all that the process maps
 * is the device's, and no kernel code sees it take something.  So a process
 * has either gated memory or such a device; the module mm_bound stands for the
 * device.
 */
#include "kselftest_harness.h"
#include "mediated.h"
#include "module_util.h"

FIXTURE(sva) {
	struct mg_peer peer;
	struct mg_policy allow;
	int fd, link;
	bool bound;
};

MG_MEM_VARIANTS(sva);

FIXTURE_SETUP(sva)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_memfd(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	mg_load(_metadata, &self->allow, "allow");
	self->link = -1;
}

FIXTURE_TEARDOWN(sva)
{
	if (self->bound)
		mg_module_remove("mm_bound");
	close(self->link);
	close(self->fd);
	mg_policy_free(&self->allow);
	mg_peer_stop(&self->peer);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(sva) *self

/* The test's mm is bound from here on, until the end of the test. */
static void bind_mm(SELF)
{
	int err = mg_module_load("mm_bound", "");

	ASSERT_EQ(0, err) {
		TH_LOG("mm_bound is not loaded: %s", strerror(-err));
	}
	self->bound = true;
}

static void unbind_mm(SELF)
{
	ASSERT_EQ(0, mg_module_remove("mm_bound"));
	self->bound = false;
}

static long try_map(int fd, long arg)
{
	enum mg_mem mem = arg;
	char *map = mg_map(mem, fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
	long ret;

	if (map == MAP_FAILED)
		return -errno;
	ret = mg_matches(map, 0, MG_LEN) ? 0 : -EBADMSG;
	munmap(map, MG_LEN);
	return ret;
}

static long try_map_private(int fd, long arg)
{
	char *map = mmap(NULL, MG_LEN, PROT_READ, MAP_PRIVATE, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	munmap(map, MG_LEN);
	return 0;
}

/* Bound first, then mapped: closed, whatever the policy says. */
TEST_F(sva, mmap)
{
	self->link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, self->link);
	EXPECT_EQ(0, try_map(self->fd, variant->mem));
	bind_mm(_metadata, self);
	EXPECT_EQ(-EACCES, try_map(self->fd, variant->mem));
	EXPECT_EQ(-EACCES, try_map_private(self->fd, 0));
	/* Other processes have nothing to do with it. */
	EXPECT_EQ(0, mg_peer_call(&self->peer, try_map, self->fd,
				  variant->mem));
	unbind_mm(_metadata, self);
	EXPECT_EQ(0, try_map(self->fd, variant->mem));
}

/* Memory without a gate is mapped as ever. */
TEST_F(sva, ungated)
{
	int gated = mg_memfd(MG_4K, MG_LEN);

	ASSERT_EQ(0, mg_seal(gated));
	bind_mm(_metadata, self);
	EXPECT_EQ(0, try_map(self->fd, variant->mem));
	EXPECT_EQ(0, try_map_private(self->fd, 0));
	close(gated);
}

/* Mapped first, then bound: it is the bind that is refused. */
TEST_F(sva, bind)
{
	char *map;

	map = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	bind_mm(_metadata, self);
	unbind_mm(_metadata, self);
	self->link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, self->link);
	EXPECT_EQ(-EACCES, mg_module_load("mm_bound", ""));
	/* It has left nothing behind. */
	EXPECT_EQ(0, try_map(self->fd, variant->mem));
	munmap(map, MG_LEN);
	bind_mm(_metadata, self);
}

/* Mapped and bound, then sealed: the seal is refused, and nothing changes. */
TEST_F(sva, seal)
{
	struct mg_gate gate;
	char *map;

	map = mg_map(variant->mem, self->fd, MG_LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	bind_mm(_metadata, self);
	EXPECT_EQ(-1, mg_seal(self->fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, mg_install(&self->allow, self->fd));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-ENOENT, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(0, try_map(self->fd, variant->mem));
	munmap(map, MG_LEN);
	/* It is enough that the bound process has let go of it. */
	EXPECT_EQ(0, mg_seal(self->fd));
}

TEST_HARNESS_MAIN
