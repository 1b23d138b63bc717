// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoint memgate_closed: what is refused without a question.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "kselftest_harness.h"
#include "image_util.h"
#include "perf_util.h"
#include "policy_progs/look.h"
#include "see_scene.h"
#include "../../../lib/test_hmm_uapi.h"

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("allow");
}

FIXTURE(closed)
{
	struct see_scene scene;
};

MG_MEM_VARIANTS(closed);

FIXTURE_SETUP(closed)
{
	see_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(closed)
{
	see_scene_down(&self->scene);
}

/* Lets the kernel's test device have a page of the mapping. */
static int device(struct see_scene *s, unsigned long what)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)s->map + OFF, .ptr = (uintptr_t)buf,
		.npages = 1,
	};
	int dev = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC), ret;

	if (dev < 0)
		return -errno;
	ret = ioctl(dev, what, &cmd) ? -errno : 0;
	close(dev);
	return ret;
}

TEST_F(closed, device)
{
	struct see_scene *s = &self->scene;
	EXPECT_EQ(0, device(s, HMM_DMIRROR_READ));
	see_expect(_metadata, s, "no gate");
	/* Allowed or not, it is closed. */
	see_install(_metadata, s, 0, "allow");
	EXPECT_NE(0, device(s, HMM_DMIRROR_READ));
	see_expect_closed(_metadata, s, "hmm");
	/* Huge pages of hugetlbfs are no pages to migrate so, gated or not. */
	if (variant->mem == MG_HUGETLB)
		return;
	EXPECT_NE(0, device(s, HMM_DMIRROR_MIGRATE_TO_DEV));
	see_expect_closed(_metadata, s, "migrate_vma");
}

/* Stacks with build ids, of a system call that is made in the memory. */
static int stack_of(mg_image_fn call, int map)
{
	struct stack_id s = { .tgid = getpid() };
	pid_t parent = getppid();	/* records the stack, too */
	__u32 key = 0;

	if (bpf_map_update_elem(map, &key, &s, BPF_ANY))
		return -errno;
	if (call() != parent || bpf_map_lookup_elem(map, &key, &s))
		return -EBADMSG;
	return s.frames[0].status == BPF_STACK_BUILD_ID_VALID;
}

/* Probes are for files with small pages. */
static int probe(struct see_scene *s, enum mg_mem mem)
{
	char path[64];
	int event;

	if (mem == MG_HUGETLB)
		return -ENOTSUP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->fd);
	event = mg_perf_uprobe(path, MG_IMAGE_FUNCTION, 0);
	if (event < 0)
		return -errno;
	close(event);
	return 0;
}

static void try_program(SELF, enum mg_mem mem, mg_image_fn call, int stacks)
{
	if (mem != MG_HUGETLB)
		EXPECT_EQ(0, probe(s, mem));
	EXPECT_EQ(1, stack_of(call, stacks));
	see_expect(_metadata, s, "no gate");

	see_install(_metadata, s, 0, "allow");
	EXPECT_EQ(0, stack_of(call, stacks));
	see_expect_closed(_metadata, s, "buildid");
	if (mem == MG_HUGETLB)
		return;
	EXPECT_EQ(-EACCES, probe(s, mem));
	see_expect_closed(_metadata, s, "uprobe");
}

TEST_F(closed, program)
{
	struct see_scene *s = &self->scene;
	struct bpf_object *obj;
	struct bpf_link *link;
	char *map;

	close(s->fd);
	s->fd = mg_image(variant->mem, LEN);
	ASSERT_LE(0, s->fd);
	map = mg_map(variant->mem, s->fd, LEN, PROT_READ | PROT_EXEC,
		     MAP_PRIVATE, 0);
	ASSERT_NE(MAP_FAILED, map);
	obj = see_load("stack_id");
	ASSERT_NE(NULL, obj);
	link = bpf_program__attach(bpf_object__next_program(obj, NULL));
	ASSERT_NE(NULL, link);
	try_program(_metadata, s, variant->mem, mg_image_function(map),
		    bpf_object__find_map_fd_by_name(obj, "stack_of"));
	bpf_link__destroy(link);
	bpf_object__close(obj);
	munmap(map, LEN);
}

TEST_HARNESS_MAIN
