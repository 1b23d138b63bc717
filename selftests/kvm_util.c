// SPDX-License-Identifier: GPL-2.0-only
/*
 * A KVM guest that does one thing when told: touch memory
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "kvm_util.h"
#include "memgate_util.h"

/* The guest's own memory. */
#define LOW_LEN		0x10000
#define LOW_CODE	0x1000
#define LOW_GDT		0x2000
#define LOW_IDT		0x3000
#define LOW_ASYNC_PF	0x4000		/* known to guest_on_ready */
#define LOW_PAGE_DIR	0x5000
#define LOW_HOST_SAVE	0x6000		/* where VMRUN saves the host */
#define LOW_STACK	0x8000		/* of CPU 0, 0x1000 further for CPU 1 */

#define IDT_ENTRIES	65
#define VECTOR_GP	13
#define VECTOR_PF	14
#define VECTOR_READY	64		/* an asynchronous page fault is over */

/* The ports by which the guest speaks: one for every event. */
#define PORT_EVENT	0x10		/* + enum guest_event */

#define CR0_PE		(1u << 0)
#define CR0_PG		(1u << 31)
#define CR4_PSE		(1u << 4)
#define PDE_PRESENT_RW_USED_HUGE	0xe3
#define EFER_SVME	(1u << 12)
#define RFLAGS_FIXED	(1u << 1)
#define RFLAGS_IF	(1u << 9)

#define MSR_ASYNC_PF_EN		0x4b564d02
#define MSR_ASYNC_PF_INT	0x4b564d06
#define MSR_VM_HSAVE_PA		0xc0010117
#define ASYNC_PF_ENABLED	(1u << 0)
#define ASYNC_PF_SEND_ALWAYS	(1u << 1)
#define ASYNC_PF_BY_INTERRUPT	(1u << 3)

#define LAPIC_SPIV		0xf0
#define LAPIC_SPIV_ENABLED	0x1ff

#define CPUID_SVM_LEAF		0x80000001u
#define CPUID_SVM_ECX		(1u << 2)
#define CPUID_MAX		256

/*
 * %ebx is the address, %eax the value; an out tells the event.  Nobody
 * resumes behind an out: the VMM loads the registers anew each time.
 */
extern const char guest_code[], guest_code_end[];
extern const char guest_do_read[], guest_do_write[], guest_do_exec[];
extern const char guest_do_vmsave[], guest_do_vmrun[], guest_do_spin[];
extern const char guest_on_gp[], guest_on_pf[], guest_on_ready[];

asm("	.pushsection .rodata\n"
	"	.code32\n"
	"guest_code:\n"
	"guest_do_read:\n"
	"	mov	(%ebx), %eax\n"
	"	out	%eax, $0x10\n"
	"guest_do_write:\n"
	"	mov	%eax, (%ebx)\n"
	"	out	%eax, $0x10\n"
	"guest_do_exec:\n"
	"	call	*%ebx\n"
	"	out	%eax, $0x10\n"
	"guest_do_vmsave:\n"
	"	mov	%ebx, %eax\n"
	"	vmsave	%eax\n"
	"	out	%eax, $0x10\n"
	"guest_do_vmrun:\n"
	"	mov	%ebx, %eax\n"
	"	vmrun	%eax\n"
	"	out	%eax, $0x10\n"
	"guest_do_spin:\n"
	"	incl	(%ebx)\n"
	"	jmp	guest_do_spin\n"
	"guest_on_gp:\n"
	"	out	%eax, $0x11\n"
	"guest_on_pf:\n"
	"	out	%eax, $0x12\n"
	/* Take the token, end the interrupt, say that the next one may come. */
	"guest_on_ready:\n"
	"	push	%eax\n"
	"	push	%ecx\n"
	"	push	%edx\n"
	"	movl	$0, 0x4004\n"
	"	movl	$0, 0xfee000b0\n"
	"	mov	$0x4b564d07, %ecx\n"
	"	mov	$1, %eax\n"
	"	xor	%edx, %edx\n"
	"	wrmsr\n"
	"	pop	%edx\n"
	"	pop	%ecx\n"
	"	pop	%eax\n"
	"	iret\n"
	"guest_code_end:\n"
	"	.code64\n"
	"	.popsection\n");

static uint32_t code_address(const char *label)
{
	return LOW_CODE + (label - guest_code);
}

static int ioctl_errno(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

/* What KVM can give to a guest; the caller frees it. */
static struct kvm_cpuid2 *supported_cpuid(int kvm_fd)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) +
			  CPUID_MAX * sizeof(cpuid->entries[0]));
	if (!cpuid)
		return NULL;
	cpuid->nent = CPUID_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid)) {
		free(cpuid);
		return NULL;
	}
	return cpuid;
}

static bool cpuid_has_svm(const struct kvm_cpuid2 *cpuid)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == CPUID_SVM_LEAF)
			return cpuid->entries[i].ecx & CPUID_SVM_ECX;
	}
	return false;
}

const char *guest_missing(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return "/dev/kvm cannot be opened (CONFIG_KVM, CONFIG_KVM_AMD)";
	close(fd);
	return NULL;
}

bool guest_has_svm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct kvm_cpuid2 *cpuid;
	bool has = false;

	if (fd < 0)
		return false;
	cpuid = supported_cpuid(fd);
	if (cpuid)
		has = cpuid_has_svm(cpuid);
	free(cpuid);
	close(fd);
	return has;
}

static void set_gate(uint8_t *idt, int vector, uint32_t handler)
{
	uint8_t *gate = idt + vector * 8;

	gate[0] = handler;
	gate[1] = handler >> 8;
	gate[2] = 8;			/* code segment */
	gate[5] = 0x8e;			/* present, 32-bit interrupt gate */
	gate[6] = handler >> 16;
	gate[7] = handler >> 24;
}

static void fill_low(uint8_t *low)
{
	static const uint64_t gdt[] = {
		0,
		0x00cf9b000000ffffULL,	/* 8: flat code */
		0x00cf93000000ffffULL,	/* 16: flat data */
	};
	uint32_t *page_dir = (uint32_t *)(low + LOW_PAGE_DIR), i;

	memcpy(low + LOW_CODE, guest_code, guest_code_end - guest_code);
	memcpy(low + LOW_GDT, gdt, sizeof(gdt));
	/* Linear is physical, in pages of 4 MiB: VMRUN wants paging on. */
	for (i = 0; i < 1024; i++)
		page_dir[i] = i << 22 | PDE_PRESENT_RW_USED_HUGE;
	set_gate(low + LOW_IDT, VECTOR_GP, code_address(guest_on_gp));
	set_gate(low + LOW_IDT, VECTOR_PF, code_address(guest_on_pf));
	set_gate(low + LOW_IDT, VECTOR_READY, code_address(guest_on_ready));
}

static int set_msr(struct guest_cpu *cpu, uint32_t index, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry msr;
	} msrs = {
		.head.nmsrs = 1,
		.msr = { .index = index, .data = value },
	};
	int ret = ioctl_errno(cpu->fd, KVM_SET_MSRS, &msrs);

	if (ret < 0)
		return ret;
	return ret == 1 ? 0 : -EPROTO;
}

static int set_sregs(struct guest_cpu *cpu, bool svm)
{
	struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = 16,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	struct kvm_segment code = data;
	struct kvm_sregs sregs;
	int ret;

	code.selector = 8;
	code.type = 11;
	ret = ioctl_errno(cpu->fd, KVM_GET_SREGS, &sregs);
	if (ret)
		return ret;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt.base = LOW_GDT;
	sregs.gdt.limit = 3 * 8 - 1;
	sregs.idt.base = LOW_IDT;
	sregs.idt.limit = IDT_ENTRIES * 8 - 1;
	sregs.cr3 = LOW_PAGE_DIR;
	sregs.cr4 |= CR4_PSE;
	sregs.cr0 |= CR0_PE | CR0_PG;
	if (svm)
		sregs.efer |= EFER_SVME;
	return ioctl_errno(cpu->fd, KVM_SET_SREGS, &sregs);
}

/* KVM delivers no interrupt by a local APIC that software did not enable. */
static int enable_lapic(struct guest_cpu *cpu)
{
	struct kvm_lapic_state lapic;
	uint32_t spiv = LAPIC_SPIV_ENABLED;
	int ret;

	ret = ioctl_errno(cpu->fd, KVM_GET_LAPIC, &lapic);
	if (ret)
		return ret;
	memcpy(lapic.regs + LAPIC_SPIV, &spiv, sizeof(spiv));
	return ioctl_errno(cpu->fd, KVM_SET_LAPIC, &lapic);
}

static int add_cpu(struct guest *guest, struct kvm_cpuid2 *cpuid)
{
	struct kvm_mp_state running = { KVM_MP_STATE_RUNNABLE };
	struct guest_cpu *cpu = &guest->cpu[guest->nr_cpus];
	int ret;

	cpu->fd = ioctl(guest->vm_fd, KVM_CREATE_VCPU, guest->nr_cpus);
	if (cpu->fd < 0)
		return -errno;
	cpu->run_len = ioctl(guest->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	cpu->run = mmap(NULL, cpu->run_len, PROT_READ | PROT_WRITE,
			MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED) {
		ret = -errno;
		close(cpu->fd);
		return ret;
	}
	guest->nr_cpus++;
	ret = ioctl_errno(cpu->fd, KVM_SET_CPUID2, cpuid);
	if (ret)
		return ret;
	ret = set_sregs(cpu, cpuid_has_svm(cpuid));
	if (!ret && cpuid_has_svm(cpuid))
		ret = set_msr(cpu, MSR_VM_HSAVE_PA, LOW_HOST_SAVE);
	if (!ret && guest->irqchip)
		ret = enable_lapic(cpu);
	if (ret || !guest->irqchip)
		return ret;
	/* All CPUs but the first would wait for a start-up interrupt. */
	return ioctl_errno(cpu->fd, KVM_SET_MP_STATE, &running);
}

static int add_cpus(struct guest *guest, int nr_cpus)
{
	struct kvm_cpuid2 *cpuid = supported_cpuid(guest->kvm_fd);
	int ret = 0;

	if (!cpuid)
		return -errno;
	while (!ret && guest->nr_cpus < nr_cpus)
		ret = add_cpu(guest, cpuid);
	free(cpuid);
	return ret;
}

static int build_guest(struct guest *guest, int nr_cpus, int flags)
{
	int ret;

	guest->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (guest->kvm_fd < 0)
		return -errno;
	guest->vm_fd = ioctl(guest->kvm_fd, KVM_CREATE_VM, 0);
	if (guest->vm_fd < 0)
		return -errno;
	if (flags & GUEST_IRQCHIP) {
		ret = ioctl_errno(guest->vm_fd, KVM_CREATE_IRQCHIP, NULL);
		if (ret)
			return ret;
		guest->irqchip = true;
	}
	guest->low = mmap(NULL, LOW_LEN, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guest->low == MAP_FAILED)
		return -errno;
	fill_low(guest->low);
	ret = guest_memslot(guest, 0, 0, guest->low, LOW_LEN, 0);
	if (ret)
		return ret;
	return add_cpus(guest, nr_cpus);
}

int guest_open(struct guest *guest, int nr_cpus, int flags)
{
	int ret;

	*guest = (struct guest){
		.kvm_fd = -1,
		.vm_fd = -1,
		.low = MAP_FAILED,
	};
	if (nr_cpus < 1 || nr_cpus > GUEST_MAX_CPUS)
		return -EINVAL;
	ret = build_guest(guest, nr_cpus, flags);
	if (ret)
		guest_close(guest);
	return ret;
}

void guest_close(struct guest *guest)
{
	int i;

	/* A mapping of struct kvm_run keeps the whole VM alive. */
	for (i = 0; i < guest->nr_cpus; i++) {
		munmap(guest->cpu[i].run, guest->cpu[i].run_len);
		close(guest->cpu[i].fd);
	}
	guest->nr_cpus = 0;
	if (guest->vm_fd >= 0)
		close(guest->vm_fd);
	guest->vm_fd = -1;
	if (guest->kvm_fd >= 0)
		close(guest->kvm_fd);
	guest->kvm_fd = -1;
	if (guest->low != MAP_FAILED)
		munmap(guest->low, LOW_LEN);
	guest->low = MAP_FAILED;
}

void *guest_area(struct guest *guest, int slot, uint32_t gpa, size_t len)
{
	const size_t align = 2 << 20;
	char *room, *area;
	int ret;

	room = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return MAP_FAILED;
	area = (char *)(((uintptr_t)room + align - 1) & ~(align - 1));
	ret = guest_memslot(guest, slot, gpa, area, len, 0);
	if (ret) {
		munmap(room, len + align);
		errno = -ret;
		return MAP_FAILED;
	}
	return area;
}

int guest_memslot(struct guest *guest, int slot, uint32_t gpa, void *hva,
		  size_t len, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl_errno(guest->vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static void on_timeout(int sig)
{
	(void)sig;		/* it has made KVM_RUN return */
}

/*
 * KVM_RUN of a guest that makes no progress ends by a signal.  The timer
 * fires again and again, for a signal that comes just before KVM_RUN is lost.
 */
static int run_limited(struct guest_cpu *cpu)
{
	const long ms = GUEST_TIMEOUT_MS * mg_slowness();
	const struct itimerspec limit = {
		.it_value = { .tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000L },
		.it_interval = { .tv_nsec = 100000000 },
	};
	struct sigaction action = { .sa_handler = on_timeout };
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGRTMIN,
	};
	timer_t timer;
	int ret;

	event._sigev_un._tid = syscall(SYS_gettid);
	if (sigaction(SIGRTMIN, &action, NULL) ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer))
		return -errno;
	timer_settime(timer, 0, &limit, NULL);
	ret = ioctl_errno(cpu->fd, KVM_RUN, NULL);
	timer_delete(timer);
	return ret == -EINTR ? -ETIME : ret;
}

static int read_event(const struct kvm_run *run, enum guest_event *event)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		*event = run->io.port - PORT_EVENT;
		return 0;
	case KVM_EXIT_MMIO:
		*event = GUEST_MMIO;
		return 0;
	default:
		return -EPROTO;
	}
}

static int run_at(struct guest *guest, int nr, uint32_t rip, uint32_t gpa,
		  uint32_t *eax, enum guest_event *event)
{
	struct guest_cpu *cpu = &guest->cpu[nr];
	struct kvm_regs regs = {
		.rip = rip,
		.rax = *eax,
		.rbx = gpa,
		.rsp = LOW_STACK + nr * 0x1000,
		.rflags = RFLAGS_FIXED,
	};
	enum guest_event got;
	int ret;

	/* With interrupts off KVM would not defer a page fault. */
	if (guest->irqchip)
		regs.rflags |= RFLAGS_IF;
	ret = ioctl_errno(cpu->fd, KVM_SET_REGS, &regs);
	if (ret)
		return ret;
	ret = run_limited(cpu);
	if (ret)
		return ret;
	ret = read_event(cpu->run, &got);
	if (ret)
		return ret;
	if (event)
		*event = got;
	else if (got != GUEST_DONE)
		return -EPROTO;
	if (got == GUEST_DONE)
		memcpy(eax, (char *)cpu->run + cpu->run->io.data_offset, 4);
	return 0;
}

int guest_read(struct guest *guest, int cpu, uint32_t gpa, uint32_t *val,
	       enum guest_event *event)
{
	*val = 0;
	return run_at(guest, cpu, code_address(guest_do_read), gpa, val, event);
}

int guest_write(struct guest *guest, int cpu, uint32_t gpa, uint32_t val,
		enum guest_event *event)
{
	return run_at(guest, cpu, code_address(guest_do_write), gpa, &val,
		      event);
}

int guest_exec(struct guest *guest, int cpu, uint32_t gpa, uint32_t *val,
	       enum guest_event *event)
{
	*val = 0;
	return run_at(guest, cpu, code_address(guest_do_exec), gpa, val, event);
}

int guest_vmsave(struct guest *guest, int cpu, uint32_t gpa,
		 enum guest_event *event)
{
	uint32_t eax = 0;

	return run_at(guest, cpu, code_address(guest_do_vmsave), gpa, &eax,
		      event);
}

int guest_vmrun(struct guest *guest, int cpu, uint32_t gpa,
		enum guest_event *event)
{
	uint32_t eax = 0;

	return run_at(guest, cpu, code_address(guest_do_vmrun), gpa, &eax,
		      event);
}

int guest_spin(struct guest *guest, int cpu, uint32_t gpa)
{
	uint32_t eax = 0;

	return run_at(guest, cpu, code_address(guest_do_spin), gpa, &eax, NULL);
}

size_t guest_function(void *where, uint32_t val)
{
	uint8_t code[] = {
		0xb8, val, val >> 8, val >> 16, val >> 24,	/* mov eax */
		0xc3,						/* ret */
	};

	memcpy(where, code, sizeof(code));
	return sizeof(code);
}

int guest_set_msr(struct guest *guest, int cpu, uint32_t index, uint64_t value)
{
	return set_msr(&guest->cpu[cpu], index, value);
}

int guest_async_pf(struct guest *guest, int cpu)
{
	int ret;

	if (!guest->irqchip)
		return -EINVAL;
	ret = guest_set_msr(guest, cpu, MSR_ASYNC_PF_INT, VECTOR_READY);
	if (ret)
		return ret;
	return guest_set_msr(guest, cpu, MSR_ASYNC_PF_EN,
			     LOW_ASYNC_PF | ASYNC_PF_ENABLED |
			     ASYNC_PF_SEND_ALWAYS | ASYNC_PF_BY_INTERRUPT);
}
