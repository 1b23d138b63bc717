// SPDX-License-Identifier: GPL-2.0-only
/* dma-bufs of memfds, and who uses them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dmabuf_util.h"
#include "module_util.h"
#include "modules/dmabuf_user/dmabuf_user.h"

/* Of <drm/drm.h>, which the compiler finds only where libdrm is. */
struct drm_prime_handle {
	__u32 handle;
	__u32 flags;
	__s32 fd;
};

#define DRM_IOCTL_PRIME_FD_TO_HANDLE \
	_IOWR('d', 0x2e, struct drm_prime_handle)

/* ioctl() that answers with its errno. */
static int do_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static int open_dev(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One ioctl() to a device file that nobody needs after that. */
static int at_udmabuf(unsigned long cmd, void *arg)
{
	int dev = open_dev("/dev/udmabuf"), buf;

	if (dev < 0)
		return dev;
	buf = do_ioctl(dev, cmd, arg);
	close(dev);
	return buf;
}

int dmabuf_create(int memfd, size_t len)
{
	struct udmabuf_create create = {
		.memfd = memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .size = len,
	};

	return at_udmabuf(UDMABUF_CREATE, &create);
}

int dmabuf_create_list(const int *memfds, int nr, size_t len)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item item[4];
	} list = {
		.head = { .flags = UDMABUF_FLAGS_CLOEXEC, .count = nr },
	};
	int i;

	if (nr > 4)
		return -E2BIG;
	for (i = 0; i < nr; i++) {
		list.item[i].memfd = memfds[i];
		list.item[i].size = len;
	}
	return at_udmabuf(UDMABUF_CREATE_LIST, &list);
}

/* What an ioctl() does stays as long as the device file is open. */
static int use(int dev, unsigned long cmd, void *arg)
{
	int err;

	if (dev < 0)
		return dev;
	err = do_ioctl(dev, cmd, arg);
	if (!err)
		return dev;
	close(dev);
	return err;
}

/* The module is loaded when it is needed first, and stays. */
static int open_user(void)
{
	int dev = open_dev("/dev/dmabuf_user"), err;

	if (dev != -ENOENT)
		return dev;
	err = mg_module_load("dmabuf_user", "");
	if (err && err != -EEXIST)
		return err;
	return open_dev("/dev/dmabuf_user");
}

int dmabuf_import(int buf)
{
	return use(open_user(), DMABUF_USER_IMPORT, (void *)(long)buf);
}

int dmabuf_vmap(int buf)
{
	return use(open_user(), DMABUF_USER_VMAP, (void *)(long)buf);
}

int dmabuf_import_vgem(int buf)
{
	struct drm_prime_handle handle = { .fd = buf };

	return use(open_dev("/dev/dri/card0"), DRM_IOCTL_PRIME_FD_TO_HANDLE,
		   &handle);
}
