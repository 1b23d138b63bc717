// SPDX-License-Identifier: GPL-2.0-only
/* RDMA devices in software, and pairs of connected queues. */
#include <errno.h>
#include <rdma/ib_user_verbs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rdma_util.h"
#include "wire_util.h"

#define PORT	1

static int rdma_tool(const char *format, int nr)
{
	char command[128];

	snprintf(command, sizeof(command), format, nr, nr);
	fflush(stdout);
	return system(command) ? -EIO : 0;
}

int rdma_device(int nr)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/infiniband/rxe%d", nr);
	if (!access(path, F_OK))
		return 0;
	return wire_ip("link add rxnet%d type dummy", nr) ?:
	       wire_ip("addr add 10.77.%d.1/24 dev rxnet%d", nr, nr) ?:
	       wire_ip("link set rxnet%d up", nr) ?:
	       rdma_tool("rdma link add rxe%d type rxe netdev rxnet%d", nr);
}

int rdma_device_del(int nr)
{
	return rdma_tool("rdma link del rxe%d", nr) ?:
	       wire_ip("link del rxnet%d", nr);
}

/* Opening ********************************************************************/

static struct ibv_context *open_context(const char *device)
{
	struct ibv_device **list = ibv_get_device_list(NULL), **d;
	struct ibv_context *ctx = NULL;

	errno = ENODEV;
	for (d = list; d && *d && !ctx; d++) {
		if (!strcmp(ibv_get_device_name(*d), device))
			ctx = ibv_open_device(*d);
	}
	if (list)
		ibv_free_device_list(list);
	return ctx;
}

static struct ibv_qp *make_qp(struct rdma *r)
{
	struct ibv_qp_init_attr init = {
		.send_cq = r->cq, .recv_cq = r->cq, .qp_type = IBV_QPT_RC,
		.cap = {
			.max_send_wr = 1, .max_recv_wr = 1,
			.max_send_sge = 1, .max_recv_sge = 1,
		},
	};

	return ibv_create_qp(r->pd, &init);
}

/* The address of the device by IPv4, which comes after that of IPv6. */
static int own_address(struct rdma *r, union ibv_gid *gid)
{
	static const unsigned char v4[12] = { [10] = 0xff, [11] = 0xff };
	int tries, i;

	for (tries = 0; tries < 100; tries++) {
		for (i = 0; i < 8; i++) {
			if (!ibv_query_gid(r->ctx, PORT, i, gid) &&
			    !memcmp(gid->raw, v4, sizeof(v4)))
				return i;
		}
		usleep(10000);
	}
	return -EADDRNOTAVAIL;
}

static int connect_qp(struct rdma *r, struct ibv_qp *qp, struct ibv_qp *to)
{
	struct ibv_qp_attr init = {
		.qp_state = IBV_QPS_INIT, .port_num = PORT,
		.qp_access_flags = IBV_ACCESS_REMOTE_READ |
				   IBV_ACCESS_REMOTE_WRITE,
	}, receive = {
		.qp_state = IBV_QPS_RTR, .path_mtu = IBV_MTU_1024,
		.dest_qp_num = to->qp_num, .max_dest_rd_atomic = 1,
		.min_rnr_timer = 12,
		.ah_attr = { .is_global = 1, .port_num = PORT },
	}, send = {
		.qp_state = IBV_QPS_RTS, .timeout = 14, .retry_cnt = 7,
		.rnr_retry = 7, .max_rd_atomic = 1,
	};
	struct ibv_global_route *route = &receive.ah_attr.grh;
	int index = own_address(r, &route->dgid), err;

	if (index < 0)
		return index;
	route->sgid_index = index;
	route->hop_limit = 1;
	err = ibv_modify_qp(qp, &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX |
			    IBV_QP_PORT | IBV_QP_ACCESS_FLAGS) ?:
	      ibv_modify_qp(qp, &receive, IBV_QP_STATE | IBV_QP_AV |
			    IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN |
			    IBV_QP_MAX_DEST_RD_ATOMIC |
			    IBV_QP_MIN_RNR_TIMER) ?:
	      ibv_modify_qp(qp, &send, IBV_QP_STATE | IBV_QP_TIMEOUT |
			    IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY |
			    IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC);
	return -err;
}

static int make_pair(struct rdma *r)
{
	r->here = make_qp(r);
	r->there = make_qp(r);
	if (!r->here || !r->there)
		return -errno;
	return connect_qp(r, r->here, r->there) ?:
	       connect_qp(r, r->there, r->here);
}

static int open_parts(struct rdma *r, const char *device)
{
	r->own = mmap(NULL, RDMA_OWN_LEN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->own == MAP_FAILED) {
		r->own = NULL;
		return -errno;
	}
	r->ctx = open_context(device);
	if (!r->ctx)
		return -errno;
	r->pd = ibv_alloc_pd(r->ctx);
	if (!r->pd)
		return -errno;
	r->own_mr = ibv_reg_mr(r->pd, r->own, RDMA_OWN_LEN,
			       IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ |
			       IBV_ACCESS_REMOTE_WRITE);
	r->cq = ibv_create_cq(r->ctx, 8, NULL, NULL, 0);
	if (!r->own_mr || !r->cq)
		return -errno;
	return make_pair(r);
}

int rdma_open(struct rdma *r, const char *device)
{
	int err;

	memset(r, 0, sizeof(*r));
	err = open_parts(r, device);
	if (err)
		rdma_close(r);
	return err;
}

void rdma_close(struct rdma *r)
{
	if (r->here)
		ibv_destroy_qp(r->here);
	if (r->there)
		ibv_destroy_qp(r->there);
	if (r->cq)
		ibv_destroy_cq(r->cq);
	if (r->own_mr)
		ibv_dereg_mr(r->own_mr);
	if (r->pd)
		ibv_dealloc_pd(r->pd);
	if (r->ctx)
		ibv_close_device(r->ctx);
	if (r->own)
		munmap(r->own, RDMA_OWN_LEN);
	memset(r, 0, sizeof(*r));
}

/* Moving bytes ***************************************************************/

int rdma_access(enum rdma_op op)
{
	switch (op) {
	case RDMA_READ_FROM:
		return IBV_ACCESS_REMOTE_READ;
	case RDMA_READ_TO:
		return IBV_ACCESS_LOCAL_WRITE;
	case RDMA_WRITE_TO:
		return IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	default:
		return 0;
	}
}

bool rdma_writes(enum rdma_op op)
{
	return op == RDMA_READ_TO || op == RDMA_WRITE_TO;
}

/* What one end says of the other, or of itself: -EACCES is a wrong key. */
static int status_errno(enum ibv_wc_status status)
{
	switch (status) {
	case IBV_WC_SUCCESS:
		return 0;
	case IBV_WC_LOC_PROT_ERR:
	case IBV_WC_REM_ACCESS_ERR:
		return -EACCES;
	default:
		printf("# RDMA: %s\n", ibv_wc_status_str(status));
		return -EIO;
	}
}

static int wait_done(struct rdma *r)
{
	struct ibv_wc wc;
	int tries, n;

	for (tries = 0; tries < 10000; tries++) {
		n = ibv_poll_cq(r->cq, 1, &wc);
		if (n)
			return n < 0 ? -EIO : status_errno(wc.status);
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* After an error both queues are of no more use. */
static int renew_pair(struct rdma *r)
{
	struct ibv_wc wc;

	ibv_destroy_qp(r->here);
	ibv_destroy_qp(r->there);
	while (ibv_poll_cq(r->cq, 1, &wc) > 0)
		;
	return make_pair(r);
}

int rdma_move(struct rdma *r, enum rdma_op op, struct ibv_mr *mr, void *addr,
	      size_t len)
{
	bool there = op == RDMA_READ_FROM || op == RDMA_WRITE_TO;
	bool read = op == RDMA_READ_FROM || op == RDMA_READ_TO;
	struct ibv_sge sge = {
		.addr = (uintptr_t)(there ? r->own : addr),
		.lkey = there ? r->own_mr->lkey : mr->lkey,
		.length = len,
	};
	struct ibv_send_wr *bad, wr = {
		.opcode = read ? IBV_WR_RDMA_READ : IBV_WR_RDMA_WRITE,
		.sg_list = &sge, .num_sge = 1, .send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = {
			.remote_addr = (uintptr_t)(there ? addr : r->own),
			.rkey = there ? mr->rkey : r->own_mr->rkey,
		},
	};
	int err = -ibv_post_send(r->here, &wr, &bad) ?: wait_done(r);

	return err ? renew_pair(r) ?: err : 0;
}

int rdma_set_access(struct rdma *r, struct ibv_mr *mr, int access)
{
	struct ib_uverbs_rereg_mr_resp resp;
	struct {
		struct ib_uverbs_cmd_hdr hdr;
		struct ib_uverbs_rereg_mr cmd;
	} req = {
		.hdr = {
			.command = IB_USER_VERBS_CMD_REREG_MR,
			.in_words = sizeof(req) / 4,
			.out_words = sizeof(resp) / 4,
		},
		.cmd = {
			.response = (uintptr_t)&resp,
			.mr_handle = mr->handle,
			.pd_handle = r->pd->handle,
			.flags = IBV_REREG_MR_CHANGE_ACCESS,
			.access_flags = access,
		},
	};
	ssize_t n = write(r->ctx->cmd_fd, &req, sizeof(req));

	return n < 0 ? -errno : 0;
}
