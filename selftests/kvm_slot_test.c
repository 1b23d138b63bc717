// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM guests and gated memory, no policy installed: a guest reaches it
 * neither through a memslot made of it nor through one under which it turns
 * up later, and what a guest had before the seal is no grant
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"

#define LEN		(2 * MG_HUGE_SIZE)
/* A page within each of the two huge pages, and a function in each. */
#define OFF_A		0x1000u
#define OFF_B		(MG_HUGE_SIZE + 0x5000)
#define OFF_FN		0x3000u
#define FN_VALUE	0x600dc0de

FIXTURE(slot)
{
	int fd;
	char *map;		/* made before any seal */
	struct guest guest;
};

MG_MEM_VARIANTS(slot);

FIXTURE_SETUP(slot)
{
	self->guest.nr_cpus = 0;
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	self->fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	guest_function(self->map + OFF_FN, FN_VALUE);
	ASSERT_EQ(0, guest_open(&self->guest, 1, 0));
}

FIXTURE_TEARDOWN(slot)
{
	guest_close(&self->guest);
	munmap(self->map, LEN);
	close(self->fd);
}

static uint32_t word_at(const char *map, size_t off)
{
	uint32_t word;

	memcpy(&word, map + off, sizeof(word));
	return word;
}

/* The guest's read, write and call reach the memory that @map shows. */
#define ASSERT_REACHED(guest, map, off) do {				\
	uint32_t _val;							\
	ASSERT_EQ(0, guest_read(guest, 0, GUEST_GPA + (off), &_val, NULL)); \
	ASSERT_EQ(word_at(map, off), _val);				\
	ASSERT_EQ(0, guest_write(guest, 0, GUEST_GPA + (off) + 8,	\
				 0x12345678, NULL));			\
	ASSERT_EQ(0x12345678, word_at(map, (off) + 8));			\
	ASSERT_EQ(0, guest_exec(guest, 0, GUEST_GPA + OFF_FN, &_val, NULL)); \
	ASSERT_EQ(FN_VALUE, _val);					\
} while (0)

/* None of them does: KVM_RUN ends with EFAULT, and ends by itself. */
#define ASSERT_REFUSED(guest, map, off) do {				\
	uint32_t _val, _was = word_at(map, off);			\
	ASSERT_EQ(-EFAULT, guest_read(guest, 0, GUEST_GPA + (off), &_val, \
				      NULL));				\
	ASSERT_EQ(-EFAULT, guest_write(guest, 0, GUEST_GPA + (off), ~_was, \
				       NULL));				\
	ASSERT_EQ(-EFAULT, guest_exec(guest, 0, GUEST_GPA + OFF_FN, &_val, \
				      NULL));				\
	ASSERT_EQ(_was, word_at(map, off));				\
} while (0)

/* The old mapping, moved to where the guest's memslot is. */
static char *move_under(char *map, char *area)
{
	return mremap(map, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, area);
}

TEST_F(slot, ungated)
{
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, self->map, LEN,
				   0));
	ASSERT_REACHED(&self->guest, self->map, OFF_A);
	ASSERT_REACHED(&self->guest, self->map, OFF_B);
}

TEST_F(slot, ungated_moved_under)
{
	char *area = guest_area(&self->guest, 1, GUEST_GPA, LEN);

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, guest_write(&self->guest, 0, GUEST_GPA, 1, NULL));
	self->map = move_under(self->map, area);
	ASSERT_EQ(area, self->map);
	ASSERT_REACHED(&self->guest, self->map, OFF_A);
	ASSERT_REACHED(&self->guest, self->map, OFF_B);
}

TEST_F(slot, sealed)
{
	enum guest_event event;
	uint32_t val;

	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(-EACCES, guest_memslot(&self->guest, 1, GUEST_GPA, self->map,
					 LEN, 0));
	ASSERT_EQ(-EACCES, guest_memslot(&self->guest, 1, GUEST_GPA, self->map,
					 LEN, KVM_MEM_READONLY));
	/* and nothing is left of the attempt */
	ASSERT_EQ(0, guest_read(&self->guest, 0, GUEST_GPA + OFF_A, &val,
				&event));
	ASSERT_EQ(GUEST_MMIO, event);
}

/* Gated memory at the end of an otherwise harmless memslot. */
TEST_F(slot, sealed_is_part)
{
	char *area = guest_area(&self->guest, 1, GUEST_GPA, 2 * LEN);

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(0, mg_seal(self->fd));
	self->map = move_under(self->map, area + LEN);
	ASSERT_EQ(area + LEN, self->map);
	ASSERT_EQ(-EACCES, guest_memslot(&self->guest, 1, GUEST_GPA, area,
					 2 * LEN, 0));
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, area, LEN, 0));
}

TEST_F(slot, sealed_moved_under)
{
	char *area = guest_area(&self->guest, 1, GUEST_GPA, LEN);

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, guest_write(&self->guest, 0, GUEST_GPA + OFF_A, 1, NULL));
	ASSERT_EQ(0, mg_seal(self->fd));
	self->map = move_under(self->map, area);
	ASSERT_EQ(area, self->map);
	ASSERT_REFUSED(&self->guest, self->map, OFF_A);
	ASSERT_REFUSED(&self->guest, self->map, OFF_B);
	/* The refusal is about the memory: the guest itself still runs. */
	ASSERT_EQ(0, munmap(self->map, LEN));
	self->map = mmap(area, LEN, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(area, self->map);
	ASSERT_EQ(0, guest_write(&self->guest, 0, GUEST_GPA + OFF_A, 1, NULL));
	ASSERT_EQ(1, word_at(self->map, OFF_A));
}

TEST_F(slot, sealed_moved_under_read_only)
{
	char *area = guest_area(&self->guest, 1, GUEST_GPA, LEN);
	uint32_t val;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, NULL, 0, 0));
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, area, LEN,
				   KVM_MEM_READONLY));
	ASSERT_EQ(0, guest_read(&self->guest, 0, GUEST_GPA + OFF_A, &val,
				NULL));
	ASSERT_EQ(0, mg_seal(self->fd));
	self->map = move_under(self->map, area);
	ASSERT_EQ(area, self->map);
	ASSERT_EQ(-EFAULT, guest_read(&self->guest, 0, GUEST_GPA + OFF_A, &val,
				      NULL));
	ASSERT_EQ(-EFAULT, guest_exec(&self->guest, 0, GUEST_GPA + OFF_FN,
				      &val, NULL));
}

/* The guest's page tables are there and full: sealing takes them away. */
TEST_F(slot, sealed_while_mapped)
{
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, self->map, LEN,
				   0));
	ASSERT_REACHED(&self->guest, self->map, OFF_A);
	ASSERT_REACHED(&self->guest, self->map, OFF_B);
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_REFUSED(&self->guest, self->map, OFF_A);
	ASSERT_REFUSED(&self->guest, self->map, OFF_B);
	/* while the mapping of the VMM stays what it was */
	ASSERT_EQ(0x12345678, word_at(self->map, OFF_A + 8));
	self->map[OFF_A] = 7;
	ASSERT_EQ(7, self->map[OFF_A]);
}

static void *spin(void *guest)
{
	return (void *)(long)guest_spin(guest, 0, GUEST_GPA + OFF_A);
}

/* Once F_ADD_SEALS has returned a running guest counts no further. */
TEST_F(slot, sealed_while_running)
{
	uint32_t seen = word_at(self->map, OFF_A), i;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, self->map, LEN,
				   0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, &self->guest));
	for (i = 0; i < 3000 && word_at(self->map, OFF_A) - seen < 1000; i++)
		usleep(1000);
	ASSERT_LE(1000, word_at(self->map, OFF_A) - seen);
	ASSERT_EQ(0, mg_seal(self->fd));
	seen = word_at(self->map, OFF_A);
	ASSERT_EQ(0, pthread_join(thread, &ret));
	ASSERT_EQ(-EFAULT, (long)ret);
	ASSERT_EQ(seen, word_at(self->map, OFF_A));
}

static int pre_fault(struct guest *guest, uint32_t gpa, size_t len)
{
	struct kvm_pre_fault_memory range = { .gpa = gpa, .size = len };

	return ioctl(guest->cpu[0].fd, KVM_PRE_FAULT_MEMORY, &range) ?
	       -errno : 0;
}

TEST_F(slot, pre_fault)
{
	char *area = guest_area(&self->guest, 1, GUEST_GPA, LEN);

	ASSERT_NE(MAP_FAILED, area);
	if (pre_fault(&self->guest, GUEST_GPA, 4096) == -EOPNOTSUPP)
		SKIP(return, "KVM_PRE_FAULT_MEMORY wants nested page tables");
	ASSERT_EQ(0, pre_fault(&self->guest, GUEST_GPA, LEN));
	self->map = move_under(self->map, area);
	ASSERT_EQ(area, self->map);
	ASSERT_EQ(0, pre_fault(&self->guest, GUEST_GPA, LEN));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(-EFAULT, pre_fault(&self->guest, GUEST_GPA, LEN));
	ASSERT_REFUSED(&self->guest, self->map, OFF_A);
}

/*
 * A guest's fault on one page makes some MMUs of KVM map its neighbours too.
 * One page of the memslot is ungated, and all around it is gated.
 */
TEST(gated_neighbours)
{
	const size_t mid = 8 * 4096;
	struct guest guest;
	char *map, *area;
	uint32_t val;
	int fd, i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, fd);
	map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, guest_open(&guest, 1, 0));
	area = guest_area(&guest, 1, GUEST_GPA, LEN);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(area, mremap(map, mid, mid, MREMAP_MAYMOVE | MREMAP_FIXED,
			       area));
	ASSERT_EQ(area + mid + 4096,
		  mremap(map + mid + 4096, mid, mid,
			 MREMAP_MAYMOVE | MREMAP_FIXED, area + mid + 4096));
	memset(area + mid, 0x55, 4096);
	/* all are in the page tables of the VMM */
	for (i = 0; i < 17; i++)
		ASSERT_NE(0, word_at(area, i * 4096));

	ASSERT_EQ(0, guest_read(&guest, 0, GUEST_GPA + mid, &val, NULL));
	ASSERT_EQ(0x55555555, val);
	for (i = 0; i < 17; i++) {
		if (i == 8)
			continue;
		ASSERT_EQ(-EFAULT, guest_read(&guest, 0, GUEST_GPA + i * 4096,
					      &val, NULL));
	}
	guest_close(&guest);
}

/*
 * udmabuf shows a memfd's pages by a mapping without struct pages, which KVM
 * follows by another way than GUP.
 */
FIXTURE(pfnmap)
{
	int dev, fd;
	struct guest guest[2];
	struct mg_policy allow, deny;
};

FIXTURE_SETUP(pfnmap)
{
	int i;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	self->dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (self->dev < 0)
		SKIP(return, "no /dev/udmabuf (CONFIG_UDMABUF)");
	self->fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SHRINK));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, guest_open(&self->guest[i], 1, 0));
}

FIXTURE_TEARDOWN(pfnmap)
{
	guest_close(&self->guest[0]);
	guest_close(&self->guest[1]);
	mg_policy_free(&self->allow);
	mg_policy_free(&self->deny);
	close(self->fd);
	close(self->dev);
}

static int create_udmabuf(int dev, int memfd)
{
	struct udmabuf_create create = { .memfd = memfd, .size = LEN };

	return ioctl(dev, UDMABUF_CREATE, &create);
}

static char *map_udmabuf(int buf)
{
	return mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, buf, 0);
}

static int read_by_guest(struct guest *guest, char *map, uint32_t *val)
{
	int ret = guest_memslot(guest, 1, GUEST_GPA, map, LEN, 0);

	if (ret)
		return ret;
	return guest_read(guest, 0, GUEST_GPA + OFF_A, val, NULL);
}

TEST_F(pfnmap, ungated)
{
	int buf = create_udmabuf(self->dev, self->fd);
	char *map = map_udmabuf(buf);
	uint32_t val;

	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, read_by_guest(&self->guest[0], map, &val));
	ASSERT_TRUE(mg_matches(&val, OFF_A, sizeof(val)));
	/* It pins what it shows, so that there is no sealing behind it. */
	ASSERT_EQ(-1, mg_seal(self->fd));
	ASSERT_EQ(EBUSY, errno);
	munmap(map, LEN);
	close(buf);
}

/* One guest is granted the memory, then the policy refuses the other. */
TEST_F(pfnmap, refused)
{
	struct mg_gate gate;
	int buf, link;
	uint32_t val;
	char *map;

	ASSERT_EQ(0, mg_policy_load(&self->allow, "allow"));
	ASSERT_EQ(0, mg_policy_load(&self->deny, "deny"));
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	buf = create_udmabuf(self->dev, self->fd);
	ASSERT_LE(0, buf);
	map = map_udmabuf(buf);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_link_update(link, self->deny.map_fd));
	ASSERT_EQ(-EFAULT, read_by_guest(&self->guest[0], map, &val));
	ASSERT_EQ(-EFAULT, guest_write(&self->guest[0], 0, GUEST_GPA, 1,
				       NULL));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	/* The udmabuf itself, and no guest. */
	ASSERT_EQ(1, gate.nr_consumers);
	ASSERT_EQ(MEMGATE_DMABUF, gate.consumer[0].kind);

	ASSERT_EQ(0, mg_link_update(link, self->allow.map_fd));
	ASSERT_EQ(0, read_by_guest(&self->guest[1], map, &val));
	ASSERT_TRUE(mg_matches(&val, OFF_A, sizeof(val)));
	ASSERT_EQ(0, guest_write(&self->guest[1], 0, GUEST_GPA, 1, NULL));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	ASSERT_EQ(2, gate.nr_consumers);
	ASSERT_EQ(MEMGATE_KVM, gate.consumer[1].kind);
	ASSERT_EQ(0, mg_link_update(link, self->deny.map_fd));
	ASSERT_EQ(0, guest_write(&self->guest[1], 0, GUEST_GPA + OFF_B, 1,
				 NULL));
	munmap(map, LEN);
	close(buf);
}

TEST_HARNESS_MAIN
