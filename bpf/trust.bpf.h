/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which devices are trusted: rules that policies have in common.
 *
 * A rule is KIND:PATTERN.  In a pattern * stands for any characters, none
 * included, and ? for one.
 *
 *   pci:0000:00:10.0	address, as lspci -D shows it
 *   id:1234:11e8	vendor and device, as lspci -n shows them
 *   class:0c03*	class, subclass and interface: six hexadecimal digits
 *   group:7		number of the iommu_group
 *   driver:vfio-pci	name of the driver
 *   rdma:rxe0		RDMA device
 *   net:eth0		network interface, in the initial network namespace
 *
 * Hexadecimal digits are lower-case.  The first three look at the PCI device
 * that a device is part of, group and driver at the nearest part that has one
 * (memgate/device.bpf.h).  A device that fits any rule is trusted.
 *
 * How much a rule says: an address is a slot, and what is plugged into it says
 * itself what it is; drivers are bound by root; names of interfaces and of
 * groups are given anew after a boot or a hotplug.
 *
 * Include after memgate/policy.bpf.h.
 */
#ifndef _TRUST_BPF_H
#define _TRUST_BPF_H

#include <memgate/device.bpf.h>

#define TRUST_RULES	64
#define TRUST_LEN	48	/* of a rule, with its end */
#define TRUST_TEXT	64	/* a power of 2, more than TRUST_LEN */

/* As a member of the parameters: rules that are not used are empty. */
#define TRUST_PARAM							\
	char trust[TRUST_RULES][TRUST_LEN]				\
	MEMGATE_DOC("rules KIND:PATTERN, such as pci:0000:00:10.0; kinds are " \
		    "pci, id, class, group, driver, rdma and net")

enum trust_kind {
	TRUST_PCI,
	TRUST_ID,
	TRUST_CLASS,
	TRUST_GROUP,
	TRUST_DRIVER,
	TRUST_RDMA,
	TRUST_NET,
	TRUST_KINDS,
};

/* A rule, and what a device has to be compared with it. */
struct trust_match {
	char rule[TRUST_TEXT];
	char text[TRUST_TEXT];
	__u32 kind;
	__u32 p;	/* where in @rule we are; at first, its pattern */
	__u32 t;	/* where in @text */
	__u32 star;	/* after the last * in @rule, 0: there was none */
	__u32 mark;	/* where in @text its match ends */
};

/*
 * Whether the text fits the pattern.  On a mismatch the last * takes one
 * character more, which is enough: an earlier one need never take more.
 *
 * A function of its own for the verifier, to which all numbers in @m are
 * unknown: it would try each value of a variable.
 */
__noinline int trust_fits(struct trust_match *m)
{
	char want, have;

	if (!m)
		return 0;
	bpf_repeat(TRUST_TEXT * TRUST_TEXT) {
		want = m->rule[m->p % TRUST_TEXT];
		have = m->text[m->t % TRUST_TEXT];
		if (want == '*') {
			m->star = ++m->p;
			m->mark = m->t;
		} else if (!have) {
			return !want;
		} else if (want == '?' || want == have) {
			m->p++;
			m->t++;
		} else if (m->star) {
			m->p = m->star;
			m->t = ++m->mark;
		} else {
			return 0;
		}
	}
	return 0;
}

#define TRUST_IS(m, word, nr)						\
	((m)->rule[0] == (word)[0] &&					\
	 !bpf_strncmp((m)->rule, sizeof(word) - 1, word) &&		\
	 ((m)->p = sizeof(word) - 1, (m)->kind = (nr), true))

/* Reads a rule.  1, 0 if there is none, or -EINVAL. */
static __noinline int trust_read(struct trust_match *m, const char *rule)
{
	__builtin_memset(m, 0, sizeof(*m));
	if (bpf_probe_read_kernel(m->rule, TRUST_LEN, rule) ||
	    m->rule[TRUST_LEN - 1])
		return -EINVAL;
	if (!m->rule[0])
		return 0;
	if (TRUST_IS(m, "pci:", TRUST_PCI) ||
	    TRUST_IS(m, "id:", TRUST_ID) ||
	    TRUST_IS(m, "class:", TRUST_CLASS) ||
	    TRUST_IS(m, "group:", TRUST_GROUP) ||
	    TRUST_IS(m, "driver:", TRUST_DRIVER) ||
	    TRUST_IS(m, "rdma:", TRUST_RDMA) ||
	    TRUST_IS(m, "net:", TRUST_NET))
		return m->rule[m->p % TRUST_TEXT] ? 1 : -EINVAL;
	return -EINVAL;
}

/* What the device has of the rule's kind: more than the end, or not. */
static __noinline bool trust_text(struct trust_match *m, struct device *dev)
{
	struct memgate_pci pci;
	int group;

	switch (m->kind) {
	case TRUST_PCI:
		return memgate_device_name(memgate_device_pci_parent(dev),
					   m->text, TRUST_TEXT) > 1;
	case TRUST_ID:
		return memgate_device_pci(dev, &pci) &&
		       BPF_SNPRINTF(m->text, TRUST_TEXT, "%04x:%04x",
				    pci.vendor, pci.device) > 1;
	case TRUST_CLASS:
		return memgate_device_pci(dev, &pci) &&
		       BPF_SNPRINTF(m->text, TRUST_TEXT, "%06x",
				    pci.class) > 1;
	case TRUST_GROUP:
		group = memgate_device_group(dev);
		return group >= 0 &&
		       BPF_SNPRINTF(m->text, TRUST_TEXT, "%d", group) > 1;
	case TRUST_DRIVER:
		return memgate_device_driver(dev, m->text, TRUST_TEXT) > 1;
	case TRUST_RDMA:
		return memgate_device_rdma(dev, m->text, TRUST_TEXT) > 1;
	case TRUST_NET:
		return memgate_device_net(dev, m->text, TRUST_TEXT) > 1;
	}
	return false;
}

/* Every rule is read, so that a malformed one is not found out by chance. */
static __noinline int trust_check(const char *trust, struct device *dev,
				  __u32 *rules)
{
	int i, ret, answer = -EACCES;
	struct trust_match m;

	bpf_for(i, 0, TRUST_RULES) {
		ret = trust_read(&m, trust + i * TRUST_LEN);
		if (ret < 0)
			return ret;
		*rules += ret;
		if (ret && answer && dev && trust_text(&m, dev) &&
		    trust_fits(&m))
			answer = 0;
	}
	return answer;
}

/*
 * PCI bridges come along in an iommu_group: they forward and do not read, and
 * VFIO gives them to nobody.
 */
static __always_inline bool trust_is_bridge(struct device *dev, __u32 class)
{
	struct memgate_pci pci;

	return (class == MEMGATE_VFIO || class == MEMGATE_IOMMUFD) &&
	       memgate_device_on_bus(dev, "pci") &&
	       memgate_device_pci(dev, &pci) && pci.bridge;
}

/**
 * trust_device() - may this device have the memory?
 * @trust: the rules: the member that TRUST_PARAM declares
 * @consumer: whose device it is
 * @dev: the device; NULL: the consumer has none, or none yet
 * @rules: how many rules there are
 *
 * Return: 0; -EACCES if nobody trusts it; -EINVAL if a rule is malformed.
 */
static __always_inline int
trust_device(const char (*trust)[TRUST_LEN], struct memgate_consumer *consumer,
	     struct device *dev, __u32 *rules)
{
	int ret;

	*rules = 0;
	ret = trust_check((const char *)trust, dev, rules);
	if (ret == -EACCES && (!dev || trust_is_bridge(dev, consumer->kind)))
		return 0;
	return ret;
}

#endif /* _TRUST_BPF_H */
