/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the memgate selftests share: memory of the three kinds, policies and
 * their installs, the gate as fdinfo shows it, and a second process.
 *
 * Functions that wrap a system call answer as it does: -1 and errno.  The
 * others answer 0 or a negative errno.  Nothing here exits, and nothing
 * prints except reasons for a set-up that failed, as TAP comments.
 */
#ifndef MEMGATE_UTIL_H
#define MEMGATE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <linux/memgate.h>

#define MG_HUGE_SIZE	(2UL << 20)

/* Memory ********************************************************************/

enum mg_mem {
	MG_4K,		/* shmem, base pages */
	MG_THP,		/* shmem, transparent huge pages */
	MG_HUGETLB,	/* hugetlbfs, 2 MiB pages */
};

/* Declares the three kinds as variants of a fixture. */
#define MG_MEM_VARIANTS(fixture)					\
	FIXTURE_VARIANT(fixture) { enum mg_mem mem; };			\
	FIXTURE_VARIANT_ADD(fixture, page_4k) { .mem = MG_4K };		\
	FIXTURE_VARIANT_ADD(fixture, thp) { .mem = MG_THP };		\
	FIXTURE_VARIANT_ADD(fixture, hugetlb) { .mem = MG_HUGETLB }

/* A new memfd of @len bytes (multiple of 2 MiB), filled by mg_fill(). */
int mg_memfd(enum mg_mem mem, size_t len);
/* An unsealed, empty memfd that has no pages yet. */
int mg_memfd_empty(enum mg_mem mem, size_t len);
/* mmap() of a memfd from @off, aligned to 2 MiB and with huge pages. */
void *mg_map(enum mg_mem mem, int fd, size_t len, int prot, int flags,
	     off_t off);
/* The same at a given address, which is free and aligned. */
void *mg_map_at(enum mg_mem mem, void *addr, int fd, size_t len, int prot,
		int flags, off_t off);
/* Size of the pages that the kernel has mapped at @addr now. */
size_t mg_mapped_page_size(const void *addr);
size_t mg_page_size(enum mg_mem mem);

/* The bytes that belong at @off of a memfd, so that a wrong page shows. */
void mg_fill(void *buf, off_t off, size_t len);
bool mg_matches(const void *buf, off_t off, size_t len);
/* The same by the first bytes of every page: no page is missing or wrong. */
bool mg_pages_match(const void *buf, off_t off, size_t len);

/* The seal and the gate *****************************************************/

bool mg_kernel_has_gate(void);
int mg_seal(int fd);
int mg_add_seals(int fd, int seals);

#define MG_MAX_LINES	16

struct mg_policy_line {
	char name[MEMGATE_NAME_LEN];
	char state[16];
	unsigned int map, link;
	unsigned long long classes;
};

struct mg_consumer_line {
	unsigned int kind, rights;
	unsigned long long id;
	int pid;
};

struct mg_device_line {
	unsigned long long consumer;	/* its id */
	char name[64];
};

struct mg_gate {
	unsigned long long id, classes;
	unsigned int premapped, frozen;
	int nr_policies, nr_consumers, nr_devices;
	struct mg_policy_line policy[MG_MAX_LINES];
	struct mg_consumer_line consumer[MG_MAX_LINES];
	struct mg_device_line device[MG_MAX_LINES];
};

/* -ENOENT: no gate; -EPROTO: a line that the uapi header does not know. */
int mg_gate_read(pid_t pid, int fd, struct mg_gate *gate);

/* Policies ******************************************************************/

struct bpf_object;

struct mg_policy {
	struct bpf_object *obj;
	int map_fd;
	size_t params_size;
	unsigned char params[MEMGATE_PARAMS_MAX];
	char *log;		/* what libbpf and the verifier said */
	bool preloaded;		/* others use it too */
};

/*
 * Loads "NAME.bpf.o" from build/selftests/progs or build/bpf, found beside
 * the test program.  Parameters are zero until mg_param() sets them.
 */
int mg_policy_load(struct mg_policy *policy, const char *name);
/* Stops before the map is registered, so that nobody can install it. */
int mg_policy_load_unregistered(struct mg_policy *policy, const char *name);
void mg_policy_free(struct mg_policy *policy);
/*
 * Loads a policy for all tests of a program, before they are forked: loading
 * takes longer than most tests.  If that fails, each will see it by itself.
 */
void mg_policy_preload(const char *name);
/* Sets one parameter by the name of its field. */
int mg_param(struct mg_policy *policy, const char *field, long long value);
/* The fd of another map of the same object (a trace buffer), or -ENOENT. */
int mg_policy_map(struct mg_policy *policy, const char *name);

/* BPF_LINK_CREATE on @fd with the parameters set so far: link fd, or -1. */
int mg_install(const struct mg_policy *policy, int fd);
int mg_install_raw(int map_fd, int target_fd, unsigned int flags,
		   const void *params, unsigned int params_len);
int mg_link_update(int link_fd, int new_map_fd);
int mg_link_detach(int link_fd);

/* Another process ***********************************************************/

/*
 * A process that was there before the memfd was: it shares no mapping and no
 * file with the test but what it is sent.  The functions that it is asked to
 * call exist in it too, as it is a fork of the test; its variables are its own.
 */
struct mg_peer {
	pid_t pid;
	int sock;
};

typedef long (*mg_peer_fn)(int fd, long arg);

int mg_peer_start(struct mg_peer *peer);
/* Runs fn(copy of fd or -1, arg) there, returns what it returned. */
long mg_peer_call(struct mg_peer *peer, mg_peer_fn fn, int fd, long arg);
/* The same in two steps, for a call that lasts while the test goes on. */
int mg_peer_begin(struct mg_peer *peer, mg_peer_fn fn, int fd, long arg);
long mg_peer_end(struct mg_peer *peer);
void mg_peer_stop(struct mg_peer *peer);

/* Set-up ********************************************************************/

/* Writes @text to a file of sysfs or procfs. */
int mg_write_file(const char *path, const char *text);
/* Another struct file of the same memfd. */
int mg_reopen(int fd, int flags);
/* How many times slower than usual it may be: $MEMGATE_SLOWNESS, or 1. */
int mg_slowness(void);
/* Becomes uid and gid 65534 without any capability. */
int mg_drop_privileges(void);

#endif /* MEMGATE_UTIL_H */
