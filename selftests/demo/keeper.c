// SPDX-License-Identifier: GPL-2.0-only
/*
 * keeper: keep a text in a memfd, and say who can get at it there.
 *
 *   keeper TEXT [FD]
 *
 * Without FD it makes a memfd of its own, that nothing guards.  One line on
 * standard output for each thing that it and a forked child of it try, then
 * "ready"; it stays until a line or the end of its standard input.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *text;
static sigjmp_buf fault;

static void on_fault(int sig)
{
	siglongjmp(fault, sig);
}

static int make_memfd(void)
{
	int fd = memfd_create("unguarded", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, 4 << 20)) {
		perror("keeper: memfd");
		exit(1);
	}
	return fd;
}

static char *map_all(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return MAP_FAILED;
	return mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
}

/* Says what stands at an address, if anything does. */
static void try_memory(const char *what, const char *at)
{
	char copy[256] = "";
	int sig = sigsetjmp(fault, 1);

	if (sig) {
		printf("%s: %s\n", what, strsignal(sig));
		return;
	}
	memcpy(copy, at, strlen(text));
	printf("%s: \"%s\"\n", what, copy);
}

static void try_map(const char *what, int fd)
{
	char *map = map_all(fd);

	if (map == MAP_FAILED)
		printf("%s: %s\n", what, strerror(errno));
	else
		try_memory(what, map);
}

static void try_read(const char *what, int fd)
{
	char copy[256] = "";

	if (pread(fd, copy, strlen(text), 0) < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: \"%s\"\n", what, copy);
}

static void try_child(int fd, const char *map)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("keeper: fork");
		exit(1);
	}
	if (!child) {
		try_memory("child, inherited mapping", map);
		try_map("child, mmap", fd);
		try_read("child, read", fd);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	char *map;
	int fd;

	if (argc < 2 || argc > 3 || strlen(argv[1]) > 200) {
		fprintf(stderr, "Usage: keeper TEXT [FD]\n");
		return 1;
	}
	text = argv[1];
	fd = argc == 3 ? atoi(argv[2]) : make_memfd();
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);

	printf("fd %d\n", fd);
	map = map_all(fd);
	if (map == MAP_FAILED) {
		printf("owner, mmap: %s\n", strerror(errno));
		return 2;
	}
	memcpy(map, text, strlen(text) + 1);
	try_memory("owner, mapping", map);
	try_read("owner, read", fd);
	try_child(fd, map);
	printf("ready\n");
	fflush(stdout);
	getchar();
	return 0;
}
