// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that change while questions are asked.
 *
 * One thread goes through a row of changes to a gate (install, update, drop,
 * freeze), after each of which one answer is right; others ask all the time.
 * A question that begins after a change was done and ends before the next one
 * began must get that answer.  One that a change ran into may get the old or the
 * new one, and nothing else: not the closed default, and never a yes that
 * neither of them says.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "kselftest_harness.h"
#include "kvm_util.h"
#include "mediated.h"
#include "probe.h"
#include "race_util.h"

#define TESTS		(3 * 4)
#define MAX_STATES	32
#define MAX_ASKERS	4
#define MAX_LINKS	8

struct scene {
	enum mg_mem mem;
	int fd;
	char *map;		/* older than the gate */
	int link[MAX_LINKS];
	int nr_links;
	const struct mg_policy *allow, *perm, *rofs;

	/* The errno that is right after as many changes as the index says. */
	int answer[MAX_STATES];
	int nr_states;
	/* Twice the number of changes done, plus one while one is made. */
	_Atomic unsigned int epoch;
	_Atomic bool stop;
};

/* Asking ********************************************************************/

struct asker {
	const char *name;
	/* Asks once: 0 or a positive errno. */
	int (*ask)(struct scene *s);
	/* A refusal looks like this, whatever the policy said; 0: as it said. */
	int refused;
	/* So does one of what was set up before the seal; 0: no difference. */
	int overtaken;
	struct scene *scene;
	pthread_t thread;
	_Atomic unsigned long asked;
	unsigned long wrong;
	int got;
	unsigned int from, to;	/* epochs of the last wrong answer */
	unsigned long long seen;	/* errnos */
};

static int ask_file(struct scene *s)
{
	return -probe_read(s->fd);
}

static int ask_map(struct scene *s)
{
	return -probe_map(s->fd);
}

static int ask_pin(struct scene *s)
{
	struct iovec v = { s->map, MG_BYTES };
	int p[2], ret = 0;

	if (pipe(p))
		return errno;
	if (vmsplice(p[1], &v, 1, 0) != MG_BYTES)
		ret = errno;
	close(p[0]);
	close(p[1]);
	return ret;
}

/* A new VM each time: one that is attached is not asked about again. */
static int ask_kvm(struct scene *s)
{
	struct guest guest;
	uint32_t val;
	int err;

	err = guest_open(&guest, 1, 0);
	if (!err)
		err = guest_memslot(&guest, 1, GUEST_GPA, s->map, MG_LEN, 0);
	if (!err)
		err = guest_read(&guest, 0, GUEST_GPA, &val, NULL);
	guest_close(&guest);
	return -err;
}

static bool right(const struct asker *a, int got, unsigned int from,
		  unsigned int to)
{
	const struct scene *s = a->scene;
	unsigned int i, last = (to + 1) / 2;
	int answer;

	for (i = from / 2; i <= last; i++) {
		answer = s->answer[i];
		if (answer && a->refused)
			answer = a->refused;
		if (got == answer)
			return true;
	}
	/* The first install seals, and is there after that. */
	if (from / 2 || !last)
		return false;
	return got == (a->refused ?: EACCES) ||
	       (a->overtaken && got == a->overtaken);
}

static void *ask_all_the_time(void *arg)
{
	struct asker *a = arg;
	struct scene *s = a->scene;
	unsigned int from, to;
	int got;

	while (!s->stop) {
		from = s->epoch;
		got = a->ask(s);
		to = s->epoch;
		a->seen |= 1ULL << (got & 63);
		if (!right(a, got, from, to)) {
			a->wrong++;
			a->got = got;
			a->from = from;
			a->to = to;
		}
		a->asked++;
	}
	return NULL;
}

/* Changes *******************************************************************/

/* Starts a change, after which @answer is right. */
static void begin(struct scene *s, int answer)
{
	s->answer[s->nr_states++] = answer;
	s->epoch++;
}

/* It is done: everybody asks about it a few times. */
static void done(struct scene *s, struct asker *a, int nr)
{
	unsigned long asked[MAX_ASKERS];
	int i, tries = 0;

	s->epoch++;
	for (i = 0; i < nr; i++)
		asked[i] = a[i].asked;
	for (i = 0; i < nr; i++)
		while (a[i].asked < asked[i] + 3 && tries++ < 20000)
			usleep(500);
}

/* EBUSY: somebody holds a page just now. */
static int install(struct scene *s, const struct mg_policy *policy)
{
	int i, link = -1;

	for (i = 0; i < 500 && link < 0; i++) {
		link = mg_install(policy, s->fd);
		if (link < 0 && errno != EBUSY)
			return -errno;
	}
	s->link[s->nr_links++] = link;
	return link < 0 ? -EBUSY : 0;
}

static int update(struct scene *s, int nr, const struct mg_policy *policy)
{
	return mg_link_update(s->link[nr], policy->map_fd) ? -errno : 0;
}

static int drop(struct scene *s, int nr, bool close_it)
{
	int err = 0;

	if (close_it) {
		close(s->link[nr]);
		s->link[nr] = -1;
	} else if (mg_link_detach(s->link[nr])) {
		err = -errno;
	}
	return err;
}

FIXTURE(race) {
	struct mg_policy allow, perm, rofs;
	struct scene scene;
};

MG_MEM_VARIANTS(race);

FIXTURE_SETUP(race)
{
	struct scene *s = &self->scene;

	mg_load(_metadata, &self->allow, "allow");
	mg_load(_metadata, &self->perm, "refuse_perm");
	mg_load(_metadata, &self->rofs, "refuse_rofs");
	s->mem = variant->mem;
	s->allow = &self->allow;
	s->perm = &self->perm;
	s->rofs = &self->rofs;
}

FIXTURE_TEARDOWN(race)
{
	mg_policy_free(&self->allow);
	mg_policy_free(&self->perm);
	mg_policy_free(&self->rofs);
}

static void scene_up(struct __test_metadata *const _metadata, struct scene *s,
		     struct asker *a, int nr)
{
	int i;

	s->fd = mg_memfd(s->mem, MG_LEN);
	ASSERT_LE(0, s->fd);
	s->map = mg_map(s->mem, s->fd, MG_LEN, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, s->map);
	s->nr_links = 0;
	s->nr_states = 1;
	s->answer[0] = 0;
	s->epoch = 0;
	s->stop = false;
	for (i = 0; i < nr; i++) {
		a[i].scene = s;
		ASSERT_EQ(0, pthread_create(&a[i].thread, NULL,
					    ask_all_the_time, &a[i]));
	}
}

static void scene_down(struct __test_metadata *const _metadata,
		       struct scene *s, struct asker *a, int nr)
{
	int i;

	s->stop = true;
	for (i = 0; i < nr; i++) {
		pthread_join(a[i].thread, NULL);
		EXPECT_EQ(0, a[i].wrong) {
			TH_LOG("%s got an answer that no state gives: %s, at epoch %u to %u of %u",
			       a[i].name, strerror(a[i].got), a[i].from,
			       a[i].to, (unsigned int)s->epoch);
		}
	}
	for (i = 0; i < s->nr_links; i++)
		if (s->link[i] >= 0)
			close(s->link[i]);
	munmap(s->map, MG_LEN);
	close(s->fd);
}

#define CHANGE(answer, what) do {					\
		begin(s, answer);					\
		EXPECT_EQ(0, what);					\
		done(s, a, nr);						\
	} while (0)

/* Something that must not work, and changes nothing. */
#define NO_CHANGE(error, what) do {					\
		begin(s, s->answer[s->nr_states - 1]);			\
		EXPECT_EQ(-(error), what);				\
		done(s, a, nr);						\
	} while (0)

/* Two policies: the first one refuses, so that the second does not matter. */
static void updates(struct __test_metadata *const _metadata, struct scene *s,
		    struct asker *a, int nr)
{
	int i;

	CHANGE(0, install(s, s->allow));
	CHANGE(EPERM, update(s, 0, s->perm));
	CHANGE(0, update(s, 0, s->allow));
	CHANGE(EROFS, update(s, 0, s->rofs));
	CHANGE(EROFS, install(s, s->allow));
	for (i = 0; i < 4; i++) {
		CHANGE(EPERM, update(s, 0, s->perm));
		CHANGE(EROFS, update(s, 0, s->rofs));
	}
}

/* What a dropped link has decided stays closed, whoever comes later. */
static void drops(struct __test_metadata *const _metadata, struct scene *s,
		  struct asker *a, int nr, bool close_it)
{
	CHANGE(EACCES, drop(s, 0, close_it));
	CHANGE(EACCES, update(s, 1, s->rofs));
	CHANGE(EACCES, update(s, 1, s->allow));
	CHANGE(EACCES, install(s, s->allow));
	CHANGE(EACCES, drop(s, 1, !close_it));
}

/* What was frozen stays as it is, whoever goes or comes. */
static void frozen(struct __test_metadata *const _metadata, struct scene *s,
		   struct asker *a, int nr, bool close_it)
{
	CHANGE(EROFS, mg_add_seals(s->fd, F_SEAL_SEAL));
	NO_CHANGE(EPERM, update(s, 0, s->allow));
	NO_CHANGE(EPERM, update(s, 1, s->perm));
	CHANGE(EROFS, drop(s, 0, close_it));
	CHANGE(EROFS, drop(s, 1, !close_it));
}

TEST_F_TIMEOUT(race, decisions, 240)
{
	struct asker a[] = {
		{ .name = "read", .ask = ask_file },
		{ .name = "mmap", .ask = ask_map },
		{ .name = "pin", .ask = ask_pin, .refused = EACCES },
	};
	struct scene *s = &self->scene;
	struct race_clock clock;
	int nr = ARRAY_SIZE(a);

	for (race_clock_start(&clock, TESTS);
	     (race_again(&clock) || clock.rounds <= 2) &&
	     !_metadata->exit_code;) {
		scene_up(_metadata, s, a, nr);
		updates(_metadata, s, a, nr);
		if (clock.rounds & 1)
			drops(_metadata, s, a, nr, clock.rounds & 2);
		else
			frozen(_metadata, s, a, nr, clock.rounds & 2);
		scene_down(_metadata, s, a, nr);
	}
	/* Nothing was answered by chance. */
	EXPECT_EQ(1ULL << EPERM | 1ULL << EROFS | 1ULL << EACCES | 1,
		  a[0].seen);
	EXPECT_EQ(a[0].seen, a[1].seen);
	EXPECT_EQ(1ULL << EACCES | 1, a[2].seen);
}

/* Grants: a VM that comes after an update has the new answer. */
TEST_F_TIMEOUT(race, attachments, 240)
{
	/* KVM_RUN has one errno for memory that the VM may not have. */
	struct asker a[] = {
		{ .name = "VM", .ask = ask_kvm, .overtaken = EFAULT },
		{ .name = "another VM", .ask = ask_kvm, .overtaken = EFAULT },
	};
	struct scene *s = &self->scene;
	struct race_clock clock;
	int nr = ARRAY_SIZE(a);

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	for (race_clock_start(&clock, TESTS);
	     race_again(&clock) && !_metadata->exit_code;) {
		scene_up(_metadata, s, a, nr);
		CHANGE(0, install(s, s->allow));
		CHANGE(EPERM, update(s, 0, s->perm));
		CHANGE(0, update(s, 0, s->allow));
		CHANGE(EROFS, update(s, 0, s->rofs));
		CHANGE(EACCES, drop(s, 0, clock.rounds & 1));
		scene_down(_metadata, s, a, nr);
	}
	EXPECT_EQ(1ULL << EPERM | 1ULL << EROFS | 1ULL << EACCES | 1,
		  (a[0].seen | a[1].seen) & ~(1ULL << EFAULT));
}

/* Freezing ******************************************************************/

/* Changes links all the time, until told. */
struct changer {
	struct scene *scene;
	pthread_t thread;
	_Atomic bool frozen;
	_Atomic unsigned long before, refused;
	unsigned long late;
};

static void *change_all_the_time(void *arg)
{
	struct changer *c = arg;
	struct scene *s = c->scene;
	bool frozen;
	int n;

	for (n = 0; !s->stop; n++) {
		frozen = c->frozen;
		if (update(s, 0, n & 1 ? s->perm : s->allow))
			c->refused++;
		else if (frozen)
			c->late++;
		else
			c->before++;
	}
	return NULL;
}

/* Whoever updates while it is frozen comes before or not at all. */
TEST_F_TIMEOUT(race, freeze_and_update, 240)
{
	struct scene *s = &self->scene;
	struct changer c = { .scene = s };
	struct mg_gate gate, later;
	struct race_clock clock;
	int i, answer;

	for (race_clock_start(&clock, TESTS);
	     race_again(&clock) && !_metadata->exit_code;) {
		scene_up(_metadata, s, NULL, 0);
		ASSERT_EQ(0, install(s, s->allow));
		c.frozen = false;
		c.before = c.refused = 0;
		ASSERT_EQ(0, pthread_create(&c.thread, NULL,
					    change_all_the_time, &c));
		for (i = 0; i < 20000 && c.before < 10; i++)
			usleep(500);
		ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SEAL));
		answer = ask_file(s);
		c.frozen = true;
		ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
		for (i = 0; i < 20000 && c.refused < 20; i++)
			usleep(500);
		s->stop = true;
		pthread_join(c.thread, NULL);
		EXPECT_LE(10, (unsigned long)c.before);
		EXPECT_EQ(0, c.late);
		EXPECT_EQ(answer, ask_file(s));
		EXPECT_EQ(answer, ask_map(s));
		ASSERT_EQ(0, mg_gate_read(0, s->fd, &later));
		EXPECT_EQ(gate.policy[0].map, later.policy[0].map);
		EXPECT_EQ(1, gate.frozen);
		scene_down(_metadata, s, NULL, 0);
	}
}

/*
 * A class that nobody has decided when the gate is frozen is closed for good,
 * also to an administrator who installs in that very moment.
 */
struct opener {
	struct scene *scene;
	pthread_t thread;
	const struct mg_policy *policy;
	_Atomic unsigned long tries;
};

static void *open_all_the_time(void *arg)
{
	struct opener *o = arg;
	struct scene *s = o->scene;
	int link;

	while (!s->stop) {
		usleep(rand() % 2000);
		link = mg_install(o->policy, s->fd);
		o->tries++;
		if (link >= 0) {
			s->link[s->nr_links++] = link;
			return NULL;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(race, freeze_and_install, 240)
{
	struct scene *s = &self->scene;
	struct opener o = { .scene = s, .policy = s->allow };
	struct mg_policy kvm_only;
	struct mg_gate gate, later;
	struct race_clock clock;
	int i, answer, opened = 0;

	mg_load(_metadata, &kvm_only, "answer_kvm");
	for (race_clock_start(&clock, TESTS);
	     race_again(&clock) && !_metadata->exit_code;) {
		for (i = 0; i < 10; i++) {
			scene_up(_metadata, s, NULL, 0);
			ASSERT_EQ(0, install(s, &kvm_only));
			o.tries = 0;
			ASSERT_EQ(0, pthread_create(&o.thread, NULL,
						    open_all_the_time, &o));
			usleep(rand() % 2000);
			ASSERT_EQ(0, mg_add_seals(s->fd, F_SEAL_SEAL));
			answer = ask_file(s);
			ASSERT_EQ(0, mg_gate_read(0, s->fd, &gate));
			while (!o.tries)
				usleep(100);
			s->stop = true;
			pthread_join(o.thread, NULL);
			EXPECT_EQ(answer, ask_file(s));
			EXPECT_EQ(answer, ask_map(s));
			ASSERT_EQ(0, mg_gate_read(0, s->fd, &later));
			EXPECT_EQ(gate.classes, later.classes);
			EXPECT_EQ(!answer, gate.classes !=
				  MEMGATE_CLASS(MEMGATE_KVM));
			opened += !answer;
			scene_down(_metadata, s, NULL, 0);
		}
	}
	TH_LOG("%d of %d came before the freeze", opened, clock.rounds * 10);
	mg_policy_free(&kvm_only);
}

TEST_HARNESS_MAIN
