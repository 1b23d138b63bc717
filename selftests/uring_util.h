/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * io_uring: requests on registered buffers, which move MG_BYTES between the
 * buffer and a file.
 *
 * Include after mediated.h.
 */
#ifndef URING_UTIL_H
#define URING_UTIL_H

#include <liburing.h>
#include <sys/syscall.h>

/* What liburing 2.3 lacks. */
#define URING_SETUP_NO_MMAP		(1U << 14)
#define URING_SETUP_NO_SQARRAY		(1U << 16)
#define URING_REGISTER_CLONE_BUFFERS	30

struct uring_clone {
	__u32 src_fd;
	__u32 flags;
	__u32 pad[6];
};

/* Takes a request and its answer; the answer. */
static inline int uring_wait(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit_and_wait(ring, 1);

	if (ret < 0)
		return ret;
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

/* From the registered buffer @nr, of which @p is a part, to the file. */
static inline int uring_out(struct io_uring *ring, int nr, const void *p,
			    int file)
{
	io_uring_prep_write_fixed(io_uring_get_sqe(ring), file, p, MG_BYTES,
				  0, nr);
	return uring_wait(ring);
}

static inline int uring_in(struct io_uring *ring, int nr, void *p, int file)
{
	io_uring_prep_read_fixed(io_uring_get_sqe(ring), file, p, MG_BYTES,
				 0, nr);
	return uring_wait(ring);
}

/* A file for such requests, with the bytes of @off or none; it is empty. */
static inline int uring_file(off_t off)
{
	int file = memfd_create("file", MFD_CLOEXEC);
	char buf[MG_BYTES];

	if (!off)
		return file;
	mg_fill(buf, off, MG_BYTES);
	return pwrite(file, buf, MG_BYTES, 0) == MG_BYTES ? file : -1;
}

static inline bool uring_file_has(int file, off_t off)
{
	char buf[MG_BYTES];

	return pread(file, buf, MG_BYTES, 0) == MG_BYTES &&
	       mg_matches(buf, off, MG_BYTES);
}

/*
 * Do the bytes at @off of a memfd, that @p is a mapping of, come out of the
 * registered buffer?  0; -EBADMSG: others; or how the request failed.
 */
static inline int uring_comes_out(struct io_uring *ring, int nr,
				  const void *p, off_t off)
{
	int file = uring_file(0);
	int ret = uring_out(ring, nr, p, file);

	if (ret >= 0)
		ret = uring_file_has(file, off) ? 0 : -EBADMSG;
	else if (uring_file_has(file, off))
		ret = -ENOTRECOVERABLE;
	close(file);
	return ret;
}

static inline int uring_register(struct io_uring *ring, void *p)
{
	struct iovec v = { p, MG_BYTES };

	return io_uring_register_buffers(ring, &v, 1);
}

/* All registered buffers of @from, for @to as well. */
static inline int uring_clone(struct io_uring *to, struct io_uring *from)
{
	struct uring_clone clone = { .src_fd = from->ring_fd };
	int ret = syscall(__NR_io_uring_register, to->ring_fd,
			  URING_REGISTER_CLONE_BUFFERS, &clone, 1);

	return ret < 0 ? -errno : 0;
}

#endif /* URING_UTIL_H */
