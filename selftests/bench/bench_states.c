// SPDX-License-Identifier: GPL-2.0-only
/* The states of system and memfd in which operations are measured. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "memgate_util.h"
#include "bench.h"

static int seal(int memfd)
{
	return mg_seal(memfd) ? -errno : 0;
}

/* Policies ****************************************************************/

static struct mg_policy policy;

static int load_allow(void)
{
	return mg_policy_load(&policy, "allow");
}

static int load_owner(void)
{
	return mg_policy_load(&policy, "owner");
}

static int load_rule(void)
{
	return mg_policy_load(&policy, "bench_rule");
}

static void unload_policy(void)
{
	mg_policy_free(&policy);
}

static int install(int memfd, int times)
{
	while (times-- > 0) {
		/* The link's descriptor stays open until the process ends. */
		if (mg_install(&policy, memfd) < 0)
			return -errno;
	}
	return 0;
}

static int enter_elsewhere(int memfd)
{
	int other = mg_memfd_empty(MG_4K, MG_HUGE_SIZE);

	return other < 0 ? -errno : install(other, 1);
}

static int enter_one(int memfd)
{
	return install(memfd, 1);
}

static int enter_four(int memfd)
{
	return install(memfd, 4);
}

/* For "owner" and for "bench_rule": this process. */
static int enter_own(int memfd)
{
	return mg_param(&policy, "tgid", getpid()) ?: install(memfd, 1);
}

/* The same rule as an LSM program *****************************************/

static struct bpf_object *lsm;

/* Beside the policies of the tests: see mg_policy_load(). */
static int load_lsm(void)
{
	char exe[4096] = "", path[4200];
	struct bpf_program *prog;
	int err;

	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/progs/bench_lsm.bpf.o", dirname(exe));
	lsm = bpf_object__open_file(path, NULL);
	if (!lsm)
		return -errno;
	err = bpf_object__load(lsm);
	if (err)
		return err;
	prog = bpf_object__find_program_by_name(lsm, "bench_mmap_file");
	/* Attached until the object is closed. */
	return bpf_raw_tracepoint_open(NULL, bpf_program__fd(prog)) < 0 ?
	       -errno : 0;
}

static void unload_lsm(void)
{
	bpf_object__close(lsm);
}

static int enter_lsm(int memfd)
{
	int map = bpf_object__find_map_fd_by_name(lsm, "rules");
	__u32 tgid = getpid();

	return bpf_map_update_elem(map, &memfd, &tgid, BPF_ANY);
}

static int enter_lsm_elsewhere(int memfd)
{
	int other = mg_memfd_empty(MG_4K, MG_HUGE_SIZE);

	return other < 0 ? -errno : enter_lsm(other);
}

/* The same rule in the kernel itself: plain-c.patch ***********************/

#define F_BENCH_TGID	0x62656e63

static int enter_plain_c(int memfd)
{
	return fcntl(memfd, F_BENCH_TGID, (long)getpid()) ? -errno : 0;
}

/* The gate's key goes off a while after the last gate: "none" comes first. */
const struct bench_state bench_states[] = {
	{ "none", BENCH_ALL },
	{ "plain_c", BENCH_MMAP, .enter = enter_plain_c },
	{ "lsm", BENCH_MMAP, .load = load_lsm, .enter = enter_lsm,
	  .unload = unload_lsm },
	{ "lsm_elsewhere", BENCH_MMAP, .load = load_lsm,
	  .enter = enter_lsm_elsewhere, .unload = unload_lsm },
	{ "elsewhere", BENCH_ALL, .load = load_allow,
	  .enter = enter_elsewhere, .unload = unload_policy },
	{ "closed", BENCH_GATED, .refused = true, .close = seal },
	{ "allow1", BENCH_GATED, .load = load_allow, .enter = enter_one,
	  .unload = unload_policy },
	{ "allow4", BENCH_GATED, .load = load_allow, .enter = enter_four,
	  .unload = unload_policy },
	{ "owner", BENCH_MMAP | BENCH_READ | BENCH_GUP, .load = load_owner,
	  .enter = enter_own, .unload = unload_policy },
	{ "rule", BENCH_MMAP, .load = load_rule, .enter = enter_own,
	  .unload = unload_policy },
};
const size_t bench_nr_states = ARRAY_SIZE(bench_states);
