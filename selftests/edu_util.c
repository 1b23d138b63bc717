// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real devices that do DMA: QEMU's "edu", by VFIO and by iommufd
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "edu_util.h"
#include "memgate_util.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef VFIO_DEVICE_BIND_IOMMUFD
#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
struct vfio_device_bind_iommufd {
	__u32 argsz;
	__u32 flags;
	__s32 iommufd;
	__u32 out_devid;
};

#define VFIO_DEVICE_ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
struct vfio_device_attach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
	__u32 pt_id;
};

#define VFIO_DEVICE_DETACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)
struct vfio_device_detach_iommufd_pt {
	__u32 argsz;
	__u32 flags;
};
#endif

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define PCI_DRIVER	"/sys/bus/pci/drivers/vfio-pci"
#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

#define PCI_COMMAND		4
#define PCI_COMMAND_MEMORY	(1 << 1)
#define PCI_COMMAND_MASTER	(1 << 2)

/* The registers, and where the device has its buffer. */
#define BAR_LEN		(1UL << 20)
#define REG_SOURCE	0x80
#define REG_TARGET	0x88
#define REG_COUNT	0x90
#define REG_COMMAND	0x98
#define COMMAND_RUN	(1 << 0)
#define COMMAND_STORE	(1 << 1)
#define BUFFER		0x40000

/* It takes QEMU a tenth of a second. */
#define DMA_SECONDS	10

static int ioctl_errno(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static int open_errno(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The devices in sysfs ******************************************************/

/* The last is the bridge. */
static char names[EDU_DEVICES + 1][32];

static unsigned int read_number(const char *device, const char *file)
{
	unsigned int number = 0;
	char path[320];
	FILE *f;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", device, file);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%x", &number) != 1)
		number = 0;
	fclose(f);
	return number;
}

static int is_edu(const struct dirent *entry)
{
	return read_number(entry->d_name, "vendor") == EDU_VENDOR &&
	       read_number(entry->d_name, "device") == EDU_DEVICE;
}

/* The folder of a device is in that of the bridge it is behind. */
static int find_bridge(void)
{
	char path[64], real[4096], *end, *start;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s", names[EDU_BRIDGED]);
	if (!realpath(path, real))
		return -errno;
	end = strrchr(real, '/');
	*end = '\0';
	start = strrchr(real, '/');
	snprintf(names[EDU_BRIDGE], sizeof(names[0]), "%.31s", start + 1);
	return 0;
}

static int find_all(void)
{
	struct dirent **list;
	int i, nr = scandir(PCI_DEVICES, &list, is_edu, alphasort);

	if (nr < 0)
		return -errno;
	for (i = 0; i < nr; i++) {
		if (nr == EDU_DEVICES)
			snprintf(names[i], sizeof(names[i]), "%.31s",
				 list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return nr == EDU_DEVICES ? find_bridge() : -ENODEV;
}

const char *edu_name(enum edu_nr nr)
{
	if (!names[0][0] && find_all())
		return "no edu";
	return names[nr];
}

static const char *file_of(enum edu_nr nr, const char *file)
{
	static char path[128];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", edu_name(nr), file);
	return path;
}

/* The last word of a link; -errno. */
static int read_link(enum edu_nr nr, const char *file, char *word, size_t size)
{
	char text[4096];
	ssize_t len = readlink(file_of(nr, file), text, sizeof(text) - 1);

	if (len < 0)
		return -errno;
	text[len] = '\0';
	snprintf(word, size, "%s", strrchr(text, '/') + 1);
	return 0;
}

int edu_group_nr(enum edu_nr nr)
{
	char word[32];
	int err = read_link(nr, "iommu_group", word, sizeof(word));

	return err ? err : atoi(word);
}

bool edu_is_bound(enum edu_nr nr)
{
	char word[32];

	return !read_link(nr, "driver", word, sizeof(word)) &&
	       !strcmp(word, "vfio-pci");
}

int edu_bind(enum edu_nr nr)
{
	int err;

	if (edu_is_bound(nr))
		return 0;
	err = mg_write_file(file_of(nr, "driver_override"), "vfio-pci");
	if (!err)
		err = mg_write_file("/sys/bus/pci/drivers_probe", edu_name(nr));
	if (err)
		return err;
	return edu_is_bound(nr) ? 0 : -ENODEV;
}

int edu_unbind(enum edu_nr nr)
{
	return mg_write_file(PCI_DRIVER "/unbind", edu_name(nr));
}

int edu_remove(enum edu_nr nr)
{
	return mg_write_file(file_of(nr, "remove"), "1");
}

int edu_rescan(void)
{
	return mg_write_file("/sys/bus/pci/rescan", "1");
}

int edu_ready(void)
{
	int nr, err = find_all();

	/* A test may have left one out, or in no group. */
	for (nr = 0; nr < EDU_DEVICES && !err; nr++)
		if (edu_group_nr(nr) < 0)
			err = edu_remove(nr) ?: -ENODEV;
	if (err) {
		edu_rescan();
		err = find_all();
	}
	for (nr = 0; !err && nr < EDU_DEVICES; nr++)
		err = edu_bind(nr);
	return err;
}

/* VFIO type1, and what iommufd has in its place *****************************/

int vfio_container(void)
{
	return open_errno("/dev/vfio/vfio");
}

int vfio_group(enum edu_nr nr)
{
	char path[64];
	int group = edu_group_nr(nr);

	if (group < 0)
		return group;
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	return open_errno(path);
}

int vfio_join(int group, int container)
{
	return ioctl_errno(group, VFIO_GROUP_SET_CONTAINER, &container);
}

int vfio_leave(int group)
{
	return ioctl_errno(group, VFIO_GROUP_UNSET_CONTAINER, NULL);
}

int vfio_set_iommu(int container)
{
	return ioctl_errno(container, VFIO_SET_IOMMU,
			   (void *)VFIO_TYPE1v2_IOMMU);
}

int vfio_map(int container, void *at, uint64_t iova, size_t len,
	     unsigned int rights)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.vaddr = (uintptr_t)at,
		.iova = iova,
		.size = len,
	};

	if (rights & MEMGATE_READ)
		map.flags |= VFIO_DMA_MAP_FLAG_READ;
	if (rights & MEMGATE_WRITE)
		map.flags |= VFIO_DMA_MAP_FLAG_WRITE;
	return ioctl_errno(container, VFIO_IOMMU_MAP_DMA, &map);
}

int vfio_unmap(int container, uint64_t iova, size_t len)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = len,
	};

	return ioctl_errno(container, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

/* iommufd *******************************************************************/

int iommufd_open(void)
{
	return open_errno("/dev/iommu");
}

int iommufd_ioas(int iommufd)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int err = ioctl_errno(iommufd, IOMMU_IOAS_ALLOC, &alloc);

	return err ? err : (int)alloc.out_ioas_id;
}

int iommufd_hwpt(int iommufd, const struct edu *edu, uint32_t ioas)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = edu->id,
		.pt_id = ioas,
	};
	int err = ioctl_errno(iommufd, IOMMU_HWPT_ALLOC, &alloc);

	return err ? err : (int)alloc.out_hwpt_id;
}

int iommufd_map(int iommufd, uint32_t ioas, void *at, uint64_t iova,
		size_t len, unsigned int rights)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas,
		.user_va = (uintptr_t)at,
		.length = len,
		.iova = iova,
	};

	if (rights & MEMGATE_READ)
		map.flags |= IOMMU_IOAS_MAP_READABLE;
	if (rights & MEMGATE_WRITE)
		map.flags |= IOMMU_IOAS_MAP_WRITEABLE;
	return ioctl_errno(iommufd, IOMMU_IOAS_MAP, &map);
}

int iommufd_copy(int iommufd, uint32_t from, uint32_t to, uint64_t iova,
		 size_t len)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.dst_ioas_id = to,
		.src_ioas_id = from,
		.length = len,
		.dst_iova = iova,
		.src_iova = iova,
	};

	return ioctl_errno(iommufd, IOMMU_IOAS_COPY, &copy);
}

int iommufd_unmap(int iommufd, uint32_t ioas, uint64_t iova, size_t len)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas,
		.iova = iova,
		.length = len,
	};

	return ioctl_errno(iommufd, IOMMU_IOAS_UNMAP, &unmap);
}

int iommufd_destroy(int iommufd, uint32_t id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return ioctl_errno(iommufd, IOMMU_DESTROY, &destroy);
}

int iommufd_compat_ioas(int iommufd)
{
	struct iommu_vfio_ioas get = {
		.size = sizeof(get),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	int err = ioctl_errno(iommufd, IOMMU_VFIO_IOAS, &get);

	return err ? err : (int)get.ioas_id;
}

/* A device in hand **********************************************************/

/* What a driver does with a device first: it may speak on the bus. */
static int let_speak(int fd, off_t config)
{
	uint16_t command;

	if (pread(fd, &command, sizeof(command), config + PCI_COMMAND) !=
	    sizeof(command))
		return -EIO;
	command |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (pwrite(fd, &command, sizeof(command), config + PCI_COMMAND) !=
	    sizeof(command))
		return -EIO;
	return 0;
}

static int map_bar(struct edu *edu, int fd, off_t at)
{
	edu->bar = mmap(NULL, BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			at);
	if (edu->bar != MAP_FAILED)
		return 0;
	edu->bar = NULL;
	return -errno;
}

static int region_offset(int fd, uint32_t index, off_t *offset)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = index,
	};
	int err = ioctl_errno(fd, VFIO_DEVICE_GET_REGION_INFO, &info);

	*offset = info.offset;
	return err;
}

static int start(struct edu *edu)
{
	off_t config, bar;
	int err;

	err = region_offset(edu->fd, VFIO_PCI_CONFIG_REGION_INDEX, &config);
	if (!err)
		err = region_offset(edu->fd, VFIO_PCI_BAR0_REGION_INDEX, &bar);
	if (!err)
		err = let_speak(edu->fd, config);
	if (!err)
		err = map_bar(edu, edu->fd, bar);
	if (err)
		edu_close(edu);
	return err;
}

int edu_open_group(struct edu *edu, enum edu_nr nr, int group)
{
	edu->bar = NULL;
	edu->fd = ioctl_errno(group, VFIO_GROUP_GET_DEVICE_FD,
			      (void *)edu_name(nr));
	return edu->fd < 0 ? edu->fd : start(edu);
}

/* /dev/vfio/devices/vfioN, named as the folder below vfio-dev is. */
static int open_cdev(enum edu_nr nr)
{
	DIR *dir = opendir(file_of(nr, "vfio-dev"));
	int fd = dir ? -ENOENT : -errno;
	struct dirent *entry;
	char path[320];

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, sizeof(path), "/dev/vfio/devices/%s",
			 entry->d_name);
		fd = open_errno(path);
	}
	if (dir)
		closedir(dir);
	return fd;
}

int edu_open_cdev(struct edu *edu, enum edu_nr nr, int iommufd)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommufd,
	};
	int err;

	edu->bar = NULL;
	edu->fd = open_cdev(nr);
	if (edu->fd < 0)
		return edu->fd;
	err = ioctl_errno(edu->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	if (err) {
		edu_close(edu);
		return err;
	}
	edu->id = bind.out_devid;
	return start(edu);
}

int edu_open_raw(struct edu *edu, enum edu_nr nr)
{
	int config = open_errno(file_of(nr, "config"));
	int bar = open_errno(file_of(nr, "resource0"));
	int err = config < 0 ? config : bar < 0 ? bar : 0;

	*edu = (struct edu){ .fd = -1 };
	if (!err)
		err = let_speak(config, 0);
	if (!err)
		err = map_bar(edu, bar, 0);
	close(config);
	close(bar);
	return err;
}

int edu_attach(struct edu *edu, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = pt,
	};

	return ioctl_errno(edu->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

int edu_detach(struct edu *edu)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	return ioctl_errno(edu->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

void edu_close(struct edu *edu)
{
	if (edu->bar)
		munmap(edu->bar, BAR_LEN);
	edu->bar = NULL;
	if (edu->fd >= 0)
		close(edu->fd);
	edu->fd = -1;
}

static volatile uint64_t *reg(struct edu *edu, int at)
{
	return (volatile uint64_t *)(edu->bar + at);
}

static int do_dma(struct edu *edu, uint64_t source, uint64_t target,
		  uint64_t command)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int i, tries = DMA_SECONDS * 200 * mg_slowness();

	if (!edu->bar)
		return -ENODEV;
	*reg(edu, REG_SOURCE) = source;
	*reg(edu, REG_TARGET) = target;
	*reg(edu, REG_COUNT) = EDU_BYTES;
	*reg(edu, REG_COMMAND) = command | COMMAND_RUN;
	for (i = 0; i < tries; i++) {
		if (!(*reg(edu, REG_COMMAND) & COMMAND_RUN))
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

int edu_load(struct edu *edu, uint64_t iova)
{
	return do_dma(edu, iova, BUFFER, 0);
}

int edu_store(struct edu *edu, uint64_t iova)
{
	return do_dma(edu, BUFFER, iova, COMMAND_STORE);
}
