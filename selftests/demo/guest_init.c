// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole user space of the demo's guest: its first process.
 *
 * Says hello on the serial line and then does what it is told there:
 *	keep TEXT	put TEXT into pages of its own and hold it there
 *	ping		use fresh memory, and say how long the guest is up and
 *			whether the text is still there
 *	dma		have a device copy the text, say what it has copied
 *	disk		say the first line of what is on the first disk
 *	count		from now on, count, and say every number
 *	off		power off
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest_dma.h"

#define KEEP_BYTES	(1 << 20)
#define PING_BYTES	(4 << 20)
#define COUNT_TURNS	10000000

static char *kept;

/* Many copies: the text is to be found by whoever can look at the memory. */
static void keep(const char *text)
{
	size_t len = strlen(text) + 1, pos;

	for (pos = 0; pos + len <= KEEP_BYTES; pos += 4096)
		memcpy(kept + pos, text, len);
	printf("guest: %zu bytes kept\n", strlen(text));
}

/* Pages that the guest had no use for yet: the host must fault them in. */
static void ping(void)
{
	struct timespec now;
	char *fresh;

	fresh = mmap(NULL, PING_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fresh == MAP_FAILED) {
		printf("guest: no memory\n");
		return;
	}
	memset(fresh, 0xa5, PING_BYTES);
	munmap(fresh, PING_BYTES);
	clock_gettime(CLOCK_BOOTTIME, &now);
	printf("guest: up %ld s, %d MiB more used, holds \"%s\"\n",
	       (long)now.tv_sec, PING_BYTES >> 20, kept);
}

static void dma(void)
{
	char *copy = NULL;
	int err = guest_dma(kept, &copy);

	if (err)
		printf("guest: no DMA: %s\n", strerror(-err));
	else
		printf("guest: the device has copied \"%s\"\n", copy);
}

static void disk(void)
{
	char sector[512] = "";
	int fd;

	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	fd = open("/dev/vda", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, sector, sizeof(sector) - 1) <= 0)
		printf("guest: no disk: %s\n", strerror(errno));
	else
		printf("guest: the disk says \"%.*s\"\n",
		       (int)strcspn(sector, "\n"), sector);
	if (fd >= 0)
		close(fd);
}

/*
 * By a process of its own: what it has reached is in its memory alone.  It
 * never sleeps, so that the processor is always in the middle of something.
 */
static void count(void)
{
	volatile int turn;
	long nr;

	fflush(stdout);
	if (fork())
		return;
	for (nr = 1;; nr++) {
		printf("guest: %ld\n", nr);
		for (turn = 0; turn < COUNT_TURNS; turn++)
			;
	}
}

static void __attribute__((noreturn)) power_off(void)
{
	printf("guest: powering off\n");
	reboot(RB_POWER_OFF);
	/* Without ACPI; QEMU's -no-reboot makes it the same. */
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

int main(void)
{
	char line[256];

	setvbuf(stdout, NULL, _IOLBF, 0);
	kept = mmap(NULL, KEEP_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (kept == MAP_FAILED)
		power_off();
	printf("guest: hello from a VM on gated memory\n");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (!strncmp(line, "keep ", 5))
			keep(line + 5);
		else if (!strcmp(line, "ping"))
			ping();
		else if (!strcmp(line, "dma"))
			dma();
		else if (!strcmp(line, "disk"))
			disk();
		else if (!strcmp(line, "count"))
			count();
		else if (!strcmp(line, "off"))
			power_off();
		else
			printf("guest: what is '%s'?\n", line);
	}
	power_off();
}
