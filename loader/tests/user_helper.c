// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Real users of gated memory, for tests in a shell.  These take the memory at
 * fd 7, say "ok" or what failed and the errno's name, and then stay until
 * their standard input ends:
 *
 *   user_helper vm			a virtual machine with it as a memslot
 *   user_helper look			a mapping for reading
 *   user_helper vfio GROUP [FD...]	a container of VFIO with that group of
 *					the IOMMU; instead of fd 7, these
 *
 *   user_helper read N			read fd 7 N times; how often it failed
 *   user_helper flood N		make N memfds, seal them, read and map
 *					each once, which must be refused
 *   user_helper named NAME COMMAND ARGS	run with such a memfd
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kvm.h>
#include <linux/vfio.h>

#ifndef F_SEAL_ACCESS
#define F_SEAL_ACCESS	0x00010000
#endif

#define FD	7
#define SIZE	(1 << 20)

static int say(const char *what)
{
	printf("%s %s\n", what, strerrorname_np(errno));
	return 1;
}

static int stay(void)
{
	char c;

	puts("ok");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static void *map_memory(int fd)
{
	return mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int use_vm(void)
{
	struct kvm_userspace_memory_region slot = { .memory_size = SIZE };
	int kvm, vm;
	void *at;

	at = map_memory(FD);
	if (at == MAP_FAILED)
		return say("mmap");
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return say("kvm");
	slot.userspace_addr = (unsigned long)at;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot))
		return say("memslot");
	return stay();
}

static int dma_map(int container, int fd)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .size = SIZE,
		.iova = (unsigned long)fd * SIZE,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};
	void *at = map_memory(fd);

	if (at == MAP_FAILED)
		return say("mmap");
	map.vaddr = (unsigned long)at;
	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? say("dma") : 0;
}

static int use_vfio(char **argv)
{
	int container, group;
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%s", *argv++);
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	group = open(path, O_RDWR | O_CLOEXEC);
	if (container < 0 || group < 0 ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return say("vfio");
	if (!*argv && dma_map(container, FD))
		return 1;
	for (; *argv; argv++)
		if (dma_map(container, atoi(*argv)))
			return 1;
	return stay();
}

static int look(void)
{
	if (mmap(NULL, SIZE, PROT_READ, MAP_SHARED, FD, 0) == MAP_FAILED)
		return say("mmap");
	return stay();
}

static int read_often(int n)
{
	int failed = 0;
	char c;

	while (n--)
		failed += pread(FD, &c, 1, 0) < 0;
	printf("%d\n", failed);
	return 0;
}

static int flood(int n)
{
	char c;
	int fd;

	while (n--) {
		fd = memfd_create("flood", MFD_ALLOW_SEALING);
		if (fd < 0 || ftruncate(fd, SIZE) ||
		    fcntl(fd, F_ADD_SEALS, F_SEAL_ACCESS))
			return say("memfd");
		if (pread(fd, &c, 1, 0) >= 0 ||
		    map_memory(fd) != MAP_FAILED)
			return say("refusal");
		/* The last one stays, to be looked at. */
		if (n)
			close(fd);
	}
	return stay();
}

static int run_named(char **argv)
{
	int fd = memfd_create(argv[0], MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, SIZE) || (fd != FD && dup2(fd, FD) < 0))
		return say("memfd");
	if (fd != FD)
		close(fd);
	execvp(argv[1], argv + 1);
	return say(argv[1]);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "vm"))
		return use_vm();
	if (!strcmp(word, "look"))
		return look();
	if (argc > 2 && !strcmp(word, "vfio"))
		return use_vfio(argv + 2);
	if (argc > 2 && !strcmp(word, "read"))
		return read_often(atoi(argv[2]));
	if (argc > 2 && !strcmp(word, "flood"))
		return flood(atoi(argv[2]));
	if (argc > 3 && !strcmp(word, "named"))
		return run_named(argv + 2);
	fprintf(stderr, "user_helper: vm, look, vfio, read, flood or named\n");
	return 125;
}
