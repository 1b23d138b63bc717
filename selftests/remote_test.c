// SPDX-License-Identifier: GPL-2.0-only
/*
 * Access to another process's mapping of the memfd: class REMOTE.  Owner and
 * peer map at the same addresses, each reaches into the other.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "remote.h"

static char buf[MG_BYTES];

static long good_read(ssize_t n)
{
	if (n < 0)
		return mg_matches(buf, MG_AT, 64) ? -ENOTRECOVERABLE : -errno;
	return n == MG_BYTES && mg_matches(buf, MG_AT, MG_BYTES) ? 0 : -EBADMSG;
}

static long good_write(ssize_t n)
{
	return n == MG_BYTES ? 0 : n < 0 ? -errno : -EBADMSG;
}

static long try_vm_readv(int fd, long arg)
{
	struct iovec local = { buf, MG_BYTES };
	struct iovec remote = { map_of(arg) + MG_AT, MG_BYTES };

	memset(buf, 0, sizeof(buf));
	return good_read(process_vm_readv(other(), &local, 1, &remote, 1, 0));
}

static long try_vm_writev(int fd, long arg)
{
	struct iovec local = { buf, MG_BYTES };
	struct iovec remote = { map_of(arg) + MG_AT, MG_BYTES };

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	return good_write(process_vm_writev(other(), &local, 1, &remote, 1,
					    0));
}

/* The same of itself: a pin of its own, as with /proc/self/mem below. */
static long try_self_vm_readv(int fd, long arg)
{
	struct iovec local = { buf, MG_BYTES };
	struct iovec remote = { map_of(arg) + MG_AT, MG_BYTES };

	memset(buf, 0, sizeof(buf));
	return good_read(process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
}

static long try_self_vm_writev(int fd, long arg)
{
	struct iovec local = { buf, MG_BYTES };
	struct iovec remote = { map_of(arg) + MG_AT, MG_BYTES };

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	return good_write(process_vm_writev(getpid(), &local, 1, &remote, 1,
					    0));
}

/* A private mapping shows the same pages, and nothing has been written. */
static long try_private_vm_readv(int fd, long arg)
{
	return try_vm_readv(fd, arg);
}

static int open_mem(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, O_RDWR | O_CLOEXEC);
}

static long mem_read(pid_t pid, long arg)
{
	int mem = open_mem(pid);
	long ret;

	memset(buf, 0, sizeof(buf));
	if (mem < 0)
		return -ESRCH;
	ret = good_read(pread(mem, buf, MG_BYTES, (off_t)map_of(arg) + MG_AT));
	close(mem);
	return ret;
}

static long mem_write(pid_t pid, long arg)
{
	int mem = open_mem(pid);
	long ret;

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	if (mem < 0)
		return -ESRCH;
	ret = good_write(pwrite(mem, buf, MG_BYTES,
				(off_t)map_of(arg) + MG_AT));
	close(mem);
	return ret;
}

static long try_mem_read(int fd, long arg)
{
	return mem_read(other(), arg);
}

static long try_mem_write(int fd, long arg)
{
	return mem_write(other(), arg);
}

/* The same way into its own mapping: no exception, but a pin of its own. */
static long try_self_mem_read(int fd, long arg)
{
	return mem_read(getpid(), arg);
}

static long try_self_mem_write(int fd, long arg)
{
	return mem_write(getpid(), arg);
}

/* Stops the other process; it waits for our answer and notices nothing. */
static long stop_other(void)
{
	int status;

	if (ptrace(PTRACE_SEIZE, other(), 0, 0))
		return -ESRCH;
	if (ptrace(PTRACE_INTERRUPT, other(), 0, 0) ||
	    waitpid(other(), &status, __WALL) != other() ||
	    !WIFSTOPPED(status))
		return -ECHILD;
	return 0;
}

static long try_peek(int fd, long arg)
{
	long ret = stop_other(), word;
	size_t i;

	memset(buf, 0, sizeof(buf));
	for (i = 0; !ret && i < 64; i += sizeof(word)) {
		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, other(),
			      map_of(arg) + MG_AT + i, 0);
		ret = -errno;
		memcpy(buf + i, &word, sizeof(word));
	}
	ptrace(PTRACE_DETACH, other(), 0, 0);
	return ret ? ret : mg_matches(buf, MG_AT, 64) ? 0 : -EBADMSG;
}

static long try_poke(int fd, long arg)
{
	long ret = stop_other(), word;
	size_t i;

	mg_fill(buf, MG_AT + MG_MARK, MG_BYTES);
	for (i = 0; !ret && i < 64; i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, other(), map_of(arg) + MG_AT + i,
			   word))
			ret = -errno;
	}
	ptrace(PTRACE_DETACH, other(), 0, 0);
	return ret;
}

static bool poked(const char *map)
{
	return mg_matches(map + MG_AT, MG_AT + MG_MARK, 64);
}

/*
 * Writing to a private mapping makes a copy of the page; reading the copy
 * back would be reading the page.  0: the page could be read so.
 */
static long try_poke_then_peek(int fd, long arg)
{
	off_t at = (off_t)map_of(arg) + MG_AT;
	int mem = open_mem(other());
	ssize_t n;
	long ret;

	if (mem < 0)
		return -ESRCH;
	/* Refused or not, what matters is what can be read after it. */
	if (pwrite(mem, "", 1, at + 100) != 1 && errno != EIO)
		printf("# poke: %s\n", strerror(errno));
	memset(buf, 0, sizeof(buf));
	n = pread(mem, buf, MG_BYTES, at);
	ret = n < 0 ? -errno : 0;
	if (mg_matches(buf, MG_AT, 64))
		ret = n < 0 ? -ENOTRECOVERABLE : 0;
	else if (n >= 0)
		ret = -EBADMSG;
	close(mem);
	return ret;
}

FIXTURE(remote) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(remote);

FIXTURE_SETUP(remote)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	peer_pid = self->scene.peer.pid;
}

FIXTURE_TEARDOWN(remote)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define REMOTE_TEST(name, its_class, errno_seen, ...)			\
	REMOTE_TEST_OF(name, map_shared, its_class, errno_seen, __VA_ARGS__)

#define REMOTE_TEST_OF(name, set_up, its_class, errno_seen, ...)	\
	TEST_F_TIMEOUT(remote, name, 60)				\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_##its_class,			\
			.prepare = set_up,				\
			.attempt = try_##name,				\
			.refused = errno_seen,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

REMOTE_TEST(vm_readv, REMOTE, EFAULT)
REMOTE_TEST(vm_writev, REMOTE, EFAULT, .changed = mg_marked)
REMOTE_TEST(self_vm_readv, OWN_PIN, EFAULT)
REMOTE_TEST(self_vm_writev, OWN_PIN, EFAULT, .changed = mg_marked)
REMOTE_TEST_OF(private_vm_readv, map_private, REMOTE, EFAULT)
REMOTE_TEST(mem_read, REMOTE, EIO)
REMOTE_TEST(mem_write, REMOTE, EIO, .changed = mg_marked)
REMOTE_TEST(self_mem_read, OWN_PIN, EIO)
REMOTE_TEST(self_mem_write, OWN_PIN, EIO, .changed = mg_marked)
REMOTE_TEST(peek, REMOTE, EIO)
REMOTE_TEST(poke, REMOTE, EIO, .changed = poked)

/* The copy outlives the state that it was made in: each has its own memfd. */
TEST_F_TIMEOUT(remote, poke_then_peek, 60)
{
	static const struct {
		const char *policy, *name;
		int expected;
	} states[] = {
		{ NULL, "no gate", 0 },
		{ "", "sealed, no policy", EIO },
		{ "allow", "policy allows", 0 },
		{ "deny", "policy denies", EIO },
	};
	static const struct mg_access access = {
		.class = MEMGATE_REMOTE,
		.prepare = map_private,
		.attempt = try_poke_then_peek,
	};
	struct mg_scene *s = &self->scene;
	struct mg_policy policy;
	size_t i;
	int link;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		if (i) {
			mg_scene_down(s);
			mg_scene_up(_metadata, s, s->mem);
		}
		mg_prepare(_metadata, s, &access, MG_OLD);
		if (states[i].policy)
			ASSERT_EQ(0, mg_seal(s->fd));
		link = -1;
		if (states[i].policy && states[i].policy[0]) {
			mg_load(_metadata, &policy, states[i].policy);
			link = mg_install(&policy, s->fd);
			ASSERT_LE(0, link);
			mg_policy_free(&policy);
		}
		mg_try(_metadata, s, &access, MG_OLD, states[i].expected,
		       states[i].name);
		close(link);
	}
}

TEST_HARNESS_MAIN
