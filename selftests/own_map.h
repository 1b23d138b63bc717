/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of its own that a process lets somebody take pages of, one for
 * each age, made by the set-up of an access.
 *
 * Include after mediated.h.
 */
#ifndef OWN_MAP_H
#define OWN_MAP_H

/* The mappings of this process: older and newer than the seal. */
static char *maps[MG_AGES];
static size_t lens[MG_AGES];
static inline char *place_of(long arg)
{
	return maps[MG_ARG_AGE(arg)] + MG_AT;
}

/* @pages: the size in which the kernel must have mapped it. */
static inline long map_part(int fd, long arg, size_t len, size_t pages)
{
	char **map = &maps[MG_ARG_AGE(arg)];

	if (*map)
		munmap(*map, lens[MG_ARG_AGE(arg)]);
	lens[MG_ARG_AGE(arg)] = len;
	*map = len < MG_HUGE_SIZE ?
	       mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) :
	       mg_map(MG_ARG_MEM(arg), fd, len, PROT_READ | PROT_WRITE,
		      MAP_SHARED, 0);
	if (*map == MAP_FAILED) {
		*map = NULL;
		return -errno;
	}
	if (!mg_matches(*map, 0, len) || mg_mapped_page_size(*map) != pages)
		return -EBADMSG;
	return 0;
}

static inline long map_it(int fd, long arg)
{
	return map_part(fd, arg, MG_LEN, mg_page_size(MG_ARG_MEM(arg)));
}

#endif /* OWN_MAP_H */
