/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RDMA devices in software (rxe), and pairs of queues that are connected to
 * each other: what one end is told to do, it does to the memory of both.
 *
 * Everything returns 0 or a negative errno.
 */
#ifndef RDMA_UTIL_H
#define RDMA_UTIL_H

#include <infiniband/verbs.h>
#include <stdbool.h>
#include <stddef.h>

/* Room for what a test sends and receives in memory of its own. */
#define RDMA_OWN_LEN	4096

struct rdma {
	struct ibv_context *ctx;
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct ibv_qp *here, *there;
	struct ibv_mr *own_mr;
	char *own;
};

/*
 * Makes "rxeN" on the dummy network device "rxnetN", unless it is there.  It
 * stays for the other tests: the devices are not of a network namespace.
 */
int rdma_device(int nr);
/* As rdma_device(), but takes it away; waits for who uses it. */
int rdma_device_del(int nr);

int rdma_open(struct rdma *r, const char *device);
void rdma_close(struct rdma *r);

/* How a part of a memory region is written or read by the other end. */
enum rdma_op {
	RDMA_SEND_FROM,		/* here: the source of an RDMA write */
	RDMA_READ_FROM,		/* there: the source of an RDMA read */
	RDMA_READ_TO,		/* here: where an RDMA read puts it */
	RDMA_WRITE_TO,		/* there: where an RDMA write puts it */
	RDMA_OPS
};

/* IBV_ACCESS_* that a region needs for it. */
int rdma_access(enum rdma_op op);
bool rdma_writes(enum rdma_op op);

/* Moves @len bytes between @addr, which is in @mr, and the own memory. */
int rdma_move(struct rdma *r, enum rdma_op op, struct ibv_mr *mr, void *addr,
	      size_t len);

/* ibv_rereg_mr() with other rights; the library of rxe does not have it. */
int rdma_set_access(struct rdma *r, struct ibv_mr *mr, int access);

#endif /* RDMA_UTIL_H */
