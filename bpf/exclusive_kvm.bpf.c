// SPDX-License-Identifier: GPL-2.0-only
/*
 * exclusive_kvm: one virtual machine at a time.
 *
 * Decides KVM.  A VM may use the memory if no other VM does.  When it is
 * gone the next may come, unless the install is sticky: then the first VM is
 * the only one for ever, also after it is gone, so that nobody ever runs a
 * guest on what it left behind.
 *
 * Parameters:
 *   sticky	the first VM for ever (default: one after the other)
 *
 * When something fails: refused.  The policy remembers up to 65536 sticky
 * memfds; on one more, no VM may attach.  It remembers the first VM that it
 * allows, so where a policy beside it can refuse a VM, install exclusive_kvm
 * after that one: it is then asked only about VMs that may come in.
 * Unloading the policy, or an update to another, forgets who was the first.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

struct exclusive_kvm_params {
	bool sticky MEMGATE_DOC("the first VM is the only one for ever");
};
MEMGATE_PARAMS(struct exclusive_kvm_params);

/* id of a gate with a sticky install -> id of the first VM */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} first_vm SEC(".maps");

static __always_inline bool is_first(struct memgate *gate, __u64 vm)
{
	__u64 gate_id = bpf_memgate_id(gate);
	__u64 *first;

	/* Fails if there is an entry, which decides; or no room: no entry. */
	bpf_map_update_elem(&first_vm, &gate_id, &vm, BPF_NOEXIST);
	first = bpf_map_lookup_elem(&first_vm, &gate_id);
	return first && *first == vm;
}

int MEMGATE_PROG(may_attach, exclusive_kvm_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	const struct exclusive_kvm_params *params;
	__u64 vm = consumer->id;
	struct memgate_consumer *c;

	params = MEMGATE_GET_PARAMS(gate, struct exclusive_kvm_params);
	if (!params || !memgate_is_bool(&params->sticky) ||
	    consumer->kind != MEMGATE_KVM)
		return -EACCES;

	/* The one that is attached may ask again, for more rights. */
	bpf_for_each(memgate_consumer, c, gate)
		if (c->kind == MEMGATE_KVM && c->id != vm)
			return -EACCES;

	if (params->sticky && !is_first(gate, vm))
		return -EACCES;
	return 0;
}

void MEMGATE_PROG(released, exclusive_kvm_released, struct memgate *gate)
{
	__u64 gate_id = bpf_memgate_id(gate);

	bpf_map_delete_elem(&first_vm, &gate_id);
}

MEMGATE_RULE(MEMGATE_KVM,
	     "one VM at a time; if sticky, only the first one ever");

MEMGATE_POLICY(exclusive_kvm,
	.decides = MEMGATE_CLASS(MEMGATE_KVM),
	.params_size = sizeof(struct exclusive_kvm_params),
	.may_attach = (void *)exclusive_kvm_may_attach,
	.released = (void *)exclusive_kvm_released,
);
