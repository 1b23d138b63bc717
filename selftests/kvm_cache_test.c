// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of gated memory that KVM maps for itself: the pfn cache (Xen's
 * shared pages, the paravirtual clock) and kvm_vcpu_map() (nested SVM)
 */
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"

#define LEN	MG_HUGE_SIZE
#define OFF	0x4000u
#define PAGE	4096

#define MSR_KVM_SYSTEM_TIME_NEW	0x4b564d01

/* Exit code in a VMCB, and what VMRUN says of one that makes no sense. */
#define VMCB_EXIT_CODE	0x70
#define VMEXIT_INVALID	0xffffffff

FIXTURE(cache)
{
	int fd;
	char *map;
	char *area;
	struct guest guest;
};

MG_MEM_VARIANTS(cache);

FIXTURE_SETUP(cache)
{
	self->guest.nr_cpus = 0;
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	self->fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, guest_open(&self->guest, 1, 0));
	self->area = guest_area(&self->guest, 1, GUEST_GPA, LEN);
	ASSERT_NE(MAP_FAILED, self->area);
}

FIXTURE_TEARDOWN(cache)
{
	guest_close(&self->guest);
	munmap(self->map, LEN);
	close(self->fd);
}

/* Puts the memory under the guest's memslot, which exists already. */
#define MOVE_UNDER() do {						\
	self->map = mremap(self->map, LEN, LEN,				\
			   MREMAP_MAYMOVE | MREMAP_FIXED, self->area);	\
	ASSERT_EQ(self->area, self->map);				\
} while (0)

static bool page_is_zero(const char *page)
{
	static const char zero[PAGE];

	return !memcmp(page, zero, PAGE);
}

/* Xen's pages, by guest address or by the VMM's own *************************/

static int shared_info(struct guest *guest, uint32_t gpa)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_SHARED_INFO,
		.u.shared_info.gfn = gpa / PAGE,
	};

	return ioctl(guest->vm_fd, KVM_XEN_HVM_SET_ATTR, &attr) ? -errno : 0;
}

static int shared_info_hva(struct guest *guest, void *hva)
{
	struct kvm_xen_hvm_attr attr = {
		.type = KVM_XEN_ATTR_TYPE_SHARED_INFO_HVA,
		.u.shared_info.gfn = (uintptr_t)hva,	/* a union */
	};

	return ioctl(guest->vm_fd, KVM_XEN_HVM_SET_ATTR, &attr) ? -errno : 0;
}

static int vcpu_info(struct guest *guest, int type, uint64_t address)
{
	struct kvm_xen_vcpu_attr attr = { .type = type, .u.gpa = address };

	return ioctl(guest->cpu[0].fd, KVM_XEN_VCPU_SET_ATTR, &attr) ?
	       -errno : 0;
}

TEST_F(cache, ungated_shared_info)
{
	MOVE_UNDER();
	ASSERT_EQ(0, shared_info(&self->guest, GUEST_GPA + OFF));
	/* KVM has put the time of day there. */
	ASSERT_FALSE(page_is_zero(self->map + OFF));
}

TEST_F(cache, sealed_shared_info)
{
	ASSERT_EQ(0, mg_seal(self->fd));
	MOVE_UNDER();
	ASSERT_EQ(-EFAULT, shared_info(&self->guest, GUEST_GPA + OFF));
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

TEST_F(cache, ungated_shared_info_hva)
{
	ASSERT_EQ(0, shared_info_hva(&self->guest, self->map + OFF));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
}

/* No memslot is involved here, so only the pfn cache can refuse. */
TEST_F(cache, sealed_shared_info_hva)
{
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(-EFAULT, shared_info_hva(&self->guest, self->map + OFF));
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

TEST_F(cache, vcpu_info)
{
	struct guest *guest = &self->guest;
	uintptr_t hva;

	MOVE_UNDER();
	hva = (uintptr_t)self->map + OFF;
	ASSERT_EQ(0, vcpu_info(guest, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO,
			       GUEST_GPA + OFF));
	ASSERT_EQ(0, vcpu_info(guest, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA,
			       hva));
	ASSERT_EQ(0, vcpu_info(guest, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO, ~0ULL));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(-EFAULT, vcpu_info(guest, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO,
				     GUEST_GPA + OFF));
	ASSERT_EQ(-EFAULT, vcpu_info(guest,
				     KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO_HVA,
				     hva));
}

/* The paravirtual clock: a cache that is used again and again ***************/

static int set_clock_page(struct guest *guest, uint32_t gpa)
{
	return guest_set_msr(guest, 0, MSR_KVM_SYSTEM_TIME_NEW, gpa | 1);
}

/* Makes KVM write the clock page anew, at the guest's next entry. */
static int tick(struct guest *guest)
{
	struct kvm_clock_data clock = { .clock = 1000000000 };
	uint32_t val;

	if (ioctl(guest->vm_fd, KVM_SET_CLOCK, &clock))
		return -errno;
	return guest_read(guest, 0, 0x8000, &val, NULL);
}

TEST_F(cache, ungated_clock)
{
	MOVE_UNDER();
	ASSERT_EQ(0, set_clock_page(&self->guest, GUEST_GPA + OFF));
	ASSERT_EQ(0, tick(&self->guest));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, tick(&self->guest));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
}

TEST_F(cache, sealed_clock)
{
	ASSERT_EQ(0, mg_seal(self->fd));
	MOVE_UNDER();
	/* The MSR can be set; it is at use that the page is looked up. */
	set_clock_page(&self->guest, GUEST_GPA + OFF);
	ASSERT_EQ(0, tick(&self->guest));
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

/* A cache that was filled before the seal must not outlive it. */
TEST_F(cache, sealed_with_clock)
{
	MOVE_UNDER();
	ASSERT_EQ(0, set_clock_page(&self->guest, GUEST_GPA + OFF));
	ASSERT_EQ(0, tick(&self->guest));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	ASSERT_EQ(0, mg_seal(self->fd));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, tick(&self->guest));
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

/* Everything together works for a VM that a policy lets in. */
TEST_F(cache, allowed)
{
	struct guest *guest = &self->guest;
	struct mg_policy policy;

	ASSERT_EQ(0, mg_policy_load(&policy, "allow")) {
		TH_LOG("%s", policy.log);
	}
	ASSERT_LE(0, mg_install(&policy, self->fd));
	MOVE_UNDER();
	ASSERT_EQ(0, shared_info(guest, GUEST_GPA + OFF));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, shared_info_hva(guest, self->map + OFF));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	ASSERT_EQ(0, vcpu_info(guest, KVM_XEN_VCPU_ATTR_TYPE_VCPU_INFO,
			       GUEST_GPA + OFF));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, set_clock_page(guest, GUEST_GPA + OFF));
	ASSERT_EQ(0, tick(guest));
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	mg_policy_free(&policy);
}

/* Nested SVM: kvm_vcpu_map() ************************************************/

static uint32_t exit_code(const char *vmcb)
{
	uint32_t code;

	memcpy(&code, vmcb + VMCB_EXIT_CODE, sizeof(code));
	return code;
}

TEST_F(cache, vmsave)
{
	enum guest_event event;

	if (!guest_has_svm())
		SKIP(return, "no nested SVM (not an AMD processor)");
	MOVE_UNDER();
	ASSERT_EQ(0, guest_vmsave(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_DONE, event);
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	ASSERT_EQ(0, mg_seal(self->fd));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, guest_vmsave(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_GP, event);
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

/* An empty VMCB is enough: that it is none KVM says in the VMCB itself. */
TEST_F(cache, vmrun)
{
	enum guest_event event;

	if (!guest_has_svm())
		SKIP(return, "no nested SVM (not an AMD processor)");
	MOVE_UNDER();
	ASSERT_EQ(0, guest_vmrun(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_DONE, event);
	ASSERT_EQ(VMEXIT_INVALID, exit_code(self->map + OFF));
	ASSERT_EQ(0, mg_seal(self->fd));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, guest_vmrun(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_GP, event);
	ASSERT_TRUE(page_is_zero(self->map + OFF));
}

TEST_F(cache, allowed_svm)
{
	struct mg_policy policy;
	enum guest_event event;

	if (!guest_has_svm())
		SKIP(return, "no nested SVM (not an AMD processor)");
	ASSERT_EQ(0, mg_policy_load(&policy, "allow"));
	ASSERT_LE(0, mg_install(&policy, self->fd));
	MOVE_UNDER();
	ASSERT_EQ(0, guest_vmrun(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_DONE, event);
	ASSERT_EQ(VMEXIT_INVALID, exit_code(self->map + OFF));
	memset(self->map + OFF, 0, PAGE);
	ASSERT_EQ(0, guest_vmsave(&self->guest, 0, GUEST_GPA + OFF, &event));
	ASSERT_EQ(GUEST_DONE, event);
	ASSERT_FALSE(page_is_zero(self->map + OFF));
	mg_policy_free(&policy);
}

TEST_HARNESS_MAIN
