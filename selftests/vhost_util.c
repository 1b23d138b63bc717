// SPDX-License-Identifier: GPL-2.0-only
/* vhost devices whose guest is the test. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vhost_util.h"
#include "wire_util.h"

#define RING_NUM	8
#define RING_ALIGN	64
#define RING_ROOM	0x1000		/* more than a ring needs */
#define HEADERS		0x4000		/* in the own memory, one a queue */
#define VERSION_1	(1ULL << 32)

int vhost_tap(char *dev)
{
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC), err;

	if (tap < 0)
		return -errno;
	if (ioctl(tap, TUNSETIFF, &req)) {
		err = -errno;
		close(tap);
		return err;
	}
	strcpy(dev, req.ifr_name);
	if (wire_ip("link set %s up", dev)) {
		close(tap);
		return -EIO;
	}
	return tap;
}

int vhost_open(struct vhost *v, const char *kind, __u64 features)
{
	char path[32];

	memset(v, 0, sizeof(*v));
	v->iotlb = features & VHOST_IOTLB_FEATURE;
	v->own = mmap(NULL, VHOST_OWN_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (v->own == MAP_FAILED)
		return -errno;
	v->kick[VHOST_RX] = eventfd(0, EFD_CLOEXEC);
	v->kick[VHOST_TX] = eventfd(0, EFD_CLOEXEC);
	vhost_rings_at(v, v->own);
	snprintf(path, sizeof(path), "/dev/vhost-%s", kind);
	v->fd = open(path, O_RDWR | O_CLOEXEC);
	if (v->fd < 0)
		return -errno;
	features |= VERSION_1;
	if (!strcmp(kind, "net"))
		features |= 1ULL << VHOST_NET_F_VIRTIO_NET_HDR;
	if (ioctl(v->fd, VHOST_SET_OWNER) ||
	    ioctl(v->fd, VHOST_SET_FEATURES, &features))
		return -errno;
	/* There must be a table even where an IOTLB is used in its place. */
	return v->iotlb ? vhost_memory(v, NULL, 0) : 0;
}

void vhost_close(struct vhost *v)
{
	if (v->fd >= 0)
		close(v->fd);
	close(v->kick[VHOST_RX]);
	close(v->kick[VHOST_TX]);
	munmap(v->own, VHOST_OWN_LEN);
	v->fd = -1;
}

int vhost_memory(struct vhost *v, void *mem, __u64 len)
{
	struct vhost_memory_region region[2] = {
		{ VHOST_OWN_GPA, VHOST_OWN_LEN, (uintptr_t)v->own },
		{ VHOST_GPA, len, (uintptr_t)mem },
	};
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[2];
	} table = { .head.nregions = mem ? 2 : 1 };

	memcpy(table.region, region, sizeof(region));
	return ioctl(v->fd, VHOST_SET_MEM_TABLE, &table) ? -errno : 0;
}

static int iotlb_message(struct vhost *v, const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg msg = { .type = VHOST_IOTLB_MSG, .iotlb = *iotlb };
	ssize_t n = write(v->fd, &msg, sizeof(msg));

	return n < 0 ? -errno : n == sizeof(msg) ? 0 : -EIO;
}

int vhost_translate(struct vhost *v, __u64 iova, void *mem, __u64 len,
		    int perm)
{
	struct vhost_iotlb_msg update = {
		.iova = iova, .size = len, .uaddr = (uintptr_t)mem,
		.perm = perm, .type = VHOST_IOTLB_UPDATE,
	};

	return iotlb_message(v, &update);
}

int vhost_forget(struct vhost *v, __u64 iova, __u64 len)
{
	struct vhost_iotlb_msg invalidate = {
		.iova = iova, .size = len, .type = VHOST_IOTLB_INVALIDATE,
	};

	return iotlb_message(v, &invalidate);
}

void vhost_rings_at(struct vhost *v, char *mem)
{
	vring_init(&v->ring[VHOST_RX], RING_NUM, mem, RING_ALIGN);
	vring_init(&v->ring[VHOST_TX], RING_NUM, mem + RING_ROOM, RING_ALIGN);
}

/* With an IOTLB, rings have addresses like everything else. */
static __u64 ring_address(struct vhost *v, void *p)
{
	if (!v->iotlb)
		return (uintptr_t)p;
	return VHOST_OWN_GPA + ((char *)p - v->own);
}

static int start_queue(struct vhost *v, unsigned int queue, int tap)
{
	struct vring *r = &v->ring[queue];
	struct vhost_vring_state num = { queue, RING_NUM }, base = { queue, 0 };
	struct vhost_vring_file kick = { queue, v->kick[queue] };
	struct vhost_vring_file backend = { queue, tap };
	struct vhost_vring_addr addr = {
		.index = queue,
		.desc_user_addr = ring_address(v, r->desc),
		.avail_user_addr = ring_address(v, r->avail),
		.used_user_addr = ring_address(v, r->used),
	};

	memset(r->desc, 0, vring_size(RING_NUM, RING_ALIGN));
	if (ioctl(v->fd, VHOST_SET_VRING_NUM, &num) ||
	    ioctl(v->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(v->fd, VHOST_SET_VRING_ADDR, &addr) ||
	    ioctl(v->fd, VHOST_SET_VRING_KICK, &kick) ||
	    ioctl(v->fd, VHOST_NET_SET_BACKEND, &backend))
		return -errno;
	return 0;
}

int vhost_start(struct vhost *v, int tap)
{
	return start_queue(v, VHOST_RX, tap) ?: start_queue(v, VHOST_TX, tap);
}

int vhost_offer(struct vhost *v, enum vhost_queue queue, __u64 gpa)
{
	__u16 in = queue == VHOST_RX ? VRING_DESC_F_WRITE : 0, nr;
	__u64 header = VHOST_OWN_GPA + HEADERS + queue * 64;
	struct vring *r = &v->ring[queue];
	__u64 one = 1;

	r->desc[0] = (struct vring_desc){
		.addr = header, .flags = in | VRING_DESC_F_NEXT, .next = 1,
		.len = sizeof(struct virtio_net_hdr_v1),
	};
	r->desc[1] = (struct vring_desc){
		.addr = gpa, .flags = in, .len = WIRE_FRAME,
	};
	nr = r->avail->idx;
	r->avail->ring[nr % RING_NUM] = 0;
	__atomic_store_n(&r->avail->idx, nr + 1, __ATOMIC_RELEASE);
	return write(v->kick[queue], &one, sizeof(one)) == sizeof(one) ? 0 :
								   -errno;
}

int vhost_done(struct vhost *v, enum vhost_queue queue, int timeout_ms)
{
	struct vring *r = &v->ring[queue];

	for (; timeout_ms > 0; timeout_ms--) {
		if (__atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) ==
		    r->avail->idx)
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}
