/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE file system with one file, served by a thread of the test
 *
 * The file passes reads, writes and mmap through to a backing file (a memfd),
 * or it has direct I/O and answers reads only when the test says so, so that
 * the reader's pages stay pinned in between.
 */
#ifndef FUSE_UTIL_H
#define FUSE_UTIL_H

#include <pthread.h>
#include <stdbool.h>

struct mg_fuse {
	int dev;
	int backing_fd;		/* -1: direct I/O */
	int backing_id;
	char dir[64];
	char file[96];
	pthread_t thread;
	bool running;
	_Atomic bool hold;	/* reads wait */
	_Atomic int held;	/* reads that wait */
};

/* 0 or -errno.  Reads are held until mg_fuse_let_go() if @backing_fd < 0. */
int mg_fuse_mount(struct mg_fuse *fuse, int backing_fd);
void mg_fuse_let_go(struct mg_fuse *fuse);
void mg_fuse_unmount(struct mg_fuse *fuse);

#endif /* FUSE_UTIL_H */
