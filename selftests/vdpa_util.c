// SPDX-License-Identifier: GPL-2.0-only
/* A simulated vDPA network device and its driver. */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vdpa_util.h"

#define RING_NUM	8
#define RING_ALIGN	64
#define RING_ROOM	0x1000		/* more than a ring needs */
#define HEADERS		0x4000		/* in the own memory, one a queue */

static const char node[] = "/dev/vhost-vdpa-0";

static int vdpa_tool(const char *command)
{
	fflush(stdout);
	return system(command) ? -EIO : 0;
}

int vdpa_device(void)
{
	int tries, err;

	if (!access(node, F_OK))
		return 0;
	err = vdpa_tool("vdpa dev add name " VDPA_NAME
			" mgmtdev vdpasim_net");
	for (tries = 0; !err && tries < 100; tries++) {
		if (!access(node, F_OK))
			return 0;
		usleep(10000);
	}
	return err ? err : -ENODEV;
}

int vdpa_device_del(void)
{
	return vdpa_tool("vdpa dev del " VDPA_NAME);
}

bool vdpa_by_address(void)
{
	int fd = open("/sys/module/vdpa_sim/parameters/use_va", O_RDONLY);
	char answer = 0;
	ssize_t n = read(fd, &answer, 1);

	close(fd);
	return n == 1 && answer == 'Y';
}

/* Opening ********************************************************************/

static int add_status(struct vdpa *v, __u8 more)
{
	__u8 status;

	if (ioctl(v->fd, VHOST_VDPA_GET_STATUS, &status))
		return -errno;
	status |= more;
	return ioctl(v->fd, VHOST_VDPA_SET_STATUS, &status) ? -errno : 0;
}

static int negotiate(struct vdpa *v)
{
	__u64 features = 1ULL << VIRTIO_F_VERSION_1 |
			 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	__u64 backend = 1ULL << VHOST_BACKEND_F_IOTLB_MSG_V2;
	__u8 reset = 0;

	if (ioctl(v->fd, VHOST_SET_OWNER) ||
	    ioctl(v->fd, VHOST_SET_BACKEND_FEATURES, &backend) ||
	    ioctl(v->fd, VHOST_VDPA_SET_STATUS, &reset))
		return -errno;
	return add_status(v, VIRTIO_CONFIG_S_ACKNOWLEDGE |
			     VIRTIO_CONFIG_S_DRIVER) ?:
	       (ioctl(v->fd, VHOST_SET_FEATURES, &features) ? -errno : 0) ?:
	       add_status(v, VIRTIO_CONFIG_S_FEATURES_OK);
}

int vdpa_open(struct vdpa *v)
{
	int err;

	memset(v, 0, sizeof(*v));
	/* A device that works by addresses wants memory of a file. */
	v->own = mmap(NULL, VDPA_OWN_LEN, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (v->own == MAP_FAILED)
		return -errno;
	v->kick[VDPA_RX] = eventfd(0, EFD_CLOEXEC);
	v->kick[VDPA_TX] = eventfd(0, EFD_CLOEXEC);
	vdpa_rings_at(v, v->own, VDPA_OWN_IOVA);
	v->fd = open(node, O_RDWR | O_CLOEXEC);
	err = v->fd < 0 ? -errno : negotiate(v);
	if (!err)
		err = vdpa_map(v, VDPA_OWN_IOVA, v->own, VDPA_OWN_LEN,
			       VHOST_ACCESS_RW);
	if (err)
		vdpa_close(v);
	return err;
}

void vdpa_close(struct vdpa *v)
{
	if (v->fd >= 0)
		close(v->fd);
	close(v->kick[VDPA_RX]);
	close(v->kick[VDPA_TX]);
	munmap(v->own, VDPA_OWN_LEN);
	v->fd = -1;
}

/* Memory *********************************************************************/

static int message(struct vdpa *v, const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg_v2 msg = {
		.type = VHOST_IOTLB_MSG_V2, .iotlb = *iotlb,
	};
	ssize_t n = write(v->fd, &msg, sizeof(msg));

	return n < 0 ? -errno : n == sizeof(msg) ? 0 : -EIO;
}

int vdpa_map(struct vdpa *v, __u64 iova, void *mem, __u64 len, int perm)
{
	struct vhost_iotlb_msg update = {
		.iova = iova, .size = len, .uaddr = (uintptr_t)mem,
		.perm = perm, .type = VHOST_IOTLB_UPDATE,
	};

	return message(v, &update);
}

int vdpa_unmap(struct vdpa *v, __u64 iova, __u64 len)
{
	struct vhost_iotlb_msg invalidate = {
		.iova = iova, .size = len, .type = VHOST_IOTLB_INVALIDATE,
	};

	return message(v, &invalidate);
}

/* Virtqueues *****************************************************************/

void vdpa_rings_at(struct vdpa *v, char *mem, __u64 iova)
{
	v->rings = iova;
	vring_init(&v->ring[VDPA_RX], RING_NUM, mem, RING_ALIGN);
	vring_init(&v->ring[VDPA_TX], RING_NUM, mem + RING_ROOM, RING_ALIGN);
}

/* I/O virtual address of a part of a virtqueue. */
static __u64 ring_address(struct vdpa *v, void *part)
{
	return v->rings + ((char *)part - (char *)v->ring[VDPA_RX].desc);
}

static int start_queue(struct vdpa *v, unsigned int queue)
{
	struct vhost_vring_state num = { queue, RING_NUM }, base = { queue, 0 };
	struct vhost_vring_file kick = { queue, v->kick[queue] };
	struct vhost_vring_state enable = { queue, 1 };
	struct vring *r = &v->ring[queue];
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
	    ioctl(v->fd, VHOST_VDPA_SET_VRING_ENABLE, &enable))
		return -errno;
	return 0;
}

int vdpa_start(struct vdpa *v)
{
	return start_queue(v, VDPA_RX) ?: start_queue(v, VDPA_TX) ?:
	       add_status(v, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* One frame, to send or to receive, with its header. */
static void offer(struct vdpa *v, enum vdpa_queue queue, __u64 iova)
{
	__u16 in = queue == VDPA_RX ? VRING_DESC_F_WRITE : 0, nr;
	struct vring *r = &v->ring[queue];

	r->desc[0] = (struct vring_desc){
		.addr = VDPA_OWN_IOVA + HEADERS + queue * 64,
		.len = sizeof(struct virtio_net_hdr_v1),
		.flags = in | VRING_DESC_F_NEXT, .next = 1,
	};
	r->desc[1] = (struct vring_desc){
		.addr = iova, .len = VDPA_FRAME, .flags = in,
	};
	nr = r->avail->idx;
	r->avail->ring[nr % RING_NUM] = 0;
	__atomic_store_n(&r->avail->idx, nr + 1, __ATOMIC_RELEASE);
}

static bool done(struct vdpa *v, enum vdpa_queue queue)
{
	struct vring *r = &v->ring[queue];

	return __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE) ==
	       r->avail->idx;
}

int vdpa_send(struct vdpa *v, __u64 from, __u64 to, int timeout_ms)
{
	__u64 one = 1;

	offer(v, VDPA_RX, to);
	offer(v, VDPA_TX, from);
	if (write(v->kick[VDPA_TX], &one, sizeof(one)) != sizeof(one))
		return -errno;
	for (; timeout_ms > 0; timeout_ms--) {
		if (done(v, VDPA_RX) && done(v, VDPA_TX))
			return 0;
		usleep(1000);
	}
	return -ETIMEDOUT;
}
