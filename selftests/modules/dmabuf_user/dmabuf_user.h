/* SPDX-License-Identifier: GPL-2.0-only */
/* What /dev/dmabuf_user does with the dma-buf that an ioctl names. */
#ifndef DMABUF_USER_H
#define DMABUF_USER_H

#include <linux/ioctl.h>

/* A device takes it: pread() and pwrite() are what that does to it then. */
#define DMABUF_USER_IMPORT	_IO('m', 0)
/* The kernel maps it, and reads and writes it by that. */
#define DMABUF_USER_VMAP	_IO('m', 1)

/* The name of that device. */
#define DMABUF_USER_DEVICE	"dmabuf_user"

#endif /* DMABUF_USER_H */
