// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes in a program (uprobes) that is in a memfd: the kernel reads an
 * instruction from the file, and puts a breakpoint into every mapping.  No
 * class covers that: none is set in gated memory.  Those from before the seal
 * are in copies of the pages already; they go on, and can be removed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "image_util.h"
#include "perf_util.h"

FIXTURE(uprobe) {
	struct mg_peer peer;
	int fd;
	char *map, path[64];
	mg_image_fn call;
	struct mg_policy allow;
};

/* uprobes are for files with small pages. */
FIXTURE_VARIANT(uprobe) { enum mg_mem mem; };
FIXTURE_VARIANT_ADD(uprobe, page_4k) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(uprobe, thp) { .mem = MG_THP };

static char *map_image(enum mg_mem mem, int fd)
{
	return mg_map(mem, fd, MG_LEN, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
}

FIXTURE_SETUP(uprobe)
{
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	self->fd = mg_image(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = map_image(variant->mem, self->fd);
	ASSERT_NE(MAP_FAILED, self->map);
	self->call = mg_image_function(self->map);
	snprintf(self->path, sizeof(self->path), "/proc/%d/fd/%d", getpid(),
		 self->fd);
	mg_load(_metadata, &self->allow, "allow");
}

FIXTURE_TEARDOWN(uprobe)
{
	munmap(self->map, MG_LEN);
	close(self->fd);
	mg_peer_stop(&self->peer);
	mg_policy_free(&self->allow);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(uprobe) *self

static int probe(FIXTURE_DATA(uprobe) *self)
{
	return mg_perf_uprobe(self->path, MG_IMAGE_FUNCTION, 0);
}

/* The probe sees @hits of three calls, which do their work in any case. */
static void call_it(SELF, int event, long hits, const char *state)
{
	long before = mg_perf_count(event);
	int i;

	for (i = 0; i < 3; i++)
		EXPECT_EQ(getppid(), self->call());
	EXPECT_EQ(before + hits, mg_perf_count(event)) {
		TH_LOG("%s", state);
	}
}

static void expect_refused(SELF, const char *state)
{
	int event = probe(self), err = errno;

	EXPECT_EQ(-1, event) {
		TH_LOG("%s: a probe was set", state);
		close(event);
	}
	EXPECT_EQ(EACCES, err) {
		TH_LOG("%s: %s", state, strerror(err));
	}
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
}

TEST_F(uprobe, set)
{
	int event = probe(self), link;

	ASSERT_LE(0, event);
	call_it(_metadata, self, event, 3, "no gate");
	EXPECT_EQ(0xcc, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	close(event);
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);

	ASSERT_EQ(0, mg_seal(self->fd));
	expect_refused(_metadata, self, "sealed");
	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	expect_refused(_metadata, self, "allowed");
	EXPECT_EQ(getppid(), self->call());
	close(link);
}

/* A probe of another file can still be set. */
TEST_F(uprobe, other_file)
{
	int gated = self->fd, event;

	ASSERT_EQ(0, mg_seal(gated));
	munmap(self->map, MG_LEN);
	self->fd = mg_image(variant->mem, MG_LEN);
	self->map = map_image(variant->mem, self->fd);
	ASSERT_NE(MAP_FAILED, self->map);
	self->call = mg_image_function(self->map);
	snprintf(self->path, sizeof(self->path), "/proc/self/fd/%d", self->fd);
	event = probe(self);
	ASSERT_LE(0, event);
	call_it(_metadata, self, event, 3, "beside a gate");
	close(event);
	close(gated);
}

/* Set before the seal, in a mapping from before the seal. */
TEST_F(uprobe, older_than_seal)
{
	int event = probe(self);
	pid_t pid;
	int status;

	ASSERT_LE(0, event);
	call_it(_metadata, self, event, 3, "no gate");
	ASSERT_EQ(0, mg_seal(self->fd)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	call_it(_metadata, self, event, 3, "sealed");
	close(event);
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	/* A breakpoint that was left behind would kill it. */
	fflush(stdout);
	pid = vfork();
	if (!pid)
		_exit(self->call() != getppid());
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(getppid(), self->call());
	expect_refused(_metadata, self, "removed, sealed");
}

/* The same, but the one that removes it is not the one that is probed. */
static int peers_event = -1;

static long peer_sets(int fd, long arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	peers_event = mg_perf_uprobe(path, MG_IMAGE_FUNCTION, getppid());
	return peers_event < 0 ? -errno : 0;
}

static long peer_counts(int fd, long arg)
{
	return mg_perf_count(peers_event);
}

static long peer_removes(int fd, long arg)
{
	return close(peers_event) ? -errno : 0;
}

TEST_F(uprobe, removed_by_another)
{
	struct mg_peer *peer = &self->peer;

	ASSERT_EQ(0, mg_peer_call(peer, peer_sets, self->fd, 0));
	EXPECT_EQ(getppid(), self->call());
	EXPECT_EQ(1, mg_peer_call(peer, peer_counts, -1, 0));
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(getppid(), self->call());
	EXPECT_EQ(2, mg_peer_call(peer, peer_counts, -1, 0));
	ASSERT_EQ(0, mg_peer_call(peer, peer_removes, -1, 0));
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	EXPECT_EQ(getppid(), self->call());
	EXPECT_EQ(-EACCES, mg_peer_call(peer, peer_sets, self->fd, 0));
}

/* Set before the seal; the mapping is newer, and gets no breakpoint. */
TEST_F(uprobe, mapped_after_seal)
{
	int event = probe(self), link;
	char *map;

	ASSERT_LE(0, event);
	/* Without a gate a new mapping gets it. */
	map = map_image(variant->mem, self->fd);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0xcc, (unsigned char)map[MG_IMAGE_FUNCTION]);
	munmap(map, MG_LEN);

	link = mg_install(&self->allow, self->fd);
	ASSERT_LE(0, link);
	map = map_image(variant->mem, self->fd);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(0x90, (unsigned char)map[MG_IMAGE_FUNCTION]);
	EXPECT_EQ(0xcc, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	call_it(_metadata, self, event, 3, "the old mapping");
	self->call = mg_image_function(map);
	call_it(_metadata, self, event, 0, "the new mapping");
	close(event);
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	EXPECT_EQ(getppid(), mg_image_function(self->map)());
	EXPECT_EQ(getppid(), mg_image_function(map)());
	munmap(map, MG_LEN);
	close(link);
}

/* One probe for several processes, of which each is added by itself. */

#define TRACING	"/sys/kernel/tracing/"

static char *peers_map;

static long peer_maps(int fd, long mem)
{
	peers_map = map_image(mem, fd);
	return peers_map == MAP_FAILED ? -errno : 0;
}

static long peer_calls(int fd, long arg)
{
	return mg_image_function(peers_map)() == getppid() ? 0 : -EBADMSG;
}

static long peer_looks(int fd, long arg)
{
	return (unsigned char)peers_map[MG_IMAGE_FUNCTION];
}

static int add_probe(FIXTURE_DATA(uprobe) *self)
{
	char text[128];

	snprintf(text, sizeof(text), "p:memgate/test %s:%#x", self->path,
		 MG_IMAGE_FUNCTION);
	return mg_write_file(TRACING "uprobe_events", text);
}

static int count_for(pid_t pid)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	unsigned long long id = 0;
	FILE *f;

	f = fopen(TRACING "events/memgate/test/id", "re");
	if (!f)
		return -1;
	if (fscanf(f, "%llu", &id) != 1)
		errno = EPROTO;
	fclose(f);
	attr.config = id;
	return mg_perf_open(&attr, pid);
}

static void try_added(SELF, bool gated)
{
	pid_t peer = self->peer.pid;
	int own, its;

	ASSERT_EQ(0, add_probe(self));
	own = count_for(0);
	ASSERT_LE(0, own);
	call_it(_metadata, self, own, 3, "its own");
	if (gated)
		ASSERT_LE(0, mg_install(&self->allow, self->fd));
	EXPECT_EQ(0x90, mg_peer_call(&self->peer, peer_looks, -1, 0));
	its = count_for(peer);
	EXPECT_EQ(gated ? 0x90 : 0xcc,
		  mg_peer_call(&self->peer, peer_looks, -1, 0));
	EXPECT_EQ(0, mg_peer_call(&self->peer, peer_calls, -1, 0));
	if (its >= 0) {
		EXPECT_EQ(gated ? 0 : 1, mg_perf_count(its));
		close(its);
	}
	call_it(_metadata, self, own, 3, "its own, still");
	close(own);
	EXPECT_EQ(0x90, mg_peer_call(&self->peer, peer_looks, -1, 0));
	EXPECT_EQ(0x90, (unsigned char)self->map[MG_IMAGE_FUNCTION]);
	ASSERT_EQ(0, mg_write_file(TRACING "uprobe_events",
				   "-:memgate/test"));
}

TEST_F(uprobe, added_later)
{
	ASSERT_EQ(0, mg_peer_call(&self->peer, peer_maps, self->fd,
				  variant->mem));
	try_added(_metadata, self, false);
	try_added(_metadata, self, true);
}

TEST_HARNESS_MAIN
