/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a network device: a packet socket, which sends and
 * receives frames of any bytes.  No frame that a test sends is a packet of
 * some protocol, so nobody answers.
 */
#ifndef WIRE_UTIL_H
#define WIRE_UTIL_H

#include <stddef.h>

#define WIRE_FRAME	1024	/* bytes in each frame that a test sends */

/* A network namespace of the test's own, in which nobody else sends. */
int wire_unshare(void);
/* Runs ip(8) with these lines of arguments; 0 or -errno. */
int wire_ip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A pair of virtual Ethernet devices, switched on: NAME and NAME-end. */
int wire_pair(const char *name);
/* A packet socket on a device; -errno. */
int wire_open(const char *dev);
/* One frame of WIRE_FRAME bytes: 0 or -errno, -ETIMEDOUT if none came. */
int wire_send(int wire, const void *frame);
int wire_receive(int wire, void *frame, int timeout_ms);

#endif /* WIRE_UTIL_H */
