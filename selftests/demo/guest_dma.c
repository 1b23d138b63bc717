// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device of the guest that copies memory: QEMU's edu, without a driver.
 *
 * It has a buffer of 4 KiB and a DMA engine between that and memory.  The
 * guest sees no IOMMU, so the device takes guest physical addresses.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest_dma.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define EDU_IDS		0x11e81234u	/* device and vendor */
#define PCI_COMMAND	4
#define PCI_MEM_MASTER	0x0006		/* may be reached, may do DMA */

#define EDU_BAR_SIZE	(1 << 20)
#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_COMMAND	0x98
#define EDU_BUFFER	0x40000
#define EDU_START	1u
#define EDU_TO_MEMORY	2u

#define PAGE		4096
/* QEMU 7.2 aborts where the end of the buffer is touched. */
#define DMA_BYTES	2048

static int open_in(const char *device, const char *file, int flags)
{
	char path[512];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, file);
	return open(path, flags | O_CLOEXEC);
}

static int is_edu(const char *device)
{
	int fd = open_in(device, "config", O_RDONLY);
	uint32_t ids = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &ids, sizeof(ids), 0) != sizeof(ids))
		ids = 0;
	close(fd);
	return ids == EDU_IDS;
}

/* Copies the name of the first one. */
static int find_edu(char *device, size_t size)
{
	DIR *dir = opendir(PCI_DEVICES);
	struct dirent *entry;
	int err = -ENODEV;

	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !is_edu(entry->d_name))
			continue;
		snprintf(device, size, "%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

static void *map_edu(const char *device)
{
	uint16_t command = PCI_MEM_MASTER;
	void *bar = MAP_FAILED;
	int fd;

	fd = open_in(device, "config", O_RDWR);
	if (fd < 0)
		return MAP_FAILED;
	if (pwrite(fd, &command, sizeof(command), PCI_COMMAND) ==
	    sizeof(command)) {
		close(fd);
		fd = open_in(device, "resource0", O_RDWR);
		if (fd < 0)
			return MAP_FAILED;
		bar = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE,
			   MAP_SHARED, fd, 0);
	}
	close(fd);
	return bar;
}

static uint64_t physical(const void *p)
{
	off_t at = (uintptr_t)p / PAGE * sizeof(uint64_t);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		entry = 0;
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

static void copy(volatile uint64_t *reg, uint64_t src, uint64_t dst,
		 uint64_t command)
{
	reg[EDU_SRC / 8] = src;
	reg[EDU_DST / 8] = dst;
	reg[EDU_COUNT / 8] = DMA_BYTES;
	reg[EDU_COMMAND / 8] = command | EDU_START;
	while (reg[EDU_COMMAND / 8] & EDU_START)
		usleep(1000);
}

static int have(const char *type, const char *dir)
{
	mkdir(dir, 0755);
	return mount(type, dir, type, 0, NULL) && errno != EBUSY ? -1 : 0;
}

static void *new_page(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);

	return page == MAP_FAILED ? NULL : memset(page, 0, PAGE);
}

/**
 * guest_dma - have the device copy a text
 * @text: what to copy
 * @copy_of_it: a page, from new memory that the device has written
 *
 * From memory into the device, and from there into other memory.
 *
 * Return: 0 or a negative errno.
 */
int guest_dma(const char *text, char **copy_of_it)
{
	char device[256], *from = new_page(), *to = new_page();
	void *bar;
	int err;

	if (!from || !to)
		return -ENOMEM;
	if (have("sysfs", "/sys") || have("proc", "/proc"))
		return -errno;
	err = find_edu(device, sizeof(device));
	if (err)
		return err;
	bar = map_edu(device);
	if (bar == MAP_FAILED)
		return -errno;
	snprintf(from, DMA_BYTES, "%s", text);
	copy(bar, physical(from), EDU_BUFFER, 0);
	copy(bar, EDU_BUFFER, physical(to), EDU_TO_MEMORY);
	munmap(bar, EDU_BAR_SIZE);
	munmap(from, PAGE);
	*copy_of_it = to;
	return 0;
}
