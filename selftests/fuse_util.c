// SPDX-License-Identifier: GPL-2.0-only
/* A FUSE file system with one file, served by a thread of the test. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuse_util.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef FUSE_DEV_IOC_BACKING_OPEN
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(229, 1, struct fuse_backing_map)
struct fuse_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#endif
#ifndef FOPEN_PASSTHROUGH
#define FOPEN_PASSTHROUGH	(1 << 7)
#endif
#define INIT_PASSTHROUGH	(1U << (37 - 32))	/* in flags2 */

#define FILE_NODE	2
#define FILE_SIZE	(4UL << 20)
#define REQUEST_SIZE	(256 * 1024)

static void reply(struct mg_fuse *fuse, uint64_t unique, int err,
		  const void *data, size_t len)
{
	struct fuse_out_header out = {
		.len = sizeof(out) + len, .error = -err, .unique = unique,
	};
	struct iovec v[2] = { { &out, sizeof(out) }, { (void *)data, len } };

	/* The other side may have gone meanwhile. */
	if (writev(fuse->dev, v, len ? 2 : 1) < 0 && errno != ENOENT)
		perror("# fuse: reply");
}

static struct fuse_attr attr_of(uint64_t node)
{
	struct fuse_attr attr = {
		.ino = node, .nlink = 1, .blksize = 4096,
		.mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700,
		.size = node == FILE_NODE ? FILE_SIZE : 0,
	};

	return attr;
}

static void do_init(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	const struct fuse_init_in *init = (const void *)(in + 1);
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = init->minor,
		.max_readahead = init->max_readahead,
		.max_write = 65536,
		.flags = FUSE_INIT_EXT,
		.flags2 = init->flags2 & INIT_PASSTHROUGH,
	};
	uint32_t stack_depth = 1;

	/* max_stack_depth: the word behind flags2. */
	memcpy((char *)&out + offsetof(struct fuse_init_out, flags2) + 4,
	       &stack_depth, sizeof(stack_depth));
	reply(fuse, in->unique, 0, &out, sizeof(out));
}

static void do_open(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	struct fuse_open_out out = { .fh = 1, .open_flags = FOPEN_DIRECT_IO };
	struct fuse_backing_map map = { .fd = fuse->backing_fd };
	int32_t id;

	if (fuse->backing_fd >= 0) {
		id = ioctl(fuse->dev, FUSE_DEV_IOC_BACKING_OPEN, &map);
		if (id < 0) {
			printf("# fuse: backing: %s\n", strerror(errno));
			reply(fuse, in->unique, errno, NULL, 0);
			return;
		}
		fuse->backing_id = id;
		out.open_flags = FOPEN_PASSTHROUGH;
		/* backing_id: the word behind open_flags */
		memcpy((char *)&out + offsetof(struct fuse_open_out,
					       open_flags) + 4,
		       &id, sizeof(id));
	}
	reply(fuse, in->unique, 0, &out, sizeof(out));
}

static void do_read(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	const struct fuse_read_in *args = (const void *)(in + 1);
	static const char zeros[65536];
	size_t size = args->size < sizeof(zeros) ? args->size : sizeof(zeros);

	fuse->held++;
	while (fuse->hold)
		usleep(1000);
	reply(fuse, in->unique, 0, zeros, size);
	fuse->held--;
}

static void do_attr(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	struct fuse_attr_out out = { .attr = attr_of(in->nodeid) };

	reply(fuse, in->unique, 0, &out, sizeof(out));
}

static void do_lookup(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	struct fuse_entry_out out = {
		.nodeid = FILE_NODE, .attr = attr_of(FILE_NODE),
	};

	reply(fuse, in->unique, 0, &out, sizeof(out));
}

static void serve_one(struct mg_fuse *fuse, const struct fuse_in_header *in)
{
	switch (in->opcode) {
	case FUSE_INIT:
		return do_init(fuse, in);
	case FUSE_LOOKUP:
		return do_lookup(fuse, in);
	case FUSE_GETATTR:
		return do_attr(fuse, in);
	case FUSE_OPEN:
		return do_open(fuse, in);
	case FUSE_READ:
		return do_read(fuse, in);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return reply(fuse, in->unique, 0, NULL, 0);
	default:
		return reply(fuse, in->unique, ENOSYS, NULL, 0);
	}
}

static void *serve(void *arg)
{
	char *request = malloc(REQUEST_SIZE);
	struct mg_fuse *fuse = arg;

	while (request) {
		if (read(fuse->dev, request, REQUEST_SIZE) > 0)
			serve_one(fuse, (const void *)request);
		else if (errno != EINTR && errno != ENOENT)
			break;
	}
	free(request);
	return NULL;
}

int mg_fuse_mount(struct mg_fuse *fuse, int backing_fd)
{
	char opts[128];
	int err;

	memset(fuse, 0, sizeof(*fuse));
	fuse->backing_fd = backing_fd;
	fuse->hold = true;
	strcpy(fuse->dir, "/tmp/memgate-fuse-XXXXXX");
	fuse->dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse->dev < 0 || !mkdtemp(fuse->dir))
		return -errno;
	snprintf(fuse->file, sizeof(fuse->file), "%s/file", fuse->dir);
	snprintf(opts, sizeof(opts),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse->dev);
	if (mount("memgate", fuse->dir, "fuse", 0, opts))
		return -errno;
	err = pthread_create(&fuse->thread, NULL, serve, fuse);
	fuse->running = !err;
	return -err;
}

void mg_fuse_let_go(struct mg_fuse *fuse)
{
	fuse->hold = false;
}

/* Unmounting ends the server: its read() gets ENODEV. */
void mg_fuse_unmount(struct mg_fuse *fuse)
{
	if (!fuse->dir[0])
		return;
	fuse->hold = false;
	umount2(fuse->dir, MNT_DETACH);
	if (fuse->running)
		pthread_join(fuse->thread, NULL);
	close(fuse->dev);
	rmdir(fuse->dir);
	fuse->dir[0] = '\0';
	fuse->running = false;
}
