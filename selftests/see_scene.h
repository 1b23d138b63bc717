/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A memfd, two that watch memgate's tracepoints, and what they should see:
 * what was done, in that order, and nothing else.
 *
 * Include after kselftest_harness.h.
 */
#ifndef SEE_SCENE_H
#define SEE_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memgate_util.h"
#include "see_util.h"

#define LEN	(2 * MG_HUGE_SIZE)
#define OFF	0x3000
#define PAGE	4096

#define R	MEMGATE_READ
#define W	MEMGATE_WRITE
#define X	MEMGATE_EXEC

static __attribute__((constructor)) void see_scene_preload(void)
{
	see_watch_preload();
}

/* The mappings were there before the seal: nothing of them was asked. */
struct see_scene {
	int fd;
	char *map;		/* what a child gets, and what is pinned */
	char *ro;		/* to be widened; not for children */
	char *half;		/* to grow; not for children */
	struct mg_peer peer;
	struct see_watch watch;
	struct see_events expected;
	unsigned long long gate;
	struct mg_policy policy[2];
};

#define SELF	struct __test_metadata *const _metadata,		\
		struct see_scene *s

static inline char *see_map_apart(enum mg_mem mem, int fd, size_t len)
{
	char *map = mg_map(mem, fd, len, PROT_READ, MAP_SHARED, 0);

	if (map != MAP_FAILED)
		madvise(map, len, MADV_DONTFORK);
	return map;
}

static inline void see_scene_up(SELF, enum mg_mem mem)
{
	int err;

	memset(s, 0, sizeof(*s));
	ASSERT_EQ(0, mg_peer_start(&s->peer));
	s->fd = mg_memfd(mem, LEN);
	ASSERT_LE(0, s->fd);
	/* udmabuf wants it. */
	ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SHRINK));
	s->map = mg_map(mem, s->fd, LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
			0);
	s->ro = see_map_apart(mem, s->fd, LEN);
	s->half = see_map_apart(mem, s->fd, MG_HUGE_SIZE);
	ASSERT_NE(MAP_FAILED, s->map);
	ASSERT_NE(MAP_FAILED, s->ro);
	ASSERT_NE(MAP_FAILED, s->half);
	err = see_watch_begin(&s->watch);
	ASSERT_EQ(0, err) {
		TH_LOG("cannot watch the tracepoints: %s", strerror(-err));
	}
}

static inline void see_scene_down(struct see_scene *s)
{
	see_watch_end(&s->watch);
	mg_policy_free(&s->policy[0]);
	mg_policy_free(&s->policy[1]);
	mg_peer_stop(&s->peer);
	close(s->fd);
}

/* What is expected **********************************************************/

static inline void see_learn_gate(SELF)
{
	struct mg_gate gate;

	ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
	s->gate = gate.id;
}

static inline void see_seal(SELF)
{
	ASSERT_EQ(0, mg_seal(s->fd));
	see_learn_gate(_metadata, s);
}

/* Loads policy @nr and installs it; the link. */
static inline int see_install(SELF, int nr, const char *name)
{
	int link;

	ASSERT_EQ(0, mg_policy_load(&s->policy[nr], name)) {
		TH_LOG("%s: %s", name, s->policy[nr].log);
	}
	link = mg_install(&s->policy[nr], s->fd);
	ASSERT_LE(0, link);
	see_learn_gate(_metadata, s);
	return link;
}

/* Adds an event; what is not given is that of an access by this process. */
#define EXPECT_EVENT(...) do {						\
	ASSERT_GT(SEE_MAX_EVENTS, s->expected.nr);			\
	s->expected.event[s->expected.nr++] = (struct see_event) {	\
		.gate = s->gate, .pid = getpid(), __VA_ARGS__ };	\
} while (0)

#define EXPECT_MAP(its_op, its_rights, from, bytes, name, answer)	\
	EXPECT_EVENT(.class = MEMGATE_MAP, .op = its_op,		\
		     .rights = its_rights, .start = from, .len = bytes,	\
		     .policy = name, .ret = answer)

#define EXPECT_ACCESS(its_class, its_rights, from, bytes, name, answer)	\
	EXPECT_EVENT(.class = its_class, .rights = its_rights,		\
		     .start = from, .len = bytes, .policy = name,	\
		     .ret = answer)

static inline void see_expect_list(SELF, const char *who,
				   const struct see_events *seen,
				   const char *state)
{
	const struct see_events *want = &s->expected;
	int i;

	for (i = 0; i < want->nr && i < seen->nr; i++) {
		if (see_same(&want->event[i], &seen->event[i]))
			continue;
		EXPECT_TRUE(false) {
			TH_LOG("%s, %s: event %d\n#   expected %s\n#   seen     %s",
			       state, who, i, see_words(&want->event[i]),
			       see_words(&seen->event[i]));
		}
		return;
	}
	EXPECT_EQ(want->nr, seen->nr) {
		TH_LOG("%s, %s: %s is %s", state, who,
		       see_words(i < want->nr ? &want->event[i] :
						&seen->event[i]),
		       i < want->nr ? "missing" : "too many");
	}
}

/* Both have seen what is expected, in that order, and forget it. */
static inline void see_expect(SELF, const char *state)
{
	ASSERT_EQ(0, see_watch_collect(&s->watch));
	see_expect_list(_metadata, s, "BPF", &s->watch.bpf, state);
	see_expect_list(_metadata, s, "tracefs", &s->watch.text, state);
	s->expected.nr = 0;
}

/* At least one event, and all say that. */
static inline void see_expect_closed(SELF, const char *way)
{
	const struct see_events *seen[] = {
		&s->watch.bpf, &s->watch.text,
	};
	int who, i;

	ASSERT_EQ(0, see_watch_collect(&s->watch));
	EXPECT_EQ(seen[0]->nr, seen[1]->nr);
	for (who = 0; who < 2; who++) {
		EXPECT_LT(0, seen[who]->nr) {
			TH_LOG("%s: nothing seen", way);
		}
		for (i = 0; i < seen[who]->nr; i++) {
			EXPECT_EQ(s->gate, seen[who]->event[i].gate);
			EXPECT_STREQ(way, seen[who]->event[i].way);
		}
	}
}

#endif /* SEE_SCENE_H */
