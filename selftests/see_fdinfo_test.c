// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/PID/fdinfo/FD: the lines that <linux/memgate.h> promises, to the
 * letter, after each thing that was done; and who reads them from where.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "see_util.h"

#define LEN	MG_HUGE_SIZE

/* Lines of memgate in a file of fdinfo; -errno. */
static int read_lines(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[512];

	*buf = '\0';
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "memgate", 7))
			strncat(buf, line, size - strlen(buf) - 1);
	fclose(f);
	return 0;
}

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_map");
	mg_policy_preload("answer_access");
	mg_policy_preload("answer_kvm");
}

FIXTURE(fdinfo)
{
	int fd;
	struct mg_policy map, access, kvm;
};

MG_MEM_VARIANTS(fdinfo);

FIXTURE_SETUP(fdinfo)
{
	self->fd = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
	ASSERT_EQ(0, mg_policy_load(&self->access, "answer_access"));
	ASSERT_EQ(0, mg_policy_load(&self->kvm, "answer_kvm"));
}

FIXTURE_TEARDOWN(fdinfo)
{
	mg_policy_free(&self->map);
	mg_policy_free(&self->access);
	mg_policy_free(&self->kvm);
	close(self->fd);
}

/* Our own fdinfo of @fd says exactly that. */
static __attribute__((format(printf, 3, 4)))
void expect_lines(struct __test_metadata *const _metadata, int fd,
		  const char *fmt, ...)
{
	char expected[2048], lines[2048], path[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(expected, sizeof(expected), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	ASSERT_EQ(0, read_lines(path, lines, sizeof(lines)));
	EXPECT_STREQ(expected, lines);
}

/* Ids that the kernel chose; all else is known beforehand. */
static void get_ids(int fd, struct mg_gate *gate)
{
	if (mg_gate_read(0, fd, gate))
		memset(gate, 0, sizeof(*gate));
}

TEST_F(fdinfo, ungated)
{
	expect_lines(_metadata, self->fd, "%s", "");
}

TEST_F(fdinfo, sealed)
{
	struct mg_gate gate;
	int other;
	char *map[2];

	map[0] = mg_map(variant->mem, self->fd, LEN, PROT_READ, MAP_SHARED, 0);
	map[1] = mg_map(variant->mem, self->fd, LEN, PROT_NONE, MAP_PRIVATE, 0);
	ASSERT_NE(MAP_FAILED, map[0]);
	ASSERT_NE(MAP_FAILED, map[1]);
	ASSERT_EQ(0, mg_seal(self->fd));
	get_ids(self->fd, &gate);
	EXPECT_LT(0, gate.id);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 2 frozen 0 classes 0x0\n",
		     gate.id);
	/* What was is not undone. */
	munmap(map[0], LEN);
	munmap(map[1], LEN);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 2 frozen 1 classes 0x0\n",
		     gate.id);
	/* The gate is the memfd's, whichever file it is seen through. */
	other = mg_reopen(self->fd, O_RDONLY);
	ASSERT_LE(0, other);
	expect_lines(_metadata, other,
		     "memgate:\tid %llu premapped 2 frozen 1 classes 0x0\n",
		     gate.id);
	close(other);
}

/* The target that the fdinfo of a link names, 0 if none. */
static unsigned long long shown_target(int link)
{
	unsigned long long target = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", link);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "target_id: %llu", &target);
	if (f)
		fclose(f);
	return target;
}

/*
 * The kernel says of a link itself what fdinfo of the memfd says of its
 * install, and on which gate that is.
 */
static void expect_link(struct __test_metadata *const _metadata, int link,
			const struct mg_policy_line *line,
			unsigned long long target)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	ASSERT_EQ(0, bpf_link_get_info_by_fd(link, &info, &len));
	EXPECT_EQ(BPF_LINK_TYPE_STRUCT_OPS, info.type);
	EXPECT_EQ(line->link, info.id);
	EXPECT_EQ(line->map, info.struct_ops.map_id);
	EXPECT_EQ(target, info.struct_ops.target_id);
	EXPECT_EQ(target, shown_target(link));
}

/* Two installs, one lost, the gate frozen, the other lost. */
TEST_F(fdinfo, installs)
{
	struct mg_gate gate;
	int link[2];

	link[0] = mg_install(&self->map, self->fd);
	link[1] = mg_install(&self->access, self->fd);
	ASSERT_LE(0, link[0]);
	ASSERT_LE(0, link[1]);
	get_ids(self->fd, &gate);
	EXPECT_LT(0, gate.policy[0].map);
	EXPECT_LT(0, gate.policy[1].link);
	expect_link(_metadata, link[0], &gate.policy[0], gate.id);
	expect_link(_metadata, link[1], &gate.policy[1], gate.id);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 0 frozen 0 classes 0x3f\n"
		     "memgate-policy:\tname answer_map map %u link %u state live classes 0x1\n"
		     "memgate-policy:\tname answer_access map %u link %u state live classes 0x3e\n",
		     gate.id, gate.policy[0].map, gate.policy[0].link,
		     gate.policy[1].map, gate.policy[1].link);
	close(link[0]);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 0 frozen 0 classes 0x3f\n"
		     "memgate-policy:\tname answer_map map 0 link 0 state closed classes 0x1\n"
		     "memgate-policy:\tname answer_access map %u link %u state live classes 0x3e\n",
		     gate.id, gate.policy[1].map, gate.policy[1].link);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	close(link[1]);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 0 frozen 1 classes 0x3f\n"
		     "memgate-policy:\tname answer_map map 0 link 0 state closed classes 0x1\n"
		     "memgate-policy:\tname answer_access map %u link 0 state kept classes 0x3e\n",
		     gate.id, gate.policy[1].map);
}

/* Each link leads to its own gate, and no longer when that is left. */
TEST_F(fdinfo, link_target)
{
	struct mg_policy_line gone = { 0 };
	struct mg_gate gate, other_gate;
	int link, other_link, other;

	other = mg_memfd(variant->mem, LEN);
	ASSERT_LE(0, other);
	link = mg_install(&self->map, self->fd);
	other_link = mg_install(&self->map, other);
	ASSERT_LE(0, link);
	ASSERT_LE(0, other_link);
	get_ids(self->fd, &gate);
	get_ids(other, &other_gate);
	EXPECT_NE(gate.id, other_gate.id);
	expect_link(_metadata, link, &gate.policy[0], gate.id);
	expect_link(_metadata, other_link, &other_gate.policy[0],
		    other_gate.id);
	/* An update changes the map, not the place. */
	ASSERT_EQ(0, mg_link_update(link, self->access.map_fd));
	get_ids(self->fd, &gate);
	EXPECT_STREQ("answer_access", gate.policy[0].name);
	expect_link(_metadata, link, &gate.policy[0], gate.id);
	ASSERT_EQ(0, mg_link_detach(link));
	gone.link = gate.policy[0].link;
	expect_link(_metadata, link, &gone, 0);
	close(link);
	close(other_link);
	close(other);
}

/* A link that only keeps the policy loaded is on no gate. */
TEST_F(fdinfo, link_without_target)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	int link = mg_install_raw(self->map.map_fd, self->fd, 0, NULL, 0);

	ASSERT_LE(0, link);
	ASSERT_EQ(0, bpf_link_get_info_by_fd(link, &info, &len));
	EXPECT_LT(0, info.struct_ops.map_id);
	EXPECT_EQ(0, info.struct_ops.target_id);
	EXPECT_EQ(0, shown_target(link));
	expect_lines(_metadata, self->fd, "%s", "");
	close(link);
}

/* A policy that comes to a frozen gate opens nothing, and is shown. */
TEST_F(fdinfo, frozen_then_installed)
{
	struct mg_gate gate;
	int link[2];

	link[0] = mg_install(&self->map, self->fd);
	ASSERT_LE(0, link[0]);
	ASSERT_EQ(0, mg_add_seals(self->fd, F_SEAL_SEAL));
	link[1] = mg_install(&self->access, self->fd);
	ASSERT_LE(0, link[1]);
	get_ids(self->fd, &gate);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 0 frozen 1 classes 0x1\n"
		     "memgate-policy:\tname answer_map map %u link %u state live classes 0x1\n"
		     "memgate-policy:\tname answer_access map %u link %u state live classes 0x3e\n",
		     gate.id, gate.policy[0].map, gate.policy[0].link,
		     gate.policy[1].map, gate.policy[1].link);
	close(link[0]);
	close(link[1]);
}

TEST_F(fdinfo, consumers)
{
	struct guest guest[2] = { 0 };
	struct mg_gate gate;
	int link;
	char *map;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	map = mg_map(variant->mem, self->fd, LEN, PROT_READ | PROT_WRITE,
		     MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	link = mg_install(&self->kvm, self->fd);
	ASSERT_LE(0, link);
	ASSERT_EQ(0, guest_open(&guest[0], 1, 0));
	ASSERT_EQ(0, guest_open(&guest[1], 1, 0));
	ASSERT_EQ(0, guest_memslot(&guest[0], 1, GUEST_GPA, map, LEN, 0));
	ASSERT_EQ(0, guest_memslot(&guest[1], 1, GUEST_GPA, map, LEN,
				   KVM_MEM_READONLY));
	get_ids(self->fd, &gate);
	ASSERT_EQ(2, gate.nr_consumers);
	EXPECT_LT(0, gate.consumer[0].id);
	EXPECT_NE(gate.consumer[0].id, gate.consumer[1].id);
	EXPECT_EQ(MEMGATE_WRITE,
		  gate.consumer[0].rights & ~gate.consumer[1].rights);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 1 frozen 0 classes 0x40\n"
		     "memgate-policy:\tname answer_kvm map %u link %u state live classes 0x40\n"
		     "memgate-consumer:\tkind 6 id %llu rights %#x pid %d\n"
		     "memgate-consumer:\tkind 6 id %llu rights %#x pid %d\n",
		     gate.id, gate.policy[0].map, gate.policy[0].link,
		     gate.consumer[0].id, gate.consumer[0].rights, getpid(),
		     gate.consumer[1].id, gate.consumer[1].rights, getpid());
	guest_close(&guest[0]);
	expect_lines(_metadata, self->fd,
		     "memgate:\tid %llu premapped 1 frozen 0 classes 0x40\n"
		     "memgate-policy:\tname answer_kvm map %u link %u state live classes 0x40\n"
		     "memgate-consumer:\tkind 6 id %llu rights %#x pid %d\n",
		     gate.id, gate.policy[0].map, gate.policy[0].link,
		     gate.consumer[1].id, gate.consumer[1].rights, getpid());
	guest_close(&guest[1]);
	munmap(map, LEN);
	close(link);
}

/* From within and without a pid namespace ***********************************/

FIXTURE(reader)
{
	int fd;
	struct mg_policy map, kvm;
};

FIXTURE_SETUP(reader)
{
	self->fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, mg_policy_load(&self->map, "answer_map"));
	ASSERT_EQ(0, mg_policy_load(&self->kvm, "answer_kvm"));
	ASSERT_LE(0, mg_install(&self->kvm, self->fd));
	ASSERT_LE(0, mg_install(&self->map, self->fd));
}

FIXTURE_TEARDOWN(reader)
{
	mg_policy_free(&self->map);
	mg_policy_free(&self->kvm);
	close(self->fd);
}

struct vm {
	char *map;
	struct guest guest;
};

static int vm_up(struct vm *vm, int fd)
{
	int err;

	memset(vm, 0, sizeof(*vm));
	vm->map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (vm->map == MAP_FAILED)
		return -errno;
	err = guest_open(&vm->guest, 1, 0);
	return err ?: guest_memslot(&vm->guest, 1, GUEST_GPA, vm->map, LEN, 0);
}

static void vm_down(struct vm *vm)
{
	guest_close(&vm->guest);
	munmap(vm->map, LEN);
}

/* The pid of the only consumer as this process sees it; 200: not one. */
static int consumer_pid(int fd)
{
	struct mg_gate gate;

	if (mg_gate_read(0, fd, &gate) || gate.nr_consumers != 1)
		return 200;
	return gate.consumer[0].pid < 200 ? gate.consumer[0].pid : 199;
}

static int wait_go;	/* written by the VMM when it is attached, and */
static int wait_end;	/* read by it until the test is done */

static int vmm_in_namespace(int fd)
{
	struct vm vm;
	char byte = 0;
	int pid;

	if (vm_up(&vm, fd))
		return 200;
	pid = consumer_pid(fd);
	if (write(wait_go, &byte, 1) != 1 || read(wait_end, &byte, 1))
		return 200;
	vm_down(&vm);
	return pid;
}

TEST_F(reader, pid_namespace)
{
	struct vm vm;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, vm_up(&vm, self->fd));
	/* Not visible from in there; visible here. */
	EXPECT_EQ(0, see_in_pid_namespace(consumer_pid, self->fd));
	EXPECT_NE(0, consumer_pid(self->fd));
	vm_down(&vm);
}

/* A VMM in a container: pid 1 to itself, another to us. */
TEST_F(reader, pid_namespace_of_vmm)
{
	int go[2], end[2], status;
	struct mg_gate gate;
	char byte;
	pid_t pid;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(end));
	fflush(stdout);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[0]);
		close(end[1]);
		wait_go = go[1];
		wait_end = end[0];
		_exit(see_in_pid_namespace(vmm_in_namespace, self->fd));
	}
	close(go[1]);
	close(end[0]);
	ASSERT_EQ(1, read(go[0], &byte, 1)) {
		TH_LOG("the VMM failed before it was attached");
	}
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &gate));
	EXPECT_EQ(1, gate.nr_consumers);
	EXPECT_LT(1, gate.consumer[0].pid);
	EXPECT_EQ(0, kill(gate.consumer[0].pid, 0));
	close(end[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(1, WEXITSTATUS(status));
	close(go[0]);
}

/* Readers *******************************************************************/

/* Reads fdinfo of @fd of process @pid as root and as nobody. */
static int read_as(bool nobody, pid_t of, int fd)
{
	char path[64], lines[1024];
	int status, ret;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", of, fd);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (nobody && mg_drop_privileges())
			_exit(255);
		ret = read_lines(path, lines, sizeof(lines));
		_exit(ret ? -ret : strstr(lines, "memgate:") ? 0 : ENODATA);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static long pause_with(int fd, long arg)
{
	/* Its number there, for as long as the peer lives. */
	return dup(fd);
}

static long pause_as_nobody(int fd, long arg)
{
	return mg_drop_privileges() ? -errno : dup(fd);
}

TEST_F(reader, privileges)
{
	struct mg_peer root = { 0 }, nobody = { 0 };
	long fd[2];

	ASSERT_EQ(0, mg_peer_start(&root));
	ASSERT_EQ(0, mg_peer_start(&nobody));
	fd[0] = mg_peer_call(&root, pause_with, self->fd, 0);
	fd[1] = mg_peer_call(&nobody, pause_as_nobody, self->fd, 0);
	ASSERT_LE(0, fd[0]);
	ASSERT_LE(0, fd[1]);
	EXPECT_EQ(0, read_as(false, root.pid, fd[0]));
	EXPECT_EQ(0, read_as(false, nobody.pid, fd[1]));
	EXPECT_EQ(0, read_as(true, nobody.pid, fd[1]));
	EXPECT_EQ(-EACCES, read_as(true, root.pid, fd[0]));
	mg_peer_stop(&root);
	mg_peer_stop(&nobody);
}

TEST_HARNESS_MAIN
