// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tracing program that calls a function of memgate: refused when it is
 * loaded.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(bad_kfunc_fentry, int a)
{
	return bpf_memgate_id((struct memgate *)(long)a);
}
