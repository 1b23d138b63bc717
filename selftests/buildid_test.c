// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers of build ids: they look into the file that a program was mapped
 * from.  Those that may sleep read it as anybody does (class FILE).  Those
 * that may not (in an interrupt, under mmap_lock) take pages from the page
 * cache; there is no asking there, so these are closed.
 */
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "image_util.h"
#include "perf_util.h"
#include "see_util.h"
#include "policy_progs/look.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef PROCMAP_QUERY
#define PROCMAP_QUERY	_IOWR('f', 17, struct procmap_query)
struct procmap_query {
	__u64 size;
	__u64 query_flags;
	__u64 query_addr;
	__u64 vma_start;
	__u64 vma_end;
	__u64 vma_flags;
	__u64 vma_page_size;
	__u64 vma_offset;
	__u64 inode;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 vma_name_size;
	__u32 build_id_size;
	__u64 vma_name_addr;
	__u64 build_id_addr;
};
#endif

/* The mapping that the readers look at, and whose it is. */
#define MAP_AT	((char *)0x200000000000UL)

FIXTURE(buildid) {
	struct mg_peer peer;
	int fd;
	char *map;
};

MG_MEM_VARIANTS(buildid);

static char *map_image(enum mg_mem mem, int fd)
{
	return mg_map_at(mem, MAP_AT, fd, MG_LEN, PROT_READ | PROT_EXEC,
			 MAP_PRIVATE, 0);
}

FIXTURE_SETUP(buildid)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_image(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = map_image(variant->mem, self->fd);
	ASSERT_EQ(MAP_AT, self->map);
}

FIXTURE_TEARDOWN(buildid)
{
	munmap(self->map, MG_LEN);
	close(self->fd);
	mg_peer_stop(&self->peer);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(buildid) *self

/*
 * Build ids are looked for in every state of a gate.  @reader: 1 if it gets
 * the right one, 0 if none, -errno if something else failed.
 */
static void try_states(SELF, int (*reader)(FIXTURE_DATA(buildid) *self),
		       bool allowed)
{
	struct mg_policy allow, deny;
	int link;

	EXPECT_EQ(1, reader(self));
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(0, reader(self));
	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &deny, "deny");
	link = mg_install(&allow, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(allowed, reader(self));
	ASSERT_EQ(0, mg_link_update(link, deny.map_fd));
	EXPECT_EQ(0, reader(self));
	close(link);
	mg_policy_free(&allow);
	mg_policy_free(&deny);
}

/* The maps of a process, asked for the file's build id. */
static long query(pid_t pid)
{
	unsigned char id[MG_BUILD_ID_SIZE] = { 0 };
	struct procmap_query q = {
		.size = sizeof(q), .query_addr = (uintptr_t)MAP_AT,
		.build_id_size = sizeof(id), .build_id_addr = (uintptr_t)id,
	};
	char path[32];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = ioctl(fd, PROCMAP_QUERY, &q) ? -errno : 0;
	close(fd);
	if (ret || !q.build_id_size)
		return ret;
	return memcmp(id, mg_build_id, sizeof(id)) ? -EBADMSG : 1;
}

static int by_own_maps(FIXTURE_DATA(buildid) *self)
{
	return query(getpid());
}

static long query_parent(int fd, long arg)
{
	return query(getppid());
}

static int by_peers_maps(FIXTURE_DATA(buildid) *self)
{
	return mg_peer_call(&self->peer, query_parent, -1, 0);
}

TEST_F(buildid, procmap_query)
{
	try_states(_metadata, self, by_own_maps, true);
}

TEST_F(buildid, procmap_query_remote)
{
	try_states(_metadata, self, by_peers_maps, true);
}

/* It is a read of the file, and no other class. */
static int query_if(SELF, uint64_t classes)
{
	int fd = mg_image(MG_4K, MG_LEN), link, ret;
	struct mg_policy answer;

	munmap(self->map, MG_LEN);
	EXPECT_EQ(MAP_AT, map_image(MG_4K, fd));
	mg_load(_metadata, &answer, "answer");
	EXPECT_EQ(0, mg_param(&answer, "allow_classes", classes));
	link = mg_install(&answer, fd);
	EXPECT_LE(0, link);
	ret = query(getpid());
	close(link);
	close(fd);
	mg_policy_free(&answer);
	return ret;
}

TEST_F(buildid, procmap_query_class)
{
	uint64_t file = MEMGATE_CLASS(MEMGATE_FILE);
	uint64_t all = MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1;

	EXPECT_EQ(1, query_if(_metadata, self, file));
	EXPECT_EQ(0, query_if(_metadata, self, all & ~file));
}

/* perf tells of each new mapping, with its build id. */

#define RING_PAGES	8

static struct perf_event_mmap_page *open_ring(int *event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY,
		.mmap = 1, .mmap2 = 1, .build_id = 1,
	};
	void *ring;

	*event = mg_perf_open(&attr, 0);
	if (*event < 0)
		return NULL;
	ring = mmap(NULL, (1 + RING_PAGES) * 4096, PROT_READ | PROT_WRITE,
		    MAP_SHARED, *event, 0);
	return ring == MAP_FAILED ? NULL : ring;
}

/* The part of PERF_RECORD_MMAP2 that matters here. */
struct mmap2 {
	struct perf_event_header header;
	__u32 pid, tid;
	__u64 addr, len, pgoff;
	__u8 id_size, pad[3];
	__u8 id[MG_BUILD_ID_SIZE];
};

static int id_of_mapping(struct perf_event_mmap_page *ring)
{
	char *data = (char *)ring + 4096;
	__u64 at = ring->data_tail, head;
	struct mmap2 *record;
	int ret = -ENOMSG;

	head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	/* So few that none of them wraps around. */
	for (; at < head; at += record->header.size) {
		record = (void *)(data + at % (RING_PAGES * 4096));
		if (record->header.type != PERF_RECORD_MMAP2 ||
		    record->addr != (uintptr_t)MAP_AT)
			continue;
		if (!(record->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID))
			ret = 0;
		else
			ret = memcmp(record->id, mg_build_id,
				     sizeof(record->id)) ? -EBADMSG : 1;
	}
	__atomic_store_n(&ring->data_tail, head, __ATOMIC_RELEASE);
	return ret;
}

static struct perf_event_mmap_page *perf_ring;
static enum mg_mem perf_mem;

static int by_perf(FIXTURE_DATA(buildid) *self)
{
	munmap(self->map, MG_LEN);
	/* Where mapping itself is refused there is nothing to be told. */
	if (map_image(perf_mem, self->fd) == MAP_FAILED)
		return errno == EACCES ? 0 : -errno;
	return id_of_mapping(perf_ring);
}

TEST_F(buildid, perf_mmap2)
{
	int event;

	perf_mem = variant->mem;
	perf_ring = open_ring(&event);
	ASSERT_NE(NULL, perf_ring);
	try_states(_metadata, self, by_perf, false);
	munmap(perf_ring, (1 + RING_PAGES) * 4096);
	close(event);
}

/* A BPF program that records the stack of a system call in the program. */

static int stack_map;

static int by_bpf(FIXTURE_DATA(buildid) *self)
{
	struct stack_id s = { .tgid = getpid() };
	pid_t parent = getppid();
	__u32 key = 0;

	if (bpf_map_update_elem(stack_map, &key, &s, BPF_ANY))
		return -errno;
	if (mg_image_function(self->map)() != parent)
		return -EBADMSG;
	if (bpf_map_lookup_elem(stack_map, &key, &s))
		return -errno;
	if (s.size < (int)sizeof(s.frames[0]))
		return s.size < 0 ? s.size : -ENOMSG;
	if (s.frames[0].status != BPF_STACK_BUILD_ID_VALID)
		return 0;
	return memcmp(s.frames[0].build_id, mg_build_id, MG_BUILD_ID_SIZE) ?
	       -EBADMSG : 1;
}

TEST_F(buildid, bpf_get_stack)
{
	struct bpf_object *obj = see_load("stack_id");
	struct bpf_link *link;

	ASSERT_NE(NULL, obj);
	stack_map = bpf_object__find_map_fd_by_name(obj, "stack_of");
	link = bpf_program__attach(bpf_object__next_program(obj, NULL));
	ASSERT_NE(NULL, link);
	try_states(_metadata, self, by_bpf, false);
	bpf_link__destroy(link);
	bpf_object__close(obj);
}

TEST_HARNESS_MAIN
