// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core dumps: a process that dies copies its own mappings to a file, class
 * OWN_PIN.  What it may not have is a hole in the core.
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "states.h"

#define PATTERN		"/proc/sys/kernel/core_pattern"
#define LEN		MG_HUGE_SIZE

FIXTURE(core) {
	char pattern[256];	/* of the machine */
};

MG_MEM_VARIANTS(core);

FIXTURE_SETUP(core)
{
	int fd = open(PATTERN, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, read(fd, self->pattern, sizeof(self->pattern) - 1));
	close(fd);
	ASSERT_EQ(0, mg_write_file(PATTERN, "/tmp/memgate-core.%p"));
}

FIXTURE_TEARDOWN(core)
{
	EXPECT_EQ(0, mg_write_file(PATTERN, self->pattern));
}

/* A process to die; it maps and dies when it is told to. */
struct victim {
	pid_t pid;
	int tell, hear;
	char *map;		/* the same address there */
};

static void wait_for(int fd)
{
	char byte;

	if (read(fd, &byte, 1) != 1)
		_exit(1);
}

static void tell(int fd)
{
	if (write(fd, "", 1) != 1)
		_exit(1);
}

static void __attribute__((noreturn))
be_victim(struct victim *v, enum mg_mem mem, int fd, int flags, int in,
	  int out)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	signal(SIGABRT, SIG_DFL);
	/* Shared and private mappings, hugetlb too. */
	if (setrlimit(RLIMIT_CORE, &unlimited) ||
	    mg_write_file("/proc/self/coredump_filter", "0x7f"))
		_exit(2);
	wait_for(in);
	if (mg_map_at(mem, v->map, fd, LEN, PROT_READ, flags, 0) == MAP_FAILED)
		_exit(errno == EACCES ? 3 : 4);
	if (!mg_pages_match(v->map, 0, LEN))
		_exit(5);
	tell(out);
	wait_for(in);
	abort();
}

static void victim_start(struct __test_metadata *const _metadata,
			 struct victim *v, enum mg_mem mem, int fd, int flags)
{
	int down[2], up[2];

	v->map = (char *)0x200000000000UL;
	ASSERT_EQ(0, pipe(down));
	ASSERT_EQ(0, pipe(up));
	fflush(stdout);
	v->pid = fork();
	ASSERT_LE(0, v->pid);
	if (!v->pid) {
		close(down[1]);
		close(up[0]);
		be_victim(v, mem, fd, flags, down[0], up[1]);
	}
	close(down[0]);
	close(up[1]);
	v->tell = down[1];
	v->hear = up[0];
}

/* Has it mapped the memfd? */
static bool victim_maps(struct victim *v)
{
	char byte;

	tell(v->tell);
	return read(v->hear, &byte, 1) == 1;
}

/* The wait status; its core is at @path. */
static int victim_dies(struct victim *v, char *path, size_t size)
{
	int status = -1;

	tell(v->tell);
	waitpid(v->pid, &status, 0);
	close(v->tell);
	close(v->hear);
	snprintf(path, size, "/tmp/memgate-core.%d", v->pid);
	return status;
}

/* The segment of a core that begins at @addr, or NULL. */
static const char *find_segment(const char *core, size_t size,
				const char *addr)
{
	const Elf64_Ehdr *eh = (const void *)core;
	const Elf64_Phdr *ph = (const void *)(core + eh->e_phoff);
	int i;

	if (size < sizeof(*eh) || memcmp(core, ELFMAG, SELFMAG))
		return NULL;
	for (i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && ph[i].p_filesz == LEN &&
		    ph[i].p_vaddr == (unsigned long)addr &&
		    ph[i].p_offset + LEN <= size)
			return core + ph[i].p_offset;
	}
	return NULL;
}

/* 0: the memfd's bytes are in the core; -EACCES: a hole is. */
static long core_has(const char *path, const char *addr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	const char *core, *segment;
	long ret = -ENOENT;

	if (fd < 0)
		return -errno;
	core = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (core == MAP_FAILED)
		return -errno;
	segment = find_segment(core, size, addr);
	if (segment && mg_matches(segment, 0, LEN))
		ret = 0;
	else if (segment)
		/* All of it, or something leaked. */
		ret = !segment[0] && !memcmp(segment, segment + 1, LEN - 1) ?
		      -EACCES : -EBADMSG;
	munmap((void *)core, size);
	return ret;
}

static void dump(struct __test_metadata *const _metadata, enum mg_mem mem,
		 int flags, enum mg_state state, enum mg_age age)
{
	int fd = mg_memfd(mem, LEN), link, status;
	struct victim v;
	char path[64];
	bool maps;

	ASSERT_LE(0, fd);
	victim_start(_metadata, &v, mem, fd, flags);
	maps = age == MG_OLD && victim_maps(&v);
	link = mg_enter(_metadata, fd, state,
			MEMGATE_CLASS(MEMGATE_OWN_PIN));
	if (age == MG_NEW)
		maps = victim_maps(&v);
	ASSERT_TRUE(maps) {
		TH_LOG("%s: the process cannot map it", mg_state_names[state]);
	}
	status = victim_dies(&v, path, sizeof(path));
	EXPECT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) {
		TH_LOG("%s: no core, status %#x", mg_state_names[state],
		       status);
	}
	EXPECT_EQ(mg_lets_read(state) ? 0 : -EACCES, core_has(path, v.map)) {
		TH_LOG("%s, mapped %s it", mg_state_names[state],
		       age ? "after" : "before");
	}
	unlink(path);
	mg_leave(link);
	close(fd);
}

static void dump_all(struct __test_metadata *const _metadata, enum mg_mem mem,
		     int flags)
{
	int state;

	for (state = 0; state < MG_STATES; state++) {
		dump(_metadata, mem, flags, state, MG_OLD);
		if (state != MG_UNGATED && mg_lets_map(state))
			dump(_metadata, mem, flags, state, MG_NEW);
	}
}

TEST_F_TIMEOUT(core, shared, 90)
{
	dump_all(_metadata, variant->mem, MAP_SHARED);
}

/* What was not written to is the memfd's. */
TEST_F_TIMEOUT(core, private, 90)
{
	dump_all(_metadata, variant->mem, MAP_PRIVATE);
}

/*
 * A core is a file that the kernel makes: it does not go to a memfd that is
 * there, gated or not.
 */
TEST_F(core, to_memfd)
{
	int fd = mg_memfd(variant->mem, LEN), other, sealed, status;
	char pattern[64], path[64], *map;
	struct victim v;

	ASSERT_LE(0, fd);
	map = mg_map(variant->mem, fd, LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	snprintf(pattern, sizeof(pattern), "/proc/%d/fd/%d", getpid(), fd);
	ASSERT_EQ(0, mg_write_file(PATTERN, pattern));
	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(fd));
		other = mg_memfd(variant->mem, LEN);
		ASSERT_LE(0, other);
		victim_start(_metadata, &v, variant->mem, other, MAP_SHARED);
		EXPECT_TRUE(victim_maps(&v));
		status = victim_dies(&v, path, sizeof(path));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_FALSE(WCOREDUMP(status));
		EXPECT_TRUE(mg_matches(map, 0, LEN));
		close(other);
	}
	munmap(map, LEN);
	close(fd);
}

TEST_HARNESS_MAIN
