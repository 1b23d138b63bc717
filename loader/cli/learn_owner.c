// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * memgate learn: the parties of owner.  The workload's own process is named
 * by its id; the others by user and program as long as there is room, else by
 * user, by group, or by the cgroup that all of them are in.
 */
#include <string.h>

#include "learn.h"

static bool is_main(const struct learned *l, const struct actor *a)
{
	return l->main_pid && a->task.pid == l->main_pid;
}

static void add_uses(struct party *p, const struct actor *a)
{
	p->classes |= a->classes;
	p->rights |= a->rights;
}

typedef struct party (*name_fn)(const struct actor *a);

static struct party name_main(const struct actor *a)
{
	return (struct party){ .is_main = true };
}

static struct party name_by_program(const struct actor *a)
{
	return (struct party){
		.by_uid = true, .uid = a->task.euid,
		.by_exe = a->task.exe_ino, .exe_ino = a->task.exe_ino,
		.exe_dev = a->task.exe_dev,
	};
}

static struct party name_by_uid(const struct actor *a)
{
	return (struct party){ .by_uid = true, .uid = a->task.euid };
}

static struct party name_by_gid(const struct actor *a)
{
	return (struct party){ .by_gid = true, .gid = a->task.egid };
}

static bool same_name(const struct party *a, const struct party *b)
{
	return a->is_main == b->is_main && a->by_uid == b->by_uid &&
	       a->uid == b->uid && a->by_gid == b->by_gid &&
	       a->gid == b->gid && a->by_exe == b->by_exe &&
	       a->exe_ino == b->exe_ino && a->exe_dev == b->exe_dev;
}

static bool add_party(struct parties *parties, const struct actor *a,
		      name_fn name)
{
	struct party new = name(a);
	size_t i;

	for (i = 0; i < parties->nr; i++)
		if (same_name(parties->party + i, &new))
			break;
	if (i == OWNER_PARTIES)
		return false;
	if (i == parties->nr)
		parties->party[parties->nr++] = new;
	add_uses(parties->party + i, a);
	return true;
}

/* Kernel threads own nothing; what is in the other policies is not here. */
static bool is_other(const struct learned *l, const struct actor *a,
		     bool by_id)
{
	return !a->task.kthread && !(by_id && is_main(l, a));
}

static bool name_others(const struct learned *l, struct parties *parties,
			bool by_id, name_fn name)
{
	size_t i;

	for (i = 0; i < l->nr_actors; i++)
		if (is_other(l, l->actor + i, by_id) &&
		    !add_party(parties, l->actor + i, name))
			return false;
	return true;
}

static bool name_by_cgroup(const struct learned *l, struct parties *parties,
			   bool by_id)
{
	struct party *p = parties->party + parties->nr++;
	uint64_t id[256];
	size_t i, j, nr = 0;

	memset(p, 0, sizeof(*p));
	for (i = 0; i < l->nr_actors; i++) {
		if (!is_other(l, l->actor + i, by_id))
			continue;
		add_uses(p, l->actor + i);
		for (j = 0; j < nr; j++)
			if (id[j] == l->actor[i].task.cgroup)
				break;
		if (j == ARRAY_SIZE(id))
			return false;
		if (j == nr)
			id[nr++] = l->actor[i].task.cgroup;
	}
	p->cgroup = common_cgroup(id, nr);
	return p->cgroup;
}

/*
 * Does a child use what it inherited from the main process?  It does if it
 * works with a mapping and never made one.
 */
static bool child_inherits(const struct learned *l)
{
	uint64_t with_mapping = OWNER_CLASSES & ~MEMGATE_CLASS(MEMGATE_FILE);
	size_t i;

	for (i = 0; l->forked && i < l->nr_actors; i++)
		if (!is_main(l, l->actor + i) && !l->actor[i].mapped &&
		    l->actor[i].classes & with_mapping)
			return true;
	return false;
}

/* fork() asks for the child, and as the parent. */
static void let_children_inherit(struct learned *l)
{
	size_t i;

	for (i = 0; i < l->nr_actors; i++) {
		if (!is_main(l, l->actor + i))
			continue;
		l->actor[i].classes |= MEMGATE_CLASS(MEMGATE_MAP);
		l->actor[i].rights |= l->actor[i].fork_rights;
	}
	add_text(&l->notes, "widened: the process itself is named by its "
		 "user, as a child uses the mapping that it inherited");
}

static void name_main_party(const struct learned *l, struct parties *parties)
{
	size_t i;

	/* Without a class it has forked, and no more. */
	for (i = 0; i < l->nr_actors; i++)
		if (is_main(l, l->actor + i) && l->actor[i].classes)
			add_party(parties, l->actor + i, name_main);
}

static void refuse_kthreads(struct learned *l)
{
	size_t i;

	for (i = 0; i < l->nr_actors; i++)
		if (l->actor[i].task.kthread)
			add_text(&l->unfit, "the kernel thread %s: it acts "
				 "for nobody knows whom, and owner lets none "
				 "in; only 'allow' does",
				 l->actor[i].task.comm);
}

static bool has_program(const struct parties *parties)
{
	size_t i;

	for (i = 0; i < parties->nr; i++)
		if (parties->party[i].by_exe)
			return true;
	return false;
}

static const struct {
	name_fn name;
	const char *note;
} ways[] = {
	{ name_by_program, NULL },
	{ name_by_uid, "widened: parties are named by their user alone, with "
	  "any program, as there are more than owner can name" },
	{ name_by_gid, "widened: parties are named by their group, with any "
	  "user and program, as there are more than owner can name" },
};

/* Nobody at all: no parties. */
void learn_parties(struct learned *l, struct parties *parties)
{
	struct parties main_party = { 0 };
	bool by_id = !child_inherits(l);
	size_t i;

	refuse_kthreads(l);
	if (by_id)
		name_main_party(l, &main_party);
	else
		let_children_inherit(l);
	if (by_id && l->forked)
		add_text(&l->notes, "the process forked while it had the "
			 "memory mapped: its children are without it");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		*parties = main_party;
		if (!name_others(l, parties, by_id, ways[i].name))
			continue;
		if (ways[i].note)
			add_text(&l->notes, "%s", ways[i].note);
		else if (has_program(parties))
			add_text(&l->notes, "programs are named by the inode "
				 "of their file, which changes when they are "
				 "installed anew");
		return;
	}
	*parties = main_party;
	if (name_by_cgroup(l, parties, by_id)) {
		add_text(&l->notes, "widened: parties are named by the cgroup "
			 "that all of them are in, as they have more users and "
			 "groups than owner can name");
		return;
	}
	*parties = main_party;
	add_text(&l->unfit, "more than %d users and groups without a cgroup of "
		 "their own: put them into one and learn again",
		 OWNER_PARTIES);
}
