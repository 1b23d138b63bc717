// SPDX-License-Identifier: GPL-2.0-only
/* A good BPF object without a policy: for loaders, which need one. */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

SEC("socket")
int bad_no_policy_filter(struct __sk_buff *skb)
{
	return 0;
}
