/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * How somebody outside names the next user of a gate's memory to a policy.
 *
 * A policy takes part that has a BPF_MAP_TYPE_HASH named "successors", from
 * the id of a gate (__u64) to a struct memgate_successor.  Whoever may write
 * that map hands over; 'memgate gate handover' does.  The policy removes the
 * entry when it has made use of it, and when the gate is released.
 *
 * For BPF programs (memgate/policy.bpf.h includes it) and for user space.
 */
#ifndef _MEMGATE_SUCCESSOR_H
#define _MEMGATE_SUCCESSOR_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define MEMGATE_SUCCESSORS	"successors"

/**
 * struct memgate_successor - a process, named before it comes
 * @tgid: its id in the initial pid namespace
 * @reserved: 0
 * @start: when it started, field 22 of /proc/PID/stat: an id alone may be
 *	another process's by the time it counts.  0 names nobody
 */
struct memgate_successor {
	__u32 tgid;
	__u32 reserved;
	__u64 start;
};

#endif /* _MEMGATE_SUCCESSOR_H */
