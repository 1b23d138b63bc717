/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost devices whose guest is the test: it fills the virtqueues by hand.
 *
 * A device has some memory of the test's own, in which its virtqueues and
 * headers are, so that the memory under test holds nothing but frames, or
 * what a test puts there.
 *
 * Everything returns 0 or a negative errno.
 */
#ifndef VHOST_UTIL_H
#define VHOST_UTIL_H

#include <linux/vhost.h>
#include <linux/virtio_ring.h>

/* Guest addresses, and I/O virtual ones where there is an IOTLB. */
#define VHOST_OWN_GPA	0x100000UL
#define VHOST_OWN_LEN	0x10000UL
#define VHOST_GPA	0x10000000UL	/* of the memory under test */
/* A frame in the own memory. */
#define VHOST_OWN_FRAME	0x8000UL

#define VHOST_IOTLB_FEATURE	(1ULL << 33)	/* VIRTIO_F_ACCESS_PLATFORM */

enum vhost_queue { VHOST_RX, VHOST_TX, VHOST_QUEUES };

struct vhost {
	int fd;
	bool iotlb;
	char *own;
	struct vring ring[VHOST_QUEUES];
	int kick[VHOST_QUEUES];
};

/* A network device that a vhost-net may have; its name goes to @dev. */
int vhost_tap(char *dev);

/* "net" or "vsock"; owned by this process, with these features and others. */
int vhost_open(struct vhost *v, const char *kind, __u64 features);
void vhost_close(struct vhost *v);

/* Guest memory: the own, and @len bytes at @mem if that is not NULL. */
int vhost_memory(struct vhost *v, void *mem, __u64 len);
/* The same through an IOTLB, a range at a time; @perm: VHOST_ACCESS_*. */
int vhost_translate(struct vhost *v, __u64 iova, void *mem, __u64 len,
		    int perm);
int vhost_forget(struct vhost *v, __u64 iova, __u64 len);

/* Puts the virtqueues somewhere else than into the own memory. */
void vhost_rings_at(struct vhost *v, char *mem);
/* Starts both virtqueues of a vhost-net; their memory must be there. */
int vhost_start(struct vhost *v, int tap);
/* One frame of WIRE_FRAME bytes at a guest address: to send, to receive. */
int vhost_offer(struct vhost *v, enum vhost_queue queue, __u64 gpa);
/* Waits until the device is done with it. */
int vhost_done(struct vhost *v, enum vhost_queue queue, int timeout_ms);

#endif /* VHOST_UTIL_H */
