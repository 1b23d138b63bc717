/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dma-bufs of memfds (udmabuf), and who uses them: a device that a module
 * stands in for (selftests/modules/dmabuf_user), the kernel by a mapping of
 * its own (the same), and a driver for graphics without hardware (vgem).
 *
 * Everything returns an fd, or 0, or a negative errno.
 */
#ifndef DMABUF_UTIL_H
#define DMABUF_UTIL_H

#include <stddef.h>
#include <sys/types.h>

/* dev_name() of who imports. */
#define DMABUF_DEVICE	"dmabuf_user"
#define DMABUF_VGEM	"vgem"

/* A dma-buf of the first @len bytes of a memfd, which must not shrink. */
int dmabuf_create(int memfd, size_t len);
/* One of several memfds, @len bytes of each; at most 4. */
int dmabuf_create_list(const int *memfds, int nr, size_t len);

/* Uses a dma-buf until the fd is closed; pread() and pwrite() work on it. */
int dmabuf_import(int buf);
int dmabuf_vmap(int buf);
/* The same for vgem, with which one can do nothing else. */
int dmabuf_import_vgem(int buf);

#endif /* DMABUF_UTIL_H */
