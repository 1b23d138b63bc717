/* SPDX-License-Identifier: GPL-2.0-only */
/* What the policy device_info writes down about a device that it is asked of. */
#ifndef _DEVICE_INFO_H
#define _DEVICE_INFO_H

/* The device itself, and two made up below it, each the parent of the next. */
#define INFO_LEVELS	3

#define INFO_NAME_LEN	32

struct device_info {
	__u32 has_pci;
	__u32 domain;
	__u32 bus;
	__u32 slot;
	__u32 func;
	__u32 bridge;
	__u32 vendor;
	__u32 device;
	__u32 class;
	__s32 group;
	__u32 of_consumer;	/* how many devices its consumer has then */
	char name[INFO_NAME_LEN];
	char driver[INFO_NAME_LEN];
	char net[INFO_NAME_LEN];
	char rdma[INFO_NAME_LEN];
};

#endif /* _DEVICE_INFO_H */
