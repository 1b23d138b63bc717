/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* How list.c and holders.c find gates together. */
#ifndef _MEMGATE_FINDER_H
#define _MEMGATE_FINDER_H

#include "internal.h"

struct stat;

/*
 * What has been found so far.  A gate is one inode's: the file system and
 * the inode's number tell which, as far as the kernel makes numbers unique.
 */
struct mg_finder {
	struct memgate_gate_info **gates;
	size_t nr;
	void *ids;		/* trees of tsearch(3) over the same gates */
	void *inodes;
	bool complete;		/* the kernel has listed all */
	int err;
};

/* list.c */

/*
 * The name of a memfd that a link in /proc leads to: "/memfd:NAME (deleted)";
 * false if it leads to something else.
 */
bool mg_memfd_name(int dir, const char *link, char *name, size_t size);
/* What fdinfo tells of the memfd; NULL with ENODATA if it has no gate. */
struct memgate_gate_info *mg_read_gate(int dir, const char *fdinfo,
				       const char *name, const struct stat *st);
struct memgate_gate_info *mg_find_inode(struct mg_finder *find, dev_t dev,
					ino_t ino);
/*
 * Takes over a gate, and answers with it or with the one that has its id
 * already; NULL, and find->err, if there is no memory.
 */
struct memgate_gate_info *mg_find_add(struct mg_finder *find,
				      struct memgate_gate_info *g);

/* holders.c */
int mg_find_holders(struct mg_finder *find);

#endif /* _MEMGATE_FINDER_H */
