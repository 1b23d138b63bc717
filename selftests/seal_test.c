// SPDX-License-Identifier: GPL-2.0-only
/*
 * The seal itself: what F_ADD_SEALS answers, what it changes and what it
 * leaves alone.  What happens to accesses in flight is in seal_race_test.c,
 * pages that are pinned are in seal_pin_test.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x0020
#endif

FIXTURE(seal) {
	struct mg_scene scene;
	int fd;
};

MG_MEM_VARIANTS(seal);

FIXTURE_SETUP(seal)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	self->fd = self->scene.fd;
}

FIXTURE_TEARDOWN(seal)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

static int seals_of(int fd)
{
	return fcntl(fd, F_GET_SEALS);
}

/* A memfd that was not sealed has no gate and can be read and mapped. */
static void expect_open(struct __test_metadata *const _metadata, int fd)
{
	struct mg_gate gate;
	char buf[64];
	void *map;

	EXPECT_EQ(0, seals_of(fd) & F_SEAL_ACCESS);
	EXPECT_EQ(-ENOENT, mg_gate_read(0, fd, &gate));
	EXPECT_EQ((ssize_t)sizeof(buf), pread(fd, buf, sizeof(buf), MG_AT));
	EXPECT_TRUE(mg_matches(buf, MG_AT, sizeof(buf)));
	map = mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_NE(MAP_FAILED, map);
	if (map != MAP_FAILED)
		munmap(map, MG_HUGE_SIZE);
}

static void expect_closed(struct __test_metadata *const _metadata, int fd)
{
	char buf[64];

	EXPECT_EQ(F_SEAL_ACCESS, seals_of(fd) & F_SEAL_ACCESS);
	EXPECT_EQ(-1, pread(fd, buf, sizeof(buf), MG_AT));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_HUGE_SIZE, PROT_READ, MAP_SHARED,
				   fd, 0));
	EXPECT_EQ(EACCES, errno);
}

static long peer_seals(int fd, long arg)
{
	return seals_of(fd);
}

TEST_F(seal, shown_and_shut)
{
	struct mg_gate gate;

	expect_open(_metadata, self->fd);
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(F_SEAL_ACCESS, seals_of(self->fd));
	EXPECT_EQ(F_SEAL_ACCESS, mg_peer_call(&self->scene.peer, peer_seals,
					      self->fd, 0));
	expect_closed(_metadata, self->fd);

	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_LT(0, gate.id);
	EXPECT_EQ(0, gate.classes);
	EXPECT_EQ(0, gate.frozen);
	EXPECT_EQ(0, gate.nr_policies);
	EXPECT_EQ(0, gate.nr_consumers);
}

/* The gate is the inode's: another struct file shows and obeys the same. */
TEST_F(seal, other_file)
{
	struct mg_gate gate, other_gate;
	int other = mg_reopen(self->fd, O_RDONLY);

	ASSERT_LE(0, other);
	expect_open(_metadata, other);
	ASSERT_EQ(0, mg_seal(self->fd));
	expect_closed(_metadata, other);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	ASSERT_EQ(0, mg_gate_read(0, other, &other_gate));
	EXPECT_EQ(gate.id, other_gate.id);
	close(other);
}

TEST_F(seal, unknown_bits)
{
	int bit;

	for (bit = 0; bit < 31; bit++) {
		int seal = 1 << bit;

		if (seal <= F_SEAL_EXEC || seal == F_SEAL_ACCESS)
			continue;
		EXPECT_EQ(-1, mg_add_seals(self->fd, seal));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_ACCESS | seal));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(0, seals_of(self->fd));
	expect_open(_metadata, self->fd);
}

TEST_F(seal, read_only_fd)
{
	int ro = mg_reopen(self->fd, O_RDONLY);

	ASSERT_LE(0, ro);
	EXPECT_EQ(-1, mg_seal(ro));
	EXPECT_EQ(EPERM, errno);
	expect_open(_metadata, self->fd);
	EXPECT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(-1, mg_seal(ro));
	EXPECT_EQ(EPERM, errno);
	close(ro);
}

TEST_F(seal, closed_fd)
{
	int fd = dup(self->fd);

	ASSERT_EQ(0, close(fd));
	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(EBADF, errno);
}

/* As with every seal: the second time is no error and changes nothing. */
TEST_F(seal, twice)
{
	struct mg_gate first, second;
	void *map;

	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &first));
	EXPECT_EQ(1, first.premapped);
	map = self->scene.map;
	munmap(map, MG_HUGE_SIZE);
	EXPECT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &second));
	EXPECT_EQ(first.id, second.id);
	EXPECT_EQ(first.premapped, second.premapped);
	expect_closed(_metadata, self->fd);
}

TEST_F(seal, after_seal_seal)
{
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(-1, mg_seal(self->fd));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(F_SEAL_SEAL, seals_of(self->fd));
	expect_open(_metadata, self->fd);
}

TEST_F(seal, with_seal_seal_freezes)
{
	struct mg_gate gate;

	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_ACCESS | F_SEAL_SEAL));
	expect_closed(_metadata, self->fd);
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(1, gate.frozen);
	EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_GROW));
	EXPECT_EQ(EPERM, errno);
	/* It is frozen already, so once more is an error as ever. */
	EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_SEAL));
	EXPECT_EQ(EPERM, errno);
}

TEST_F(seal, seal_seal_later_freezes)
{
	struct mg_gate gate;

	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(0, gate.frozen);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(1, gate.frozen);
	EXPECT_EQ(-1, mg_seal(self->fd));
	EXPECT_EQ(EPERM, errno);
	expect_closed(_metadata, self->fd);
}

/* Every mapping counts, whatever it may do, in whatever process. */
static long peer_maps(int fd, long arg)
{
	char *map = mg_map(arg, fd, MG_LEN, PROT_READ, MAP_SHARED, 0);

	if (map == MAP_FAILED)
		return -errno;
	return mg_matches(map, 0, MG_LEN) ? 0 : -EBADMSG;
}

TEST_F(seal, premapped)
{
	static const struct { int prot, flags; } kinds[] = {
		{ PROT_READ, MAP_SHARED }, { PROT_NONE, MAP_SHARED },
		{ PROT_READ | PROT_WRITE, MAP_PRIVATE },
	};
	struct mg_gate gate;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		ASSERT_NE(MAP_FAILED, mg_map(variant->mem, self->fd, MG_LEN,
					     kinds[i].prot, kinds[i].flags, 0));
	ASSERT_EQ(0, mg_peer_call(&self->scene.peer, peer_maps, self->fd,
				  variant->mem));
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	/* these, the scene's and the peer's */
	EXPECT_EQ(5, gate.premapped);
}

/* Mappings older than the seal go on as if nothing had been. */
static char *kept_map;

static long peer_keeps(int fd, long arg)
{
	kept_map = mg_map(arg, fd, MG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			  0);
	return kept_map == MAP_FAILED ? -errno : 0;
}

static long peer_uses_kept(int fd, long arg)
{
	if (!mg_matches(kept_map, 0, MG_LEN))
		return -EBADMSG;
	mg_fill(kept_map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
	return 0;
}

TEST_F(seal, mappings_stay)
{
	char *map = self->scene.map;

	ASSERT_EQ(0, mg_peer_call(&self->scene.peer, peer_keeps, self->fd,
				  variant->mem));
	ASSERT_EQ(0, mg_seal(self->fd));
	/* Pages that the peer never touched are faulted in after the seal. */
	EXPECT_EQ(0, mg_peer_call(&self->scene.peer, peer_uses_kept, -1, 0));
	EXPECT_TRUE(mg_marked(map));
	mg_fill(map, 0, MG_LEN);
	ASSERT_EQ(0, madvise(map, MG_LEN, MADV_DONTNEED));
	EXPECT_TRUE(mg_matches(map, 0, MG_LEN));
}

/* The file may be written but for another seal: both must hold. */
TEST_F(seal, with_other_seals)
{
	int seals = F_SEAL_ACCESS | F_SEAL_GROW | F_SEAL_SHRINK |
		    F_SEAL_FUTURE_WRITE;
	struct mg_policy allow;
	char buf[64];
	int link;

	ASSERT_EQ(0, mg_add_seals(self->fd, seals));
	EXPECT_EQ(seals, seals_of(self->fd));
	expect_closed(_metadata, self->fd);

	mg_load(_metadata, &allow, "allow");
	link = mg_install(&allow, self->fd);
	ASSERT_LE(0, link);
	EXPECT_EQ((ssize_t)sizeof(buf), pread(self->fd, buf, sizeof(buf), 0));
	EXPECT_TRUE(mg_matches(buf, 0, sizeof(buf)));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_HUGE_SIZE, PROT_WRITE, MAP_SHARED,
				   self->fd, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, MG_HUGE_SIZE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, ftruncate(self->fd, 2 * MG_LEN));
	EXPECT_EQ(EPERM, errno);
	close(link);
	mg_policy_free(&allow);
}

/* F_SEAL_WRITE finds a writable mapping: neither of the two is set. */
TEST_F(seal, all_or_nothing)
{
	EXPECT_EQ(-1, mg_add_seals(self->fd, F_SEAL_ACCESS | F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, seals_of(self->fd));
	expect_open(_metadata, self->fd);
	munmap(self->scene.map, MG_LEN);
	self->scene.map = NULL;
	EXPECT_EQ(0, mg_add_seals(self->fd, F_SEAL_ACCESS | F_SEAL_WRITE));
	EXPECT_EQ(F_SEAL_ACCESS | F_SEAL_WRITE, seals_of(self->fd));
	expect_closed(_metadata, self->fd);
}

/* Two memfds are two gates; ids are not used again. */
TEST_F(seal, ids)
{
	unsigned long long last = 0;
	struct mg_gate gate;
	int fd, i;

	for (i = 0; i < 4; i++) {
		fd = mg_memfd_empty(variant->mem, MG_HUGE_SIZE);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, mg_seal(fd));
		ASSERT_EQ(0, mg_gate_read(0, fd, &gate));
		EXPECT_LT(last, gate.id);
		EXPECT_EQ(0, gate.premapped);
		last = gate.id;
		close(fd);
	}
}

/* What is no memfd, or one that may not be sealed at all. */

TEST(no_allow_sealing)
{
	int fd = memfd_create("plain", MFD_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(5, write(fd, "still", 5));
	close(fd);
}

static void refuse_file(struct __test_metadata *const _metadata,
			const char *type, int flags, int err)
{
	char dir[] = "/tmp/memgate-mnt-XXXXXX", path[64];
	int fd;

	ASSERT_NE(NULL, mkdtemp(dir));
	ASSERT_EQ(0, mount("none", dir, type, 0, NULL));
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, flags, 0600);
	EXPECT_LE(0, fd);
	EXPECT_EQ(-1, mg_seal(fd));
	EXPECT_EQ(err, errno);
	close(fd);
	EXPECT_EQ(0, umount2(dir, MNT_DETACH));
	rmdir(dir);
}

TEST(tmpfs_file)
{
	refuse_file(_metadata, "tmpfs", O_RDWR | O_CREAT, EPERM);
}

TEST(hugetlbfs_file)
{
	refuse_file(_metadata, "hugetlbfs", O_RDWR | O_CREAT, EPERM);
}

TEST(ramfs_file)
{
	refuse_file(_metadata, "ramfs", O_RDWR | O_CREAT, EINVAL);
}

TEST(no_file_at_all)
{
	int fds[2], secret;

	ASSERT_EQ(0, pipe(fds));
	EXPECT_EQ(-1, mg_seal(fds[1]));
	EXPECT_EQ(EINVAL, errno);
	close(fds[0]);
	close(fds[1]);

	/* Needs secretmem.enable=1 on some kernels; then ENOSYS. */
	secret = syscall(__NR_memfd_secret, 0);
	if (secret >= 0) {
		EXPECT_EQ(-1, mg_seal(secret));
		EXPECT_EQ(EINVAL, errno);
		close(secret);
	}
}

TEST_HARNESS_MAIN
