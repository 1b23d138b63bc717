// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of a dma-buf of gated memory: devices import it, the kernel
 * maps it (both class DMABUF), processes map it (MAP).  The making of one is
 * udmabuf_test.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "dev_lines.h"
#include "dmabuf_util.h"
#include "probe.h"
#include "trace_util.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("answer_dev");
	mg_policy_preload("answer_map");
	mg_policy_preload("refuse_perm");
	mg_policy_preload("trace");
}

FIXTURE(buffer) {
	struct mg_scene scene;
	struct mg_policy policy, refuse, map_policy;
	int link, map_link, buf;
};

MG_MEM_VARIANTS(buffer);

FIXTURE_SETUP(buffer)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
	ASSERT_EQ(0, mg_add_seals(self->scene.fd, F_SEAL_SHRINK));
	self->buf = -1;
	self->link = -1;
	self->map_link = -1;
}

FIXTURE_TEARDOWN(buffer)
{
	close(self->buf);
	close(self->link);
	close(self->map_link);
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(buffer) *self

static void create(SELF)
{
	self->buf = dmabuf_create(self->scene.fd, MG_LEN);
	ASSERT_LE(0, self->buf);
}

/* A buffer of memory behind a policy. */
static void create_gated(SELF, const char *policy)
{
	mg_load(_metadata, &self->policy, policy);
	mg_load(_metadata, &self->refuse, "refuse_perm");
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
	create(_metadata, self);
	if (!strcmp(policy, "trace"))
		ASSERT_EQ(0, mg_trace_reset(&self->policy));
}

static void refuse_now(SELF)
{
	ASSERT_EQ(0, mg_link_update(self->link, self->refuse.map_fd));
}

static int attached(FIXTURE_DATA(buffer) *self)
{
	return dev_attached(self->scene.fd, MEMGATE_DMABUF);
}

static int shown(FIXTURE_DATA(buffer) *self, const char *device)
{
	return dev_shown(self->scene.fd, device);
}

static long asked(FIXTURE_DATA(buffer) *self, struct trace_event *event)
{
	return mg_trace_find(&self->policy, TRACE_MAY_ATTACH, MEMGATE_DMABUF,
			     event);
}

/* Importers and the kernel **************************************************/

/* Who uses the buffer can read and write it: the memory is the memfd's. */
static void use_at(SELF, int user, off_t at)
{
	char bytes[MG_BYTES];

	ASSERT_LE(0, user);
	EXPECT_EQ(MG_BYTES, pread(user, bytes, MG_BYTES, at));
	EXPECT_TRUE(mg_matches(bytes, at, MG_BYTES));
	mg_fill(bytes, at + MG_MARK, MG_BYTES);
	EXPECT_EQ(MG_BYTES, pwrite(user, bytes, MG_BYTES, at));
	EXPECT_TRUE(mg_matches(self->scene.map + at, at + MG_MARK, MG_BYTES));
	mg_fill(self->scene.map + at, at, MG_BYTES);
	EXPECT_TRUE(mg_pages_match(self->scene.map, 0, MG_LEN));
}

static void use(SELF, int user)
{
	use_at(_metadata, self, user, MG_AT);
}

/* Of a huge page, 6.12 maps the first part everywhere. */
static void use_vmap(SELF, int user)
{
	use_at(_metadata, self, user, 0);
	use_at(_metadata, self, user, MG_HUGE_SIZE);
}

/* The buffer is older than the refusal, and so is one user of it. */
TEST_F(buffer, import)
{
	int user;

	create(_metadata, self);
	user = dmabuf_import(self->buf);
	use(_metadata, self, user);
	close(user);
	close(self->buf);

	create_gated(_metadata, self, "allow");
	user = dmabuf_import(self->buf);
	use(_metadata, self, user);
	EXPECT_EQ(1, shown(self, DMABUF_DEVICE));
	refuse_now(_metadata, self);
	EXPECT_EQ(-EPERM, dmabuf_import(self->buf));
	EXPECT_EQ(1, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(1, attached(self));
	use(_metadata, self, user);
	close(user);
	EXPECT_EQ(-EPERM, dmabuf_import(self->buf));
	EXPECT_EQ(0, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(1, attached(self));
}

TEST_F(buffer, vmap)
{
	int user;

	create(_metadata, self);
	user = dmabuf_vmap(self->buf);
	use_vmap(_metadata, self, user);
	close(user);
	close(self->buf);

	create_gated(_metadata, self, "allow");
	user = dmabuf_vmap(self->buf);
	use_vmap(_metadata, self, user);
	refuse_now(_metadata, self);
	use_vmap(_metadata, self, user);
	close(user);
	EXPECT_EQ(-EPERM, dmabuf_vmap(self->buf));
	EXPECT_EQ(1, attached(self));
}

/* A driver for graphics, to which one can only give it. */
TEST_F(buffer, import_vgem)
{
	int vgem;

	create(_metadata, self);
	vgem = dmabuf_import_vgem(self->buf);
	ASSERT_LE(0, vgem);
	close(vgem);
	close(self->buf);

	create_gated(_metadata, self, "allow");
	vgem = dmabuf_import_vgem(self->buf);
	ASSERT_LE(0, vgem);
	EXPECT_EQ(1, shown(self, DMABUF_VGEM));
	refuse_now(_metadata, self);
	EXPECT_EQ(-EPERM, dmabuf_import_vgem(self->buf));
	EXPECT_EQ(1, shown(self, DMABUF_VGEM));
	close(vgem);
	EXPECT_EQ(0, shown(self, DMABUF_VGEM));
}

/* One policy trusts one of two devices. */
TEST_F(buffer, trusted_device)
{
	int user, vgem;

	create(_metadata, self);
	vgem = dmabuf_import_vgem(self->buf);
	ASSERT_LE(0, vgem);
	close(vgem);
	close(self->buf);

	mg_load(_metadata, &self->policy, "answer_dev");
	dev_trust(&self->policy, DMABUF_DEVICE);
	self->link = mg_install(&self->policy, self->scene.fd);
	ASSERT_LE(0, self->link);
	create(_metadata, self);
	EXPECT_EQ(-EPERM, dmabuf_import_vgem(self->buf));
	user = dmabuf_import(self->buf);
	use(_metadata, self, user);
	EXPECT_EQ(-EPERM, dmabuf_import_vgem(self->buf));
	EXPECT_EQ(1, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(0, shown(self, DMABUF_VGEM));
	use(_metadata, self, user);
	close(user);
}

/* Several memfds in one buffer: all must allow the device. */
static void several(SELF, enum mg_mem mem, bool refuses_first)
{
	int other = mg_memfd(mem, MG_HUGE_SIZE), link, user, fds[2];
	struct mg_policy allow, refuse;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, mg_add_seals(other, F_SEAL_SHRINK));
	fds[refuses_first] = self->scene.fd;
	fds[!refuses_first] = other;
	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &refuse, "refuse_perm");
	self->link = mg_install(&allow, self->scene.fd);
	link = mg_install(&allow, other);
	ASSERT_LE(0, self->link);
	ASSERT_LE(0, link);
	self->buf = dmabuf_create_list(fds, 2, MG_HUGE_SIZE);
	ASSERT_LE(0, self->buf);
	user = dmabuf_import(self->buf);
	ASSERT_LE(0, user);
	close(user);
	user = dmabuf_vmap(self->buf);
	ASSERT_LE(0, user);
	close(user);

	ASSERT_EQ(0, mg_link_update(link, refuse.map_fd));
	EXPECT_EQ(-EPERM, dmabuf_import(self->buf));
	EXPECT_EQ(-EPERM, dmabuf_vmap(self->buf));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, MG_LEN, PROT_READ, MAP_SHARED,
				   self->buf, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(0, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(0, dev_shown(other, DMABUF_DEVICE));
	close(link);
	close(other);
}

TEST_F(buffer, several_refused_first)
{
	several(_metadata, self, variant->mem, true);
}

TEST_F(buffer, several_refused_last)
{
	several(_metadata, self, variant->mem, false);
}

/* Each time that a device comes; it is one consumer all the time. */
TEST_F(buffer, question_import)
{
	struct trace_event e = { 0 }, again = { 0 };
	int user, second;

	create_gated(_metadata, self, "trace");
	user = dmabuf_import(self->buf);
	ASSERT_LE(0, user);
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(1, mg_trace_count(&self->policy));
	EXPECT_STREQ(DMABUF_DEVICE, e.dev_name);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	second = dmabuf_import_vgem(self->buf);
	ASSERT_LE(0, second);
	EXPECT_EQ(2, asked(self, &again));
	EXPECT_STREQ(DMABUF_VGEM, again.dev_name);
	EXPECT_EQ(e.consumer, again.consumer);
	EXPECT_EQ(1, attached(self));
	EXPECT_EQ(1, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(1, shown(self, DMABUF_VGEM));
	close(user);
	EXPECT_EQ(0, shown(self, DMABUF_DEVICE));
	user = dmabuf_import(self->buf);
	ASSERT_LE(0, user);
	EXPECT_EQ(3, asked(self, &again));
	close(user);
	close(second);
	EXPECT_EQ(3, mg_trace_count(&self->policy));
	EXPECT_EQ(1, attached(self));
}

/* As the making was; for each device, if there are any. */
TEST_F(buffer, question_vmap)
{
	struct trace_event e = { 0 };
	int user, device;

	create_gated(_metadata, self, "trace");
	user = dmabuf_vmap(self->buf);
	ASSERT_LE(0, user);
	close(user);
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_EQ(0, e.device);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	device = dmabuf_import(self->buf);
	ASSERT_LE(0, device);
	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	user = dmabuf_vmap(self->buf);
	ASSERT_LE(0, user);
	close(user);
	EXPECT_EQ(1, asked(self, &e));
	EXPECT_STREQ(DMABUF_DEVICE, e.dev_name);
	close(device);
}

/* Mappings ******************************************************************/

static char *map_buf(FIXTURE_DATA(buffer) *self, int prot)
{
	char *map = mmap(NULL, MG_LEN, prot, MAP_SHARED, self->buf, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* Maps it as @prot says: 0 or -errno. */
static long try_map(int buf, long prot)
{
	char *map = mmap(NULL, MG_LEN, prot, MAP_SHARED, buf, 0);
	long ret = map == MAP_FAILED ? -errno : 0;

	if (!ret && !mg_pages_match(map, 0, MG_LEN))
		ret = -EBADMSG;
	if (!ret)
		munmap(map, MG_LEN);
	return ret;
}

TEST_F(buffer, map)
{
	int rw = PROT_READ | PROT_WRITE;
	struct mg_scene *s = &self->scene;
	char *map;

	create(_metadata, self);
	EXPECT_EQ(0, try_map(self->buf, rw));
	EXPECT_EQ(0, mg_peer_call(&s->peer, try_map, self->buf, rw));
	close(self->buf);

	create_gated(_metadata, self, "allow");
	map = map_buf(self, rw);
	ASSERT_NE(NULL, map);
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	mg_fill(map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
	EXPECT_TRUE(mg_marked(s->map));
	mg_fill(map + MG_AT, MG_AT, MG_BYTES);
	EXPECT_EQ(0, mg_peer_call(&s->peer, try_map, self->buf, rw));

	/* There is one, but there is never another. */
	refuse_now(_metadata, self);
	EXPECT_EQ(-EPERM, try_map(self->buf, rw));
	EXPECT_EQ(-EPERM, try_map(self->buf, PROT_READ));
	EXPECT_EQ(-EPERM, mg_peer_call(&s->peer, try_map, self->buf, rw));
	EXPECT_EQ(MAP_FAILED, mremap(map, 0, 4096, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(map, MG_LEN, 2 * MG_LEN, MREMAP_MAYMOVE));
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	/* The last, as what is refused then is not mapped any more. */
	EXPECT_EQ(-1, remap_file_pages(map, 4096, 0, 1, 0));
	EXPECT_EQ(EPERM, errno);
	EXPECT_TRUE(mg_matches(map + MG_HUGE_SIZE, MG_HUGE_SIZE, MG_BYTES));
}

/* All of every memfd in it: what is mapped may lie anywhere. */
TEST_F(buffer, question_map)
{
	struct trace_event e = { 0 };
	struct mg_scene *s = &self->scene;
	void *map;

	create_gated(_metadata, self, "trace");
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, self->buf,
		   4096);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_LE(1, mg_trace_find(&self->policy, TRACE_MAY_MAP, MEMGATE_MAP,
				   NULL));
	ASSERT_EQ(0, mg_trace_get(&self->policy, 0, &e));
	EXPECT_EQ(MEMGATE_MAP, e.kind);
	EXPECT_EQ(MEMGATE_OP_MMAP, e.op);
	EXPECT_EQ(MEMGATE_READ | MEMGATE_WRITE, e.rights);
	EXPECT_EQ(0, e.start);
	EXPECT_EQ(MG_LEN, e.len);
	EXPECT_EQ((__u32)getpid(), e.tgid);
	munmap(map, 4096);

	ASSERT_EQ(0, mg_trace_reset(&self->policy));
	ASSERT_EQ(0, mg_peer_call(&s->peer, try_map, self->buf, PROT_READ));
	ASSERT_EQ(0, mg_trace_get(&self->policy, 0, &e));
	EXPECT_EQ(MEMGATE_READ, e.rights);
	EXPECT_EQ((__u32)s->peer.pid, e.tgid);
	EXPECT_EQ(0, asked(self, NULL));
}

static int make_writable(void *map)
{
	return mprotect(map, MG_LEN, PROT_READ | PROT_WRITE) ? -errno : 0;
}

/* What is refused of writing when it is mapped never comes. */
TEST_F(buffer, read_only)
{
	struct mg_policy read_only;
	char *map;

	create(_metadata, self);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(0, make_writable(map));
	mg_fill(map, 0, MG_BYTES);
	munmap(map, MG_LEN);
	close(self->buf);

	create_gated(_metadata, self, "allow");
	mg_load(_metadata, &read_only, "read_only");
	ASSERT_EQ(0, mg_link_update(self->link, read_only.map_fd));
	EXPECT_EQ(-EACCES, try_map(self->buf, PROT_READ | PROT_WRITE));
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	EXPECT_EQ(-EACCES, make_writable(map));
	ASSERT_EQ(0, mg_link_update(self->link, self->policy.map_fd));
	EXPECT_EQ(-EACCES, make_writable(map));
	EXPECT_EQ(0, try_map(self->buf, PROT_READ | PROT_WRITE));
}

/* Nothing is asked later, so a mapping that may be written must be allowed. */
TEST_F(buffer, made_wide)
{
	char *map;

	create_gated(_metadata, self, "allow");
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(0, make_writable(map));
	mg_fill(map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
	EXPECT_TRUE(mg_marked(self->scene.map));
}

/* Children ******************************************************************/

static sigjmp_buf no_memory;

static void on_fault(int sig)
{
	siglongjmp(no_memory, sig);
}

/* A child that looks at a mapping of its parent: does it have it? */
static int child_has(SELF, const char *map)
{
	int status;
	pid_t pid;

	pid = fork();
	EXPECT_LE(0, pid);
	if (!pid) {
		signal(SIGSEGV, on_fault);
		signal(SIGBUS, on_fault);
		if (sigsetjmp(no_memory, 1))
			_exit(0);
		_exit(mg_pages_match(map, 0, MG_LEN) ? 1 : 2);
	}
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* No question about a child finds the memfd, so it gets nothing. */
TEST_F(buffer, fork)
{
	char *map;

	create(_metadata, self);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(1, child_has(_metadata, self, map));
	munmap(map, MG_LEN);
	close(self->buf);

	create_gated(_metadata, self, "allow");
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	EXPECT_EQ(0, child_has(_metadata, self, map));
}

/* Everything for DMABUF, and for MAP all but fork. */
static void create_no_fork(SELF)
{
	int fd = self->scene.fd;

	mg_load(_metadata, &self->policy, "answer_dev");
	mg_load(_metadata, &self->map_policy, "answer_map");
	self->link = mg_install(&self->policy, fd);
	ASSERT_LE(0, self->link);
	ASSERT_EQ(0, mg_param(&self->map_policy, "allow_ops",
			      1 << MEMGATE_OP_MMAP | 1 << MEMGATE_OP_MPROTECT));
	self->map_link = mg_install(&self->map_policy, fd);
	ASSERT_LE(0, self->map_link);
	create(_metadata, self);
}

/* And its parent cannot say that it gets something. */
TEST_F(buffer, fork_madvise)
{
	char *map;

	create(_metadata, self);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, madvise(map, MG_LEN, MADV_DONTFORK));
	EXPECT_EQ(0, child_has(_metadata, self, map));
	ASSERT_EQ(0, madvise(map, MG_LEN, MADV_DOFORK));
	EXPECT_EQ(1, child_has(_metadata, self, map));
	munmap(map, MG_LEN);
	close(self->buf);

	create_no_fork(_metadata, self);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	EXPECT_EQ(0, child_has(_metadata, self, map));
	EXPECT_EQ(-1, madvise(map, MG_LEN, MADV_DOFORK));
	EXPECT_EQ(0, child_has(_metadata, self, map));
}

/* Who dies first ************************************************************/

/* The memfd is gone, and so is who could be asked: nobody new gets it. */
TEST_F(buffer, memfd_gone)
{
	struct mg_scene *s = &self->scene;
	char bytes[MG_BYTES], *map;
	int user;

	create_gated(_metadata, self, "trace");
	user = dmabuf_import(self->buf);
	use(_metadata, self, user);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	mg_scene_down(s);
	EXPECT_EQ(1, mg_trace_find(&self->policy, TRACE_RELEASED, ~0U, NULL));
	ASSERT_EQ(0, mg_trace_reset(&self->policy));

	EXPECT_EQ(-EACCES, dmabuf_import(self->buf));
	EXPECT_EQ(-EACCES, dmabuf_import_vgem(self->buf));
	EXPECT_EQ(-EACCES, dmabuf_vmap(self->buf));
	EXPECT_EQ(-EACCES, try_map(self->buf, PROT_READ));
	EXPECT_EQ(-EACCES, mg_peer_call(&s->peer, try_map, self->buf,
					PROT_READ));
	EXPECT_EQ(0, child_has(_metadata, self, map));
	/* What was granted is not taken away. */
	EXPECT_EQ(MG_BYTES, pread(user, bytes, MG_BYTES, MG_AT));
	EXPECT_TRUE(mg_matches(bytes, MG_AT, MG_BYTES));
	EXPECT_TRUE(mg_pages_match(map, 0, MG_LEN));
	EXPECT_EQ(0, mg_trace_count(&self->policy));
	close(user);
}

/* Also when there is no gate in the system any more, after a while. */
TEST_F(buffer, memfd_gone_for_long)
{
	create_gated(_metadata, self, "allow");
	mg_scene_down(&self->scene);
	sleep(3);
	EXPECT_EQ(-EACCES, dmabuf_import(self->buf));
	EXPECT_EQ(-EACCES, dmabuf_vmap(self->buf));
	EXPECT_EQ(-EACCES, try_map(self->buf, PROT_READ));
}

/* The last who uses the buffer frees the memory. */
TEST_F(buffer, memory_freed)
{
	long kb, less = MG_LEN >> 10;
	char *map;
	int user;

	create_gated(_metadata, self, "allow");
	user = dmabuf_import(self->buf);
	ASSERT_LE(0, user);
	map = map_buf(self, PROT_READ);
	ASSERT_NE(NULL, map);
	kb = probe_used_kb();
	mg_scene_down(&self->scene);
	close(self->buf);
	self->buf = -1;
	munmap(map, MG_LEN);
	close(user);
	EXPECT_TRUE(probe_back_to(kb - less));
}

/* A process with a device and a mapping, which waits. */
static void hold(int buf, int ready)
{
	if (dmabuf_import(buf) < 0 || dmabuf_import_vgem(buf) < 0 ||
	    try_map(buf, PROT_READ) || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

TEST_F(buffer, killed)
{
	int ready[2], status;
	pid_t pid;
	char byte;

	create_gated(_metadata, self, "allow");
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		hold(self->buf, ready[1]);
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(1, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(1, shown(self, DMABUF_VGEM));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, shown(self, DMABUF_DEVICE));
	EXPECT_EQ(0, shown(self, DMABUF_VGEM));
	close(self->buf);
	self->buf = -1;
	EXPECT_EQ(0, dev_left(self->scene.fd, MEMGATE_DMABUF, 0));
}

TEST_HARNESS_MAIN
