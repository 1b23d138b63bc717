// SPDX-License-Identifier: GPL-2.0-only
/*
 * Using the iterator "memgate": many gates in small pieces, gates that come
 * and go meanwhile, what it costs, and who may.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kselftest_harness.h"
#include "race_util.h"
#include "see_iter.h"

#define MANY		1250

/* Many, and a read that takes a few bytes at a time *************************/

struct maker {
	pthread_t thread;
	int *fd, nr, err;
};

static void *make_gates(void *arg)
{
	struct maker *maker = arg;
	int i;

	for (i = 0; i < maker->nr; i++) {
		maker->fd[i] = memfd_create("many", MFD_CLOEXEC |
						    MFD_ALLOW_SEALING);
		if (maker->fd[i] < 0 || mg_seal(maker->fd[i])) {
			maker->err = errno;
			break;
		}
	}
	return NULL;
}

#define MAKERS	50

/* Every seal waits for a grace period, so let many wait for the same. */
static int make_many(int *fd)
{
	struct rlimit files = { MANY + 256, MANY + 256 };
	struct maker maker[MAKERS];
	int i, err = 0;

	if (setrlimit(RLIMIT_NOFILE, &files))
		return -errno;
	for (i = 0; i < MAKERS; i++) {
		maker[i] = (struct maker){
			.fd = fd + i * (MANY / MAKERS), .nr = MANY / MAKERS,
		};
		if (pthread_create(&maker[i].thread, NULL, make_gates,
				   &maker[i]))
			return -EAGAIN;
	}
	for (i = 0; i < MAKERS; i++) {
		pthread_join(maker[i].thread, NULL);
		err = maker[i].err ?: err;
	}
	return -err;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a;
	unsigned long long y = *(const unsigned long long *)b;

	return x < y ? -1 : x > y;
}

/* The ids of all gates of a pass, sorted. */
static int ids_of(const char *text, unsigned long long *ids, int max)
{
	int nr = 0;

	while (text && *text && nr < max) {
		if (sscanf(text, "gate %llu ", &ids[nr]) == 1)
			nr++;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	qsort(ids, nr, sizeof(*ids), by_value);
	return nr;
}

TEST_F_TIMEOUT(iter, many, 400)
{
	const size_t chunk[] = { 1 << 20, 4096, 100, 7 };
	static unsigned long long made[MANY], seen[2 * MANY];
	static int fd[MANY];
	int i, nr, reads;
	long start = now_ms();
	char *text;

	ASSERT_EQ(0, make_many(fd));
	TH_LOG("%d gates made in %ld ms", MANY, now_ms() - start);
	for (i = 0; i < MANY; i++)
		made[i] = gate_id(fd[i]);
	qsort(made, MANY, sizeof(*made), by_value);
	for (i = 0; i < (int)ARRAY_SIZE(chunk); i++) {
		start = now_ms();
		text = see_iterate(self->link, chunk[i], &reads);
		ASSERT_NE(NULL, text) {
			TH_LOG("reads of %zu bytes: %s", chunk[i],
			       strerror(errno));
		}
		TH_LOG("%d gates in reads of %zu bytes: %d reads, %ld ms", MANY,
		       chunk[i], reads, now_ms() - start);
		nr = ids_of(text, seen, ARRAY_SIZE(seen));
		EXPECT_EQ(MANY, nr);
		EXPECT_EQ(0, memcmp(made, seen, sizeof(made)));
		EXPECT_EQ(1, see_lines(text, "end"));
		/* More than the kernel's buffer (8 pages) holds. */
		EXPECT_LT(1, reads);
		free(text);
	}
	for (i = 0; i < MANY; i++)
		close(fd[i]);
}

/* Gates that come and go ****************************************************/

#define STAY		16
#define COMERS		12

struct comer {
	pthread_t thread;
	const struct mg_policy *policy;
	atomic_bool *stop;
	long made;
};

static void *come_and_go(void *arg)
{
	struct comer *comer = arg;
	int fd, link;

	while (!*comer->stop) {
		fd = memfd_create("comer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		link = mg_install(comer->policy, fd);
		if (link < 0)
			break;
		comer->made++;
		usleep(2000);
		/* Both orders of dying. */
		close(comer->made & 1 ? fd : link);
		close(comer->made & 1 ? link : fd);
	}
	return NULL;
}

/* No gate twice, and those that stay once. */
static void expect_pass(struct __test_metadata *const _metadata, int iter,
			size_t chunk, const unsigned long long *stay,
			long *others)
{
	static unsigned long long seen[10000];
	char *text = see_iterate(iter, chunk, NULL);
	int i, nr;

	ASSERT_NE(NULL, text) {
		TH_LOG("a pass failed: %s", strerror(errno));
	}
	for (i = 0; i < STAY; i++)
		EXPECT_EQ(1, times(text, stay[i]));
	nr = ids_of(text, seen, ARRAY_SIZE(seen));
	for (i = 1; i < nr; i++)
		EXPECT_NE(seen[i - 1], seen[i]);
	EXPECT_EQ(1, see_lines(text, "end"));
	*others += nr - STAY;
	free(text);
}

TEST_F_TIMEOUT(iter, come_and_go, 180)
{
	unsigned long long stay[STAY];
	struct comer comer[COMERS];
	long passes = 0, others = 0, made = 0;
	struct race_clock clock;
	atomic_bool stop = false;
	int i, fd[STAY];

	for (i = 0; i < STAY; i++) {
		fd[i] = memfd_create("stay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ASSERT_LE(0, mg_install(&self->map, fd[i]));
		stay[i] = gate_id(fd[i]);
	}
	for (i = 0; i < COMERS; i++) {
		comer[i] = (struct comer){ .policy = &self->access,
					   .stop = &stop };
		ASSERT_EQ(0, pthread_create(&comer[i].thread, NULL,
					    come_and_go, &comer[i]));
	}
	race_clock_start(&clock, 2);
	for (; !others || race_again(&clock); passes++)
		expect_pass(_metadata, self->link,
			    passes & 1 ? 50 : CHUNK, stay, &others);
	stop = true;
	for (i = 0; i < COMERS; i++) {
		pthread_join(comer[i].thread, NULL);
		EXPECT_LT(0, comer[i].made);
		made += comer[i].made;
	}
	TH_LOG("%ld passes, %ld gates came and went, seen %ld times", passes,
	       made, others);
}

/* Who may *******************************************************************/

/* A child does that, as nobody with these capabilities; 0 or -errno. */
static int as_nobody(int (*fn)(void), uint64_t caps)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(see_become_nobody(caps) ? 255 : -fn());
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

/* Loads an iterator of its own and reads what no one else should see. */
static int read_params(void)
{
	struct see_iter iter;
	char *text;
	int ret;

	ret = see_iter_open(&iter);
	if (ret)
		return ret;
	text = see_iterate(iter.link, CHUNK, NULL);
	if (!text)
		return -errno;
	return strstr(text, " params 0x5eed ") ? 0 : -EBADMSG;
}

/* Of all that a program for the iterator may be the least: "return 0". */
static int iter_btf_id;

static int load_least(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = BPF_TRACE_ITER,
		    .attach_btf_id = iter_btf_id);
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "GPL", insns,
			       ARRAY_SIZE(insns), &opts);

	return fd < 0 ? -errno : 0;
}

#define CAP(name)	(1ULL << (name))

/* The parameters of somebody else's install are what there is to read. */
TEST_F_TIMEOUT(iter, capabilities, 300)
{
	int fd = mg_memfd(MG_4K, LEN), link;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_param(&self->map, "map_answer", 0x5eed));
	link = mg_install(&self->map, fd);
	ASSERT_LE(0, link);
	EXPECT_EQ(0, as_nobody(read_params, CAP(CAP_BPF) | CAP(CAP_PERFMON)));

	iter_btf_id = libbpf_find_vmlinux_btf_id("memgate", BPF_TRACE_ITER);
	ASSERT_LT(0, iter_btf_id);
	EXPECT_EQ(0, as_nobody(load_least, CAP(CAP_BPF) | CAP(CAP_PERFMON)));
	EXPECT_EQ(-EPERM, as_nobody(load_least, CAP(CAP_BPF)));
	EXPECT_EQ(-EPERM, as_nobody(load_least, CAP(CAP_PERFMON)));
	EXPECT_EQ(-EPERM, as_nobody(load_least, 0));
	close(link);
	close(fd);
}

/* A pin is read by those whom its mode lets. */
static int read_pin(void)
{
	char byte;
	int fd = open(PIN, O_RDONLY), ret;

	if (fd < 0)
		return -errno;
	ret = read(fd, &byte, 1) == 1 ? 0 : -errno;
	close(fd);
	return ret;
}

TEST_F(iter, pinned)
{
	int fd = mg_memfd(MG_4K, LEN), pin, round;
	char buf[4096];
	ssize_t n;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_seal(fd));
	ASSERT_EQ(0, bpf_obj_pin(self->link, PIN));
	for (round = 0; round < 2; round++) {
		pin = open(PIN, O_RDONLY);
		ASSERT_LE(0, pin);
		n = read(pin, buf, sizeof(buf) - 1);
		ASSERT_LT(0, n);
		buf[n] = '\0';
		EXPECT_EQ(1, times(buf, gate_id(fd)));
		EXPECT_EQ(0, read(pin, buf, sizeof(buf)));
		close(pin);
	}
	EXPECT_EQ(-EACCES, as_nobody(read_pin, 0));
	ASSERT_EQ(0, chmod(PIN, 0444));
	ASSERT_EQ(0, chmod("/sys/fs/bpf", 0711));
	EXPECT_EQ(0, as_nobody(read_pin, 0));
	close(fd);
}

TEST_HARNESS_MAIN
