// SPDX-License-Identifier: GPL-2.0-only
/* Loop devices over a memfd. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "loop_util.h"

int mg_loop_open(int fd, int flags)
{
	struct loop_config config = {
		.fd = fd, .block_size = 512,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control, nr, loop, err;
	char path[32];

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -1;
	nr = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (nr < 0)
		return -1;
	if ((flags & O_ACCMODE) == O_RDONLY)
		config.info.lo_flags |= LO_FLAGS_READ_ONLY;
	snprintf(path, sizeof(path), "/dev/loop%d", nr);
	loop = open(path, flags | O_CLOEXEC);
	if (loop < 0)
		return -1;
	if (ioctl(loop, LOOP_CONFIGURE, &config)) {
		err = errno;
		close(loop);
		errno = err;
		return -1;
	}
	return loop;
}
