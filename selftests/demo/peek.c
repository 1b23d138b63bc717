// SPDX-License-Identifier: GPL-2.0-only
/*
 * peek: look for a text in the memfd of another process.
 *
 *   peek WAY PID FD TEXT
 *
 * WAY is one of
 *	map	mmap(2) of /proc/PID/fd/FD
 *	read	read(2) of /proc/PID/fd/FD
 *	vm	process_vm_readv(2) of PID's mappings of the memfd
 *	mem	read(2) of /proc/PID/mem where PID has the memfd mapped
 *
 * Exit: 0 found, 1 wrong usage, or all read and not found, 2 refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define CHUNK	(1UL << 20)

enum { FOUND, NOT_FOUND, REFUSED };

static const char *text;
static int pid;
static char buf[CHUNK];

static int refused(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return REFUSED;
}

static int search(const void *at, size_t len, uint64_t offset)
{
	const char *hit = memmem(at, len, text, strlen(text));

	if (!hit)
		return NOT_FOUND;
	printf("found \"%s\" at byte %#" PRIx64 "\n", text,
	       offset + (hit - (const char *)at));
	return FOUND;
}

static int open_memfd(const char *path, off_t *size)
{
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st)) {
		close(fd);
		return -1;
	}
	*size = st.st_size;
	return fd;
}

static int peek_map(const char *path)
{
	off_t size;
	void *map;
	int fd;

	fd = open_memfd(path, &size);
	if (fd < 0)
		return refused("open");
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return refused("mmap");
	return search(map, size, 0);
}

static int peek_read(const char *path)
{
	int ret = NOT_FOUND;
	off_t size, pos = 0;
	ssize_t n;
	int fd;

	fd = open_memfd(path, &size);
	if (fd < 0)
		return refused("open");
	while (ret == NOT_FOUND && (n = read(fd, buf, CHUNK)) != 0) {
		if (n < 0)
			return refused("read");
		ret = search(buf, n, pos);
		pos += n;
	}
	return ret;
}

static ssize_t by_process_vm_readv(int fd, uint64_t addr, size_t len)
{
	struct iovec local = { buf, len };
	struct iovec remote = { (void *)(uintptr_t)addr, len };

	(void)fd;
	return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static ssize_t by_proc_mem(int fd, uint64_t addr, size_t len)
{
	return pread(fd, buf, len, addr);
}

typedef ssize_t (*read_fn)(int fd, uint64_t addr, size_t len);

static int peek_range(read_fn fn, const char *what, int fd, uint64_t start,
		      uint64_t end, uint64_t offset)
{
	uint64_t addr = start;
	int ret = NOT_FOUND;
	size_t len;
	ssize_t n;

	while (ret == NOT_FOUND && addr < end) {
		len = end - addr < CHUNK ? end - addr : CHUNK;
		n = fn(fd, addr, len);
		if (n <= 0) {
			if (!n)
				errno = EIO;
			return refused(what);
		}
		ret = search(buf, n, offset + (addr - start));
		addr += n;
	}
	return ret;
}

/* Every place where the process has the memfd mapped. */
static int peek_mappings(const char *path, read_fn fn, const char *what,
			 int fd)
{
	uint64_t start, end, offset, ino;
	unsigned int major, minor;
	char maps[64], line[512];
	bool mapped = false;
	int ret = NOT_FOUND;
	struct stat st;
	FILE *f;

	if (stat(path, &st))
		return refused("stat");
	snprintf(maps, sizeof(maps), "/proc/%d/maps", pid);
	f = fopen(maps, "re");
	if (!f)
		return refused(maps);
	while (ret == NOT_FOUND && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64
			   " %x:%x %" SCNu64, &start, &end, &offset, &major,
			   &minor, &ino) != 6)
			continue;
		if (ino != st.st_ino || makedev(major, minor) != st.st_dev)
			continue;
		mapped = true;
		ret = peek_range(fn, what, fd, start, end, offset);
	}
	fclose(f);
	if (!mapped)
		printf("process %d has not mapped it\n", pid);
	return ret;
}

static int peek_mem(const char *path)
{
	char mem[64];
	int fd;

	snprintf(mem, sizeof(mem), "/proc/%d/mem", pid);
	fd = open(mem, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return refused(mem);
	return peek_mappings(path, by_proc_mem, "read", fd);
}

static int usage(void)
{
	fprintf(stderr, "Usage: peek { map | read | vm | mem } PID FD TEXT\n");
	return NOT_FOUND;
}

int main(int argc, char **argv)
{
	char path[64];
	int ret;

	if (argc != 5 || !*argv[4])
		return usage();
	pid = atoi(argv[2]);
	text = argv[4];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, atoi(argv[3]));
	if (!strcmp(argv[1], "map"))
		ret = peek_map(path);
	else if (!strcmp(argv[1], "read"))
		ret = peek_read(path);
	else if (!strcmp(argv[1], "vm"))
		ret = peek_mappings(path, by_process_vm_readv,
				    "process_vm_readv", -1);
	else if (!strcmp(argv[1], "mem"))
		ret = peek_mem(path);
	else
		return usage();
	if (ret == NOT_FOUND)
		printf("not found\n");
	return ret;
}
