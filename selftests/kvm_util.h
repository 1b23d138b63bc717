/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A KVM guest that does one thing when told: touch memory
 *
 * The guest runs in flat 32-bit mode with paging.  It has some anonymous
 * memory of the VMM's own at address 0 (code, stack, descriptor tables), so
 * that the memory under test, which a test puts wherever it likes above, is
 * touched by nothing but the instruction that the test asked for.
 *
 * Everything returns 0 or a negative errno and leaves it to the test to say
 * what it expected.
 */
#ifndef _KVM_UTIL_H
#define _KVM_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

/* What the kernel headers of Debian 12 lack. */
#ifndef KVM_PRE_FAULT_MEMORY
#define KVM_PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct kvm_pre_fault_memory)
struct kvm_pre_fault_memory {
	__u64 gpa;
	__u64 size;
	__u64 flags;
	__u64 padding[5];
};
#endif
#ifndef KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA
#define KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA	0x6
#endif
#ifndef KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA
#define KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA	0x9
#endif

#define GUEST_MAX_CPUS	2

/* Where tests put the memory under test in the guest. */
#define GUEST_GPA	0x10000000u

/* What the guest can tell, in struct guest_exit.what. */
enum guest_event {
	GUEST_DONE,		/* the instruction was executed */
	GUEST_GP,		/* it raised a general protection fault */
	GUEST_PF,		/* page fault: an asynchronous one, see below */
	GUEST_MMIO,		/* KVM found no memory there */
};

struct guest_cpu {
	int fd;
	struct kvm_run *run;
	size_t run_len;
};

struct guest {
	int kvm_fd;
	int vm_fd;
	int nr_cpus;
	bool irqchip;
	void *low;
	struct guest_cpu cpu[GUEST_MAX_CPUS];
};

/* Flags of guest_open(). */
#define GUEST_IRQCHIP	1	/* local APIC in the kernel: KVM may then handle
				 * a guest's page fault asynchronously
				 */

/* NULL if this machine can run the KVM tests, or else what is missing. */
const char *guest_missing(void);
/* Nested virtualisation in the guest: what kvm_vcpu_map() needs. */
bool guest_has_svm(void);

int guest_open(struct guest *guest, int nr_cpus, int flags);
/* Safe to call twice, and after a guest_open() that failed. */
void guest_close(struct guest *guest);

/* Slot 0 is the guest's own low memory; tests use 1 and up. */
int guest_memslot(struct guest *guest, int slot, uint32_t gpa, void *hva,
		  size_t len, uint32_t flags);
/*
 * The same with new anonymous memory, aligned to 2 MiB, for tests that put
 * something else in its place later.  MAP_FAILED and errno if that fails.
 */
void *guest_area(struct guest *guest, int slot, uint32_t gpa, size_t len);

/*
 * Execute one instruction on @cpu.  -EFAULT is what KVM_RUN says when the
 * memory is refused, -ETIME that KVM_RUN did not come back by itself within
 * GUEST_TIMEOUT_MS, -EPROTO an exit that nothing here explains.  The event is
 * for those tests that expect anything but GUEST_DONE: *event may be NULL,
 * and any other event is then -EPROTO.
 */
#define GUEST_TIMEOUT_MS	5000

int guest_read(struct guest *guest, int cpu, uint32_t gpa, uint32_t *val,
	       enum guest_event *event);
int guest_write(struct guest *guest, int cpu, uint32_t gpa, uint32_t val,
		enum guest_event *event);
/* Calls a function at @gpa; *val is its return value. */
int guest_exec(struct guest *guest, int cpu, uint32_t gpa, uint32_t *val,
	       enum guest_event *event);
/* Counts at @gpa for ever, so 0 is no answer. */
int guest_spin(struct guest *guest, int cpu, uint32_t gpa);
/* VMSAVE, VMRUN: KVM maps the page at @gpa for itself (kvm_vcpu_map()). */
int guest_vmsave(struct guest *guest, int cpu, uint32_t gpa,
		 enum guest_event *event);
int guest_vmrun(struct guest *guest, int cpu, uint32_t gpa,
		enum guest_event *event);

/* Machine code of a function for guest_exec(): return @val. */
size_t guest_function(void *where, uint32_t val);

int guest_set_msr(struct guest *guest, int cpu, uint32_t index,
		  uint64_t value);
/* Let the guest take asynchronous page faults by itself (as Linux does). */
int guest_async_pf(struct guest *guest, int cpu);

#endif /* _KVM_UTIL_H */
