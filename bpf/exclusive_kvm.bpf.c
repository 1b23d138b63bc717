// SPDX-License-Identifier: GPL-2.0-only
/*
 * exclusive_kvm: one virtual machine at a time.
 *
 * Decides KVM.  A VM may use the memory if no other VM does.  When it is
 * gone the next may come, unless the install is sticky: then the first VM is
 * the only one for ever, also after it is gone, so that nobody ever runs a
 * guest on what it left behind.
 *
 * Handover: whoever may write the map "successors" can name a process that is
 * to come next (memgate gate handover GATE to pid PID).  While it is named,
 * nobody else may come, whether the install is sticky or not, and it may come
 * when the VM before is gone, never beside it.  One VM of that process comes
 * in, and is then the first VM; with it, the name is used up.  Who is attached
 * when a successor is named loses nothing.
 *
 * Parameters:
 *   sticky	the first VM for ever (default: one after the other)
 *
 * When something fails: refused.  The policy remembers up to 65536 sticky
 * memfds and as many successors; on one more sticky one, no VM may attach.  It
 * remembers the first VM that it allows, and uses up a successor's name, so
 * where a policy beside it can refuse a VM, install exclusive_kvm after that
 * one: it is then asked only about VMs that may come in.  Unloading the
 * policy, or an update to another, forgets who was the first and who is next.
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

/* id of a gate -> whose VM comes next; written from outside */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct memgate_successor);
} successors SEC(".maps");

static __always_inline bool is_first(__u64 gate_id, __u64 vm)
{
	__u64 *first;

	/* Fails if there is an entry, which decides; or no room: no entry. */
	bpf_map_update_elem(&first_vm, &gate_id, &vm, BPF_NOEXIST);
	first = bpf_map_lookup_elem(&first_vm, &gate_id);
	return first && *first == vm;
}

/* Whoever deletes the entry is the successor; that works once. */
static __always_inline bool
succeeds(const struct memgate_successor *next, __u64 gate_id,
	 struct memgate_consumer *consumer)
{
	return next->start &&
	       memgate_task_is(consumer->task, next->tgid, next->start) &&
	       !bpf_map_delete_elem(&successors, &gate_id);
}

/* No VM is attached now. */
static __always_inline int may_come(__u64 gate_id, bool sticky,
				    struct memgate_consumer *consumer)
{
	struct memgate_successor *next;
	__u64 vm = consumer->id;

	next = bpf_map_lookup_elem(&successors, &gate_id);
	if (!next)
		return !sticky || is_first(gate_id, vm) ? 0 : -EACCES;
	if (!succeeds(next, gate_id, consumer))
		return -EACCES;
	if (sticky && bpf_map_update_elem(&first_vm, &gate_id, &vm, BPF_ANY))
		return -EACCES;
	return 0;
}

int MEMGATE_PROG(may_attach, exclusive_kvm_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer)
{
	const struct exclusive_kvm_params *params;
	__u64 gate_id = bpf_memgate_id(gate);
	__u64 vm = consumer->id;
	struct memgate_consumer *c;
	bool attached = false;

	params = MEMGATE_GET_PARAMS(gate, struct exclusive_kvm_params);
	if (!params || !memgate_is_bool(&params->sticky) ||
	    consumer->kind != MEMGATE_KVM)
		return -EACCES;

	bpf_for_each(memgate_consumer, c, gate) {
		if (c->kind != MEMGATE_KVM)
			continue;
		if (c->id != vm)
			return -EACCES;
		attached = true;
	}

	/* The one that is attached may ask again, for more rights. */
	if (attached)
		return !params->sticky || is_first(gate_id, vm) ? 0 : -EACCES;
	return may_come(gate_id, params->sticky, consumer);
}

void MEMGATE_PROG(released, exclusive_kvm_released, struct memgate *gate)
{
	__u64 gate_id = bpf_memgate_id(gate);

	bpf_map_delete_elem(&first_vm, &gate_id);
	bpf_map_delete_elem(&successors, &gate_id);
}

MEMGATE_RULE(MEMGATE_KVM,
	     "one VM at a time; if sticky, only the first one ever");

MEMGATE_POLICY(exclusive_kvm,
	.decides = MEMGATE_CLASS(MEMGATE_KVM),
	.params_size = sizeof(struct exclusive_kvm_params),
	.may_attach = (void *)exclusive_kvm_may_attach,
	.released = (void *)exclusive_kvm_released,
);
