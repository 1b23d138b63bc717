// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate learn: from events to words. */
#include "../cli/learn.h"
#include "tap.h"

#define R	MEMGATE_READ
#define W	MEMGATE_WRITE
#define X	MEMGATE_EXEC

static struct learned l;
static struct advice advice[MAX_ADVICE];
static size_t nr;

/* The workload's own process is 100. */
static void begin(void)
{
	memset(&l, 0, sizeof(l));
	l.main_pid = 100;
}

static void end(void)
{
	size_t i;

	for (i = 0; i < nr; i++)
		free_texts(&advice[i].params);
	learn_free(&l);
}

static struct memgate_event event(uint32_t class_nr, uint32_t rights, int pid)
{
	return (struct memgate_event){
		.kind = MEMGATE_EVENT_DECISION, .gate = 1,
		.class_nr = class_nr, .rights = rights, .len = 4096,
		.task = { .pid = pid, .tgid = pid, .tid = pid, .start = 1 },
		.device.group = -1,
	};
}

static void see(uint32_t class_nr, uint32_t rights, int pid)
{
	struct memgate_event e = event(class_nr, rights, pid);

	learn_see(&l, &e);
}

static void see_map(uint32_t op, uint32_t rights, int pid)
{
	struct memgate_event e = event(MEMGATE_MAP, rights, pid);

	e.op = op;
	learn_see(&l, &e);
}

/* Somebody else, who reads the memfd. */
static void see_user(int pid, uint32_t uid, uint32_t gid, uint64_t exe_ino)
{
	struct memgate_event e = event(MEMGATE_FILE, R, pid);

	e.task.euid = uid;
	e.task.egid = gid;
	e.task.exe_ino = exe_ino;
	e.task.exe_dev = 21;
	learn_see(&l, &e);
}

static void see_vm(uint64_t id, uint32_t others)
{
	struct memgate_event e = event(MEMGATE_KVM, R | W, 100);

	e.consumer = id;
	e.others = others;
	learn_see(&l, &e);
}

static void see_device(uint32_t class_nr, const char *name, const char *pci,
		       const char *driver)
{
	struct memgate_event e = event(class_nr, R | W, 100);

	snprintf(e.device.name, sizeof(e.device.name), "%s", name);
	snprintf(e.device.pci, sizeof(e.device.pci), "%s", pci);
	snprintf(e.device.driver, sizeof(e.device.driver), "%s", driver);
	learn_see(&l, &e);
}

/* "policy a=b c=d; policy ..." */
static const char *words(void)
{
	static char text[8192];
	size_t i, j, at = 0;

	*text = '\0';
	nr = learn_advise(&l, advice);
	for (i = 0; i < nr; i++) {
		at += snprintf(text + at, sizeof(text) - at, "%s%s",
			       i ? "; " : "", advice[i].policy);
		for (j = 0; j < advice[i].params.nr; j++)
			at += snprintf(text + at, sizeof(text) - at, " %s",
				       advice[i].params.text[j]);
	}
	return text;
}

static bool has(const struct texts *texts, const char *part)
{
	size_t i;

	for (i = 0; i < texts->nr; i++)
		if (strstr(texts->text[i], part))
			return true;
	return false;
}

/* VMs ***********************************************************************/

static void one_vm(void)
{
	begin();
	see_vm(9, 0);
	/* It wants more rights. */
	see_vm(9, 0);
	EXPECT_STR(words(), "exclusive_kvm sticky=1");
	EXPECT_NUM(l.unfit.nr, 0);
	end();
}

static void vms_in_turn(void)
{
	begin();
	see_vm(9, 0);
	see_vm(10, 0);
	EXPECT_STR(words(), "exclusive_kvm");
	end();
}

static void vms_at_once(void)
{
	begin();
	see_vm(9, 0);
	see_vm(10, 1);
	EXPECT_STR(words(), "");
	EXPECT(has(&l.unfit, "two virtual machines at once"));
	end();
}

/* The process itself ********************************************************/

static void own_process(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R | W, 100);
	see(MEMGATE_OWN_PIN, R, 100);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x5");
	EXPECT_NUM(l.notes.nr, 0);
	end();
}

static void every_class(void)
{
	static const int classes[] = {
		MEMGATE_MAP, MEMGATE_FILE, MEMGATE_OWN_PIN,
		MEMGATE_OWN_LONGTERM, MEMGATE_IO_URING, MEMGATE_VHOST,
	};
	size_t i;

	begin();
	for (i = 0; i < ARRAY_SIZE(classes); i++)
		see(classes[i], R | W, 100);
	EXPECT_STR(words(), "owner tgid={tgid} start={start}");
	end();
}

static void possible_is_no_use(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R, 100);
	see_map(MEMGATE_OP_MPROTECT, R | W, 100);
	see_map(MEMGATE_OP_MPROTECT, R | X, 100);
	EXPECT_STR(words(),
		   "owner tgid={tgid} start={start} read_only=1 classes=0x1");
	end();
}

static void widened_is_use(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R, 100);
	see_map(MEMGATE_OP_MPROTECT, R | W, 100);
	see_map(MEMGATE_OP_MPROTECT, R | X, 100);
	see_map(MEMGATE_OP_MPROTECT, R | W, 100);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x1");
	end();
}

static void widened_later(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R, 100);
	see_map(MEMGATE_OP_MPROTECT, R | W, 100);
	see_map(MEMGATE_OP_MPROTECT, R | X, 100);
	see(MEMGATE_FILE, R, 100);
	see_map(MEMGATE_OP_MPROTECT, R | X, 100);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x3");
	end();
}

/* Two threads at the same time. */
static void threads_apart(void)
{
	struct memgate_event a = event(MEMGATE_MAP, R, 100);
	struct memgate_event b = a;

	begin();
	b.task.tid = 101;
	learn_see(&l, &a);
	learn_see(&l, &b);
	a.op = b.op = MEMGATE_OP_MPROTECT;
	a.rights = b.rights = R | W;
	learn_see(&l, &a);
	learn_see(&l, &b);
	EXPECT_STR(words(),
		   "owner tgid={tgid} start={start} read_only=1 classes=0x1");
	end();
}

static void forks(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R, 100);
	see_map(MEMGATE_OP_FORK, R | W, 100);
	EXPECT_STR(words(),
		   "owner tgid={tgid} start={start} read_only=1 classes=0x1");
	EXPECT(has(&l.notes, "its children are without it"));
	end();
}

static void only_forks(void)
{
	begin();
	see_map(MEMGATE_OP_FORK, R | W, 100);
	/* Without a class, owner would mean all. */
	EXPECT_STR(words(), "");
	end();
}

static void child_inherits(void)
{
	begin();
	see_map(MEMGATE_OP_FORK, R | W, 100);
	see(MEMGATE_OWN_PIN, R, 101);
	EXPECT_STR(words(), "owner by_uid=1 uid=0 classes=0x5");
	EXPECT(has(&l.notes, "widened: the process itself"));
	end();
}

static void child_maps_itself(void)
{
	begin();
	see_map(MEMGATE_OP_MMAP, R | W, 100);
	see_map(MEMGATE_OP_FORK, R | W, 100);
	see_map(MEMGATE_OP_MMAP, R, 101);
	see(MEMGATE_OWN_PIN, R, 101);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x1 "
		   "party[0].by_uid=1 party[0].uid=0 party[0].read_only=1 "
		   "party[0].classes=0x5");
	end();
}

/* Others ********************************************************************/

static void another_user(void)
{
	begin();
	see(MEMGATE_FILE, R | W, 100);
	see_user(200, 107, 107, 4711);
	see_user(201, 107, 107, 4711);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x2 "
		   "party[0].by_uid=1 party[0].uid=107 "
		   "party[0].exe_ino=4711 party[0].exe_dev=21 "
		   "party[0].read_only=1 party[0].classes=0x2");
	end();
}

static void nobody_is_main(void)
{
	begin();
	l.main_pid = 0;
	see_user(200, 107, 107, 0);
	EXPECT_STR(words(),
		   "owner by_uid=1 uid=107 read_only=1 classes=0x2");
	end();
}

static void too_many_programs(void)
{
	int i;

	begin();
	for (i = 0; i < OWNER_PARTIES; i++)
		see_user(200 + i, 107, 107, 4711 + i);
	words();
	EXPECT(!has(&l.notes, "widened"));
	EXPECT_NUM(nr, 1);
	EXPECT_NUM(advice[0].params.nr, 6 * OWNER_PARTIES);
	free_texts(&advice[0].params);
	see_user(300, 107, 107, 4700);
	EXPECT_STR(words(),
		   "owner by_uid=1 uid=107 read_only=1 classes=0x2");
	EXPECT(has(&l.notes, "widened: parties are named by their user"));
	end();
}

static void too_many_users(void)
{
	int i;

	begin();
	see(MEMGATE_FILE, R | W, 100);
	for (i = 0; i < OWNER_PARTIES; i++)
		see_user(200 + i, 1000 + i, 50, 4711);
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x2 "
		   "party[0].by_gid=1 party[0].gid=50 "
		   "party[0].read_only=1 party[0].classes=0x2");
	EXPECT(has(&l.notes, "widened: parties are named by their group"));
	end();
}

static void too_many_groups(void)
{
	int i;

	begin();
	see(MEMGATE_FILE, R | W, 100);
	for (i = 0; i < OWNER_PARTIES; i++)
		see_user(200 + i, 1000 + i, 1000 + i, 4711);
	/* The cgroup 0 is none that could be found. */
	EXPECT_STR(words(), "owner tgid={tgid} start={start} classes=0x2");
	EXPECT(has(&l.unfit, "more than 9 users and groups"));
	end();
}

static void kernel_threads(void)
{
	struct memgate_event e = event(MEMGATE_FILE, R, 31);

	begin();
	e.task.kthread = true;
	learn_see(&l, &e);
	EXPECT_STR(words(), "");
	EXPECT(has(&l.unfit, "kernel thread"));
	end();
}

/* Devices *******************************************************************/

static void devices(void)
{
	struct memgate_event e;

	begin();
	see_device(MEMGATE_VFIO, "0000:00:10.0", "0000:00:10.0", "vfio-pci");
	see_device(MEMGATE_VFIO, "0000:00:10.0", "0000:00:10.0", "vfio-pci");
	see_device(MEMGATE_XDP, "eth0", "0000:03:00.0", "e1000");
	e = event(MEMGATE_RDMA, R, 100);
	e.device.rdma = true;
	strcpy(e.device.name, "rxe0");
	learn_see(&l, &e);
	e.device.rdma = false;
	e.device.net = true;
	strcpy(e.device.name, "mgt0");
	learn_see(&l, &e);
	EXPECT_STR(words(), "trusted_devices trust=pci:0000:00:10.0,"
		   "pci:0000:03:00.0,rdma:rxe0,net:mgt0");
	EXPECT_NUM(l.notes.nr, 0);
	end();
}

static void by_driver(void)
{
	begin();
	see_device(MEMGATE_VDPA, "vdpa0", "", "vhost_vdpa");
	EXPECT_STR(words(), "trusted_devices trust=driver:vhost_vdpa");
	EXPECT(has(&l.notes, "widened: driver:vhost_vdpa"));
	end();
}

static void device_without_name(void)
{
	begin();
	see_device(MEMGATE_DMABUF, "importer", "", "");
	EXPECT_STR(words(), "trusted_devices trust=pci:none");
	EXPECT(has(&l.unfit, "device importer"));
	end();
}

static void bridges(void)
{
	struct memgate_event e = event(MEMGATE_VFIO, R, 100);

	begin();
	strcpy(e.device.name, "0000:00:12.0");
	strcpy(e.device.pci, "0000:00:12.0");
	e.device.bridge = true;
	learn_see(&l, &e);
	EXPECT_STR(words(), "trusted_devices trust=pci:none");
	free_texts(&advice[0].params);
	/* By another way it is a device as all. */
	e.class_nr = MEMGATE_DMABUF;
	learn_see(&l, &e);
	EXPECT_STR(words(), "trusted_devices trust=pci:0000:00:12.0");
	end();
}

static void no_device_yet(void)
{
	begin();
	see_device(MEMGATE_DMABUF, "", "", "");
	EXPECT_STR(words(), "trusted_devices trust=pci:none");
	EXPECT(has(&l.notes, "no device has come"));
	end();
}

static void rule_too_long(void)
{
	char name[64];

	begin();
	memset(name, 'd', sizeof(name) - 1);
	name[48 - sizeof("driver:")] = '\0';
	see_device(MEMGATE_VDPA, "a", "", name);
	EXPECT_NUM(l.unfit.nr, 0);
	strcat(name, "d");
	see_device(MEMGATE_VDPA, "b", "", name);
	EXPECT(has(&l.unfit, "device b"));
	end();
}

static void too_many_devices(void)
{
	char name[32];
	int i;

	begin();
	for (i = 0; i <= TRUST_RULES; i++) {
		snprintf(name, sizeof(name), "0000:00:%02x.%d", i / 8, i % 8);
		see_device(MEMGATE_VFIO, name, name, "vfio-pci");
	}
	EXPECT_STR(words(), "");
	EXPECT(has(&l.unfit, "65 devices"));
	end();
}

/* What does not fit *********************************************************/

static void unfit(void)
{
	struct memgate_event e = { .kind = MEMGATE_EVENT_CLOSED,
				   .way = "hmm" };

	begin();
	see(MEMGATE_REMOTE, R, 200);
	see(MEMGATE_REMOTE, R, 200);
	see(MEMGATE_OTHER, R, 200);
	see(MEMGATE_NR_CLASSES + 50, R, 200);
	learn_see(&l, &e);
	EXPECT_STR(words(), "");
	EXPECT_NUM(l.unfit.nr, 4);
	EXPECT(has(&l.unfit, "remote by"));
	EXPECT(has(&l.unfit, "other by"));
	EXPECT(has(&l.unfit, "class65 by"));
	EXPECT(has(&l.unfit, "the way hmm"));
	end();
}

static void refused(void)
{
	struct memgate_event e = event(MEMGATE_FILE, R, 100);

	begin();
	e.ret = -13;
	strcpy(e.policy, "deny");
	learn_see(&l, &e);
	EXPECT_STR(words(), "");
	EXPECT_NUM(l.refused, 1);
	EXPECT(has(&l.notes, "was refused by deny"));
	end();
}

const struct tap_test learn_tests[] = {
	{ "learn: one VM", one_vm },
	{ "learn: one VM after the other", vms_in_turn },
	{ "learn: two VMs at once", vms_at_once },
	{ "learn: the process itself", own_process },
	{ "learn: every class of owner", every_class },
	{ "learn: what a mapping could become is no use", possible_is_no_use },
	{ "learn: mprotect is", widened_is_use },
	{ "learn: also later", widened_later },
	{ "learn: threads do not mix", threads_apart },
	{ "learn: a fork", forks },
	{ "learn: nothing but a fork", only_forks },
	{ "learn: a child uses what it inherited", child_inherits },
	{ "learn: a child that maps by itself", child_maps_itself },
	{ "learn: another user", another_user },
	{ "learn: no process of its own", nobody_is_main },
	{ "learn: too many programs", too_many_programs },
	{ "learn: too many users", too_many_users },
	{ "learn: too many groups", too_many_groups },
	{ "learn: kernel threads", kernel_threads },
	{ "learn: devices", devices },
	{ "learn: a device by its driver", by_driver },
	{ "learn: a device that nothing names", device_without_name },
	{ "learn: bridges", bridges },
	{ "learn: no device yet", no_device_yet },
	{ "learn: a rule that is too long", rule_too_long },
	{ "learn: too many devices", too_many_devices },
	{ "learn: what no policy of ours allows", unfit },
	{ "learn: what was refused", refused },
	{ 0 }
};
