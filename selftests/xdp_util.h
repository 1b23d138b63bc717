/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AF_XDP sockets, which send and receive frames in memory of the test's, by
 * copies between that and the network device.
 *
 * Everything returns 0 or a negative errno.
 */
#ifndef XDP_UTIL_H
#define XDP_UTIL_H

#include <stddef.h>
#include <linux/types.h>

#define XDP_CHUNK	4096	/* bytes in which the memory is divided */
/* Where in its chunk a frame that came in begins. */
#define XDP_ROOM	256

enum xdp_queue { XDP_Q_RX, XDP_Q_TX, XDP_Q_FILL, XDP_Q_DONE, XDP_QUEUES };

struct xdp_queue_map {
	__u32 *producer, *consumer;
	void *entries, *map;
	size_t len;
};

struct xdp {
	int fd;
	struct xdp_queue_map queue[XDP_QUEUES];
};

/* With this memory, whole chunks of it; none if it will share another's. */
int xdp_open(struct xdp *x, void *mem, size_t len);
/* To a queue of a network device; @flags: XDP_COPY, XDP_ZEROCOPY. */
int xdp_bind(struct xdp *x, const char *dev, unsigned int queue,
	     unsigned int flags);
/* The same with the memory of another socket. */
int xdp_bind_shared(struct xdp *x, const char *dev, unsigned int queue,
		    const struct xdp *other);
void xdp_close(struct xdp *x);

/* Sends the frame of WIRE_FRAME bytes at @addr of the memory. */
int xdp_send(struct xdp *x, __u64 addr);
/* Gives a chunk for a frame; waits for it: its address is in @addr. */
int xdp_offer(struct xdp *x, __u64 chunk);
int xdp_receive(struct xdp *x, __u64 *addr, int timeout_ms);

/*
 * What comes in on queue 0 of a device goes to a socket.  The program for it
 * is loaded once, before the tests are forked; if that fails, each will see it.
 */
void xdp_preload(void);
int xdp_redirect(const char *dev);
/* This is the socket from now on. */
int xdp_take(struct xdp *x);

#endif /* XDP_UTIL_H */
