// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handover under exclusive_kvm: a process that is named in advance brings the
 * next VM, once, and never beside the one before
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <memgate/successor.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "trace_util.h"

#define LEN	MG_HUGE_SIZE
#define OFF	0x1000u

/* VMs *********************************************************************/

/* The VM that this process, the test or a peer of it, has. */
static struct guest vm;
static char *vm_map;

static long vm_go(int fd, long arg)
{
	guest_close(&vm);
	if (vm_map)
		munmap(vm_map, LEN);
	vm_map = NULL;
	return 0;
}

/* Attaches, and stays if it may. */
static long vm_come(int fd, long flags)
{
	uint32_t val;
	long ret;

	vm_map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (vm_map == MAP_FAILED) {
		vm_map = NULL;
		return -errno;
	}
	ret = guest_open(&vm, 1, 0);
	if (!ret)
		ret = guest_memslot(&vm, 1, GUEST_GPA, vm_map, LEN, flags);
	if (!ret)
		ret = guest_read(&vm, 0, GUEST_GPA + OFF, &val, NULL);
	if (!ret && memcmp(&val, vm_map + OFF, sizeof(val)))
		ret = -EPROTO;
	if (ret)
		vm_go(-1, 0);
	return ret;
}

/* A VM that may come in: how often it takes until the other has gone. */
static long vm_insist(int fd, long tries)
{
	long nr, ret = -EACCES;

	for (nr = 0; ret == -EACCES && nr < tries; nr++)
		ret = vm_come(fd, 0);
	return ret ? ret : nr;
}

/* Field 22 of /proc/PID/stat. */
static unsigned long long start_of(pid_t pid)
{
	char path[64], buf[1024], *p = NULL;
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f && fgets(buf, sizeof(buf), f))
		p = strrchr(buf, ')');
	for (n = 2; p && n < 22; n++)
		p = strchr(p + 1, ' ');
	if (f)
		fclose(f);
	return p ? strtoull(p, NULL, 10) : 0;
}

/* Policy and who is named **************************************************/

FIXTURE(handover)
{
	int fd, link;
	unsigned long long gate;
	struct mg_policy kvm, trace;
	struct mg_peer a, b;
};

FIXTURE_VARIANT(handover) { int sticky; };
FIXTURE_VARIANT_ADD(handover, sticky) { .sticky = 1 };
FIXTURE_VARIANT_ADD(handover, in_turn) { .sticky = 0 };

FIXTURE_SETUP(handover)
{
	struct mg_gate gate;

	memset(&self->kvm, 0, sizeof(self->kvm));
	memset(&self->trace, 0, sizeof(self->trace));
	vm.nr_cpus = 0;
	vm_map = NULL;
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_peer_start(&self->a));
	ASSERT_EQ(0, mg_peer_start(&self->b));
	self->fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->kvm, "exclusive_kvm"));
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
	ASSERT_EQ(0, mg_param(&self->kvm, "sticky", variant->sticky));
	self->link = mg_install(&self->kvm, self->fd);
	ASSERT_LE(0, self->link);
	/* Decides the rest, and sees whom exclusive_kvm lets in. */
	ASSERT_LE(0, mg_install(&self->trace, self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	self->gate = gate.id;
}

FIXTURE_TEARDOWN(handover)
{
	vm_go(-1, 0);
	mg_peer_stop(&self->a);
	mg_peer_stop(&self->b);
	mg_policy_free(&self->kvm);
	mg_policy_free(&self->trace);
	close(self->fd);
}

static int name_as(FIXTURE_DATA(handover) *self, pid_t pid,
		   unsigned long long start)
{
	struct memgate_successor who = { .tgid = pid, .start = start };

	return bpf_map_update_elem(mg_policy_map(&self->kvm,
						 MEMGATE_SUCCESSORS),
				   &self->gate, &who, BPF_ANY);
}

static int name(FIXTURE_DATA(handover) *self, pid_t pid)
{
	return name_as(self, pid, start_of(pid));
}

static int cancel(FIXTURE_DATA(handover) *self)
{
	return bpf_map_delete_elem(mg_policy_map(&self->kvm,
						 MEMGATE_SUCCESSORS),
				   &self->gate);
}

static bool is_named(FIXTURE_DATA(handover) *self)
{
	struct memgate_successor who;

	return !bpf_map_lookup_elem(mg_policy_map(&self->kvm,
						  MEMGATE_SUCCESSORS),
				    &self->gate, &who);
}

#define MINE()		vm_come(self->fd, 0)
#define A()		mg_peer_call(&self->a, vm_come, self->fd, 0)
#define B()		mg_peer_call(&self->b, vm_come, self->fd, 0)
#define MINE_GOES()	ASSERT_EQ(0, vm_go(-1, 0))
#define A_GOES()	ASSERT_EQ(0, mg_peer_call(&self->a, vm_go, -1, 0))
#define B_GOES()	ASSERT_EQ(0, mg_peer_call(&self->b, vm_go, -1, 0))
/* What a VM gets that nobody named, when there is no other. */
#define UNNAMED		(variant->sticky ? -EACCES : 0)

/* The order of things ******************************************************/

TEST_F(handover, after_the_first)
{
	uint32_t val;

	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	/* too early, which costs nothing */
	EXPECT_EQ(-EACCES, A());
	EXPECT_EQ(-EACCES, A());
	EXPECT_TRUE(is_named(self));
	EXPECT_EQ(0, guest_read(&vm, 0, GUEST_GPA + OFF, &val, NULL));
	MINE_GOES();
	EXPECT_EQ(0, A());
	EXPECT_FALSE(is_named(self));
	/* it is the one now */
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_EQ(-EACCES, B());
	A_GOES();
	EXPECT_EQ(UNNAMED, B());
}

TEST_F(handover, others_stay_out)
{
	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	MINE_GOES();
	EXPECT_EQ(-EACCES, B());
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_TRUE(is_named(self));
	EXPECT_EQ(0, A());
}

/* Before there was any VM. */
TEST_F(handover, reserved)
{
	ASSERT_EQ(0, name(self, self->a.pid));
	EXPECT_EQ(-EACCES, MINE());
	EXPECT_EQ(-EACCES, B());
	EXPECT_EQ(0, A());
	A_GOES();
	EXPECT_EQ(UNNAMED, MINE());
}

TEST_F(handover, once)
{
	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	MINE_GOES();
	EXPECT_EQ(0, A());
	A_GOES();
	/* the same process, another VM */
	EXPECT_EQ(UNNAMED, A());
}

TEST_F(handover, again_and_again)
{
	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	MINE_GOES();
	ASSERT_EQ(0, A());
	ASSERT_EQ(0, name(self, self->b.pid));
	A_GOES();
	ASSERT_EQ(0, B());
	ASSERT_EQ(0, name(self, getpid()));
	EXPECT_EQ(-EACCES, MINE());
	B_GOES();
	EXPECT_EQ(0, MINE());
}

TEST_F(handover, cancelled)
{
	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	ASSERT_EQ(0, cancel(self));
	MINE_GOES();
	EXPECT_EQ(UNNAMED, A());
	EXPECT_EQ(-ENOENT, cancel(self));
}

TEST_F(handover, another_is_named)
{
	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	ASSERT_EQ(0, name(self, self->b.pid));
	MINE_GOES();
	EXPECT_EQ(-EACCES, A());
	EXPECT_EQ(0, B());
}

/* The same number at another time is another process. */
TEST_F(handover, other_start)
{
	unsigned long long start = start_of(self->a.pid);

	ASSERT_LT(0, start);
	ASSERT_EQ(0, MINE());
	MINE_GOES();
	ASSERT_EQ(0, name_as(self, self->a.pid, start + 1));
	EXPECT_EQ(-EACCES, A());
	ASSERT_EQ(0, name_as(self, self->a.pid, start - 1));
	EXPECT_EQ(-EACCES, A());
	/* and no time is no name */
	ASSERT_EQ(0, name_as(self, self->a.pid, 0));
	EXPECT_EQ(-EACCES, A());
	ASSERT_EQ(0, name(self, self->a.pid));
	EXPECT_EQ(0, A());
}

/* Who has the memory asks for more of it, whoever is named. */
TEST_F(handover, more_rights)
{
	ASSERT_EQ(0, vm_come(self->fd, KVM_MEM_READONLY));
	ASSERT_EQ(0, name(self, self->a.pid));
	ASSERT_EQ(0, guest_memslot(&vm, 1, GUEST_GPA, NULL, 0, 0));
	EXPECT_EQ(0, guest_memslot(&vm, 1, GUEST_GPA, vm_map, LEN, 0));
	EXPECT_EQ(0, guest_write(&vm, 0, GUEST_GPA + OFF, 7, NULL));
	EXPECT_TRUE(is_named(self));
}

/* Of another gate it says nothing. */
TEST_F(handover, other_gate)
{
	unsigned long long gate = self->gate;

	ASSERT_EQ(0, MINE());
	MINE_GOES();
	self->gate = gate + 1000;
	ASSERT_EQ(0, name(self, self->a.pid));
	EXPECT_EQ(UNNAMED, A());
	EXPECT_EQ(0, cancel(self));
}

/* The memory goes, and with it who was to have it. */
TEST_F(handover, released)
{
	int tries;

	ASSERT_EQ(0, MINE());
	ASSERT_EQ(0, name(self, self->a.pid));
	MINE_GOES();
	close(self->fd);
	for (tries = 0; tries < 100 && is_named(self); tries++)
		usleep(20000);
	EXPECT_FALSE(is_named(self));
	self->fd = -1;
}

/* At the same time *********************************************************/

struct racer {
	struct guest guest;
	char *map;
	pthread_barrier_t *start;
	int ret;
};

static void *race(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->start);
	racer->ret = guest_memslot(&racer->guest, 1, GUEST_GPA, racer->map,
				   LEN, 0);
	return NULL;
}

/* Two VMs of one process, which is named: how many came in. */
static long race_two(int fd, long arg)
{
	struct racer racer[2];
	pthread_barrier_t start;
	pthread_t thread[2];
	long i, won = 0;

	pthread_barrier_init(&start, NULL, 2);
	for (i = 0; i < 2; i++) {
		racer[i].start = &start;
		racer[i].map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE,
				      MAP_SHARED, 0);
		if (racer[i].map == MAP_FAILED ||
		    guest_open(&racer[i].guest, 1, 0))
			return -EPROTO;
	}
	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, race, &racer[i]);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++) {
		won += !racer[i].ret;
		if (racer[i].ret && racer[i].ret != -EACCES)
			won = -EPROTO;
		guest_close(&racer[i].guest);
		munmap(racer[i].map, LEN);
	}
	pthread_barrier_destroy(&start);
	return won;
}

#define RACES	10

TEST_F_TIMEOUT(handover, one_of_two, 60)
{
	int i;

	for (i = 0; i < RACES; i++) {
		ASSERT_EQ(0, name(self, self->a.pid));
		ASSERT_EQ(1, mg_peer_call(&self->a, race_two, self->fd, 0));
	}
}

/* Whoever was let in, or was asked about again, was alone. */
static int not_alone(struct mg_policy *trace)
{
	long nr, count = mg_trace_count(trace);
	struct trace_event e;
	uint64_t last = 0;
	int bad = count < 0 || count > TRACE_EVENTS;

	for (nr = 0; nr < count && nr < TRACE_EVENTS; nr++) {
		if (mg_trace_get(trace, nr, &e))
			return -1;
		if (e.what != TRACE_MAY_ATTACH || e.kind != MEMGATE_KVM)
			continue;
		if (e.listed > (e.consumer == last))
			bad++;
		last = e.consumer;
	}
	return bad;
}

/* One goes while the next one insists. */
TEST_F_TIMEOUT(handover, never_both, 60)
{
	struct mg_gate gate;
	long tries = 0, ret;
	int i;

	ASSERT_EQ(0, A());
	for (i = 0; i < RACES; i++) {
		ASSERT_EQ(0, name(self, self->b.pid));
		ASSERT_EQ(0, mg_peer_begin(&self->b, vm_insist, self->fd,
					   100000));
		usleep(rand() % 20000);
		A_GOES();
		ret = mg_peer_end(&self->b);
		ASSERT_LT(0, ret);
		tries += ret;
		ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
		ASSERT_EQ(1, gate.nr_consumers);
		ASSERT_EQ(self->b.pid, gate.consumer[0].pid);
		/* and back */
		ASSERT_EQ(0, name(self, self->a.pid));
		B_GOES();
		ASSERT_EQ(0, A());
	}
	/* some of them came too early, or it was no race */
	EXPECT_LT(RACES, tries);
	EXPECT_EQ(0, not_alone(&self->trace));
}

TEST_HARNESS_MAIN
