// SPDX-License-Identifier: GPL-2.0-only
/*
 * The BPF iterator "memgate": every gate once, with its installs in order and
 * its attachments, exactly as fdinfo shows them; and gates that no process
 * holds.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "see_iter.h"

/* What a pass of the iterator should say about a gate, by what fdinfo says. */
static void put_expected(char *to, size_t size, const struct mg_gate *gate,
			 const unsigned long long *params)
{
	const struct mg_policy_line *p;
	const struct mg_consumer_line *c;
	size_t n;
	int i;

	n = snprintf(to, size, "gate %llu premapped %u frozen %u\n", gate->id,
		     gate->premapped, gate->frozen);
	for (i = 0; i < gate->nr_policies; i++) {
		p = &gate->policy[i];
		n += snprintf(to + n, size - n,
			      "install in %llu of %llu link %u classes 0x%llx closed %d params 0x%llx name %s\n",
			      gate->id, gate->id, p->link, p->classes,
			      !strcmp(p->state, "closed"), params[i],
			      p->name);
	}
	for (i = 0; i < gate->nr_consumers; i++) {
		c = &gate->consumer[i];
		n += snprintf(to + n, size - n,
			      "consumer in %llu of %llu kind %u id %llu rights 0x%x tgid %d\n",
			      gate->id, gate->id, c->kind, c->id, c->rights,
			      c->pid);
	}
}

/* The part of a pass that is about one gate, to be freed. */
static char *part_of(const char *text, unsigned long long id)
{
	const char *from, *to;
	char line[64];

	snprintf(line, sizeof(line), "gate %llu ", id);
	from = strstr(text, line);
	if (!from || (from != text && from[-1] != '\n'))
		return strdup("");
	to = strstr(from, "\ngate ");
	if (!to)
		to = strstr(from, "\nend\n");
	return to ? strndup(from, to + 1 - from) : strdup(from);
}

/* One pass says about a gate exactly what fdinfo does. */
static void expect_shown(struct __test_metadata *const _metadata, int iter,
			 int fd, const unsigned long long *params)
{
	char expected[4096], *text, *part;
	struct mg_gate gate;

	ASSERT_EQ(0, mg_gate_read(0, fd, &gate));
	put_expected(expected, sizeof(expected), &gate, params);
	text = see_iterate(iter, CHUNK, NULL);
	ASSERT_NE(NULL, text);
	EXPECT_EQ(1, times(text, gate.id));
	part = part_of(text, gate.id);
	EXPECT_STREQ(expected, part);
	free(part);
	/* It ends once, and with that. */
	EXPECT_EQ(1, see_lines(text, "end"));
	EXPECT_LT(4, strlen(text));
	EXPECT_STREQ("end\n", text + strlen(text) - 4);
	free(text);
}

static const unsigned long long no_params[MG_MAX_LINES];

/* What is shown *************************************************************/

TEST_F(iter, ungated)
{
	int fd = mg_memfd(MG_4K, LEN);
	char *text;
	int before;

	ASSERT_LE(0, fd);
	text = see_iterate(self->link, CHUNK, NULL);
	ASSERT_NE(NULL, text);
	before = see_lines(text, "gate ");
	free(text);
	EXPECT_EQ(0, before);
	ASSERT_EQ(0, mg_seal(fd));
	expect_shown(_metadata, self->link, fd, no_params);
	close(fd);
}

TEST_F(iter, kinds_of_memory)
{
	const enum mg_mem mem[] = { MG_4K, MG_THP, MG_HUGETLB };
	int i, fd[3];
	char *text;

	for (i = 0; i < 3; i++) {
		fd[i] = mg_memfd(mem[i], LEN);
		ASSERT_LE(0, fd[i]);
		ASSERT_EQ(0, mg_seal(fd[i]));
	}
	for (i = 0; i < 3; i++)
		expect_shown(_metadata, self->link, fd[i], no_params);
	text = see_iterate(self->link, CHUNK, NULL);
	ASSERT_NE(NULL, text);
	EXPECT_EQ(3, see_lines(text, "gate "));
	free(text);
}

/* Installs in their order: live, closed, live; then frozen, and one kept. */
TEST_F(iter, installs)
{
	/* map_answer and attach_answer are the first two parameters. */
	const unsigned long long params[MG_MAX_LINES] = {
		(uint32_t)-EXDEV, (unsigned long long)(uint32_t)-EPERM << 32,
		0,
	};
	int fd = mg_memfd(MG_4K, LEN), link[3];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_param(&self->map, "map_answer", -EXDEV));
	ASSERT_EQ(0, mg_param(&self->access, "attach_answer", -EPERM));
	link[0] = mg_install(&self->map, fd);
	ASSERT_LE(0, link[0]);
	expect_shown(_metadata, self->link, fd, params);
	link[1] = mg_install(&self->access, fd);
	link[2] = mg_install(&self->kvm, fd);
	ASSERT_LE(0, link[1]);
	ASSERT_LE(0, link[2]);
	expect_shown(_metadata, self->link, fd, params);
	close(link[1]);
	expect_shown(_metadata, self->link, fd, params);
	ASSERT_EQ(0, mg_add_seals(fd, F_SEAL_SEAL));
	close(link[0]);
	expect_shown(_metadata, self->link, fd, params);
	close(link[2]);
	close(fd);
}

/* As many as a gate takes: more than a page of text. */
TEST_F(iter, most_installs)
{
	int fd = mg_memfd(MG_4K, LEN), i, link[MEMGATE_MAX_INSTALLS];
	char *text, *part, *at, line[64];
	unsigned long long id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_seal(fd));
	id = gate_id(fd);
	for (i = 0; i < MEMGATE_MAX_INSTALLS; i++) {
		ASSERT_EQ(0, mg_param(&self->map, "map_answer", i));
		link[i] = mg_install(&self->map, fd);
		ASSERT_LE(0, link[i]);
	}
	text = see_iterate(self->link, 100, NULL);
	ASSERT_NE(NULL, text);
	EXPECT_EQ(1, times(text, id));
	part = part_of(text, id);
	EXPECT_EQ(MEMGATE_MAX_INSTALLS, see_lines(part, "install "));
	at = part;
	for (i = 0; i < MEMGATE_MAX_INSTALLS; i++) {
		snprintf(line, sizeof(line), " params 0x%x name answer_map\n",
			 i);
		at = strstr(at, line);
		ASSERT_NE(NULL, at) {
			TH_LOG("install %d is missing or in the wrong place",
			       i);
		}
		at += strlen(line);
	}
	for (i = 0; i < MEMGATE_MAX_INSTALLS; i++)
		close(link[i]);
	free(part);
	free(text);
	close(fd);
}

/* Two VMs: attached, and gone one by one. */
TEST_F(iter, attachments)
{
	struct guest guest[2] = { 0 };
	struct mg_gate gate;
	int i, fd, link;
	char *map;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, fd);
	map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	link = mg_install(&self->kvm, fd);
	ASSERT_LE(0, link);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, guest_open(&guest[i], 1, 0));
		ASSERT_EQ(0, guest_memslot(&guest[i], 1, GUEST_GPA, map, LEN,
					   i ? KVM_MEM_READONLY : 0));
		ASSERT_EQ(0, mg_gate_read(0, fd, &gate));
		ASSERT_EQ(i + 1, gate.nr_consumers);
		EXPECT_EQ(getpid(), gate.consumer[i].pid);
		expect_shown(_metadata, self->link, fd, no_params);
	}
	EXPECT_NE(gate.consumer[0].rights, gate.consumer[1].rights);
	for (i = 0; i < 2; i++) {
		guest_close(&guest[i]);
		ASSERT_EQ(0, mg_gate_read(0, fd, &gate));
		ASSERT_EQ(1 - i, gate.nr_consumers);
		expect_shown(_metadata, self->link, fd, no_params);
	}
	munmap(map, LEN);
	close(link);
	close(fd);
}

/* Gates that no descriptor of any process shows *****************************/

/* Of a gate that is gone nothing may be left after a while. */
static bool gone(int iter, unsigned long long id)
{
	char *text;
	int i, seen = 1;

	for (i = 0; seen && i < 50; i++) {
		text = see_iterate(iter, CHUNK, NULL);
		seen = !text || times(text, id);
		free(text);
		if (seen)
			usleep(100000);
	}
	return !seen;
}

static int listed(int iter, unsigned long long id)
{
	char *text = see_iterate(iter, CHUNK, NULL);
	int nr = text ? times(text, id) : -1;

	free(text);
	return nr;
}

TEST_F(iter, descriptor_closed)
{
	int fd = mg_memfd(MG_4K, LEN);
	unsigned long long id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_seal(fd));
	id = gate_id(fd);
	EXPECT_EQ(1, listed(self->link, id));
	close(fd);
	EXPECT_TRUE(gone(self->link, id));
}

TEST_F(iter, held_by_mapping)
{
	int fd = mg_memfd(MG_4K, LEN);
	unsigned long long id;
	char *map;

	ASSERT_LE(0, fd);
	map = mg_map(MG_4K, fd, LEN, PROT_READ, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mg_seal(fd));
	id = gate_id(fd);
	close(fd);
	EXPECT_EQ(1, listed(self->link, id));
	munmap(map, LEN);
	EXPECT_TRUE(gone(self->link, id));
}

TEST_F(iter, held_by_socket)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = mg_memfd(MG_4K, LEN), sock[2];
	unsigned long long id;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, mg_seal(fd));
	id = gate_id(fd);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sock));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	ASSERT_EQ(1, sendmsg(sock[0], &msg, 0));
	close(fd);
	EXPECT_EQ(1, listed(self->link, id));
	close(sock[0]);
	close(sock[1]);
	EXPECT_TRUE(gone(self->link, id));
}

/* The VM and the mapping that it uses are all that is left of the memfd. */
TEST_F(iter, held_by_vm)
{
	struct guest guest = { 0 };
	unsigned long long id;
	char *text, *map;
	int fd, link;
	uint32_t val;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	fd = mg_memfd(MG_4K, LEN);
	ASSERT_LE(0, fd);
	map = mg_map(MG_4K, fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, map);
	link = mg_install(&self->kvm, fd);
	ASSERT_LE(0, link);
	id = gate_id(fd);
	ASSERT_EQ(0, guest_open(&guest, 1, 0));
	ASSERT_EQ(0, guest_memslot(&guest, 1, GUEST_GPA, map, LEN, 0));
	close(fd);
	ASSERT_EQ(0, guest_read(&guest, 0, GUEST_GPA, &val, NULL));
	text = see_iterate(self->link, CHUNK, NULL);
	ASSERT_NE(NULL, text);
	EXPECT_EQ(1, times(text, id));
	EXPECT_EQ(1, see_lines(text, "install "));
	EXPECT_EQ(1, see_lines(text, "consumer "));
	free(text);
	munmap(map, LEN);
	EXPECT_TRUE(gone(self->link, id));
	guest_close(&guest);
	close(link);
}

TEST_HARNESS_MAIN
