/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which device is this?  For policies that are asked about one: the @dev of
 * may_attach, or a device of bpf_for_each(memgate_device, ...).
 *
 * What the kernel calls a device is often a part of one: a network interface,
 * an RDMA or a vDPA device has no address, but a parent has.  So these
 * functions go up to the nearest ancestor, the device itself included, that
 * has what they look for, and never beyond the nearest PCI device: what is
 * above that is the way to it.
 *
 * Members are read by address (bpf_probe_read_kernel()), so a pointer may be
 * NULL, which has nothing of all this.  Include memgate/policy.bpf.h first.
 */
#ifndef _MEMGATE_DEVICE_BPF_H
#define _MEMGATE_DEVICE_BPF_H

/* How far up to go: a USB device behind hubs has some ten parents. */
#define MEMGATE_DEVICE_DEPTH	16

/* Bytes of a name with its end; longer ones are cut. */
#define MEMGATE_DEVICE_NAME_LEN	64

#define MEMGATE_PCI_BRIDGE	0x0604	/* class and subclass */

/**
 * struct memgate_pci - a PCI device
 * @domain: first part of its address 0000:00:10.0
 * @bus: the second
 * @slot: the third
 * @func: the last
 * @vendor: who made it
 * @device: what the vendor calls it
 * @class: class, subclass and interface, 24 bits, as it says itself
 * @bridge: it forwards to other PCI devices: its class says so, and its header
 *	has the form that bridges have
 */
struct memgate_pci {
	__u32 domain;
	__u8 bus;
	__u8 slot;
	__u8 func;
	bool bridge;
	__u16 vendor;
	__u16 device;
	__u32 class;
};

/* bpf_core_field_offset() of an embedded struct device, from its address */
#define __memgate_device_of(dev, type)					\
	((struct type *)((__u64)(dev) -					\
			 bpf_core_field_offset(struct type, dev)))

/* Whether the kernel's string at @from is @word, a constant. */
#define __memgate_is_word(from, word) ({				\
	char __got[sizeof(word)] = {};					\
									\
	bpf_probe_read_kernel(__got, sizeof(__got), from) == 0 &&	\
	__builtin_memcmp(__got, word, sizeof(word)) == 0;		\
})

/**
 * memgate_device_on_bus() - is this device itself on a bus of this kind?
 * @dev: the device, may be NULL
 * @word: such as "pci", a constant
 */
#define memgate_device_on_bus(dev, word) ({				\
	const char *__name = (dev) ? BPF_CORE_READ(dev, bus, name) : NULL; \
									\
	__name && __memgate_is_word(__name, word);			\
})

/**
 * memgate_device_in_class() - is this device itself of this class?
 * @dev: the device, may be NULL
 * @word: such as "net", a constant
 */
#define memgate_device_in_class(dev, word) ({				\
	const char *__name = (dev) ? BPF_CORE_READ(dev, class, name) : NULL; \
									\
	__name && __memgate_is_word(__name, word);			\
})

/**
 * memgate_device_name() - the name of a device in sysfs
 * @dev: the device, may be NULL
 * @buf: where to put it; empty if there is none
 * @size: bytes in @buf, at most MEMGATE_DEVICE_NAME_LEN are of use
 *
 * "0000:00:10.0" for a PCI device, "eth0", "rxe0".
 *
 * Return: bytes with the end, or a negative errno.
 */
static __always_inline long
memgate_device_name(struct device *dev, char *buf, __u32 size)
{
	const char *name = BPF_CORE_READ(dev, init_name);

	buf[0] = '\0';
	if (!name)
		name = BPF_CORE_READ(dev, kobj.name);
	return name ? bpf_probe_read_kernel_str(buf, size, name) : -ENOENT;
}

/**
 * memgate_device_pci_parent() - the PCI device that a device is part of
 * @dev: the device, may be NULL
 *
 * Return: the nearest ancestor on a PCI bus, @dev itself included, to read
 * by BPF_CORE_READ(); NULL if there is none.
 */
static __always_inline struct device *
memgate_device_pci_parent(struct device *dev)
{
	int i;

	for (i = 0; i < MEMGATE_DEVICE_DEPTH && dev; i++) {
		if (memgate_device_on_bus(dev, "pci"))
			return dev;
		dev = BPF_CORE_READ(dev, parent);
	}
	return NULL;
}

static __always_inline __u32 __memgate_pci_domain(struct pci_dev *pdev)
{
	struct pci_bus *bus = BPF_CORE_READ(pdev, bus);
	struct pci_sysdata *sys;

	if (bpf_core_field_exists(bus->domain_nr))
		return BPF_CORE_READ(bus, domain_nr);
	sys = BPF_CORE_READ(bus, sysdata);
	return BPF_CORE_READ(sys, domain);
}

/**
 * memgate_device_pci() - the PCI device that a device is part of
 * @dev: the device, may be NULL
 * @pci: what is known of it; zero if there is none
 *
 * Return: whether there is one: @dev itself or the nearest ancestor.
 */
static __always_inline bool
memgate_device_pci(struct device *dev, struct memgate_pci *pci)
{
	struct pci_dev *pdev;
	__u32 devfn;

	__builtin_memset(pci, 0, sizeof(*pci));
	dev = memgate_device_pci_parent(dev);
	if (!dev || !bpf_core_type_exists(struct pci_dev))
		return false;
	pdev = __memgate_device_of(dev, pci_dev);
	devfn = BPF_CORE_READ(pdev, devfn);
	pci->domain = __memgate_pci_domain(pdev);
	pci->bus = BPF_CORE_READ(pdev, bus, number);
	pci->slot = devfn >> 3 & 0x1f;
	pci->func = devfn & 7;
	pci->vendor = BPF_CORE_READ(pdev, vendor);
	pci->device = BPF_CORE_READ(pdev, device);
	pci->class = BPF_CORE_READ(pdev, class);
	pci->bridge = pci->class >> 8 == MEMGATE_PCI_BRIDGE &&
		      (BPF_CORE_READ(pdev, hdr_type) & 0x7f) == 1;
	return true;
}

/**
 * memgate_pci_addr() - an address, to compare it with a memgate_pci_addr_t
 * @pci: as memgate_device_pci() found it
 */
static __always_inline memgate_pci_addr_t
memgate_pci_addr(const struct memgate_pci *pci)
{
	return (__u64)pci->domain << 16 | pci->bus << 8 | pci->slot << 3 |
	       pci->func;
}

/**
 * memgate_pci_id() - vendor and device, to compare with a memgate_pci_id_t
 * @pci: as memgate_device_pci() found it
 */
static __always_inline memgate_pci_id_t
memgate_pci_id(const struct memgate_pci *pci)
{
	return (__u32)pci->vendor << 16 | pci->device;
}

/**
 * memgate_device_group() - the iommu_group of a device
 * @dev: the device, may be NULL
 *
 * Devices of one group can reach each other and each other's memory.  Numbers
 * are given as devices are found, and again when a group is gone.
 *
 * Return: its number, that of the nearest ancestor which has a group; or -1.
 */
static __always_inline int memgate_device_group(struct device *dev)
{
	struct iommu_group *group;
	int i;

	for (i = 0; i < MEMGATE_DEVICE_DEPTH && dev; i++) {
		group = BPF_CORE_READ(dev, iommu_group);
		if (group && bpf_core_field_exists(group->id))
			return BPF_CORE_READ(group, id);
		if (memgate_device_on_bus(dev, "pci"))
			break;
		dev = BPF_CORE_READ(dev, parent);
	}
	return -1;
}

/**
 * memgate_device_driver() - the name of the driver of a device
 * @dev: the device, may be NULL
 * @buf: where to put it; empty if there is none
 * @size: bytes in @buf
 *
 * The driver of the nearest ancestor that has one: "vfio-pci" for a device
 * that was given to VFIO, "e1000" for a network interface.
 *
 * Return: bytes with the end, or a negative errno.
 */
static __always_inline long
memgate_device_driver(struct device *dev, char *buf, __u32 size)
{
	struct device_driver *driver;
	int i;

	buf[0] = '\0';
	for (i = 0; i < MEMGATE_DEVICE_DEPTH && dev; i++) {
		driver = BPF_CORE_READ(dev, driver);
		if (driver)
			return bpf_probe_read_kernel_str(buf, size,
						BPF_CORE_READ(driver, name));
		if (memgate_device_on_bus(dev, "pci"))
			break;
		dev = BPF_CORE_READ(dev, parent);
	}
	return -ENOENT;
}

/**
 * memgate_device_net() - the name of a network interface
 * @dev: the device, may be NULL
 * @buf: where to put it; empty if @dev is none
 * @size: bytes in @buf
 *
 * Of interfaces in the initial network namespace only: elsewhere whoever
 * makes the namespace chooses the names.
 *
 * Return: bytes with the end, or a negative errno.
 */
static __always_inline long
memgate_device_net(struct device *dev, char *buf, __u32 size)
{
	struct net_device *net;

	buf[0] = '\0';
	if (!memgate_device_in_class(dev, "net"))
		return -ENOENT;
	net = __memgate_device_of(dev, net_device);
	/* Namespaces are counted, and the initial one is the first. */
	if (BPF_CORE_READ(net, nd_net.net, net_cookie) != 1)
		return -ENOENT;
	return memgate_device_name(dev, buf, size);
}

/**
 * memgate_device_rdma() - the name of an RDMA device
 * @dev: the device, may be NULL
 * @buf: where to put it; empty if @dev is none
 * @size: bytes in @buf
 *
 * Return: bytes with the end, or a negative errno.
 */
static __always_inline long
memgate_device_rdma(struct device *dev, char *buf, __u32 size)
{
	buf[0] = '\0';
	if (!memgate_device_in_class(dev, "infiniband"))
		return -ENOENT;
	return memgate_device_name(dev, buf, size);
}

#endif /* _MEMGATE_DEVICE_BPF_H */
