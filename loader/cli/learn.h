/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * memgate learn: what was seen on a gate (learn_see.c), and the narrowest
 * parameters of the policies in bpf/ that allow it (learn_*.c).
 */
#ifndef _MEMGATE_LEARN_H
#define _MEMGATE_LEARN_H

#include <sys/types.h>

#include "cmd.h"

/* What bpf/owner.bpf.c decides, and how many parties it knows. */
#define OWNER_CLASSES							\
	(MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_FILE) |	\
	 MEMGATE_CLASS(MEMGATE_OWN_PIN) |				\
	 MEMGATE_CLASS(MEMGATE_OWN_LONGTERM) |				\
	 MEMGATE_CLASS(MEMGATE_IO_URING) | MEMGATE_CLASS(MEMGATE_VHOST))
#define OWNER_PARTIES	9
/* What bpf/trusted_devices.bpf.c decides, and bpf/trust.bpf.h. */
#define TRUST_CLASSES							\
	(MEMGATE_CLASS(MEMGATE_VFIO) | MEMGATE_CLASS(MEMGATE_IOMMUFD) | \
	 MEMGATE_CLASS(MEMGATE_RDMA) | MEMGATE_CLASS(MEMGATE_VDPA) |	\
	 MEMGATE_CLASS(MEMGATE_XDP) | MEMGATE_CLASS(MEMGATE_DMABUF))
#define TRUST_RULES	64
#define TRUST_LEN	48

/* Texts, in their order, each once. */
struct texts {
	size_t nr;
	char **text;
};

/**
 * struct actor - a process as it was seen: one that changes is several
 * @task: who
 * @classes: of those that owner decides, what it used
 * @rights: what it asked for and not only could have become
 * @fork_rights: of what its children inherited, if it is the main process
 * @mapped: it made a mapping of its own
 */
struct actor {
	struct memgate_event_task task;
	uint64_t classes;
	uint32_t rights;
	uint32_t fork_rights;
	bool mapped;
};

/* What a mapping that was just made may be asked about by the same thread. */
struct pending {
	pid_t tid;
	uint64_t start, len;
	uint32_t rights;
	uint32_t may;
};

/**
 * struct learned - what was seen on one gate
 * @gate: its id
 * @main_pid: the workload's own process in our pid namespace, or 0
 * @name: of the memfd
 * @events: how many
 * @refused: how many of them were refused, and so are no part of it
 * @actor: who used what owner decides
 * @vm: ids of the VMs, @nr_vms of them
 * @vms_at_once: two at the same time
 * @classes: that were used, of all
 * @rules: for trusted_devices
 * @notes: what the words do not say by themselves
 * @unfit: what no policy of ours allows
 * @forked: the main process forked with the memory mapped
 */
struct learned {
	uint64_t gate;
	int main_pid;
	char name[256];
	uint64_t events;
	uint64_t refused;
	struct actor *actor;
	size_t nr_actors;
	struct pending *pending;
	size_t nr_pending;
	uint64_t *vm;
	size_t nr_vms;
	bool vms_at_once;
	uint64_t classes;
	struct texts rules;
	struct texts notes;
	struct texts unfit;
	bool forked;
};

/**
 * struct party - one of those that owner lets in
 * @is_main: by {tgid} and {start}
 * @by_uid, @by_gid, @by_exe: by which of the following
 * @cgroup: or by this, if it is not 0
 * @classes, @rights: what it may
 */
struct party {
	bool is_main;
	bool by_uid, by_gid, by_exe;
	uint32_t uid, gid;
	uint64_t exe_ino;
	uint32_t exe_dev;
	uint64_t cgroup;
	uint64_t classes;
	uint32_t rights;
};

struct parties {
	size_t nr;
	struct party party[OWNER_PARTIES];
};

/* A policy and its parameters, NAME=VALUE each. */
struct advice {
	const char *policy;
	struct texts params;
};

#define MAX_ADVICE	3

/* learn_see.c */
void learn_see(struct learned *l, const struct memgate_event *e);
void learn_free(struct learned *l);
void add_text(struct texts *texts, const char *fmt, ...) __printf(2, 3);
void free_texts(struct texts *texts);

/* learn_device.c */
void learn_device(struct learned *l, const struct memgate_event *e);

/* learn_owner.c */
void learn_parties(struct learned *l, struct parties *parties);

/* learn_before.c */
void learn_before(struct learned *l, const struct memgate_gate_info *g);

/* learn_cgroup.c */
uint64_t common_cgroup(const uint64_t *id, size_t nr);

/* learn_advise.c */
size_t learn_advise(struct learned *l, struct advice *advice);
void print_learned(struct learned *l, uint64_t lost, bool several);

#endif /* _MEMGATE_LEARN_H */
