/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One way to the memory, tried in every state of a gate, from the process
 * that made the memfd and from one that was only given it, by what was set
 * up before the seal and by what was set up after it:
 *
 *	no gate			succeeds, with the right bytes
 *	sealed, no policy	refused
 *	policy "allow"		succeeds
 *	updated to "read_only"	succeeds if it only reads
 *	updated to "deny"	refused
 *	"read_only" again	as before, now also with a set-up under it
 *	only its class allowed	succeeds
 *	all other classes	refused
 *
 * Refused means also that nothing was read and nothing changed.  A set-up may
 * be an access of its own, which the gate refuses in some of these states:
 * then there is nothing new to try.
 *
 * Include after kselftest_harness.h.
 */
#ifndef MEDIATED_H
#define MEDIATED_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memgate_util.h"

#define MG_LEN		(2 * MG_HUGE_SIZE)
/* Where an access reads or writes, and the pattern that a write leaves. */
#define MG_AT		0x3000
#define MG_BYTES	4096
#define MG_MARK		0x100000

enum mg_age { MG_OLD, MG_NEW, MG_AGES };

/* What a function of an access is told besides the fd. */
#define MG_ARG(mem, age)	((long)(mem) << 8 | (age))
#define MG_ARG_MEM(arg)		((enum mg_mem)((arg) >> 8))
#define MG_ARG_AGE(arg)		((enum mg_age)((arg) & 0xff))

struct mg_access {
	enum memgate_class class;
	/* Opens or maps, for the later attempts of that age; 0 or -errno. */
	mg_peer_fn prepare;
	/* 0: done, with the right bytes; -EBADMSG: wrong bytes; -errno. */
	mg_peer_fn attempt;
	/* What the caller sees of a refusal. */
	int refused;
	/* For an access that changes memory: did it? */
	bool (*changed)(const char *map);
	/*
	 * Rights that it asks for besides MEMGATE_READ; MEMGATE_WRITE goes
	 * without saying where there is @changed.
	 */
	unsigned int rights;
	/* Kinds of memory, 1 << mem, that have no such access at all. */
	unsigned int lacks;
};

static __attribute__((constructor)) void mg_preload(void)
{
	mg_policy_preload("allow");
	mg_policy_preload("deny");
	mg_policy_preload("answer");
	mg_policy_preload("read_only");
}

struct mg_scene {
	enum mg_mem mem;
	int fd;
	char *map;		/* the owner's mapping, older than the seal */
	struct mg_peer peer;
};

/* A fixture that is a scene in each kind of memory. */
#define MG_SCENE_FIXTURE(name)						\
	FIXTURE(name) { struct mg_scene scene; };			\
	MG_MEM_VARIANTS(name);						\
	FIXTURE_SETUP(name)						\
	{								\
		mg_scene_up(_metadata, &self->scene, variant->mem);	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		mg_scene_down(&self->scene);				\
		mg_peer_stop(&self->scene.peer);			\
	}

static inline bool mg_marked(const char *map)
{
	return mg_matches(map + MG_AT, MG_AT + MG_MARK, MG_BYTES);
}

static inline void mg_scene_up(struct __test_metadata *const _metadata,
			       struct mg_scene *s, enum mg_mem mem)
{
	s->mem = mem;
	/* First, so that it has no mapping and no file of the test. */
	if (!s->peer.pid)
		ASSERT_EQ(0, mg_peer_start(&s->peer));
	s->fd = mg_memfd(mem, MG_LEN);
	ASSERT_LE(0, s->fd) {
		TH_LOG("no memfd with these pages: %s", strerror(errno));
	}
	s->map = mg_map(mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, s->map);
	ASSERT_TRUE(mg_pages_match(s->map, 0, MG_LEN));
	ASSERT_EQ(mg_page_size(mem), mg_mapped_page_size(s->map));
}

static inline void mg_scene_down(struct mg_scene *s)
{
	if (s->map && s->map != MAP_FAILED)
		munmap(s->map, MG_LEN);
	if (s->fd > 0)
		close(s->fd);
	s->map = NULL;
	s->fd = -1;
}

static inline long mg_run(struct mg_scene *s, bool peer, mg_peer_fn fn,
			  enum mg_age age)
{
	long arg = MG_ARG(s->mem, age);

	return peer ? mg_peer_call(&s->peer, fn, s->fd, arg) : fn(s->fd, arg);
}

/* 0: both processes have what @age stands for; or how one has failed. */
static inline long mg_set_up(struct mg_scene *s, const struct mg_access *a,
			     enum mg_age age)
{
	long ret = mg_run(s, false, a->prepare, age);
	long of_peer = mg_run(s, true, a->prepare, age);

	return ret ? ret : of_peer;
}

static inline void mg_prepare(struct __test_metadata *const _metadata,
			      struct mg_scene *s, const struct mg_access *a,
			      enum mg_age age)
{
	long ret = mg_set_up(s, a, age);

	EXPECT_TRUE(!ret || a->lacks & (1 << s->mem)) {
		TH_LOG("set-up failed: %s", strerror(-ret));
	}
}

/* @expected: 0, or the errno of a refusal.  Tries all ages up to @last. */
static inline void mg_try(struct __test_metadata *const _metadata,
			  struct mg_scene *s, const struct mg_access *a,
			  enum mg_age last, int expected, const char *state)
{
	bool lacks = a->lacks & (1 << s->mem), changed;
	int peer, age;
	long ret;

	for (peer = 0; peer < 2; peer++) {
		for (age = MG_OLD; age <= (int)last; age++) {
			ret = mg_run(s, peer, a->attempt, age);
			EXPECT_TRUE(lacks ? ret < 0 : ret == -expected) {
				TH_LOG("%s, set up %s the seal, by the %s: %s, wanted %s",
				       state, age ? "after" : "before",
				       peer ? "peer" : "owner",
				       strerror(-ret), lacks ? "an error" :
				       strerror(expected));
			}
			changed = a->changed && a->changed(s->map);
			EXPECT_EQ(a->changed && !expected && !lacks, changed) {
				TH_LOG("%s: memory has %schanged", state,
				       changed ? "" : "not ");
			}
			if (changed)
				mg_fill(s->map, 0, MG_LEN);
			EXPECT_TRUE(mg_matches(s->map, 0, 0x10000) &&
				    mg_pages_match(s->map, 0, MG_LEN)) {
				TH_LOG("%s: wrong bytes in the memfd", state);
			}
		}
	}
}

/* The same, and the later attempts by what can be set up in this state. */
static inline void mg_try_new(struct __test_metadata *const _metadata,
			      struct mg_scene *s, const struct mg_access *a,
			      int expected, const char *state)
{
	long ret = mg_set_up(s, a, MG_NEW);

	EXPECT_TRUE(!ret || ret == -EACCES || a->lacks & (1 << s->mem)) {
		TH_LOG("%s: set-up failed: %s", state, strerror(-ret));
	}
	mg_try(_metadata, s, a, ret ? MG_OLD : MG_NEW, expected, state);
}

/* A fresh memfd, on which only the classes of @allow are allowed. */
static inline void mg_try_classes(struct __test_metadata *const _metadata,
				  struct mg_scene *s,
				  const struct mg_access *a,
				  struct mg_policy *answer, uint64_t allow,
				  int expected, const char *state)
{
	int link;

	mg_scene_down(s);
	mg_scene_up(_metadata, s, s->mem);
	mg_prepare(_metadata, s, a, MG_OLD);
	ASSERT_EQ(0, mg_param(answer, "allow_classes", allow));
	link = mg_install(answer, s->fd);
	ASSERT_LE(0, link) {
		TH_LOG("install: %s", strerror(errno));
	}
	mg_try_new(_metadata, s, a, expected, state);
	close(link);
}

static inline void mg_load(struct __test_metadata *const _metadata,
			   struct mg_policy *policy, const char *name)
{
	int err = mg_policy_load(policy, name);

	ASSERT_EQ(0, err) {
		TH_LOG("policy %s does not load: %s\n%s", name, strerror(-err),
		       policy->log ? policy->log : "");
	}
}

/* What one install, updated now and then, makes of the access. */
static inline void mg_try_policies(struct __test_metadata *const _metadata,
				   struct mg_scene *s,
				   const struct mg_access *a)
{
	int reading = a->rights || a->changed ? a->refused : 0, link;
	struct mg_policy allow, read_only, deny;

	mg_load(_metadata, &allow, "allow");
	mg_load(_metadata, &read_only, "read_only");
	mg_load(_metadata, &deny, "deny");
	link = mg_install(&allow, s->fd);
	ASSERT_LE(0, link) {
		TH_LOG("install: %s", strerror(errno));
	}
	mg_prepare(_metadata, s, a, MG_NEW);
	mg_try(_metadata, s, a, MG_NEW, 0, "policy allows");
	ASSERT_EQ(0, mg_link_update(link, read_only.map_fd));
	mg_try(_metadata, s, a, MG_NEW, reading, "policy allows reading");
	ASSERT_EQ(0, mg_link_update(link, deny.map_fd));
	mg_try(_metadata, s, a, MG_NEW, a->refused, "policy denies");
	ASSERT_EQ(0, mg_link_update(link, read_only.map_fd));
	mg_try_new(_metadata, s, a, reading, "set up for reading");
	close(link);
	mg_policy_free(&allow);
	mg_policy_free(&read_only);
	mg_policy_free(&deny);
}

static inline void mg_mediated(struct __test_metadata *const _metadata,
			       struct mg_scene *s, const struct mg_access *a)
{
	uint64_t class = MEMGATE_CLASS(a->class);
	struct mg_policy answer;

	mg_prepare(_metadata, s, a, MG_OLD);
	mg_try(_metadata, s, a, MG_OLD, 0, "no gate");

	ASSERT_EQ(0, mg_seal(s->fd)) {
		TH_LOG("seal: %s", strerror(errno));
	}
	mg_try_new(_metadata, s, a, a->refused, "sealed, no policy");
	mg_try_policies(_metadata, s, a);

	mg_load(_metadata, &answer, "answer");
	mg_try_classes(_metadata, s, a, &answer, class, 0,
		       "only its class allowed");
	mg_try_classes(_metadata, s, a, &answer,
		       (MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1) & ~class,
		       a->refused, "all but its class allowed");
	mg_policy_free(&answer);
}

#endif /* MEDIATED_H */
