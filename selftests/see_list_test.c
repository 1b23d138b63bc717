// SPDX-License-Identifier: GPL-2.0-only
/*
 * "memgate gate list" against what there is: a gate with a VM, which the
 * kernel's iterator lists and /proc too, and the VM's pid as seen from a pid
 * namespace.  What the command does without a VM is in cli_test.sh.
 */
#include <libgen.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "see_util.h"

#define LEN	MG_HUGE_SIZE
#define CAP(name)	(1ULL << (name))

FIXTURE(list)
{
	int fd;
	char *map;
	struct guest guest;
	struct mg_policy kvm;
	struct mg_gate gate;
};

FIXTURE_SETUP(list)
{
	memset(&self->guest, 0, sizeof(self->guest));
	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	self->fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(MG_4K, self->fd, LEN, PROT_READ | PROT_WRITE,
			   MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, mg_policy_load(&self->kvm, "answer_kvm"));
	ASSERT_LE(0, mg_install(&self->kvm, self->fd));
	ASSERT_EQ(0, guest_open(&self->guest, 1, 0));
	ASSERT_EQ(0, guest_memslot(&self->guest, 1, GUEST_GPA, self->map, LEN,
				   0));
	ASSERT_EQ(0, mg_gate_read(0, self->fd, &self->gate));
	ASSERT_EQ(1, self->gate.nr_consumers);
}

FIXTURE_TEARDOWN(list)
{
	guest_close(&self->guest);
	mg_policy_free(&self->kvm);
	close(self->fd);
}

/* The command's output, to be freed; NULL if it fails. */
static char *gate_list(void)
{
	char exe[4096], command[4200], *text = calloc(1, 65536);
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	FILE *f;

	if (n < 0 || !text)
		return NULL;
	exe[n] = '\0';
	snprintf(command, sizeof(command), "%s/../loader/memgate gate list",
		 dirname(exe));
	f = popen(command, "re");
	if (!f)
		return NULL;
	fread(text, 1, 65535, f);
	if (pclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at && (at == text || at[-1] == '\n') &&
	       at[strlen(line)] == '\n';
}

/* The gate, its policy and its VM whose pid is shown as @pid. */
static bool lists(const struct mg_gate *gate, int pid)
{
	static const char *const rights[] = {
		"---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx",
	};
	char line[3][160], *text = gate_list();
	bool ok = text;
	int i;

	snprintf(line[0], sizeof(line[0]),
		 "gate %llu: memgate-test, 2M, not frozen, 1 mapped before the seal",
		 gate->id);
	snprintf(line[1], sizeof(line[1]),
		 "  policy    answer_kvm (map %u, link %u, live) decides kvm",
		 gate->policy[0].map, gate->policy[0].link);
	snprintf(line[2], sizeof(line[2]), "  consumer  kvm %llu %s pid %d",
		 gate->consumer[0].id, rights[gate->consumer[0].rights & 7],
		 pid);
	for (i = 0; ok && i < 3; i++) {
		ok = has_line(text, line[i]);
		if (!ok)
			printf("# no '%s' in:\n# %s\n", line[i], text);
	}
	free(text);
	return ok;
}

/* A child does it, with these capabilities or as root. */
static int lists_as(const struct mg_gate *gate, int pid, uint64_t caps)
{
	pid_t child;
	int status;

	fflush(stdout);
	child = fork();
	if (!child)
		_exit(caps && see_become_nobody(caps) ? 2 : lists(gate, pid));
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F_TIMEOUT(list, attached_vm, 60)
{
	EXPECT_EQ(1, lists_as(&self->gate, getpid(), 0));
}

TEST_F_TIMEOUT(list, descriptor_closed, 60)
{
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(1, lists_as(&self->gate, getpid(), 0));
}

/* What the reader may not inspect in /proc the kernel lists all the same. */
TEST_F_TIMEOUT(list, capabilities, 60)
{
	EXPECT_EQ(1, lists_as(&self->gate, getpid(),
			      CAP(CAP_BPF) | CAP(CAP_PERFMON)));
	EXPECT_EQ(0, lists_as(&self->gate, getpid(), CAP(CAP_BPF)));
	EXPECT_EQ(0, lists_as(&self->gate, getpid(), CAP(CAP_CHOWN)));
}

static const struct mg_gate *shown;

static int list_in_namespace(int fd)
{
	return lists(shown, 0);
}

TEST_F_TIMEOUT(list, pid_namespace, 60)
{
	shown = &self->gate;
	EXPECT_EQ(1, see_in_pid_namespace(list_in_namespace, self->fd));
}

TEST_HARNESS_MAIN
