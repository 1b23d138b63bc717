// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who dies first: memfd, link and VM, in every order and all at once.  What
 * counts is that nothing is left, that nobody is told twice, and that the
 * kernel says nothing about it.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "probe.h"
#include "race_util.h"
#include "trace_util.h"

#define LEN	MG_HUGE_SIZE
#define STORMS		(3 * 2)		/* that share the time */
#define STORM_PATIENCE	60		/* for what must happen in each */

/* One memfd with a policy and a VM attached to it ***************************/

enum part { MEMFD, LINK, VM, PARTS };

struct trio {
	int fd, link;
	char *map;
	struct guest guest;
};

static int trio_up(struct trio *trio, const struct mg_policy *policy,
		   enum mg_mem mem)
{
	uint32_t val;
	int err;

	trio->guest.nr_cpus = 0;
	trio->fd = mg_memfd(mem, LEN);
	if (trio->fd < 0)
		return -errno;
	trio->link = mg_install(policy, trio->fd);
	if (trio->link < 0)
		return -errno;
	trio->map = mg_map(mem, trio->fd, LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	if (trio->map == MAP_FAILED)
		return -errno;
	err = guest_open(&trio->guest, 1, 0);
	if (!err)
		err = guest_memslot(&trio->guest, 1, GUEST_GPA, trio->map, LEN,
				    0);
	if (!err)
		err = guest_read(&trio->guest, 0, GUEST_GPA, &val, NULL);
	return err;
}

static void trio_end(struct trio *trio, enum part part)
{
	switch (part) {
	case MEMFD:
		munmap(trio->map, LEN);
		close(trio->fd);
		break;
	case LINK:
		close(trio->link);
		break;
	case VM:
		guest_close(&trio->guest);
		break;
	default:
		break;
	}
}

/* What the policy "trace" has heard, which may come a little later. */
static long heard(struct mg_policy *trace, enum trace_what what, long expected)
{
	const uint32_t kind = what == TRACE_RELEASED ? ~0U : MEMGATE_KVM;
	long n = -1;
	int i;

	for (i = 0; i < 30; i++) {
		n = mg_trace_find(trace, what, kind, NULL);
		if (n == expected)
			break;
		usleep(100000);
	}
	return n;
}

/* Orders ********************************************************************/

FIXTURE(order)
{
	struct mg_policy trace;
	long before;
};

FIXTURE_VARIANT(order)
{
	enum mg_mem mem;
	enum part order[PARTS];
	bool freeze;
};

#define ORDER(name, a, b, c)						\
	FIXTURE_VARIANT_ADD(order, name)				\
	{ .mem = MG_4K, .order = { a, b, c } };				\
	FIXTURE_VARIANT_ADD(order, name##_frozen)			\
	{ .mem = MG_THP, .order = { a, b, c }, .freeze = true };	\
	FIXTURE_VARIANT_ADD(order, name##_hugetlb)			\
	{ .mem = MG_HUGETLB, .order = { a, b, c } }

ORDER(memfd_link_vm, MEMFD, LINK, VM);
ORDER(memfd_vm_link, MEMFD, VM, LINK);
ORDER(link_memfd_vm, LINK, MEMFD, VM);
ORDER(link_vm_memfd, LINK, VM, MEMFD);
ORDER(vm_memfd_link, VM, MEMFD, LINK);
ORDER(vm_link_memfd, VM, LINK, MEMFD);

FIXTURE_SETUP(order)
{
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
	self->before = probe_used_kb();
}

FIXTURE_TEARDOWN(order)
{
	mg_policy_free(&self->trace);
}

/* Whether @part is among those that end before @than. */
static bool ends_before(const enum part *order, enum part part, enum part than)
{
	for (; *order != than; order++)
		if (*order == part)
			return true;
	return false;
}

TEST_F(order, nothing_left)
{
	/* A policy whose link goes on an open gate hears no more. */
	bool mute_vm = !variant->freeze &&
		       ends_before(variant->order, LINK, VM) &&
		       ends_before(variant->order, LINK, MEMFD);
	bool mute_memfd = !variant->freeze &&
			  ends_before(variant->order, LINK, MEMFD);
	struct trace_event asked, ended;
	struct trio trio;
	int i;

	ASSERT_EQ(0, trio_up(&trio, &self->trace, variant->mem));
	if (variant->freeze)
		ASSERT_EQ(0, mg_add_seals(trio.fd, F_SEAL_SEAL));
	EXPECT_EQ(0, mg_trace_find(&self->trace, TRACE_DETACHED, MEMGATE_KVM,
				   NULL));
	for (i = 0; i < PARTS; i++)
		trio_end(&trio, variant->order[i]);

	EXPECT_EQ(!mute_vm, heard(&self->trace, TRACE_DETACHED, !mute_vm));
	EXPECT_EQ(!mute_memfd, heard(&self->trace, TRACE_RELEASED,
				     !mute_memfd));
	if (!mute_vm) {
		mg_trace_find(&self->trace, TRACE_MAY_ATTACH, MEMGATE_KVM,
			      &asked);
		mg_trace_find(&self->trace, TRACE_DETACHED, MEMGATE_KVM,
			      &ended);
		EXPECT_EQ(asked.consumer, ended.consumer);
		EXPECT_EQ(asked.gate, ended.gate);
	}
	EXPECT_TRUE(probe_back_to(self->before));
}

/* All at once ***************************************************************/

struct ender {
	struct trio *trio;
	enum part part;
	int cpu;
	pthread_barrier_t *start;
};

static void *end_part(void *arg)
{
	struct ender *ender = arg;
	volatile unsigned int spin;

	race_on_cpu(ender->cpu);
	pthread_barrier_wait(ender->start);
	/* Not always the same one first. */
	spin = rand() % 4096;
	while (spin)
		spin--;
	trio_end(ender->trio, ender->part);
	return NULL;
}

/* Ends the parts of a set at the same time on two CPUs, then the others. */
static void end_together(struct trio *trio, unsigned int parts)
{
	struct ender ender[PARTS];
	pthread_t thread[PARTS];
	pthread_barrier_t start;
	int i, nr = 0;

	pthread_barrier_init(&start, NULL, __builtin_popcount(parts));
	for (i = 0; i < PARTS; i++) {
		if (!(parts & 1 << i))
			continue;
		ender[nr] = (struct ender){ trio, i, nr, &start };
		pthread_create(&thread[nr], NULL, end_part, &ender[nr]);
		nr++;
	}
	while (nr)
		pthread_join(thread[--nr], NULL);
	pthread_barrier_destroy(&start);
	for (i = 0; i < PARTS; i++)
		if (!(parts & 1 << i))
			trio_end(trio, i);
}

FIXTURE(storm)
{
	struct mg_policy trace, allow, deny;
	long before;
};

MG_MEM_VARIANTS(storm);

FIXTURE_SETUP(storm)
{
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_policy_load(&self->trace, "trace"));
	ASSERT_EQ(0, mg_policy_load(&self->allow, "allow"));
	ASSERT_EQ(0, mg_policy_load(&self->deny, "deny"));
	self->before = probe_used_kb();
}

FIXTURE_TEARDOWN(storm)
{
	mg_policy_free(&self->trace);
	mg_policy_free(&self->allow);
	mg_policy_free(&self->deny);
}

TEST_F_TIMEOUT(storm, parts_end_together, 240)
{
	static const unsigned int sets[] = {
		1 << MEMFD | 1 << LINK,
		1 << LINK | 1 << VM,
		1 << MEMFD | 1 << VM,
		1 << MEMFD | 1 << LINK | 1 << VM,
	};
	struct race_clock clock;
	struct trio trio;

	race_clock_start(&clock, STORMS);
	while (race_again(&clock) || clock.rounds <= 4) {
		ASSERT_EQ(0, mg_trace_reset(&self->trace));
		ASSERT_EQ(0, trio_up(&trio, &self->trace, variant->mem));
		end_together(&trio, sets[clock.rounds % 4]);
		/* Whether the link was the first of them is not known. */
		ASSERT_GE(1, mg_trace_find(&self->trace, TRACE_DETACHED,
					   MEMGATE_KVM, NULL));
		ASSERT_GE(1, mg_trace_find(&self->trace, TRACE_RELEASED, ~0U,
					   NULL));
	}
	EXPECT_TRUE(probe_back_to(self->before));
}

/*
 * One thread makes gated memfds and forgets them; the others attach VMs to
 * the newest, look at it, update and detach its link.  The newest is always
 * at the same descriptor numbers: replacing it there is how it dies.
 */
#define NEWEST_FD	200
#define NEWEST_LINK	201

struct storm {
	enum mg_mem mem;
	const struct mg_policy *allow, *deny;
	double end;
	atomic_int attachers;
	atomic_long made, attached, refused, looked, updated, detached;
};

/* Until the time is over, and all has happened that the test is about. */
static bool storm_goes_on(const struct storm *storm)
{
	double now = race_now();
	bool enough = storm->made > 3 && storm->attached && storm->refused &&
		      storm->looked && storm->updated > 3;

	return now < storm->end ||
	       (!enough && now < storm->end + STORM_PATIENCE);
}

static void *make_gates(void *arg)
{
	struct storm *storm = arg;
	int fd, link;

	race_on_cpu(0);
	while (storm_goes_on(storm)) {
		fd = mg_memfd(storm->mem, LEN);
		link = mg_install(storm->allow, fd);
		if (fd >= 0 && link >= 0 && dup2(fd, NEWEST_FD) >= 0 &&
		    dup2(link, NEWEST_LINK) >= 0)
			storm->made++;
		close(fd);
		close(link);
		usleep(5000);
	}
	return NULL;
}

static void *attach_vms(void *arg)
{
	struct storm *storm = arg;
	struct guest guest;
	uint32_t val;
	char *map;

	race_on_cpu(storm->attachers++);
	while (storm_goes_on(storm)) {
		map = mg_map(storm->mem, NEWEST_FD, LEN,
			     PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		if (map == MAP_FAILED) {
			storm->refused++;
			usleep(1000);
			continue;
		}
		if (!guest_open(&guest, 1, 0) &&
		    !guest_memslot(&guest, 1, GUEST_GPA, map, LEN, 0) &&
		    !guest_read(&guest, 0, GUEST_GPA, &val, NULL))
			storm->attached++;
		else
			storm->refused++;
		munmap(map, LEN);
		guest_close(&guest);
	}
	return NULL;
}

static void *look_at_gates(void *arg)
{
	struct storm *storm = arg;
	struct mg_gate gate;

	while (storm_goes_on(storm)) {
		if (!mg_gate_read(0, NEWEST_FD, &gate))
			storm->looked++;
		usleep(200);
	}
	return NULL;
}

static void *change_links(void *arg)
{
	struct storm *storm = arg;
	int n;

	race_on_cpu(1);
	for (n = 0; storm_goes_on(storm); n++) {
		if (!mg_link_update(NEWEST_LINK, n & 1 ? storm->allow->map_fd :
							 storm->deny->map_fd))
			storm->updated++;
		if (n % 64 == 63 && !mg_link_detach(NEWEST_LINK))
			storm->detached++;
		usleep(500);
	}
	return NULL;
}

TEST_F_TIMEOUT(storm, everything_at_once, 240)
{
	static void *(*const work[])(void *) = {
		make_gates, attach_vms, attach_vms, look_at_gates,
		change_links,
	};
	struct storm storm = {
		.mem = variant->mem,
		.allow = &self->allow,
		.deny = &self->deny,
		.end = race_now() + race_share(STORMS),
	};
	pthread_t thread[sizeof(work) / sizeof(work[0])];
	size_t i;

	for (i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, work[i],
					    &storm));
	for (i = 0; i < sizeof(work) / sizeof(work[0]); i++)
		pthread_join(thread[i], NULL);
	TH_LOG("made %ld, attached %ld, refused %ld, looked %ld, updated %ld, detached %ld",
	       storm.made, storm.attached, storm.refused, storm.looked,
	       storm.updated, storm.detached);
	EXPECT_LT(3, storm.made);
	EXPECT_LT(0, storm.attached);
	EXPECT_LT(0, storm.refused);
	EXPECT_LT(0, storm.looked);
	EXPECT_LT(3, storm.updated);
	close(NEWEST_FD);
	close(NEWEST_LINK);
	EXPECT_TRUE(probe_back_to(self->before));
}

/* A whole process at once ***************************************************/

/* Holds the memfd, its link and the VM, and runs the VM, until killed. */
static void run_trio(const struct mg_policy *policy, enum mg_mem mem, int ready)
{
	struct trio trio;

	if (trio_up(&trio, policy, mem))
		_exit(1);
	if (write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		guest_spin(&trio.guest, 0, GUEST_GPA);
}

TEST_F_TIMEOUT(storm, killed, 120)
{
	int i, status, ready[2];
	pid_t pid;
	char byte;

	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, mg_trace_reset(&self->trace));
		ASSERT_EQ(0, pipe(ready));
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			run_trio(&self->trace, variant->mem, ready[1]);
		close(ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		close(ready[0]);
		ASSERT_EQ(1, mg_trace_find(&self->trace, TRACE_MAY_ATTACH,
					   MEMGATE_KVM, NULL));
		usleep(1000 * i);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFSIGNALED(status));
		EXPECT_GE(1, mg_trace_find(&self->trace, TRACE_DETACHED,
					   MEMGATE_KVM, NULL));
		EXPECT_GE(1, mg_trace_find(&self->trace, TRACE_RELEASED, ~0U,
					   NULL));
	}
	EXPECT_TRUE(probe_back_to(self->before));
}

/* The attachment goes with the memory, not only with the VM. */
TEST_F(storm, vm_goes_on)
{
	struct trio trio;
	uint32_t val;
	char *map;
	int fd;

	ASSERT_EQ(0, trio_up(&trio, &self->trace, variant->mem));
	trio_end(&trio, MEMFD);
	EXPECT_EQ(1, heard(&self->trace, TRACE_DETACHED, 1));
	EXPECT_EQ(1, heard(&self->trace, TRACE_RELEASED, 1));
	/* The VM has memory of its own, and gets another gated memfd. */
	EXPECT_EQ(0, guest_read(&trio.guest, 0, 0x8000, &val, NULL));
	fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, fd);
	EXPECT_LE(0, mg_install(&self->trace, fd));
	map = mg_map(variant->mem, fd, LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0, guest_memslot(&trio.guest, 2, GUEST_GPA + LEN, map, LEN,
				   0));
	EXPECT_EQ(0, guest_read(&trio.guest, 0, GUEST_GPA + LEN, &val, NULL));
	EXPECT_TRUE(mg_matches(&val, 0, sizeof(val)));
	EXPECT_EQ(2, mg_trace_find(&self->trace, TRACE_MAY_ATTACH, MEMGATE_KVM,
				   NULL));
	munmap(map, LEN);
	close(fd);
	trio_end(&trio, VM);
	trio_end(&trio, LINK);
	EXPECT_TRUE(probe_back_to(self->before));
}

/* One VM on many memfds: its death ends every attachment. */
TEST_F(storm, one_vm_many_gates)
{
	enum { GATES = 24 };
	struct guest guest;
	struct mg_gate gate;
	int i, fd[GATES];
	uint32_t val;
	char *map;

	ASSERT_EQ(0, guest_open(&guest, 1, 0));
	for (i = 0; i < GATES; i++) {
		fd[i] = mg_memfd(variant->mem, LEN);
		ASSERT_LE(0, fd[i]);
		ASSERT_LE(0, mg_install(&self->trace, fd[i]));
		map = mg_map(variant->mem, fd[i], LEN, PROT_READ, MAP_SHARED,
			     0);
		ASSERT_NE(MAP_FAILED, map);
		ASSERT_EQ(0, guest_memslot(&guest, i + 1, GUEST_GPA + i * LEN,
					   map, LEN, 0));
		ASSERT_EQ(0, guest_read(&guest, 0, GUEST_GPA + i * LEN, &val,
					NULL));
	}
	for (i = 0; i < GATES; i++) {
		ASSERT_EQ(0, mg_gate_read(0, fd[i], &gate));
		EXPECT_EQ(1, gate.nr_consumers);
	}
	guest_close(&guest);
	for (i = 0; i < GATES; i++) {
		ASSERT_EQ(0, mg_gate_read(0, fd[i], &gate));
		EXPECT_EQ(0, gate.nr_consumers);
	}
	EXPECT_EQ(GATES, heard(&self->trace, TRACE_DETACHED, GATES));
}

TEST_HARNESS_MAIN
