// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Seal, install, update, freeze; and why the kernel said no. */
#include <fcntl.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "internal.h"

#define SEALED_BY_VMM \
	"QEMU's memory-backend-memfd sets F_SEAL_SEAL early: let " \
	"CAP_SYS_ADMIN do it, or start the VMM with 'memgate run'"

#define END_PINS \
	"end what uses it (direct I/O, pipes, registered buffers, devices) " \
	"and try again"

/*
 * Only memfds have /memfd: as their path; a tmpfs file has seals too.
 * EBADF and not-a-memfd are common to everything below.
 */
int mg_check_memfd(int fd, const char *what)
{
	char link[64], target[64];
	ssize_t n;

	if (fcntl(fd, F_GETFD) < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, EBADF,
			       "give the number of an open memfd",
			       "cannot %s: file descriptor %d is not open",
			       what, fd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return 0;	/* no /proc: let the kernel judge */
	target[n] = '\0';
	if (!strncmp(target, "/memfd:", 7))
		return 0;
	return mg_fail(MEMGATE_ERR_REFUSED, EINVAL,
		       "only memory made by memfd_create(2) can be gated",
		       "cannot %s: file descriptor %d is no memfd but %s",
		       what, fd, target);
}

static bool is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY &&
	       !(flags & O_PATH);
}

static int no_write(int fd, const char *what)
{
	return mg_fail(MEMGATE_ERR_REFUSED, EPERM,
		       "open it for reading and writing",
		       "cannot %s: file descriptor %d is not open for writing",
		       what, fd);
}

static int seal_failed(int fd, int err)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (err == EINVAL && memgate_probe())
		return -err;	/* it says that there is no memgate */
	if (err == EPERM && !is_writable(fd))
		return no_write(fd, "seal");
	if (err == EPERM && seals >= 0 && (seals & F_SEAL_SEAL))
		return mg_fail(MEMGATE_ERR_REFUSED, err, SEALED_BY_VMM,
			       "cannot seal: the memfd has F_SEAL_SEAL, which "
			       "forbids more seals");
	if (err == EBUSY)
		return mg_fail(MEMGATE_ERR_REFUSED, err,
			       END_PINS,
			       "cannot seal: pages of the memfd are pinned by "
			       "somebody");
	return mg_fail(MEMGATE_ERR_REFUSED, err, NULL, "cannot seal: %s",
		       mg_errno_name(err));
}

int memgate_gate__seal(int fd)
{
	int seals, err;

	err = mg_check_memfd(fd, "seal");
	if (err)
		return err;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0 && (seals & F_SEAL_ACCESS))
		return 1;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_ACCESS))
		return seal_failed(fd, errno);
	return 0;
}

int memgate_gate__freeze(int fd)
{
	struct memgate_gate_info *g;
	int err;

	err = mg_check_memfd(fd, "freeze");
	if (err)
		return err;
	g = memgate_gate__info(fd);
	if (!g)
		return -errno;
	if (g->frozen) {
		memgate_gate_info__free(g);
		return 1;
	}
	memgate_gate_info__free(g);
	if (!fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL))
		return 0;
	err = errno;
	if (err == EPERM && !is_writable(fd))
		return no_write(fd, "freeze");
	if (err == EPERM)
		return mg_fail(MEMGATE_ERR_REFUSED, err, SEALED_BY_VMM,
			       "cannot freeze: F_SEAL_SEAL is older than the "
			       "gate, and this process lacks CAP_SYS_ADMIN");
	return mg_fail(MEMGATE_ERR_REFUSED, err, NULL, "cannot freeze: %s",
		       mg_errno_name(err));
}

static bool is_frozen(int fd)
{
	struct memgate_gate_info *g = memgate_gate__info(fd);
	bool frozen = g && g->frozen;

	memgate_gate_info__free(g);
	return frozen;
}

static int install_denied(int fd, const char *name)
{
	char what[96];

	snprintf(what, sizeof(what), "install %s", name);
	if (!is_writable(fd))
		return no_write(fd, what);
	if (is_frozen(fd))
		return mg_fail(MEMGATE_ERR_REFUSED, EPERM,
			       "install before F_SEAL_SEAL; only "
			       "CAP_SYS_ADMIN may add a policy now, and it "
			       "opens nothing",
			       "cannot %s: the gate is frozen", what);
	return mg_fail(MEMGATE_ERR_REFUSED, EPERM, SEALED_BY_VMM,
		       "cannot %s: F_SEAL_SEAL is older than the gate, and "
		       "this process lacks CAP_SYS_ADMIN", what);
}

static int install_failed(int fd, const struct memgate_policy *p, size_t size,
			  int err)
{
	/* A stock kernel does not know the flag and answers EINVAL. */
	if (memgate_probe())
		return -EOPNOTSUPP;
	switch (err) {
	case EPERM:
		return install_denied(fd, p->name);
	case EBUSY:
		return mg_fail(MEMGATE_ERR_REFUSED, err,
			       END_PINS,
			       "cannot install %s: pages of the memfd are "
			       "pinned, so that it cannot be sealed", p->name);
	case EMSGSIZE:
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
			       "cannot install %s: %zu bytes of parameters, "
			       "the policy declares %u", p->name, size,
			       p->params_size);
	case E2BIG:
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
			       "cannot install %s: %zu bytes of parameters, "
			       "at most %u are possible", p->name, size,
			       MEMGATE_PARAMS_MAX);
	case ENOSPC:
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
			       "cannot install %s: the gate has %u policies "
			       "already", p->name, MEMGATE_MAX_INSTALLS);
	}
	return mg_fail(MEMGATE_ERR_REFUSED, err, err == EINVAL ?
		       "is it loaded by a link (SEC(\".struct_ops.link\"))?" :
		       NULL, "cannot install %s: %s", p->name,
		       mg_errno_name(err));
}

int memgate_gate__install(int fd, struct memgate_policy *p,
			  const struct memgate_params *params)
{
	struct memgate_params *zero = NULL;
	char what[96];
	int link_fd;

	snprintf(what, sizeof(what), "install %s", p->name);
	link_fd = mg_check_memfd(fd, what);
	if (link_fd)
		return link_fd;
	if (!params) {
		zero = memgate_params__new(p);
		if (!zero)
			return -ENOMEM;
		params = zero;
	}
	/* No blob at all must be NULL, 0: a pointer alone would be odd. */
	link_fd = mg_link_create(p->map_fd, fd, BPF_F_STRUCT_OPS_FD,
				 params->size ? params->data : NULL,
				 params->size);
	if (link_fd < 0)
		link_fd = install_failed(fd, p, params->size, -link_fd);
	memgate_params__free(zero);
	return link_fd;
}

int memgate_link__update(int link_fd, struct memgate_policy *p)
{
	int err;

	if (!bpf_link_update(link_fd, p->map_fd, NULL))
		return 0;
	err = errno;
	switch (err) {
	case EPERM:
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
			       "cannot put %s in its place: the gate is "
			       "frozen", p->name);
	case EMSGSIZE:
		return mg_fail(MEMGATE_ERR_REFUSED, err,
			       "an update keeps the parameters of the install",
			       "cannot put %s in its place: it declares %u "
			       "bytes of parameters, the install has another "
			       "size", p->name, p->params_size);
	case ENOLINK:
		return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
			       "cannot put %s in its place: the memfd is gone, "
			       "or the link was detached", p->name);
	}
	return mg_fail(MEMGATE_ERR_REFUSED, err, NULL,
		       "cannot put %s in its place: %s", p->name,
		       mg_errno_name(err));
}

int memgate_link__pin(int link_fd, const char *path)
{
	char dir[256];
	char *slash;
	int err;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (!slash || !mg_is_bpffs(*dir ? dir : "/"))
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL,
			       "name a place such as /sys/fs/bpf/my-vm",
			       "cannot pin %s: it is not in a directory of a "
			       "BPF file system", path);
	if (!bpf_obj_pin(link_fd, path))
		return 0;
	err = errno;
	return mg_fail(MEMGATE_ERR_REFUSED, err, err == EEXIST ?
		       "remove it or choose another name" :
		       err == EPERM && strchr(slash, '.') ?
		       "a BPF file system takes no dots in names" : NULL,
		       "cannot pin %s: %s", path, mg_errno_name(err));
}

int memgate_link__open(const char *path)
{
	uint32_t link_id, map_id;
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, NULL,
			       "cannot open pin %s: %s", path,
			       mg_errno_name(errno));
	if (mg_link_map_id(fd, &link_id, &map_id)) {
		close(fd);
		return mg_fail(MEMGATE_ERR_INPUT, EINVAL, NULL,
			       "%s is no link of a policy", path);
	}
	return fd;
}

int memgate_link__open_id(uint32_t id)
{
	int fd = bpf_link_get_fd_by_id(id);

	if (fd < 0)
		return mg_fail(MEMGATE_ERR_REFUSED, errno, errno == EPERM ?
			       "it needs CAP_SYS_ADMIN; or name the link's "
			       "pin" : NULL, "cannot open link %u: %s", id,
			       mg_errno_name(errno));
	return fd;
}
