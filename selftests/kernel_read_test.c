// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readers inside the kernel: programs, modules, kernels to boot.  They read as
 * anybody does, class FILE; a program is also mapped, class MAP.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "states.h"

#define ITS_FILE	MEMGATE_CLASS(MEMGATE_FILE)
#define ITS_MAP		MEMGATE_CLASS(MEMGATE_MAP)

/* Programs ******************************************************************/

FIXTURE(exec) {
	char unused;
};

FIXTURE_VARIANT(exec) {
	enum mg_mem mem;
};

/* hugetlbfs cannot be written as a program is, and ELF wants small pages. */
FIXTURE_VARIANT_ADD(exec, page_4k) { .mem = MG_4K };
FIXTURE_VARIANT_ADD(exec, thp) { .mem = MG_THP };

FIXTURE_SETUP(exec)
{
}

FIXTURE_TEARDOWN(exec)
{
}

static long copy_program(const char *path, int to)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *map;
	long ret;

	if (from < 0 || fstat(from, &st))
		return -errno;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, from, 0);
	close(from);
	if (map == MAP_FAILED)
		return -errno;
	ret = pwrite(to, map, st.st_size, 0) == st.st_size ? 0 : -EIO;
	munmap(map, st.st_size);
	return ret;
}

static void by_execveat(int fd, char *const argv[], char *const envp[])
{
	syscall(__NR_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

static void by_fexecve(int fd, char *const argv[], char *const envp[])
{
	fexecve(fd, argv, envp);
}

static void by_path(int fd, char *const argv[], char *const envp[])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execve(path, argv, envp);
}

typedef void (*exec_fn)(int fd, char *const argv[], char *const envp[]);

/*
 * 0: it ran; -errno: the call said so; -ECHILD: it was killed on the way,
 * after the point of no return.
 */
static long run_program(int fd, exec_fn way)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	volatile int err = 0;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = vfork();
	if (!pid) {
		way(fd, argv, envp);
		err = errno;
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return err ? -err : status ? -ECHILD : 0;
}

/* Closed for writing, as some kernels want it of a program. */
static int reader_of(int fd)
{
	int reader = mg_reopen(fd, O_RDONLY);

	close(fd);
	return reader;
}

static long run_in_state(struct __test_metadata *const _metadata,
			 enum mg_mem mem, enum mg_state state,
			 uint64_t classes, exec_fn way)
{
	int fd = mg_memfd(mem, MG_HUGE_SIZE), link;
	long ret;

	EXPECT_LE(0, fd);
	EXPECT_EQ(0, copy_program("/bin/true", fd));
	link = mg_enter(_metadata, fd, state, classes);
	fd = reader_of(fd);
	ret = run_program(fd, way);
	mg_leave(link);
	close(fd);
	return ret;
}

static void run_in_all(struct __test_metadata *const _metadata,
		       enum mg_mem mem, exec_fn way)
{
	static const long expected[MG_STATES] = {
		[MG_SEALED] = -EACCES, [MG_READING] = -ECHILD,
		[MG_DENIED] = -EACCES, [MG_ALL_BUT] = -EACCES,
	};
	int state;

	for (state = 0; state < MG_STATES; state++) {
		EXPECT_EQ(expected[state],
			  run_in_state(_metadata, mem, state,
				       ITS_FILE | ITS_MAP, way)) {
			TH_LOG("%s", mg_state_names[state]);
		}
	}
	/* It is read first and mapped then, and needs both. */
	EXPECT_EQ(-ECHILD, run_in_state(_metadata, mem, MG_ONLY, ITS_FILE,
					way));
	EXPECT_EQ(-EACCES, run_in_state(_metadata, mem, MG_ONLY, ITS_MAP,
					way));
}

TEST_F_TIMEOUT(exec, execveat, 120)
{
	run_in_all(_metadata, variant->mem, by_execveat);
}

TEST_F_TIMEOUT(exec, fexecve, 120)
{
	run_in_all(_metadata, variant->mem, by_fexecve);
}

TEST_F_TIMEOUT(exec, path, 120)
{
	run_in_all(_metadata, variant->mem, by_path);
}

/* vfork() returns before the new program is mapped: until it has come to rest. */
static bool comes_to_rest(pid_t pid)
{
	char path[64], text[64];
	long nr = -1;
	int i, fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (i = 0; i < 3000; i++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		memset(text, 0, sizeof(text));
		if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
		    sscanf(text, "%ld", &nr) != 1)
			nr = -1;
		close(fd);
		if (nr == __NR_clock_nanosleep || nr == __NR_nanosleep)
			return true;
		usleep(10000);
	}
	return false;
}

/* A program that was opened before the seal, and one that runs already. */
TEST_F_TIMEOUT(exec, opened_before, 120)
{
	char *argv[] = { "sleep", "1000", NULL }, *envp[] = { NULL };
	int fd = mg_memfd(variant->mem, MG_HUGE_SIZE), reader, status;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, copy_program("/bin/sleep", fd));
	reader = mg_reopen(fd, O_RDONLY);
	fflush(stdout);
	pid = vfork();
	if (!pid) {
		by_execveat(reader, argv, envp);
		_exit(1);
	}
	ASSERT_LT(0, pid);
	ASSERT_TRUE(comes_to_rest(pid));
	ASSERT_EQ(0, mg_seal(fd));
	close(fd);
	EXPECT_EQ(-EACCES, run_program(reader, by_execveat));
	/* What it has mapped stays its own; it dies of the signal alone. */
	ASSERT_EQ(0, kill(pid, SIGTERM));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(SIGTERM, WTERMSIG(status));
	close(reader);
}

/* Of a script the kernel reads the first line, and maps nothing. */
TEST_F_TIMEOUT(exec, script, 120)
{
	static const char line[] = "#!/bin/true\n";
	int state, fd, link;

	for (state = 0; state < MG_STATES; state++) {
		fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
		ASSERT_LE(0, fd);
		ASSERT_EQ((ssize_t)sizeof(line) - 1,
			  pwrite(fd, line, sizeof(line) - 1, 0));
		link = mg_enter(_metadata, fd, state, ITS_FILE);
		fd = reader_of(fd);
		EXPECT_EQ(mg_lets_read(state) ? 0 : -EACCES,
			  run_program(fd, by_path)) {
			TH_LOG("%s", mg_state_names[state]);
		}
		mg_leave(link);
		close(fd);
	}
}

/* Modules and kernels *******************************************************/

FIXTURE(whole) {
	char unused;
};

MG_MEM_VARIANTS(whole);

FIXTURE_SETUP(whole)
{
}

FIXTURE_TEARDOWN(whole)
{
}

static long load_module(int fd)
{
	return syscall(__NR_finit_module, fd, "", 0) ? -errno : 0;
}

static long load_kernel(int fd)
{
	static const unsigned long no_initramfs = 4;

	return syscall(__NR_kexec_file_load, fd, -1, 1UL, "", no_initramfs) ?
	       -errno : 0;
}

/*
 * ENOEXEC is the answer of who has read the bytes: they are nonsense.  Such
 * files must not be open for writing, so each state has its own memfd.
 */
static void read_whole(struct __test_metadata *const _metadata,
		       enum mg_mem mem, long (*load)(int fd))
{
	int age, state, fd, old, reader, link;

	for (state = 0; state < MG_STATES; state++) {
		for (age = MG_OLD; age < MG_AGES; age++) {
			fd = mg_memfd(mem, MG_HUGE_SIZE);
			ASSERT_LE(0, fd);
			old = mg_reopen(fd, O_RDONLY);
			link = mg_enter(_metadata, fd, state, ITS_FILE);
			reader = age == MG_OLD ? dup(old) :
						 mg_reopen(fd, O_RDONLY);
			close(old);
			close(fd);
			EXPECT_EQ(mg_lets_read(state) ? -ENOEXEC : -EACCES,
				  load(reader)) {
				TH_LOG("%s, opened %s it",
				       mg_state_names[state],
				       age ? "after" : "before");
			}
			mg_leave(link);
			close(reader);
		}
	}
}

TEST_F_TIMEOUT(whole, finit_module, 60)
{
	read_whole(_metadata, variant->mem, load_module);
}

TEST_F_TIMEOUT(whole, kexec_file_load, 60)
{
	read_whole(_metadata, variant->mem, load_kernel);
}

/*
 * Neither swap space nor accounting goes to a memfd, gated or not; a kernel
 * that could do it would have to ask.
 */
TEST_F(whole, swap_and_accounting)
{
	int fd = mg_memfd(variant->mem, MG_HUGE_SIZE), sealed, err;
	char path[64];

	ASSERT_LE(0, fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (sealed = 0; sealed < 2; sealed++) {
		if (sealed)
			ASSERT_EQ(0, mg_seal(fd));
		EXPECT_EQ(-1, swapon(path, 0));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, syscall(__NR_acct, path));
		err = errno;
		/* ENOSYS without CONFIG_BSD_PROCESS_ACCT */
		EXPECT_TRUE(err == EINVAL || err == ENOSYS) {
			TH_LOG("acct: %s", strerror(err));
		}
	}
	close(fd);
}

TEST_HARNESS_MAIN
