// SPDX-License-Identifier: GPL-2.0-only
/* Another process, which runs functions for the test. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memgate_util.h"

struct request {
	mg_peer_fn fn;
	long arg;
};

static ssize_t send_request(int sock, struct request *req, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { req, sizeof(*req) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (fd >= 0) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static ssize_t receive_request(int sock, struct request *req, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { req, sizeof(*req) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);

	*fd = -1;
	cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return n;
}

static void serve(int sock)
{
	struct request req;
	long ret;
	int fd;

	while (receive_request(sock, &req, &fd) == sizeof(req)) {
		ret = req.fn(fd, req.arg);
		if (fd >= 0)
			close(fd);
		if (send(sock, &ret, sizeof(ret), MSG_NOSIGNAL) < 0)
			break;
	}
}

int mg_peer_start(struct mg_peer *peer)
{
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return -1;
	fflush(stdout);
	peer->pid = fork();
	if (peer->pid < 0)
		return -1;
	if (!peer->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGALRM, SIG_DFL);
		close(sock[0]);
		serve(sock[1]);
		_exit(0);
	}
	close(sock[1]);
	peer->sock = sock[0];
	return 0;
}

int mg_peer_begin(struct mg_peer *peer, mg_peer_fn fn, int fd, long arg)
{
	struct request req = { fn, arg };

	return send_request(peer->sock, &req, fd) == sizeof(req) ? 0 : -EPIPE;
}

long mg_peer_end(struct mg_peer *peer)
{
	long ret;

	return recv(peer->sock, &ret, sizeof(ret), 0) == sizeof(ret) ? ret :
								       -EPIPE;
}

long mg_peer_call(struct mg_peer *peer, mg_peer_fn fn, int fd, long arg)
{
	int err = mg_peer_begin(peer, fn, fd, arg);

	return err ? err : mg_peer_end(peer);
}

void mg_peer_stop(struct mg_peer *peer)
{
	if (peer->pid <= 0)
		return;
	close(peer->sock);
	kill(peer->pid, SIGKILL);
	waitpid(peer->pid, NULL, 0);
	peer->pid = 0;
}
