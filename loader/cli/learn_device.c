// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* memgate learn: the rule of trusted_devices that names a device. */
#include <string.h>

#include "learn.h"

/* Characters that mean something else in a rule or in a list of rules. */
static bool is_plain(const char *name)
{
	return *name && !strpbrk(name, "*?, ");
}

static bool make_rule(char *rule, size_t size, const char *kind,
		      const char *name)
{
	return is_plain(name) &&
	       snprintf(rule, size, "%s:%s", kind, name) < TRUST_LEN;
}

/* The narrowest first; what fits several devices is noted. */
static bool name_device(struct learned *l,
			const struct memgate_event_device *d, char *rule,
			size_t size)
{
	if (make_rule(rule, size, "pci", d->pci))
		return true;
	if (d->rdma && make_rule(rule, size, "rdma", d->name))
		return true;
	if (d->net && make_rule(rule, size, "net", d->name))
		return true;
	if (make_rule(rule, size, "driver", d->driver)) {
		add_text(&l->notes, "widened: %s fits every device of that "
			 "driver, as %s has no address", rule, d->name);
		return true;
	}
	return false;
}

void learn_device(struct learned *l, const struct memgate_event *e)
{
	const struct memgate_event_device *d = &e->device;
	char rule[256];

	/* It is asked about when it comes; see learn_advise.c. */
	if (!*d->name)
		return;
	/* trusted_devices lets them through, for these two. */
	if (d->bridge && (e->class_nr == MEMGATE_VFIO ||
			  e->class_nr == MEMGATE_IOMMUFD))
		return;
	if (name_device(l, d, rule, sizeof(rule)))
		add_text(&l->rules, "%s", rule);
	else
		add_text(&l->unfit, "device %s: it is part of no PCI device "
			 "and has no driver that a rule could name; a policy "
			 "of your own can know it", d->name);
}
