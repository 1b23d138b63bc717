/* SPDX-License-Identifier: GPL-2.0-only */
/* dev_name() of the device that a question names. */
#ifndef _DEV_NAME_BPF_H
#define _DEV_NAME_BPF_H

#include <memgate/policy.bpf.h>

/* Leaves @name as it is if there is no device. */
static __always_inline void read_dev_name(struct device *dev, char *name,
					  __u32 size)
{
	const char *from;

	if (!dev)
		return;
	from = BPF_CORE_READ(dev, init_name);
	if (!from)
		from = BPF_CORE_READ(dev, kobj.name);
	bpf_probe_read_kernel_str(name, size, from);
}

#endif /* _DEV_NAME_BPF_H */
