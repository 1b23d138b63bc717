/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two processes, the test and its peer, that map the memfd at the same
 * addresses, so that each knows where the other has it.
 *
 * Include after mediated.h.
 */
#ifndef REMOTE_H
#define REMOTE_H

#define MAP_BASE	0x200000000000UL
#define MAP_STEP	0x10000000UL

/* Set in the test; in the peer it is 0 and the other is the test. */
static pid_t peer_pid;

static inline char *map_of(long arg)
{
	return (char *)(MAP_BASE + MAP_STEP * MG_ARG_AGE(arg));
}

static inline pid_t other(void)
{
	return peer_pid ? peer_pid : getppid();
}

static inline long map_as(int fd, long arg, int prot, int flags)
{
	munmap(map_of(arg), MG_LEN);
	if (mg_map_at(MG_ARG_MEM(arg), map_of(arg), fd, MG_LEN, prot, flags,
		      0) == MAP_FAILED)
		return -errno;
	/* Mapped pages, so that the fast way is there to be refused. */
	if (!mg_matches(map_of(arg), 0, 0x10000))
		return -EBADMSG;
	return 0;
}

static inline long map_shared(int fd, long arg)
{
	return map_as(fd, arg, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static inline long map_private(int fd, long arg)
{
	return map_as(fd, arg, PROT_READ, MAP_PRIVATE);
}

#endif /* REMOTE_H */
