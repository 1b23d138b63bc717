// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uses the memfd at descriptor 7 in the ways that it is told to: what the
 * tests of `memgate monitor` and `memgate learn` watch.
 *
 *   workload [UID[.GID]:]STEP[*COUNT]...
 *
 * A step with an id is done by a child of this user (and group, or else the
 * same number).  Prints "STEP: ok" or "STEP: ERRNO" for each; the exit status
 * is 1 if one did not work.  The steps are in the table at the end.
 */
#include <grp.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* As kselftest_harness.h has it, which is for tests. */
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#include "may.h"
#include "kvm_util.h"
#include "loop_util.h"
#include "rdma_util.h"
#include "take.h"
#include "../../../lib/test_hmm_uapi.h"
#include "../../../mm/gup_test.h"

#define FD	7
#define LEN	TAKE_LEN
#define PAGE	MAY_PAGE
#define NETDEV	"mgt0"

/* One mapping, made by the first step that is to make one. */
static char *map = MAP_FAILED;

static int do_map(int prot)
{
	void *new = mmap(NULL, LEN, prot, MAP_SHARED, FD, 0);

	if (new == MAP_FAILED)
		return -errno;
	if (map == MAP_FAILED)
		map = may_held = new;
	else
		munmap(new, LEN);
	return 0;
}

static int step_map(void)
{
	return do_map(PROT_READ | PROT_WRITE);
}

static int step_mapro(void)
{
	return do_map(PROT_READ);
}

static int step_widen(void)
{
	return mprotect(map, LEN, PROT_READ | PROT_WRITE) ? -errno : 0;
}

static int step_move(void)
{
	void *new = mremap(map, LEN, LEN / 2, 0);

	if (new == MAP_FAILED)
		return -errno;
	new = mremap(map, LEN / 2, LEN, MREMAP_MAYMOVE);
	if (new == MAP_FAILED)
		return -errno;
	map = may_held = new;
	return 0;
}

static int wait_status(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -ECHILD;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int step_fork(void)
{
	unsigned char vec;
	pid_t pid = fork();

	if (!pid)
		_exit(mincore(map, PAGE, &vec) ? EACCES : 0);
	return wait_status(pid);
}

static int step_read(void)
{
	char buf[64];

	return pread(FD, buf, sizeof(buf), 0) < 0 ? -errno : 0;
}

static int step_write(void)
{
	return pwrite(FD, "x", 1, 0) < 0 ? -errno : 0;
}

static int step_pin(void)
{
	struct iovec v = { map, PAGE };
	int p[2], ret;

	if (pipe(p))
		return -errno;
	ret = vmsplice(p[1], &v, 1, 0) == PAGE ? 0 : -errno;
	close(p[0]);
	close(p[1]);
	return ret;
}

/* By a child, of the mapping that it has from us. */
static int step_childpin(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-step_pin());
	return wait_status(pid);
}

/* By the kernel's test driver: drivers of no class pin so. */
static int step_longterm(void)
{
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)map, .size = PAGE,
		.flags = PIN_LONGTERM_TEST_FLAG_USE_WRITE,
	};
	int dev = open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC), ret;

	ret = ioctl(dev, PIN_LONGTERM_TEST_START, &pin) ? -errno : 0;
	ioctl(dev, PIN_LONGTERM_TEST_STOP);
	close(dev);
	return ret;
}

static int step_remote(void)
{
	char buf[PAGE];
	struct iovec to = { buf, PAGE }, from = { map, PAGE };
	pid_t pid = fork();

	if (!pid)
		_exit(process_vm_readv(getppid(), &to, 1, &from, 1, 0) < 0 ?
		      errno : 0);
	return wait_status(pid);
}

/* A kernel thread reads the memfd. */
static int step_loop(void)
{
	char *buf = aligned_alloc(PAGE, PAGE);
	int dev = mg_loop_open(FD, O_RDONLY), ret;

	if (dev < 0)
		return -errno;
	ret = pread(dev, buf, PAGE, 0) < 0 ? -errno : 0;
	close(dev);
	free(buf);
	return ret;
}

static int step_udmabuf(void)
{
	return take_by_udmabuf(FD);
}

/* Closed, whatever the policies are. */
static int step_hmm(void)
{
	static char buf[PAGE] __attribute__((aligned(PAGE)));
	struct hmm_dmirror_cmd cmd = {
		.addr = (uintptr_t)map, .ptr = (uintptr_t)buf, .npages = 1,
	};
	int dev = open("/dev/hmm_dmirror0", O_RDWR | O_CLOEXEC), ret;

	ret = ioctl(dev, HMM_DMIRROR_READ, &cmd) ? -errno : 0;
	close(dev);
	return ret;
}

/* VMs ***********************************************************************/

/* In the first, then with all others there. */
static int run_vms(struct guest *guest, int nr)
{
	uint32_t value;
	int err, i;

	for (i = 0; i < nr; i++) {
		err = guest_open(&guest[i], 1, 0);
		err = err ?: guest_memslot(&guest[i], 1, GUEST_GPA, map, LEN,
					   0);
		err = err ?: guest_read(&guest[i], 0, GUEST_GPA, &value, NULL);
		if (err)
			return err;
	}
	return 0;
}

static int with_vms(int nr)
{
	struct guest guest[2] = { 0 };
	int err, i;

	guest[0].kvm_fd = guest[0].vm_fd = -1;
	guest[1].kvm_fd = guest[1].vm_fd = -1;
	err = run_vms(guest, nr);
	for (i = 0; i < nr; i++)
		guest_close(&guest[i]);
	return err;
}

static int step_vm(void)
{
	return with_vms(1);
}

static int step_vms(void)
{
	return with_vms(2);
}

/* Devices *******************************************************************/

static int by_vfio(enum edu_nr nr)
{
	return edu_ready() ?: take_by_vfio(map, nr);
}

/* Both stay until this program ends. */
static int step_keep(void)
{
	static struct guest guest = { .kvm_fd = -1, .vm_fd = -1 };
	int container, group, err;
	uint32_t value;

	err = edu_ready() ?: guest_open(&guest, 1, 0);
	err = err ?: guest_memslot(&guest, 1, GUEST_GPA, map, LEN, 0);
	err = err ?: guest_read(&guest, 0, GUEST_GPA, &value, NULL);
	if (err)
		return err;
	container = vfio_container();
	group = vfio_group(EDU_A);
	return vfio_join(group, container) ?: vfio_set_iommu(container) ?:
	       vfio_map(container, map, 0x1000000, LEN,
			MEMGATE_READ | MEMGATE_WRITE);
}

/* Until somebody closes our standard input. */
static int step_wait(void)
{
	char c;

	return read(STDIN_FILENO, &c, 1) ? -EPROTO : 0;
}

static int step_vfio_a(void)
{
	return by_vfio(EDU_A);
}

static int step_vfio_b(void)
{
	return by_vfio(EDU_B);
}

/* A group of two and the bridge that they are behind. */
static int step_vfio_bridged(void)
{
	return by_vfio(EDU_BRIDGED);
}

static int step_iommufd_a(void)
{
	return edu_ready() ?: take_by_iommufd(map, EDU_A);
}

static int step_rdma(void)
{
	struct ibv_mr *mr;
	struct rdma r;
	int err;

	err = rdma_device(0);
	if (err || rdma_open(&r, "rxe0"))
		return err ?: -EIO;
	mr = ibv_reg_mr(r.pd, map, LEN, IBV_ACCESS_LOCAL_WRITE);
	err = mr ? 0 : -errno;
	if (mr)
		ibv_dereg_mr(mr);
	rdma_close(&r);
	return err;
}

static int step_xdp(void)
{
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY,
	};
	struct xdp_umem_reg reg = {
		.addr = (uintptr_t)map, .len = LEN, .chunk_size = 4096,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), size = 64, err;

	if (!if_nametoindex(NETDEV) &&
	    system("ip link add " NETDEV " type dummy"))
		return -EIO;
	to.sxdp_ifindex = if_nametoindex(NETDEV);
	err = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	      setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size,
			 sizeof(size)) ||
	      setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size,
			 sizeof(size)) ||
	      setsockopt(fd, SOL_XDP, XDP_TX_RING, &size, sizeof(size)) ||
	      bind(fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
	close(fd);
	return err;
}

/* Steps *********************************************************************/

static const struct {
	const char *name;
	int (*run)(void);
} steps[] = {
	{ "map", step_map },		/* to read and write */
	{ "mapro", step_mapro },	/* to read */
	{ "widen", step_widen },	/* mprotect() */
	{ "move", step_move },		/* mremap() */
	{ "fork", step_fork },
	{ "read", step_read },
	{ "write", step_write },
	{ "pin", step_pin },
	{ "childpin", step_childpin },
	{ "longterm", step_longterm },
	{ "uring", may_try_ring },
	{ "vhost", may_try_vhost },
	{ "remote", step_remote },
	{ "loop", step_loop },
	{ "hmm", step_hmm },
	{ "vm", step_vm },		/* one, which ends */
	{ "vms", step_vms },		/* two at once */
	{ "keep", step_keep },		/* a VM and a device, which stay */
	{ "wait", step_wait },
	{ "vfio-a", step_vfio_a },
	{ "vfio-b", step_vfio_b },
	{ "vfio-bridged", step_vfio_bridged },
	{ "iommufd-a", step_iommufd_a },
	{ "udmabuf", step_udmabuf },
	{ "rdma", step_rdma },
	{ "xdp", step_xdp },
};

static int run_step(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		if (!strcmp(steps[i].name, name))
			return steps[i].run();
	fprintf(stderr, "workload: no step '%s'\n", name);
	return -ENOSYS;
}

static int run_as(unsigned int uid, unsigned int gid, const char *name)
{
	pid_t pid = fork();

	if (pid)
		return wait_status(pid);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		_exit(EPERM);
	_exit(-run_step(name));
}

static int run_word(char *word)
{
	char *star = strchr(word, '*'), *name = strchr(word, ':');
	unsigned int uid = 0, gid = 0;
	int n, times, err = 0;

	times = star ? atoi(star + 1) : 1;
	if (star)
		*star = '\0';
	if (name) {
		n = sscanf(word, "%u.%u", &uid, &gid);
		gid = n == 2 ? gid : uid;
	}
	name = name ? name + 1 : word;
	while (!err && times--)
		err = uid ? run_as(uid, gid, name) : run_step(name);
	return err;
}

int main(int argc, char **argv)
{
	int i, err, failed = 0;

	/* In the order of the events, also through a pipe. */
	setvbuf(stdout, NULL, _IONBF, 0);
	for (i = 1; i < argc; i++) {
		err = run_word(argv[i]);
		printf("%s: %s\n", argv[i],
		       err ? strerrorname_np(-err) : "ok");
		failed |= !!err;
	}
	return failed;
}
