// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides the classes in which devices come, allows what has no device and
 * the devices that its parameters name, and refuses all others with EPERM.
 */
#include "dev_name.bpf.h"
#include "policy_progs.h"

char _license[] SEC("license") = "GPL";
MEMGATE_PARAMS(struct answer_dev_params);

static __always_inline bool same_name(const char *a, const char *b)
{
	int i;

	for (i = 0; i < DEV_NAME_LEN; i++) {
		if (a[i] != b[i])
			return false;
		if (!a[i])
			return true;
	}
	return false;
}

int MEMGATE_PROG(may_attach, answer_dev_may_attach, struct memgate *gate,
		 struct memgate_consumer *consumer, struct device *dev)
{
	const struct answer_dev_params *params;
	char name[DEV_NAME_LEN] = {};

	if (!dev)
		return 0;
	params = MEMGATE_GET_PARAMS(gate, struct answer_dev_params);
	if (!params)
		return -EACCES;
	read_dev_name(dev, name, sizeof(name));
	if (same_name(params->name, name) ||
	    same_name(params->name_2, name) ||
	    same_name(params->name_3, name) ||
	    same_name(params->name_4, name))
		return 0;
	return -EPERM;
}

MEMGATE_POLICY(answer_dev,
	.decides = MEMGATE_CLASS(MEMGATE_VFIO) |
		   MEMGATE_CLASS(MEMGATE_IOMMUFD) |
		   MEMGATE_CLASS(MEMGATE_RDMA) |
		   MEMGATE_CLASS(MEMGATE_VDPA) |
		   MEMGATE_CLASS(MEMGATE_VHOST) |
		   MEMGATE_CLASS(MEMGATE_IO_URING) |
		   MEMGATE_CLASS(MEMGATE_XDP) |
		   MEMGATE_CLASS(MEMGATE_DMABUF),
	.params_size = sizeof(struct answer_dev_params),
	.may_attach = (void *)answer_dev_may_attach,
);
