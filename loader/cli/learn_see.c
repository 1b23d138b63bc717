// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate learn: what an event adds to what is known of a gate. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "learn.h"

/* Texts **********************************************************************/

void add_text(struct texts *texts, const char *fmt, ...)
{
	char **grown, *text;
	va_list args;
	size_t i;
	int n;

	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	for (i = 0; i < texts->nr; i++)
		if (!strcmp(texts->text[i], text)) {
			free(text);
			return;
		}
	grown = reallocarray(texts->text, texts->nr + 1, sizeof(*grown));
	if (!grown)
		abort();
	texts->text = grown;
	grown[texts->nr++] = text;
}

void free_texts(struct texts *texts)
{
	while (texts->nr)
		free(texts->text[--texts->nr]);
	free(texts->text);
	texts->text = NULL;
}

void learn_free(struct learned *l)
{
	free(l->actor);
	free(l->pending);
	free(l->vm);
	free_texts(&l->rules);
	free_texts(&l->notes);
	free_texts(&l->unfit);
}

/* Mappings *******************************************************************/

static struct pending *pending_of(struct learned *l, pid_t tid)
{
	struct pending *p;
	size_t i;

	for (i = 0; i < l->nr_pending; i++)
		if (l->pending[i].tid == tid)
			return l->pending + i;
	p = reallocarray(l->pending, l->nr_pending + 1, sizeof(*p));
	if (!p)
		abort();
	l->pending = p;
	p += l->nr_pending++;
	memset(p, 0, sizeof(*p));
	p->tid = tid;
	return p;
}

/*
 * After an mmap() that is allowed the kernel asks, before anything else in
 * this thread, what mprotect() could make of the mapping: with WRITE, then
 * with EXEC.  Nobody has used that yet, and a refusal breaks nothing.
 */
static bool is_only_possible(struct learned *l, const struct memgate_event *e)
{
	struct pending *p = pending_of(l, e->task.tid);
	uint32_t more = e->rights & ~p->rights;
	bool possible;

	possible = e->class_nr == MEMGATE_MAP &&
		   e->op == MEMGATE_OP_MPROTECT && e->start == p->start &&
		   e->len == p->len && !(p->rights & ~e->rights) &&
		   (more == MEMGATE_WRITE || more == MEMGATE_EXEC) &&
		   p->may & more;
	if (possible) {
		p->may = more == MEMGATE_WRITE ? MEMGATE_EXEC : 0;
		return true;
	}
	p->may = 0;
	if (e->class_nr == MEMGATE_MAP && e->op == MEMGATE_OP_MMAP &&
	    !e->ret) {
		p->start = e->start;
		p->len = e->len;
		p->rights = e->rights;
		p->may = (MEMGATE_WRITE | MEMGATE_EXEC) & ~e->rights;
	}
	return false;
}

/* Who ************************************************************************/

/* What policies can tell apart. */
static bool is_same(const struct memgate_event_task *a,
		    const struct memgate_event_task *b)
{
	return a->tgid == b->tgid && a->start == b->start &&
	       a->euid == b->euid && a->egid == b->egid &&
	       a->cgroup == b->cgroup && a->exe_ino == b->exe_ino &&
	       a->exe_dev == b->exe_dev;
}

static struct actor *actor_of(struct learned *l,
			      const struct memgate_event_task *task)
{
	struct actor *a;
	size_t i;

	for (i = 0; i < l->nr_actors; i++)
		if (is_same(&l->actor[i].task, task))
			return l->actor + i;
	a = reallocarray(l->actor, l->nr_actors + 1, sizeof(*a));
	if (!a)
		abort();
	l->actor = a;
	a += l->nr_actors++;
	memset(a, 0, sizeof(*a));
	a->task = *task;
	return a;
}

static void see_owner(struct learned *l, const struct memgate_event *e)
{
	bool is_main = l->main_pid && e->task.pid == l->main_pid;
	bool fork = e->class_nr == MEMGATE_MAP && e->op == MEMGATE_OP_FORK;
	struct actor *a;

	/* A child of a process that is named by its id is somebody else. */
	a = actor_of(l, &e->task);
	if (fork && is_main) {
		l->forked = true;
		a->fork_rights |= e->rights;
		return;
	}
	a->classes |= MEMGATE_CLASS(e->class_nr);
	a->rights |= e->rights;
	a->mapped |= e->class_nr == MEMGATE_MAP && e->op == MEMGATE_OP_MMAP;
}

/* What ***********************************************************************/

static void see_vm(struct learned *l, const struct memgate_event *e)
{
	uint64_t *vm;
	size_t i;

	l->vms_at_once |= e->others > 0;
	for (i = 0; i < l->nr_vms; i++)
		if (l->vm[i] == e->consumer)
			return;
	vm = reallocarray(l->vm, l->nr_vms + 1, sizeof(*vm));
	if (!vm)
		abort();
	l->vm = vm;
	vm[l->nr_vms++] = e->consumer;
}

static void see_unfit(struct learned *l, const struct memgate_event *e)
{
	char buf[16];

	add_text(&l->unfit, "%s by %s (uid %u): of the policies that come "
		 "with memgate only 'allow' does; a policy of your own can "
		 "decide %s", class_text(e->class_nr, buf, sizeof(buf)),
		 e->task.comm, e->task.euid,
		 class_text(e->class_nr, buf, sizeof(buf)));
}

static void see_closed(struct learned *l, const struct memgate_event *e)
{
	add_text(&l->unfit, "the way %s by %s: closed on gated memory, "
		 "whatever the policies are", e->way, e->task.comm);
}

static void see_refused(struct learned *l, const struct memgate_event *e)
{
	char buf[16];

	l->refused++;
	add_text(&l->notes, "%s by %s (uid %u) was refused by %s and is no "
		 "part of this", class_text(e->class_nr, buf, sizeof(buf)),
		 e->task.comm, e->task.euid,
		 *e->policy ? e->policy : "default, as no policy decides it");
}

void learn_see(struct learned *l, const struct memgate_event *e)
{
	uint64_t class = e->class_nr < 64 ? MEMGATE_CLASS(e->class_nr) : 0;

	l->events++;
	if (e->kind == MEMGATE_EVENT_CLOSED) {
		see_closed(l, e);
		return;
	}
	memcpy(l->name, e->name, sizeof(l->name));
	if (is_only_possible(l, e))
		return;
	if (e->ret) {
		see_refused(l, e);
		return;
	}
	l->classes |= class;
	if (class & OWNER_CLASSES)
		see_owner(l, e);
	else if (class & TRUST_CLASSES)
		learn_device(l, e);
	else if (e->class_nr == MEMGATE_KVM)
		see_vm(l, e);
	else
		see_unfit(l, e);
}
