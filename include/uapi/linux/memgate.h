/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * memgate: who may use the memory behind a memfd
 *
 * What userspace and policies share with the kernel.  The programming
 * model is in Documentation/userspace-api/memgate.rst.
 */
#ifndef _UAPI_LINUX_MEMGATE_H
#define _UAPI_LINUX_MEMGATE_H

/*
 * F_ADD_SEALS: no new access to the memory of this memfd unless the
 * policies installed on it allow it.  A kernel without memgate answers
 * EINVAL, which is how its presence is probed.
 */
#ifndef F_SEAL_ACCESS
#define F_SEAL_ACCESS		0x00010000
#endif

/*
 * BPF_LINK_CREATE, attach_type BPF_STRUCT_OPS, link_create.flags:
 * link_create.target_fd names the object on which the struct_ops map is
 * installed, and link_create.struct_ops.{params,params_len} (the place of
 * link_create.{iter_info,iter_info_len}) the parameters of this one install.
 * Without the flag a link keeps a policy loaded and installs it nowhere.
 *
 * Errors of BPF_LINK_CREATE with this flag on a struct memgate_ops map:
 *   EBADF     target_fd is not open
 *   EINVAL    target_fd is not a memfd (memfd_create(2)), or the map is no
 *             registered struct_ops map made with BPF_F_LINK
 *   EPERM     target_fd is not open for writing; or the gate is frozen, or
 *             F_SEAL_SEAL is older than the gate, and the caller lacks
 *             CAP_SYS_ADMIN in the initial user namespace
 *   EBUSY     pages of the memfd are pinned, so that it cannot be sealed
 *   EMSGSIZE  params_len is not what the policy declares (params_size)
 *   E2BIG     params_len is over MEMGATE_PARAMS_MAX
 *   EFAULT    params is no readable memory
 *   ENOSPC    MEMGATE_MAX_INSTALLS policies are on this gate already
 * BPF_LINK_UPDATE:
 *   EPERM     the gate is frozen
 *   EMSGSIZE  the new policy declares another params_size
 */
#define BPF_F_STRUCT_OPS_FD	(1U << 30)

#define MEMGATE_NAME_LEN	32
#define MEMGATE_PARAMS_MAX	4096
#define MEMGATE_MAX_INSTALLS	64

/**
 * enum memgate_class - the classes of access that a policy may decide
 * @MEMGATE_MAP: CPU mappings: mmap, mprotect, mremap, fork
 * @MEMGATE_FILE: read, write, splice, fallocate, truncate, exec, loop
 * @MEMGATE_OWN_PIN: pin by a task of its own mapping: O_DIRECT, vmsplice
 * @MEMGATE_OWN_LONGTERM: long-term pin by a task of its own mapping
 * @MEMGATE_REMOTE: ptrace, /proc/PID/mem, process_vm_readv and the like
 * @MEMGATE_OTHER: whatever else pins (kernel threads)
 * @MEMGATE_KVM: stage-2 mappings, pfn cache and SEV pins of one VM
 * @MEMGATE_VFIO: VFIO type1 container
 * @MEMGATE_IOMMUFD: IOAS, HWPT, access
 * @MEMGATE_RDMA: memory region
 * @MEMGATE_VDPA: vhost-vdpa
 * @MEMGATE_VHOST: kernel vhost
 * @MEMGATE_IO_URING: registered buffers of a ring
 * @MEMGATE_XDP: AF_XDP umem
 * @MEMGATE_DMABUF: udmabuf and its importers
 * @MEMGATE_NR_CLASSES: how many there are
 *
 * Values are ABI: they are never renumbered, new ones append.
 */
enum memgate_class {
	MEMGATE_MAP = 0,
	MEMGATE_FILE = 1,
	MEMGATE_OWN_PIN = 2,
	MEMGATE_OWN_LONGTERM = 3,
	MEMGATE_REMOTE = 4,
	MEMGATE_OTHER = 5,
	MEMGATE_KVM = 6,
	MEMGATE_VFIO = 7,
	MEMGATE_IOMMUFD = 8,
	MEMGATE_RDMA = 9,
	MEMGATE_VDPA = 10,
	MEMGATE_VHOST = 11,
	MEMGATE_IO_URING = 12,
	MEMGATE_XDP = 13,
	MEMGATE_DMABUF = 14,
	MEMGATE_NR_CLASSES,
};

/* A set of classes, as in struct memgate_ops.decides. */
#define MEMGATE_CLASS(class)	(1ULL << (class))

/* What is asked for; 0 is an access without any (a PROT_NONE mapping). */
enum memgate_rights {
	MEMGATE_READ = 1 << 0,
	MEMGATE_WRITE = 1 << 1,
	MEMGATE_EXEC = 1 << 2,
};

/* How a CPU mapping comes into being or widens. */
enum memgate_map_op {
	MEMGATE_OP_MMAP = 0,
	MEMGATE_OP_MPROTECT = 1,
	MEMGATE_OP_MREMAP = 2,
	MEMGATE_OP_FORK = 3,
};

/*
 * /proc/PID/fdinfo/FD of a memfd that has a gate.  One line "memgate:",
 * then a line for every install in the order in which they are asked, then
 * a line for every attachment, each followed by one for every device of the
 * consumer; fields are "key value" pairs, numbers are decimal unless they
 * start with 0x, and new pairs append.
 *
 *   memgate:	id 5 premapped 0 frozen 1 classes 0x43
 *   memgate-policy:	name owner map 12 link 7 state live classes 0x3
 *   memgate-consumer:	kind 7 id 9 rights 0x3 pid 1234
 *   memgate-device:	consumer 9 name 0000:00:10.0
 *
 * classes: the classes that are decided by some install; all others are
 * closed.  state: live (its link is open), kept (link gone, the gate was
 * frozen before) or closed (link gone: its classes are refused for good;
 * map and link are 0).  pid: who set the consumer up, in the reader's pid
 * namespace, 0 if not visible there.
 */

#endif /* _UAPI_LINUX_MEMGATE_H */
