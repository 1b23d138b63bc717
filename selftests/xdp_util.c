// SPDX-License-Identifier: GPL-2.0-only
/* AF_XDP sockets. */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "see_util.h"
#include "wire_util.h"
#include "xdp_util.h"

#ifndef SOL_XDP
#define SOL_XDP		283
#endif

#define ENTRIES		8U

static const struct {
	int option;
	__u64 at;
	size_t entry;
} queues[XDP_QUEUES] = {
	[XDP_Q_RX] = { XDP_RX_RING, XDP_PGOFF_RX_RING,
		       sizeof(struct xdp_desc) },
	[XDP_Q_TX] = { XDP_TX_RING, XDP_PGOFF_TX_RING,
		       sizeof(struct xdp_desc) },
	[XDP_Q_FILL] = { XDP_UMEM_FILL_RING, XDP_UMEM_PGOFF_FILL_RING,
			 sizeof(__u64) },
	[XDP_Q_DONE] = { XDP_UMEM_COMPLETION_RING,
			 XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(__u64) },
};

static int map_queue(struct xdp *x, enum xdp_queue nr,
		     const struct xdp_ring_offset *off)
{
	struct xdp_queue_map *q = &x->queue[nr];

	q->len = off->desc + ENTRIES * queues[nr].entry;
	q->map = mmap(NULL, q->len, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_POPULATE, x->fd, queues[nr].at);
	if (q->map == MAP_FAILED) {
		q->map = NULL;
		return -errno;
	}
	q->producer = q->map + off->producer;
	q->consumer = q->map + off->consumer;
	q->entries = q->map + off->desc;
	return 0;
}

static int make_queues(struct xdp *x)
{
	struct xdp_mmap_offsets off;
	const struct xdp_ring_offset *of[XDP_QUEUES] = {
		&off.rx, &off.tx, &off.fr, &off.cr,
	};
	unsigned int entries = ENTRIES;
	socklen_t len = sizeof(off);
	int i, err = 0;

	for (i = 0; i < XDP_QUEUES; i++)
		if (setsockopt(x->fd, SOL_XDP, queues[i].option, &entries,
			       sizeof(entries)))
			return -errno;
	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return -errno;
	for (i = 0; i < XDP_QUEUES && !err; i++)
		err = map_queue(x, i, of[i]);
	return err;
}

int xdp_open(struct xdp *x, void *mem, size_t len)
{
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)mem, .len = len, .chunk_size = XDP_CHUNK,
	};

	memset(x, 0, sizeof(*x));
	x->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (x->fd < 0)
		return -errno;
	if (mem && setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		return -errno;
	return make_queues(x);
}

static int bind_to(struct xdp *x, const char *dev, unsigned int queue,
		   unsigned int flags, int shared)
{
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP, .sxdp_flags = flags,
		.sxdp_ifindex = if_nametoindex(dev), .sxdp_queue_id = queue,
		.sxdp_shared_umem_fd = shared,
	};

	return bind(x->fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

int xdp_bind(struct xdp *x, const char *dev, unsigned int queue,
	     unsigned int flags)
{
	return bind_to(x, dev, queue, flags, 0);
}

int xdp_bind_shared(struct xdp *x, const char *dev, unsigned int queue,
		    const struct xdp *other)
{
	return bind_to(x, dev, queue, XDP_SHARED_UMEM, other->fd);
}

void xdp_close(struct xdp *x)
{
	int i;

	if (x->fd < 0)
		return;
	for (i = 0; i < XDP_QUEUES; i++)
		if (x->queue[i].map)
			munmap(x->queue[i].map, x->queue[i].len);
	close(x->fd);
	x->fd = -1;
}

/* Room for one more entry, or the next entry that has come; NULL: none. */
static void *next_free(struct xdp *x, enum xdp_queue nr)
{
	struct xdp_queue_map *q = &x->queue[nr];
	__u32 at = *q->producer;

	if (at - __atomic_load_n(q->consumer, __ATOMIC_ACQUIRE) == ENTRIES)
		return NULL;
	return q->entries + (at % ENTRIES) * queues[nr].entry;
}

static void *next_come(struct xdp *x, enum xdp_queue nr)
{
	struct xdp_queue_map *q = &x->queue[nr];
	__u32 at = *q->consumer;

	if (at == __atomic_load_n(q->producer, __ATOMIC_ACQUIRE))
		return NULL;
	return q->entries + (at % ENTRIES) * queues[nr].entry;
}

static void step(__u32 *index)
{
	__atomic_store_n(index, *index + 1, __ATOMIC_RELEASE);
}

int xdp_send(struct xdp *x, __u64 addr)
{
	struct xdp_desc *desc = next_free(x, XDP_Q_TX);
	int i;

	if (!desc)
		return -ENOBUFS;
	*desc = (struct xdp_desc){ .addr = addr, .len = WIRE_FRAME };
	step(x->queue[XDP_Q_TX].producer);
	if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0)
		return -errno;
	/* Done with when the other end has it. */
	for (i = 0; i < 5000; i++) {
		if (next_come(x, XDP_Q_DONE)) {
			step(x->queue[XDP_Q_DONE].consumer);
			return 0;
		}
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int xdp_offer(struct xdp *x, __u64 chunk)
{
	__u64 *entry = next_free(x, XDP_Q_FILL);

	if (!entry)
		return -ENOBUFS;
	*entry = chunk;
	step(x->queue[XDP_Q_FILL].producer);
	return 0;
}

int xdp_receive(struct xdp *x, __u64 *addr, int timeout_ms)
{
	struct pollfd poll_in = { .fd = x->fd, .events = POLLIN };
	const struct xdp_desc *desc;

	poll(&poll_in, 1, timeout_ms);
	desc = next_come(x, XDP_Q_RX);
	if (!desc)
		return -ETIMEDOUT;
	*addr = desc->addr;
	step(x->queue[XDP_Q_RX].consumer);
	return 0;
}

static int redirect_prog = -1, redirect_map = -1;

void xdp_preload(void)
{
	struct bpf_object *obj = see_load("xdp_redirect");

	if (!obj)
		return;
	redirect_prog = bpf_program__fd(bpf_object__next_program(obj, NULL));
	redirect_map = bpf_object__find_map_fd_by_name(obj, "sockets");
}

int xdp_redirect(const char *dev)
{
	if (redirect_prog < 0)
		return -ENOENT;
	return bpf_xdp_attach(if_nametoindex(dev), redirect_prog,
			      XDP_FLAGS_SKB_MODE, NULL);
}

int xdp_take(struct xdp *x)
{
	__u32 key = 0;

	return bpf_map_update_elem(redirect_map, &key, &x->fd, BPF_ANY);
}
