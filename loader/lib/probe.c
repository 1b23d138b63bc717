// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What the running kernel has. */
#include <fcntl.h>
#include <sys/mman.h>

#include <bpf/btf.h>

#include "internal.h"

#define BOOT_HINT "boot a kernel built with CONFIG_MEMGATE=y (see memgate(8))"

/* An unknown seal is EINVAL: the one probe that needs no privilege. */
int memgate_probe(void)
{
	int __autoclose fd = -1;

	fd = memfd_create("memgate-probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "memfd_create: %s", mg_errno_name(errno));
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_ACCESS))
		return 0;
	if (errno != EINVAL)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "sealing a new memfd: %s",
			       mg_errno_name(errno));
	return mg_fail(MEMGATE_ERR_NO_MEMGATE, EOPNOTSUPP, BOOT_HINT,
		       "this kernel has no memgate: it does not know "
		       "F_SEAL_ACCESS");
}

int memgate_probe_btf(void)
{
	const struct btf *btf = mg_vmlinux_btf();

	if (!btf)
		return mg_fail(MEMGATE_ERR_NO_MEMGATE, ENOENT,
			       "build it with CONFIG_DEBUG_INFO_BTF=y",
			       "this kernel shows no BTF in "
			       "/sys/kernel/btf/vmlinux");
	if (btf__find_by_name_kind(btf, "memgate_ops", BTF_KIND_STRUCT) < 0)
		return mg_fail(MEMGATE_ERR_NO_MEMGATE, EOPNOTSUPP, BOOT_HINT,
			       "this kernel has no memgate: no struct "
			       "memgate_ops in its BTF");
	return 0;
}

const char *memgate_version(void)
{
	return MEMGATE_VERSION;
}

const char *memgate_class_name(unsigned int class_nr)
{
	static const char * const names[] = {
		[MEMGATE_MAP] = "map",
		[MEMGATE_FILE] = "file",
		[MEMGATE_OWN_PIN] = "own_pin",
		[MEMGATE_OWN_LONGTERM] = "own_longterm",
		[MEMGATE_REMOTE] = "remote",
		[MEMGATE_OTHER] = "other",
		[MEMGATE_KVM] = "kvm",
		[MEMGATE_VFIO] = "vfio",
		[MEMGATE_IOMMUFD] = "iommufd",
		[MEMGATE_RDMA] = "rdma",
		[MEMGATE_VDPA] = "vdpa",
		[MEMGATE_VHOST] = "vhost",
		[MEMGATE_IO_URING] = "io_uring",
		[MEMGATE_XDP] = "xdp",
		[MEMGATE_DMABUF] = "dmabuf",
	};

	_Static_assert(ARRAY_SIZE(names) == MEMGATE_NR_CLASSES,
		       "every class has a name");
	return class_nr < ARRAY_SIZE(names) ? names[class_nr] : NULL;
}
