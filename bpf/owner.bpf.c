// SPDX-License-Identifier: GPL-2.0-only
/*
 * owner: the memory is one party's own, or that of a few.
 *
 * Decides what tasks do with memory: MAP, FILE, OWN_PIN and OWN_LONGTERM; and
 * IO_URING and VHOST, which have no device but act for a task.  An owner may
 * map the memory, read and write the memfd, pin its own mappings of it
 * (direct I/O and the like), register them with a ring and give them to the
 * kernel's vhost.  Nobody else may, root included.
 *
 * A ring and a vhost are the task's that made them (io_uring_setup(2), open(2)
 * of /dev/vhost-net): whoever is given the descriptor later works with what
 * that one may have.
 *
 * Parameters name a party:
 *   tgid	a process: its id in the initial pid namespace
 *   start	with tgid: when that process started, field 22 of
 *		/proc/PID/stat, so that a later process with the same id is
 *		not taken for it (default 0: not looked at)
 *   by_uid	every process of a user ...
 *   uid	... with this effective user id, in the initial user namespace
 *   by_gid	every process of a group ...
 *   gid	... with this effective group id; supplementary ones do not
 *		count
 *   cgroup	every process in this cgroup (v2) or below it: the inode
 *		number of the cgroup's directory
 *   exe_ino	every process that executes this file: its inode number ...
 *   exe_dev	... and the device of its file system, major << 20 | minor:
 *		stat -c '%i %Hd %Ld' FILE; not for btrfs and overlayfs, where
 *		stat shows other numbers
 * and what it may:
 *   read_only	read, but neither write nor execute
 *   classes	of the classes above only these, such as map|file (default 0:
 *		all)
 *
 * One of tgid, by_uid, by_gid and cgroup names the party; exe_ino beside it
 * narrows it, and alone names everybody who runs that program.  That is no
 * proof of who it is: who may execute a file can trace it, too.
 *
 * More parties are party[0] to party[7], of the same members:
 *   tgid=1234 party[0].by_uid=1 party[0].uid=107 party[0].read_only=1
 * An access is allowed if it is to one of the parties.
 *
 * A fork of an owner named by tgid is somebody else: the child does not
 * inherit the mapping.  Kernel threads own nothing: what they do for others
 * (a loop device on the memfd) is refused.
 *
 * When something fails, when nobody is named, or when any party is malformed
 * (none or two of tgid, by_uid, by_gid, cgroup; a value without what gives it
 * a meaning; a class that is not decided here): refused, to all.  A party
 * whose cgroup is gone is nobody.
 */
#include <memgate/policy.bpf.h>

char _license[] SEC("license") = "GPL";

#define OWNER_CLASSES							\
	(MEMGATE_CLASS(MEMGATE_MAP) | MEMGATE_CLASS(MEMGATE_FILE) |	\
	 MEMGATE_CLASS(MEMGATE_OWN_PIN) |				\
	 MEMGATE_CLASS(MEMGATE_OWN_LONGTERM) |				\
	 MEMGATE_CLASS(MEMGATE_IO_URING) | MEMGATE_CLASS(MEMGATE_VHOST))

#define OWNER_PARTIES	8

#define OWNER_PARTY							\
	__u32 tgid							\
	MEMGATE_DOC("process id, in the initial pid namespace");	\
	__u64 start							\
	MEMGATE_DOC("with tgid: start time, field 22 of /proc/PID/stat"); \
	bool by_uid							\
	MEMGATE_DOC("every process of the user uid");			\
	__u32 uid							\
	MEMGATE_DOC("effective user id, in the initial user namespace"); \
	bool by_gid							\
	MEMGATE_DOC("every process of the group gid");			\
	__u32 gid							\
	MEMGATE_DOC("effective group id, in the initial user namespace"); \
	__u64 cgroup							\
	MEMGATE_DOC("cgroup (v2): inode number of its directory");	\
	__u64 exe_ino							\
	MEMGATE_DOC("executed file: its inode number");			\
	__u32 exe_dev							\
	MEMGATE_DOC("executed file: device, major << 20 | minor");	\
	bool read_only							\
	MEMGATE_DOC("may read, but neither write nor execute");		\
	memgate_classes_t classes					\
	MEMGATE_DOC("of what owner decides only these; 0: all")

struct owner_party {
	OWNER_PARTY;
};

/* It begins with a party that has no index: most owners are alone. */
struct owner_params {
	OWNER_PARTY;
	struct owner_party party[OWNER_PARTIES];
};
MEMGATE_PARAMS(struct owner_params);
_Static_assert(__builtin_offsetof(struct owner_params, party) ==
	       sizeof(struct owner_party), "not a party");

struct owner_question {
	struct task_struct *task;
	__u32 class;
	__u32 rights;
	bool for_child;
};

/* Anything that is said of it but who it is. */
static __always_inline bool has_rest(const struct owner_party *p)
{
	return p->start | p->uid | p->gid | p->exe_dev | p->read_only |
	       p->classes;
}

/* A value without what gives it a meaning is a mistake, not a default. */
static __always_inline bool is_valid(const struct owner_party *p)
{
	int names = !!p->tgid + !!p->by_uid + !!p->by_gid + !!p->cgroup;

	if (!memgate_is_bool(&p->by_uid) || !memgate_is_bool(&p->by_gid) ||
	    !memgate_is_bool(&p->read_only))
		return false;
	if ((p->start && !p->tgid) || (p->uid && !p->by_uid) ||
	    (p->gid && !p->by_gid) || (p->exe_dev && !p->exe_ino) ||
	    p->classes & ~OWNER_CLASSES)
		return false;
	return names == 1 || (!names && p->exe_ino);
}

static __always_inline bool is_party(const struct owner_party *p,
				     const struct owner_question *q)
{
	struct task_struct *task = q->task;

	if (p->exe_ino && !memgate_task_runs(task, p->exe_ino, p->exe_dev))
		return false;
	if (p->tgid)
		return !q->for_child && memgate_task_is(task, p->tgid, p->start);
	if (p->by_uid)
		return task->cred->euid.val == p->uid;
	if (p->by_gid)
		return task->cred->egid.val == p->gid;
	if (p->cgroup)
		return memgate_task_in_cgroup(task, p->cgroup);
	return true;
}

static __always_inline bool may(const struct owner_party *p,
				const struct owner_question *q)
{
	if (p->read_only && q->rights & ~MEMGATE_READ)
		return false;
	return !p->classes || p->classes & MEMGATE_CLASS(q->class);
}

/* 1: allows, 0: does not, -EINVAL: malformed. */
static __noinline int ask_party(const struct owner_party *p,
				const struct owner_question *q)
{
	if (!(p->tgid | p->by_uid | p->by_gid | p->cgroup | p->exe_ino))
		return has_rest(p) ? -EINVAL : 0;
	if (!is_valid(p))
		return -EINVAL;
	return may(p, q) && is_party(p, q);
}

static __always_inline int check(struct memgate *gate,
				 const struct owner_question *q)
{
	const struct owner_params *params;
	int i, ret, allowed;

	params = MEMGATE_GET_PARAMS(gate, struct owner_params);
	if (!params || q->task->flags & PF_KTHREAD)
		return -EACCES;
	allowed = ask_party((const struct owner_party *)params, q);
	if (allowed < 0)
		return -EACCES;
	/* Also when it is allowed: the rest must make sense. */
	bpf_for(i, 0, OWNER_PARTIES) {
		ret = ask_party(&params->party[i], q);
		if (ret < 0)
			return -EACCES;
		allowed |= ret;
	}
	return allowed ? 0 : -EACCES;
}

int MEMGATE_PROG(may_attach, owner_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev,
		 __u32 rights)
{
	struct owner_question q = {
		.task = bpf_memgate_consumer_task(consumer),
		.class = consumer->kind,
		.rights = rights,
	};
	int ret;

	if (!q.task)
		return -EACCES;
	ret = check(gate, &q);
	bpf_task_release(q.task);
	return ret;
}

int MEMGATE_PROG(may_map, owner_may_map, struct memgate *gate, __u32 op,
		 __u32 rights)
{
	struct owner_question q = {
		.task = bpf_get_current_task_btf(),
		.class = MEMGATE_MAP,
		.rights = rights,
		.for_child = op == MEMGATE_OP_FORK,
	};

	return check(gate, &q);
}

#define OWNER_RULE	"the tasks of a named party, for themselves"

MEMGATE_RULE(MEMGATE_MAP, OWNER_RULE);
MEMGATE_RULE(MEMGATE_FILE, OWNER_RULE);
MEMGATE_RULE(MEMGATE_OWN_PIN, OWNER_RULE);
MEMGATE_RULE(MEMGATE_OWN_LONGTERM, OWNER_RULE);
MEMGATE_RULE(MEMGATE_IO_URING, "rings that a named party made");
MEMGATE_RULE(MEMGATE_VHOST, "vhost devices that a named party opened");

MEMGATE_POLICY(owner,
	.decides = OWNER_CLASSES,
	.params_size = sizeof(struct owner_params),
	.may_attach = (void *)owner_may_attach,
	.may_map = (void *)owner_may_map,
);
