/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated vDPA network device, which returns what it is given to send, and
 * its driver in a process (vhost-vdpa): the test fills the virtqueues by hand.
 *
 * The device has some memory of the test's own, in which its virtqueues and
 * headers are, so that the memory under test holds nothing but frames, or what
 * a test puts there.
 *
 * Everything returns 0 or a negative errno.
 */
#ifndef VDPA_UTIL_H
#define VDPA_UTIL_H

#include <linux/vhost.h>
#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stddef.h>

#define VDPA_NAME	"vdpa0"		/* dev_name() */

#define VDPA_FRAME	1024		/* bytes in each frame */
/* I/O virtual addresses. */
#define VDPA_OWN_IOVA	0x100000UL
#define VDPA_OWN_LEN	0x10000UL
#define VDPA_IOVA	0x10000000UL	/* of the memory under test */
/* Room for frames in the own memory, one to send and one that came. */
#define VDPA_OWN_OUT	0x8000UL
#define VDPA_OWN_IN	0x9000UL

enum vdpa_queue { VDPA_RX, VDPA_TX, VDPA_QUEUES };

struct vdpa {
	int fd;
	char *own;
	struct vring ring[VDPA_QUEUES];
	__u64 rings;		/* where they are */
	int kick[VDPA_QUEUES];
};

/* Makes the device, unless it is there.  It stays for the other tests. */
int vdpa_device(void);
int vdpa_device_del(void);
/* Does it work by addresses of the process, or are pages pinned for it? */
bool vdpa_by_address(void);

int vdpa_open(struct vdpa *v);
void vdpa_close(struct vdpa *v);

/* Memory for the device; @perm: VHOST_ACCESS_*. */
int vdpa_map(struct vdpa *v, __u64 iova, void *mem, __u64 len, int perm);
int vdpa_unmap(struct vdpa *v, __u64 iova, __u64 len);

/* Puts the virtqueues somewhere else than into the own memory. */
void vdpa_rings_at(struct vdpa *v, char *mem, __u64 iova);
/* Starts the virtqueues; their memory must be mapped. */
int vdpa_start(struct vdpa *v);
/*
 * VDPA_FRAME bytes at @from to @to, both I/O virtual addresses; all bytes have
 * the lowest bit set, or it is no frame for the device.
 */
int vdpa_send(struct vdpa *v, __u64 from, __u64 to, int timeout_ms);

#endif /* VDPA_UTIL_H */
