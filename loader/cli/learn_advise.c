// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate learn: from what was seen to words for `memgate run`. */
#include <stdlib.h>
#include <string.h>

#include "learn.h"

/* The policies ***************************************************************/

static bool advise_kvm(struct learned *l, struct advice *advice)
{
	if (!l->nr_vms)
		return false;
	if (l->vms_at_once) {
		add_text(&l->unfit, "two virtual machines at once: "
			 "exclusive_kvm has one at a time; 'allow' has any "
			 "number, and bpf/examples/two_vms_one_cgroup.bpf.c is "
			 "a policy for two");
		return false;
	}
	advice->policy = "exclusive_kvm";
	if (l->nr_vms == 1)
		add_text(&advice->params, "sticky=1");
	return true;
}

static void put_party(struct texts *params, const struct party *p,
		      const char *at)
{
	if (p->is_main) {
		add_text(params, "%stgid={tgid}", at);
		add_text(params, "%sstart={start}", at);
	}
	if (p->by_uid) {
		add_text(params, "%sby_uid=1", at);
		add_text(params, "%suid=%u", at, p->uid);
	}
	if (p->by_gid) {
		add_text(params, "%sby_gid=1", at);
		add_text(params, "%sgid=%u", at, p->gid);
	}
	if (p->cgroup)
		add_text(params, "%scgroup=%llu", at,
			 (unsigned long long)p->cgroup);
	if (p->by_exe) {
		add_text(params, "%sexe_ino=%llu", at,
			 (unsigned long long)p->exe_ino);
		add_text(params, "%sexe_dev=%u", at, p->exe_dev);
	}
	if (!(p->rights & ~MEMGATE_READ))
		add_text(params, "%sread_only=1", at);
	if (p->classes != OWNER_CLASSES)
		add_text(params, "%sclasses=0x%llx", at,
			 (unsigned long long)p->classes);
}

static bool advise_owner(struct learned *l, struct advice *advice)
{
	struct parties parties;
	char at[32] = "";
	size_t i;

	learn_parties(l, &parties);
	if (!parties.nr)
		return false;
	advice->policy = "owner";
	for (i = 0; i < parties.nr; i++) {
		if (i)
			snprintf(at, sizeof(at), "party[%zu].", i - 1);
		put_party(&advice->params, parties.party + i, at);
	}
	return true;
}

static bool advise_devices(struct learned *l, struct advice *advice)
{
	char *list;
	size_t i, size;
	FILE *f;

	if (!(l->classes & TRUST_CLASSES))
		return false;
	if (l->rules.nr > TRUST_RULES) {
		add_text(&l->unfit, "%zu devices: trusted_devices knows %d "
			 "rules; write fewer with * by hand", l->rules.nr,
			 TRUST_RULES);
		return false;
	}
	advice->policy = "trusted_devices";
	if (!l->rules.nr) {
		/* Without any rule it refuses all, those too. */
		add_text(&l->notes, "no device has come to the memory: "
			 "trust=pci:none fits none, and lets consumers "
			 "without a device in");
		add_text(&advice->params, "trust=pci:none");
		return true;
	}
	f = open_memstream(&list, &size);
	if (!f)
		abort();
	for (i = 0; i < l->rules.nr; i++)
		fprintf(f, "%s%s", i ? "," : "", l->rules.text[i]);
	fclose(f);
	add_text(&advice->params, "trust=%s", list);
	free(list);
	return true;
}

/* How many policies.  Classes that nobody used are decided by none. */
size_t learn_advise(struct learned *l, struct advice *advice)
{
	size_t nr = 0;

	memset(advice, 0, MAX_ADVICE * sizeof(*advice));
	nr += advise_kvm(l, advice + nr);
	nr += advise_owner(l, advice + nr);
	nr += advise_devices(l, advice + nr);
	return nr;
}

/* Showing it *****************************************************************/

static void put_words(FILE *f, const struct advice *advice, size_t nr)
{
	size_t i, j;

	/* Words that name no policy would mean the default ones. */
	if (!nr)
		fputs("no-default", f);
	for (i = 0; i < nr; i++) {
		fprintf(f, "%spolicy %s", i ? " " : "", advice[i].policy);
		for (j = 0; j < advice[i].params.nr; j++)
			fprintf(f, " param %s", advice[i].params.text[j]);
	}
}

static struct json_object *texts_json(const struct texts *texts)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < texts->nr; i++)
		add_item(list, texts->text[i]);
	return list;
}

static struct json_object *advice_json(const struct advice *advice, size_t nr)
{
	struct json_object *list = json_object_new_array(), *obj;
	size_t i;

	for (i = 0; i < nr; i++) {
		obj = json_object_new_object();
		add_str(obj, "policy", advice[i].policy);
		json_object_object_add(obj, "params",
				       texts_json(&advice[i].params));
		json_object_array_add(list, obj);
	}
	return list;
}

static void print_as_json(const struct learned *l, uint64_t lost,
			  const struct advice *advice, size_t nr)
{
	struct json_object *obj = json_object_new_object();
	char *words;
	size_t size;
	FILE *f;

	f = open_memstream(&words, &size);
	if (!f)
		abort();
	put_words(f, advice, nr);
	fclose(f);
	add_u64(obj, "gate", l->gate);
	add_str(obj, "name", l->name);
	add_u64(obj, "events", l->events);
	add_u64(obj, "refused", l->refused);
	add_u64(obj, "lost", lost);
	add_bool(obj, "complete", !l->unfit.nr && !lost);
	add_str(obj, "words", words);
	json_object_object_add(obj, "policies", advice_json(advice, nr));
	json_object_object_add(obj, "notes", texts_json(&l->notes));
	json_object_object_add(obj, "unfit", texts_json(&l->unfit));
	print_json(obj);
	free(words);
}

static void print_as_text(const struct learned *l, const struct advice *advice,
			  size_t nr, bool several)
{
	size_t i;

	if (several)
		printf("# gate %llu %s\n", (unsigned long long)l->gate,
		       l->name);
	put_words(stdout, advice, nr);
	putchar('\n');
	fflush(stdout);
	for (i = 0; i < l->notes.nr; i++)
		fprintf(stderr, "note: %s\n", l->notes.text[i]);
	for (i = 0; i < l->unfit.nr; i++)
		fprintf(stderr, "not allowed by these words: %s\n",
			l->unfit.text[i]);
}

/* @several: more than one gate is learned from */
void print_learned(struct learned *l, uint64_t lost, bool several)
{
	struct advice advice[MAX_ADVICE];
	size_t nr, i;

	if (!l->events)
		add_text(&l->notes, "nobody asked for this memory");
	nr = learn_advise(l, advice);
	if (json_output)
		print_as_json(l, lost, advice, nr);
	else
		print_as_text(l, advice, nr, several);
	for (i = 0; i < nr; i++)
		free_texts(&advice[i].params);
}
