// SPDX-License-Identifier: GPL-2.0-only
/* The other end of a network device. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memgate_util.h"
#include "wire_util.h"

int wire_unshare(void)
{
	int err;

	if (unshare(CLONE_NEWNET))
		return -errno;
	/* Or it sends by itself as soon as a device is switched on. */
	err = mg_write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6",
			    "1");
	return err == -ENOENT ? 0 : err;
}

int wire_ip(const char *format, ...)
{
	char command[512];
	va_list args;
	size_t n;

	n = snprintf(command, sizeof(command), "ip -batch - <<'END'\n");
	va_start(args, format);
	n += vsnprintf(command + n, sizeof(command) - n, format, args);
	va_end(args);
	if (n >= sizeof(command) - sizeof("\nEND\n"))
		return -E2BIG;
	strcpy(command + n, "\nEND\n");
	fflush(stdout);
	return system(command) ? -EIO : 0;
}

int wire_pair(const char *name)
{
	return wire_ip("link add %s numrxqueues 2 numtxqueues 2 type veth peer name %s-end\n"
		       "link set %s up\nlink set %s-end up",
		       name, name, name, name);
}

int wire_open(const char *dev)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(dev),
	};
	int wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), err;

	if (wire < 0)
		return -errno;
	if (to.sll_ifindex && !bind(wire, (struct sockaddr *)&to, sizeof(to)))
		return wire;
	err = to.sll_ifindex ? -errno : -ENODEV;
	close(wire);
	return err;
}

int wire_send(int wire, const void *frame)
{
	ssize_t n = send(wire, frame, WIRE_FRAME, 0);

	return n < 0 ? -errno : n == WIRE_FRAME ? 0 : -EIO;
}

int wire_receive(int wire, void *frame, int timeout_ms)
{
	struct pollfd poll_in = { .fd = wire, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t len;
	ssize_t n;

	while (poll(&poll_in, 1, timeout_ms) == 1) {
		len = sizeof(from);
		n = recvfrom(wire, frame, WIRE_FRAME, MSG_TRUNC,
			     (struct sockaddr *)&from, &len);
		if (n < 0)
			return -errno;
		/* Its own frames are seen too. */
		if (n == WIRE_FRAME && from.sll_pkttype != PACKET_OUTGOING)
			return 0;
	}
	return -ETIMEDOUT;
}
