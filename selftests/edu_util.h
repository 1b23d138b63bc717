/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Real devices that do DMA: QEMU's "edu", by VFIO and by iommufd
 *
 * The device has a buffer of its own, and copies bytes from memory to it and
 * back.  selftests/vm/run gives six of them to every VM, behind an IOMMU.
 *
 * Everything returns 0, or a descriptor, or a negative errno.
 */
#ifndef EDU_UTIL_H
#define EDU_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of their names.  Those in a line share an iommu_group. */
enum edu_nr {
	EDU_A,
	EDU_B,
	EDU_PAIR, EDU_PAIR_2,		/* functions of one slot */
	EDU_BRIDGED, EDU_BRIDGED_2,	/* behind EDU_BRIDGE, which is in it too */
	EDU_DEVICES,
	EDU_BRIDGE = EDU_DEVICES,
};

#define EDU_BIT(nr)	(1U << (nr))
#define EDU_PAIR_GROUP	(EDU_BIT(EDU_PAIR) | EDU_BIT(EDU_PAIR_2))
#define EDU_BRIDGE_GROUP (EDU_BIT(EDU_BRIDGED) | EDU_BIT(EDU_BRIDGED_2) | \
			  EDU_BIT(EDU_BRIDGE))

/* What one DMA moves: less than the buffer has. */
#define EDU_BYTES	2048

struct edu {
	int fd;			/* VFIO's; -1 for one opened raw */
	char *bar;		/* NULL: not open */
	uint32_t id;		/* in the iommufd it is bound to */
};

/* The devices in sysfs ******************************************************/

/* All are there and bound to vfio-pci. */
int edu_ready(void);
/* As dev_name() says it: "0000:00:10.0". */
const char *edu_name(enum edu_nr nr);
/* The number of its iommu_group; -ENOENT if it has none. */
int edu_group_nr(enum edu_nr nr);
bool edu_is_bound(enum edu_nr nr);
int edu_bind(enum edu_nr nr);
int edu_unbind(enum edu_nr nr);
/* Takes it away as if it were pulled, and finds it again. */
int edu_remove(enum edu_nr nr);
int edu_rescan(void);

/* VFIO type1, and what iommufd has in its place *****************************/

int vfio_container(void);
int vfio_group(enum edu_nr nr);
int vfio_join(int group, int container);
int vfio_leave(int group);
int vfio_set_iommu(int container);
/* @rights: enum memgate_rights */
int vfio_map(int container, void *at, uint64_t iova, size_t len,
	     unsigned int rights);
int vfio_unmap(int container, uint64_t iova, size_t len);

/* iommufd *******************************************************************/

int iommufd_open(void);
/* The new object's id. */
int iommufd_ioas(int iommufd);
int iommufd_hwpt(int iommufd, const struct edu *edu, uint32_t ioas);
int iommufd_map(int iommufd, uint32_t ioas, void *at, uint64_t iova,
		size_t len, unsigned int rights);
int iommufd_copy(int iommufd, uint32_t from, uint32_t to, uint64_t iova,
		 size_t len);
int iommufd_unmap(int iommufd, uint32_t ioas, uint64_t iova, size_t len);
int iommufd_destroy(int iommufd, uint32_t id);
/* Whose memory a container of the compatibility layer has. */
int iommufd_compat_ioas(int iommufd);

/* A device in hand **********************************************************/

int edu_open_group(struct edu *edu, enum edu_nr nr, int group);
int edu_open_cdev(struct edu *edu, enum edu_nr nr, int iommufd);
/* Without VFIO, by sysfs: what a device does that nobody has given out. */
int edu_open_raw(struct edu *edu, enum edu_nr nr);
/* To an IOAS or a HWPT; replaces what it was attached to. */
int edu_attach(struct edu *edu, uint32_t pt);
int edu_detach(struct edu *edu);
/* Safe to call twice. */
void edu_close(struct edu *edu);

/* DMA.  Succeeds also where the IOMMU does not let it pass. */
int edu_load(struct edu *edu, uint64_t iova);	/* memory to buffer */
int edu_store(struct edu *edu, uint64_t iova);	/* buffer to memory */

#endif /* EDU_UTIL_H */
