// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM guests on gated memory with a policy: who may, who may not, what an
 * attached VM keeps, and that of two VMs at the same time one wins
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "trace_util.h"

#define LEN	MG_HUGE_SIZE
#define OFF	0x1000u
#define OFF_2	0x7000u
#define OFF_FN	0x3000u
#define FN_VALUE	0x600dc0de

/* Two VMs, each with a mapping of its own that was there before any seal. */
FIXTURE(vms)
{
	int fd;
	char *map[2];
	struct guest guest[2];
	struct mg_policy policy, policy_2;
	struct mg_peer stranger;
};

MG_MEM_VARIANTS(vms);

FIXTURE_SETUP(vms)
{
	int i;

	memset(&self->policy, 0, sizeof(self->policy));
	memset(&self->policy_2, 0, sizeof(self->policy_2));
	self->guest[0].nr_cpus = self->guest[1].nr_cpus = 0;
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	/* First, or it would hold the VMs too. */
	ASSERT_EQ(0, mg_peer_start(&self->stranger));
	self->fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, self->fd);
	for (i = 0; i < 2; i++) {
		self->map[i] = mg_map(variant->mem, self->fd, LEN,
				      PROT_READ | PROT_WRITE, MAP_SHARED, 0);
		ASSERT_NE(MAP_FAILED, self->map[i]);
		ASSERT_EQ(0, guest_open(&self->guest[i], 1, 0));
	}
	guest_function(self->map[0] + OFF_FN, FN_VALUE);
}

FIXTURE_TEARDOWN(vms)
{
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	mg_policy_free(&self->policy);
	mg_policy_free(&self->policy_2);
	mg_peer_stop(&self->stranger);
	close(self->fd);
}

static uint32_t word_at(const char *map, size_t off)
{
	uint32_t word;

	memcpy(&word, map + off, sizeof(word));
	return word;
}

/* Memslot 1 of VM @i is its mapping of the memory. */
static int attach(struct guest *guest, char *map)
{
	return guest_memslot(guest, 1, GUEST_GPA, map, LEN, 0);
}

#define ASSERT_WORKS_AT(guest, gpa, map, off) do {			\
	uint32_t _val;							\
	ASSERT_EQ(0, guest_read(guest, 0, (gpa) + (off), &_val, NULL));	\
	ASSERT_EQ(word_at(map, off), _val);				\
	ASSERT_EQ(0, guest_write(guest, 0, (gpa) + (off) + 8,		\
				 _val ^ 0x5a5a5a5a, NULL));		\
	ASSERT_EQ(_val ^ 0x5a5a5a5a, word_at(map, (off) + 8));		\
	ASSERT_EQ(0, guest_exec(guest, 0, (gpa) + OFF_FN, &_val, NULL)); \
	ASSERT_EQ(FN_VALUE, _val);					\
} while (0)

#define ASSERT_WORKS(guest, map, off)					\
	ASSERT_WORKS_AT(guest, GUEST_GPA, map, off)

#define ASSERT_REFUSED(guest, off) do {					\
	uint32_t _val;							\
	ASSERT_EQ(-EFAULT, guest_read(guest, 0, GUEST_GPA + (off), &_val, \
				      NULL));				\
} while (0)

/* Loads a policy and installs it; the link's fd. */
#define INSTALL(which, name) ({						\
	int _link;							\
	ASSERT_EQ(0, mg_policy_load(&self->which, name)) {		\
		TH_LOG("%s", self->which.log);				\
	}								\
	_link = mg_install(&self->which, self->fd);			\
	ASSERT_LE(0, _link);						\
	_link;								\
})

/* The attachments that fdinfo shows, all of KVM. */
static int nr_attached(int fd, struct mg_gate *gate)
{
	int i;

	if (mg_gate_read(0, fd, gate))
		return -1;
	for (i = 0; i < gate->nr_consumers; i++)
		if (gate->consumer[i].kind != MEMGATE_KVM)
			return -1;
	return gate->nr_consumers;
}

TEST_F(vms, allowed)
{
	INSTALL(policy, "answer");
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF_2);
	/* both, since nobody said one only */
	ASSERT_EQ(0, attach(&self->guest[1], self->map[1]));
	ASSERT_WORKS(&self->guest[1], self->map[1], OFF);
}

TEST_F(vms, refused)
{
	ASSERT_EQ(0, mg_policy_load(&self->policy, "answer"));
	ASSERT_EQ(0, mg_param(&self->policy, "attach_answer", -EACCES));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(-EACCES, attach(&self->guest[0], self->map[0]));
}

/* A policy that says nothing of KVM opens nothing for it. */
TEST_F(vms, undecided)
{
	INSTALL(policy, "answer_map");
	ASSERT_EQ(-EACCES, attach(&self->guest[0], self->map[0]));
	INSTALL(policy_2, "answer_access");
	ASSERT_EQ(-EACCES, attach(&self->guest[0], self->map[0]));
}

/* The mapping comes under the memslot later, by an mmap() that is allowed. */
TEST_F(vms, mapped_over)
{
	struct guest *guest = &self->guest[0];
	char *area = guest_area(guest, 1, GUEST_GPA, LEN);
	uint32_t val;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, mg_policy_load(&self->policy, "answer"));
	ASSERT_EQ(0, mg_param(&self->policy, "allow_classes",
			      MEMGATE_CLASS(MEMGATE_MAP)));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(area, mmap(area, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_REFUSED(guest, OFF);
	ASSERT_EQ(-EFAULT, guest_write(guest, 0, GUEST_GPA + OFF, 1, NULL));
	ASSERT_EQ(-EFAULT, guest_exec(guest, 0, GUEST_GPA + OFF_FN, &val,
				      NULL));
	ASSERT_TRUE(mg_matches(area + OFF, OFF, 4096));
}

TEST_F(vms, mapped_over_allowed)
{
	struct guest *guest = &self->guest[0];
	char *area = guest_area(guest, 1, GUEST_GPA, LEN);
	struct mg_gate gate;

	ASSERT_NE(MAP_FAILED, area);
	INSTALL(policy, "allow");
	ASSERT_EQ(area, mmap(area, LEN, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, self->fd, 0));
	ASSERT_EQ(0, nr_attached(self->fd, &gate));
	ASSERT_WORKS(guest, area, OFF);
	ASSERT_EQ(1, nr_attached(self->fd, &gate));
}

/* Read-only memory by right, not only by memslot. */
TEST_F(vms, rights)
{
	struct guest *guest = &self->guest[0];
	enum guest_event event;
	uint32_t val;
	char *area;

	ASSERT_EQ(0, mg_policy_load(&self->policy, "answer"));
	ASSERT_EQ(0, mg_param(&self->policy, "allow_rights",
			      MEMGATE_READ | MEMGATE_EXEC));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(-EACCES, attach(guest, self->map[0]));
	ASSERT_EQ(0, guest_memslot(guest, 1, GUEST_GPA, self->map[0], LEN,
				   KVM_MEM_READONLY));
	ASSERT_EQ(0, guest_read(guest, 0, GUEST_GPA + OFF, &val, NULL));
	ASSERT_EQ(word_at(self->map[0], OFF), val);
	ASSERT_EQ(0, guest_exec(guest, 0, GUEST_GPA + OFF_FN, &val, NULL));
	ASSERT_EQ(FN_VALUE, val);
	ASSERT_EQ(0, guest_write(guest, 0, GUEST_GPA + OFF, 1, &event));
	ASSERT_EQ(GUEST_MMIO, event);
	ASSERT_TRUE(mg_matches(self->map[0] + OFF, OFF, 4096));

	/* nor by a writable memslot, which gets the memory later */
	area = guest_area(guest, 2, GUEST_GPA + LEN, LEN);
	ASSERT_NE(MAP_FAILED, area);
	self->map[0] = mremap(self->map[0], LEN, LEN,
			      MREMAP_MAYMOVE | MREMAP_FIXED, area);
	ASSERT_EQ(area, self->map[0]);
	ASSERT_EQ(-EFAULT, guest_write(guest, 0, GUEST_GPA + LEN + OFF, 1,
				       NULL));
	ASSERT_TRUE(mg_matches(area + OFF, OFF, 4096));
}

/* The policy is asked again at the seal, and its yes lets the guest go on. */
TEST_F(vms, sealed_by_install)
{
	struct guest *guest = &self->guest[0];
	struct mg_gate gate;

	ASSERT_EQ(0, attach(guest, self->map[0]));
	ASSERT_WORKS(guest, self->map[0], OFF);
	INSTALL(policy, "allow");
	ASSERT_EQ(0, nr_attached(self->fd, &gate));
	ASSERT_WORKS(guest, self->map[0], OFF);
	ASSERT_EQ(1, nr_attached(self->fd, &gate));
}

TEST_F(vms, refused_by_install)
{
	struct guest *guest = &self->guest[0];

	ASSERT_EQ(0, attach(guest, self->map[0]));
	ASSERT_WORKS(guest, self->map[0], OFF);
	INSTALL(policy, "deny");
	ASSERT_REFUSED(guest, OFF);
}

TEST_F(vms, opened_after_seal)
{
	struct guest *guest = &self->guest[0];

	ASSERT_EQ(0, attach(guest, self->map[0]));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_REFUSED(guest, OFF);
	INSTALL(policy, "allow");
	ASSERT_WORKS(guest, self->map[0], OFF);
}

/* What fdinfo tells of an attachment, from its begin to its end. */
TEST_F(vms, shown)
{
	struct mg_gate gate;
	unsigned long long first;

	INSTALL(policy, "allow");
	ASSERT_EQ(0, nr_attached(self->fd, &gate));
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(1, nr_attached(self->fd, &gate));
	first = gate.consumer[0].id;
	EXPECT_NE(0, first);
	EXPECT_EQ(getpid(), gate.consumer[0].pid);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE,
		  gate.consumer[0].rights & (MEMGATE_READ | MEMGATE_WRITE));

	ASSERT_EQ(0, attach(&self->guest[1], self->map[1]));
	ASSERT_WORKS(&self->guest[1], self->map[1], OFF);
	ASSERT_EQ(2, nr_attached(self->fd, &gate));
	EXPECT_NE(gate.consumer[0].id, gate.consumer[1].id);
	/* The death of the VM ends it, not that of the memslot. */
	ASSERT_EQ(0, guest_memslot(&self->guest[0], 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(2, nr_attached(self->fd, &gate));
	guest_close(&self->guest[0]);
	ASSERT_EQ(1, nr_attached(self->fd, &gate));
	EXPECT_NE(first, gate.consumer[0].id);
	guest_close(&self->guest[1]);
	ASSERT_EQ(0, nr_attached(self->fd, &gate));
}

TEST_F(vms, exclusive)
{
	char *area = guest_area(&self->guest[1], 2, GUEST_GPA + LEN, LEN);

	ASSERT_NE(MAP_FAILED, area);
	INSTALL(policy, "exclusive_kvm");
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(-EACCES, attach(&self->guest[1], self->map[1]));
	ASSERT_EQ(area, mremap(self->map[1], LEN, LEN,
			       MREMAP_MAYMOVE | MREMAP_FIXED, area));
	ASSERT_REFUSED(&self->guest[1], LEN + OFF);
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF_2);

	guest_close(&self->guest[0]);
	ASSERT_WORKS_AT(&self->guest[1], GUEST_GPA + LEN, area, OFF);
}

TEST_F(vms, exclusive_sticky)
{
	ASSERT_EQ(0, mg_policy_load(&self->policy, "exclusive_kvm"));
	ASSERT_EQ(0, mg_param(&self->policy, "sticky", 1));
	ASSERT_LE(0, mg_install(&self->policy, self->fd));
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(-EACCES, attach(&self->guest[1], self->map[1]));
	guest_close(&self->guest[0]);
	ASSERT_EQ(-EACCES, attach(&self->guest[1], self->map[1]));
}

/* A stranger's VM, in a process that has nothing but the descriptor. */
static long stranger_attach(int fd, long mem)
{
	struct guest guest;
	char *map;
	long ret;

	map = mg_map(mem, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (map == MAP_FAILED)
		return -errno;
	ret = guest_open(&guest, 1, 0);
	if (!ret)
		ret = attach(&guest, map);
	guest_close(&guest);
	munmap(map, LEN);
	return ret;
}

TEST_F(vms, exclusive_against_stranger)
{
	struct mg_peer *peer = &self->stranger;

	EXPECT_EQ(0, mg_peer_call(peer, stranger_attach, self->fd,
				  variant->mem));
	INSTALL(policy, "exclusive_kvm");
	INSTALL(policy_2, "answer_map");
	EXPECT_EQ(0, mg_peer_call(peer, stranger_attach, self->fd,
				  variant->mem));
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	EXPECT_EQ(-EACCES, mg_peer_call(peer, stranger_attach, self->fd,
					variant->mem));
	guest_close(&self->guest[0]);
	EXPECT_EQ(0, mg_peer_call(peer, stranger_attach, self->fd,
				  variant->mem));
}

/* An update is for what comes: who is attached keeps what it was granted. */
TEST_F(vms, updated_live)
{
	int link = INSTALL(policy, "allow");

	ASSERT_EQ(0, mg_policy_load(&self->policy_2, "deny"));
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(0, mg_link_update(link, self->policy_2.map_fd));

	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF_2);
	/* also when the page tables of the guest are made anew */
	ASSERT_EQ(0, madvise(self->map[0], LEN, MADV_DONTNEED));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(0, guest_memslot(&self->guest[0], 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);

	ASSERT_EQ(-EACCES, attach(&self->guest[1], self->map[1]));
	ASSERT_EQ(0, mg_link_update(link, self->policy.map_fd));
	ASSERT_EQ(0, attach(&self->guest[1], self->map[1]));
	ASSERT_WORKS(&self->guest[1], self->map[1], OFF);
}

/* An attached VM outlives the loss of the policy; nobody else comes in. */
TEST_F(vms, policy_lost)
{
	int link = INSTALL(policy, "allow");

	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	close(link);
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF_2);
	ASSERT_EQ(-EACCES, attach(&self->guest[1], self->map[1]));
}

/* What the policy was told **************************************************/

TEST_F(vms, asked_once)
{
	struct trace_event asked, ended;

	INSTALL(policy, "trace");
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF_2);
	ASSERT_EQ(0, madvise(self->map[0], LEN, MADV_DONTNEED));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);

	ASSERT_EQ(1, mg_trace_find(&self->policy, TRACE_MAY_ATTACH,
				   MEMGATE_KVM, &asked));
	EXPECT_NE(0, asked.consumer);
	EXPECT_EQ(getpid(), asked.consumer_tgid);
	EXPECT_EQ(getpid(), asked.tgid);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE,
		  asked.rights & (MEMGATE_READ | MEMGATE_WRITE));
	EXPECT_LE(asked.start + asked.len, LEN);
	EXPECT_EQ(LEN, asked.size);
	EXPECT_EQ(0, asked.attached);
	EXPECT_EQ(0, asked.listed);
	EXPECT_EQ(0, asked.device);
	EXPECT_EQ(2, asked.premapped);
	EXPECT_EQ(0, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_KVM,
				   NULL));

	guest_close(&self->guest[0]);
	ASSERT_EQ(1, mg_trace_find(&self->policy, TRACE_DETACHED, MEMGATE_KVM,
				   &ended));
	EXPECT_EQ(asked.consumer, ended.consumer);
	EXPECT_EQ(asked.rights, ended.rights);
	EXPECT_EQ(asked.gate, ended.gate);
}

/* A VM that was refused is asked about again; one that was granted counts. */
TEST_F(vms, counted)
{
	struct trace_event event;

	INSTALL(policy, "trace");
	ASSERT_EQ(0, attach(&self->guest[0], self->map[0]));
	ASSERT_WORKS(&self->guest[0], self->map[0], OFF);
	ASSERT_EQ(0, attach(&self->guest[1], self->map[1]));
	ASSERT_WORKS(&self->guest[1], self->map[1], OFF);
	ASSERT_EQ(2, mg_trace_find(&self->policy, TRACE_MAY_ATTACH,
				   MEMGATE_KVM, &event));
	EXPECT_EQ(1, event.attached);
	EXPECT_EQ(1, event.listed);
}

/* Two at the same time ******************************************************/

struct racer {
	struct guest *guest;
	char *map;
	bool set_up;		/* its memslot is there already */
	pthread_barrier_t *start;
	int ret;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint32_t val;

	pthread_barrier_wait(racer->start);
	if (!racer->set_up)
		racer->ret = attach(racer->guest, racer->map);
	if (!racer->ret)
		racer->ret = guest_read(racer->guest, 0, GUEST_GPA + OFF, &val,
					NULL);
	return NULL;
}

/* Runs both and returns how many came in, -1 for a result of another kind. */
static int race_both(struct racer *racer)
{
	pthread_barrier_t start;
	pthread_t thread[2];
	int i, won = 0;

	pthread_barrier_init(&start, NULL, 2);
	for (i = 0; i < 2; i++) {
		racer[i].start = &start;
		racer[i].ret = 0;
		pthread_create(&thread[i], NULL, race, &racer[i]);
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&start);
	for (i = 0; i < 2; i++) {
		if (!racer[i].ret)
			won++;
		else if (racer[i].ret != (racer[i].set_up ? -EFAULT : -EACCES))
			return -1;
	}
	return won;
}

/*
 * A new memfd, two new VMs, and exclusive_kvm between them.  After it has
 * counted the VMs there is time for the other one to come: slow is next.
 */
static int race_once(const struct mg_policy *exclusive,
		     const struct mg_policy *slow, enum mg_mem mem, bool set_up)
{
	int fd, i, link, slow_link, won = -1;
	struct guest guest[2];
	struct racer racer[2];
	struct mg_gate gate;
	char *area;

	fd = mg_memfd(mem, LEN);
	if (fd < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		racer[i] = (struct racer){ &guest[i], .set_up = set_up };
		racer[i].map = mg_map(mem, fd, LEN, PROT_READ | PROT_WRITE,
				      MAP_SHARED, 0);
		if (guest_open(&guest[i], 1, 0))
			return -1;
	}
	link = mg_install(exclusive, fd);
	slow_link = mg_install(slow, fd);
	for (i = 0; set_up && i < 2; i++) {
		area = guest_area(&guest[i], 1, GUEST_GPA, LEN);
		racer[i].map = mremap(racer[i].map, LEN, LEN,
				      MREMAP_MAYMOVE | MREMAP_FIXED, area);
	}
	if (link >= 0 && slow_link >= 0)
		won = race_both(racer);
	if (won == 1 && nr_attached(fd, &gate) != 1)
		won = -1;
	for (i = 0; i < 2; i++) {
		guest_close(&guest[i]);
		munmap(racer[i].map, LEN);
	}
	close(link);
	close(slow_link);
	close(fd);
	return won;
}

#define RACES	10
/* Turns of an empty loop: some milliseconds, also where it is emulated. */
#define SLOW_TURNS	100000

TEST_F_TIMEOUT(vms, race_to_set_up, 60)
{
	int i;

	ASSERT_EQ(0, mg_policy_load(&self->policy, "exclusive_kvm"));
	ASSERT_EQ(0, mg_policy_load(&self->policy_2, "slow"));
	ASSERT_EQ(0, mg_param(&self->policy_2, "turns", SLOW_TURNS));
	for (i = 0; i < RACES; i++)
		ASSERT_EQ(1, race_once(&self->policy, &self->policy_2,
				       variant->mem, false));
}

TEST_F_TIMEOUT(vms, race_to_touch, 60)
{
	int i;

	ASSERT_EQ(0, mg_policy_load(&self->policy, "exclusive_kvm"));
	ASSERT_EQ(0, mg_policy_load(&self->policy_2, "slow"));
	ASSERT_EQ(0, mg_param(&self->policy_2, "turns", SLOW_TURNS));
	for (i = 0; i < RACES; i++)
		ASSERT_EQ(1, race_once(&self->policy, &self->policy_2,
				       variant->mem, true));
}

TEST_HARNESS_MAIN
