// SPDX-License-Identifier: GPL-2.0-only
/* Gives what comes in on a queue of a network device to an AF_XDP socket. */
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

SEC("xdp")
int xdp_redirect(struct xdp_md *ctx)
{
	/* Where there is no socket, to the kernel's own network. */
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
}
