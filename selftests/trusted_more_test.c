// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy trusted_devices, and devices that are no part of a PCI device: a
 * simulated vDPA device, and who imports a dma-buf.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "dmabuf_util.h"
#include "memgate_util.h"
#include "param_util.h"
#include "vdpa_util.h"

#define LEN	MG_HUGE_SIZE

FIXTURE(trusted) {
	int fd, buf;
	char *map;
	struct mg_policy policy;
};

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("trusted_devices");
}

FIXTURE_SETUP(trusted)
{
	self->buf = -1;
	ASSERT_EQ(0, mg_policy_load(&self->policy, "trusted_devices")) {
		TH_LOG("%s", self->policy.log);
	}
	self->fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SHRINK));
	self->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(trusted)
{
	close(self->buf);
	munmap(self->map, LEN);
	mg_policy_free(&self->policy);
	close(self->fd);
}

#define TRUST(nr, rule)							\
	ASSERT_EQ(0, mg_param_text(&self->policy, "trust", nr, rule))
#define INSTALL() ASSERT_LE(0, mg_install(&self->policy, self->fd))

/* vDPA ***********************************************************************/

/* The device sends what is in the memory: 0 if that is what arrives. */
static int send_it(struct vdpa *v)
{
	char *got = v->own + VDPA_OWN_IN;
	int err;

	memset(got, 0, VDPA_FRAME);
	err = vdpa_start(v) ?:
	      vdpa_send(v, VDPA_IOVA, VDPA_OWN_IOVA + VDPA_OWN_IN, 5000);
	return err ?: mg_matches(got, 0, VDPA_FRAME) ? 0 : -EBADMSG;
}

static int take_by_vdpa(char *map)
{
	struct vdpa v;
	int err;

	err = vdpa_open(&v);
	if (err)
		return err;
	err = vdpa_map(&v, VDPA_IOVA, map, LEN, VHOST_ACCESS_RO);
	err = err ?: send_it(&v);
	vdpa_close(&v);
	return err;
}

/* It is a device without a parent that counts, and has a driver. */
TEST_F(trusted, vdpa)
{
	ASSERT_EQ(0, vdpa_device());
	ASSERT_EQ(0, take_by_vdpa(self->map));
	TRUST(0, "pci:0000:00:10.0");
	TRUST(1, "driver:vhost_vdpa");
	INSTALL();
	EXPECT_EQ(0, take_by_vdpa(self->map));
}

TEST_F(trusted, vdpa_by_no_rule)
{
	ASSERT_EQ(0, vdpa_device());
	ASSERT_EQ(0, take_by_vdpa(self->map));
	TRUST(0, "pci:*");
	TRUST(1, "id:*");
	TRUST(2, "class:*");
	TRUST(3, "group:*");
	TRUST(4, "net:*");
	TRUST(5, "rdma:*");
	TRUST(6, "driver:virtio_vdpa");
	INSTALL();
	EXPECT_EQ(-EFAULT, take_by_vdpa(self->map));
}

TEST_F(trusted, vdpa_malformed)
{
	ASSERT_EQ(0, vdpa_device());
	ASSERT_EQ(0, take_by_vdpa(self->map));
	TRUST(0, "driver:vhost_vdpa");
	TRUST(9, "driver:");
	INSTALL();
	EXPECT_EQ(-EFAULT, take_by_vdpa(self->map));
}

/* dma-bufs *******************************************************************/

static int import(int (*by)(int buf), int buf)
{
	int user = by(buf);

	if (user < 0)
		return user;
	close(user);
	return 0;
}

/*
 * Nobody has it yet, so it can be made; the kernel itself is no device; and
 * importers without anything that a rule could name are refused, with the
 * policy's errno.
 */
TEST_F(trusted, importers)
{
	self->buf = dmabuf_create(self->fd, LEN);
	ASSERT_LE(0, self->buf);
	ASSERT_EQ(0, import(dmabuf_import, self->buf));
	ASSERT_EQ(0, import(dmabuf_import_vgem, self->buf));
	close(self->buf);

	TRUST(0, "pci:*");
	TRUST(1, "id:*");
	TRUST(2, "class:*");
	TRUST(3, "group:*");
	TRUST(4, "driver:*");
	TRUST(5, "net:*");
	TRUST(6, "rdma:*");
	INSTALL();
	self->buf = dmabuf_create(self->fd, LEN);
	ASSERT_LE(0, self->buf);
	EXPECT_EQ(-EACCES, import(dmabuf_import, self->buf));
	EXPECT_EQ(-EACCES, import(dmabuf_import_vgem, self->buf));
	EXPECT_EQ(0, import(dmabuf_vmap, self->buf));
}

TEST_HARNESS_MAIN
