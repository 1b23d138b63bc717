/* SPDX-License-Identifier: GPL-2.0-only */
/* Loop devices over a memfd. */
#ifndef LOOP_UTIL_H
#define LOOP_UTIL_H

/*
 * A free loop device over @fd, opened with @flags; it goes with its last fd.
 * -1 and errno if there is none or it refuses @fd.
 */
int mg_loop_open(int fd, int flags);

#endif /* LOOP_UTIL_H */
