// SPDX-License-Identifier: GPL-2.0-only
/*
 * confidential: a guest is loaded, then its memory is closed but to the guest
 * and to the devices that it is given.
 *
 * Decides every class of this version.  One process is named, the VMM.  Before
 * a VM runs on the memory, that process loads the guest: it may map the memory,
 * and read and write the memfd.  From the moment when a VM attaches (its
 * memory slots are made) nobody maps it and nobody reads or writes the memfd,
 * the VMM included, also when that VM has gone: what it leaves behind is
 * nobody's.  Another VM of the same VMM may come then, one at a time.
 *
 * What the VMM may have, and nobody else:
 *   MAP, FILE		before the first VM
 *   KVM		one at a time
 *   OWN_PIN		by the mapping that it has: disks read and write by it
 *   VFIO, IOMMUFD, RDMA, VDPA, XDP, DMABUF
 *			devices that are trusted, as trusted_devices does it
 * Nobody may have OWN_LONGTERM (pins by drivers of which no class knows the
 * device), REMOTE, OTHER, VHOST and IO_URING.
 *
 * What this cannot do on 6.12: KVM finds the memory by the VMM's own mapping,
 * and a mapping that exists stays.  So the VMM goes on reading and writing
 * what it has mapped, and a guest is protected from everybody but its VMM.
 * A mapping that is older than the seal was made by who knows whom: no VM may
 * have memory with such mappings, unless premapped says how many are known.
 * What works through write(2) and fallocate(2) on the memfd does not work any
 * more while the guest runs: snapshots, ballooning, free page reporting.
 *
 * Parameters:
 *   tgid	the VMM's process id, in the initial pid namespace
 *   start	when it started, field 22 of /proc/PID/stat, so that a later
 *		process with the same id is not taken for it (default 0: not
 *		looked at)
 *   premapped	mappings older than the seal that are known (default 0)
 *   trust	devices, see trust.bpf.h (default: none)
 *
 * When something fails, when no process is named, or a rule is malformed:
 * refused.  The policy remembers up to 65536 memfds that had a VM; on one more,
 * no VM may attach.  It remembers a VM that it allows, so where a policy beside
 * it can refuse that, install confidential after that one.  Unloading the
 * policy, or an update to another, forgets which memfds had a VM that is gone.
 */
#include <memgate/policy.bpf.h>

#include "trust.bpf.h"

char _license[] SEC("license") = "GPL";

struct confidential_params {
	__u32 tgid MEMGATE_DOC("the VMM's process id, initial pid namespace");
	__u32 premapped MEMGATE_DOC("mappings older than the seal, known");
	__u64 start MEMGATE_DOC("its start time, field 22 of /proc/PID/stat");
	TRUST_PARAM;
};
MEMGATE_PARAMS(struct confidential_params);

/* ids of gates on which a VM has run */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, bool);
} had_vm SEC(".maps");

/* Counting finds a VM that a policy before this one has let in. */
static __always_inline bool is_loaded(struct memgate *gate)
{
	__u64 id = bpf_memgate_id(gate);

	return bpf_memgate_count(gate, MEMGATE_KVM) ||
	       bpf_map_lookup_elem(&had_vm, &id);
}

static __always_inline bool is_vmm(const struct confidential_params *params,
				   struct task_struct *task)
{
	return params->tgid && !(task->flags & PF_KTHREAD) &&
	       memgate_task_is(task, params->tgid, params->start);
}

static __always_inline bool by_vmm(const struct confidential_params *params,
				   struct memgate_consumer *consumer)
{
	struct task_struct *task = bpf_memgate_consumer_task(consumer);
	bool yes;

	if (!task)
		return false;
	yes = is_vmm(params, task);
	bpf_task_release(task);
	return yes;
}

static __always_inline int run_vm(struct memgate *gate,
				  const struct confidential_params *params,
				  struct memgate_consumer *consumer)
{
	__u64 id = bpf_memgate_id(gate), vm = consumer->id;
	struct memgate_consumer *c;
	bool yes = true;

	if (bpf_memgate_premapped(gate) > params->premapped)
		return -EACCES;
	/* The one that is attached may ask again, for more rights. */
	bpf_for_each(memgate_consumer, c, gate)
		if (c->kind == MEMGATE_KVM && c->id != vm)
			return -EACCES;
	return bpf_map_update_elem(&had_vm, &id, &yes, BPF_ANY) ? -EACCES : 0;
}

int MEMGATE_PROG(may_attach, confidential_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	const struct confidential_params *params;
	__u32 rules;

	params = MEMGATE_GET_PARAMS(gate, struct confidential_params);
	if (!params || !by_vmm(params, consumer))
		return -EACCES;

	switch (consumer->kind) {
	case MEMGATE_FILE:
		return is_loaded(gate) ? -EACCES : 0;
	case MEMGATE_OWN_PIN:
		return 0;
	case MEMGATE_KVM:
		return run_vm(gate, params, consumer);
	case MEMGATE_VFIO:
	case MEMGATE_IOMMUFD:
	case MEMGATE_RDMA:
	case MEMGATE_VDPA:
	case MEMGATE_XDP:
	case MEMGATE_DMABUF:
		return trust_device(params->trust, consumer, dev, &rules);
	default:
		return -EACCES;
	}
}

int MEMGATE_PROG(may_map, confidential_may_map, struct memgate *gate, __u32 op)
{
	const struct confidential_params *params;

	params = MEMGATE_GET_PARAMS(gate, struct confidential_params);
	/* A child is another process. */
	if (!params || op == MEMGATE_OP_FORK || is_loaded(gate) ||
	    !is_vmm(params, bpf_get_current_task_btf()))
		return -EACCES;
	return 0;
}

void MEMGATE_PROG(released, confidential_released, struct memgate *gate)
{
	__u64 id = bpf_memgate_id(gate);

	bpf_map_delete_elem(&had_vm, &id);
}

#define LOADER_RULE	"the process tgid, until a VM runs on the memory"
#define NOBODY_RULE	"nobody"
#define TRUST_RULE	"the process tgid's devices that a rule in trust fits"

MEMGATE_RULE(MEMGATE_MAP, LOADER_RULE);
MEMGATE_RULE(MEMGATE_FILE, LOADER_RULE);
MEMGATE_RULE(MEMGATE_OWN_PIN, "the process tgid");
MEMGATE_RULE(MEMGATE_OWN_LONGTERM, NOBODY_RULE);
MEMGATE_RULE(MEMGATE_REMOTE, NOBODY_RULE);
MEMGATE_RULE(MEMGATE_OTHER, NOBODY_RULE);
MEMGATE_RULE(MEMGATE_KVM, "the process tgid's VM, one at a time");
MEMGATE_RULE(MEMGATE_VFIO, TRUST_RULE);
MEMGATE_RULE(MEMGATE_IOMMUFD, TRUST_RULE);
MEMGATE_RULE(MEMGATE_RDMA, TRUST_RULE);
MEMGATE_RULE(MEMGATE_VDPA, TRUST_RULE);
MEMGATE_RULE(MEMGATE_VHOST, NOBODY_RULE);
MEMGATE_RULE(MEMGATE_IO_URING, NOBODY_RULE);
MEMGATE_RULE(MEMGATE_XDP, TRUST_RULE);
MEMGATE_RULE(MEMGATE_DMABUF, TRUST_RULE);

MEMGATE_POLICY(confidential,
	.decides = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1,
	.params_size = sizeof(struct confidential_params),
	.may_attach = (void *)confidential_may_attach,
	.may_map = (void *)confidential_may_map,
	.released = (void *)confidential_released,
);
