/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives memory to a device and takes it back, for tests of the policies that
 * judge devices; that the devices work with it is what others test.
 *
 * Everything returns 0 or a negative errno.
 */
#ifndef TAKE_H
#define TAKE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "edu_util.h"
#include "memgate_util.h"

#define TAKE_LEN	MG_HUGE_SIZE

/* The whole iommu_group of @nr. */
static inline int take_by_vfio(char *map, enum edu_nr nr)
{
	int container = vfio_container(), group = vfio_group(nr), err;

	err = container < 0 || group < 0 ? -EIO : vfio_join(group, container);
	err = err ?: vfio_set_iommu(container);
	err = err ?: vfio_map(container, map, 0x1000000, TAKE_LEN,
			      MEMGATE_READ | MEMGATE_WRITE);
	close(group);
	close(container);
	return err;
}

/* The same by iommufd: the device joins what has the memory. */
static inline int take_by_iommufd(char *map, enum edu_nr nr)
{
	int iommufd = iommufd_open(), ioas = iommufd_ioas(iommufd), err;
	struct edu edu = { .fd = -1 };

	err = iommufd < 0 || ioas < 0 ? -EIO :
	      iommufd_map(iommufd, ioas, map, 0x1000000, TAKE_LEN,
			  MEMGATE_READ | MEMGATE_WRITE);
	err = err ?: edu_open_cdev(&edu, nr, iommufd);
	err = err ?: edu_attach(&edu, ioas);
	edu_close(&edu);
	close(iommufd);
	return err;
}

/* No device yet; the memfd has F_SEAL_SHRINK. */
static inline int take_by_udmabuf(int fd)
{
	struct udmabuf_create create = { .memfd = fd, .size = TAKE_LEN };
	int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC), buf, err;

	buf = ioctl(dev, UDMABUF_CREATE, &create);
	err = buf < 0 ? -errno : 0;
	close(buf);
	close(dev);
	return err;
}

#endif /* TAKE_H */
