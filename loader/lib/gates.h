/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What gates.bpf.c tells iterate.c: a stream of these, each with its kind. */
#ifndef _MEMGATE_GATES_H
#define _MEMGATE_GATES_H

#include <linux/types.h>
#include <linux/memgate.h>

enum mg_record {
	MG_RECORD_GATE = 1,
	MG_RECORD_INSTALL,
	MG_RECORD_CONSUMER,
	MG_RECORD_DEVICE,
	MG_RECORD_PARAMS,
};

struct mg_gate_record {
	__u64 record;
	__u64 gate;
	__u64 openable;
	__u64 size;
	__u64 ino;
	__u32 dev_major;
	__u32 dev_minor;
	__u32 premapped;
	__u32 frozen;
	char name[256];		/* "memfd:NAME", or empty */
};

/* The gate of this and the others is the one before, unless left out. */
struct mg_install_record {
	__u64 record;
	__u64 gate;
	__u64 classes;
	__u32 map;
	__u32 link;
	__u32 closed;
	__u32 params_len;
	char name[MEMGATE_NAME_LEN];
};

struct mg_consumer_record {
	__u64 record;
	__u64 gate;
	__u64 id;
	__u32 kind;
	__u32 rights;
	__s64 pid;
};

/* Of the consumer before it. */
struct mg_device_record {
	__u64 record;
	__u64 gate;
	__u64 consumer;
	char name[64];
};

#define MG_PARAMS_CHUNK	256

/* Of the install before it: bytes of its parameters, in order. */
struct mg_params_record {
	__u64 record;
	__u64 gate;
	__u32 offset;
	__u32 len;
	__u8 data[MG_PARAMS_CHUNK];
};

#endif /* _MEMGATE_GATES_H */
