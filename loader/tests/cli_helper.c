// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the tests of the command line cannot do in a shell:
 *
 *   cli_helper memfd [WORD...] -- COMMAND ARGS	run with a memfd at fd 7
 *	noseal		without MFD_ALLOW_SEALING
 *	rdonly		descriptor 7 is open for reading only
 *	sealed		F_SEAL_SEAL is set already
 *	pinned		a page of it sits in a pipe for good
 *	mapped		this process keeps a mapping, closes the memfd and
 *			starts COMMAND as a child that has it
 *   cli_helper json KEY...	check stdin for one JSON value; print what is
 *				at object keys and array indices
 *   cli_helper hide COMMAND ARGS	run with fd 7 in a message on its way through
 *				a socket, and nowhere else
 *   cli_helper mmap		map fd 7 for writing: ok, or the errno's name
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <json-c/json.h>

#define FD	7
#define SIZE	(1 << 20)

static int fail(const char *what)
{
	fprintf(stderr, "cli_helper: %s: %s\n", what, strerror(errno));
	return 125;
}

/* The pipe stays open across exec, and the page pinned in it. */
static int pin_page(int fd)
{
	struct iovec iov = { .iov_len = 4096 };
	int pipefd[2];
	char *p;

	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED || pipe(pipefd))
		return -1;
	*p = 1;
	iov.iov_base = p;
	return vmsplice(pipefd[1], &iov, 1, 0) == 4096 ? 0 : -1;
}

static int run_child(char **argv)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		execvp(argv[0], argv);
		_exit(fail(argv[0]));
	}
	close(FD);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return fail("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}

static int with_memfd(char **argv)
{
	int fd, i, flags = MFD_ALLOW_SEALING;
	int rdonly = 0, sealed = 0, pinned = 0, mapped = 0;
	char path[64];

	for (; *argv && strcmp(*argv, "--"); argv++) {
		if (!strcmp(*argv, "noseal"))
			flags = 0;
		rdonly |= !strcmp(*argv, "rdonly");
		sealed |= !strcmp(*argv, "sealed");
		pinned |= !strcmp(*argv, "pinned");
		mapped |= !strcmp(*argv, "mapped");
	}
	if (!*argv || !argv[1])
		return errno = EINVAL, fail("no command");
	fd = memfd_create("cli-test", flags);
	if (fd < 0 || ftruncate(fd, SIZE))
		return fail("memfd");
	if (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL))
		return fail("F_SEAL_SEAL");
	if (pinned && pin_page(fd))
		return fail("vmsplice");
	if (mapped && mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0) ==
	    MAP_FAILED)
		return fail("mmap");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	i = rdonly ? open(path, O_RDONLY) : fd;
	if (i < 0 || (i != FD && dup2(i, FD) < 0))
		return fail("dup2");
	if (fd != FD)
		close(fd);
	if (mapped)
		return run_child(argv + 1);
	execvp(argv[1], argv + 1);
	return fail(argv[1]);
}

static int hide(char **argv)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int sock[2], fd = FD;

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock) ||
	    sendmsg(sock[0], &msg, 0) != 1)
		return fail("sendmsg");
	close(FD);
	execvp(argv[0], argv);
	return fail(argv[0]);
}

static int check_json(char **keys)
{
	static char text[1 << 20];
	struct json_tokener *tok = json_tokener_new();
	struct json_object *obj;
	size_t n = fread(text, 1, sizeof(text) - 1, stdin);

	obj = json_tokener_parse_ex(tok, text, n);
	if (json_tokener_get_error(tok) != json_tokener_success ||
	    json_tokener_get_parse_end(tok) + 1 < n) {
		fprintf(stderr, "cli_helper: not one JSON value\n");
		return 1;
	}
	for (; *keys && obj; keys++)
		obj = json_object_is_type(obj, json_type_array) ?
			json_object_array_get_idx(obj, atoi(*keys)) :
			json_object_object_get(obj, *keys);
	puts(obj ? json_object_get_string(obj) : "null");
	json_tokener_free(tok);
	return 0;
}

static int try_mmap(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, FD, 0);

	puts(p == MAP_FAILED ? strerrorname_np(errno) : "ok");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "memfd"))
		return with_memfd(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "hide"))
		return hide(argv + 2);
	if (argc > 1 && !strcmp(argv[1], "json"))
		return check_json(argv + 2);
	if (argc > 1 && !strcmp(argv[1], "mmap"))
		return try_mmap();
	fprintf(stderr, "cli_helper: memfd, hide, json or mmap\n");
	return 125;
}
