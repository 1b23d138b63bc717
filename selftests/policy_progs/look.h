/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests share with BPF programs that look at the memory of processes. */
#ifndef _LOOK_H
#define _LOOK_H

#define LOOK_FRAMES	8
#define LOOK_BYTES	64

/**
 * struct stack_id - the stack that stack_id.bpf.c saw last
 * @tgid: of the process to look at
 * @size: of what is in @frames, or a negative errno
 * @frames: from the innermost
 */
struct stack_id {
	__u32 tgid;
	__s32 size;
	struct bpf_stack_build_id frames[LOOK_FRAMES];
};

/**
 * struct peek - a copy made by peek_task.bpf.c
 * @addr: what to copy
 * @ret: 0 or -errno
 * @bytes: the copy
 */
struct peek {
	__u64 addr;
	__s64 ret;
	__u8 bytes[LOOK_BYTES];
};

#endif /* _LOOK_H */
