// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program of another struct_ops type that calls a function of memgate:
 * refused when it is loaded.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct sock {};

struct tcp_congestion_ops {
	__u32 (*ssthresh)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/ssthresh")
__u32 BPF_PROG(bad_kfunc_ssthresh, struct sock *sk)
{
	return bpf_memgate_id((struct memgate *)sk);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops bad_kfunc_tcp = {
	.ssthresh = (void *)bad_kfunc_ssthresh,
	.name = "bad_kfunc_tcp",
};
