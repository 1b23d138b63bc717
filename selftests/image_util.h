/* SPDX-License-Identifier: GPL-2.0-only */
/* A memfd that holds a program: what reads build ids and sets probes wants. */
#ifndef IMAGE_UTIL_H
#define IMAGE_UTIL_H

#include "memgate_util.h"

#define MG_BUILD_ID_SIZE	20
/* The program's one function, which does and returns getppid(). */
#define MG_IMAGE_FUNCTION	0x1000

typedef long (*mg_image_fn)(void);

extern const unsigned char mg_build_id[MG_BUILD_ID_SIZE];

/* mg_memfd() with an ELF file of x86-64 in its first two pages. */
int mg_image(enum mg_mem mem, size_t len);
/* The function in a mapping of the whole. */
mg_image_fn mg_image_function(void *map);

#endif /* IMAGE_UTIL_H */
