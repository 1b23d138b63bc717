// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Take decisions until a signal, a time, the end of a command or that of
 * whoever reads the output.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

#define NSEC_PER_SEC	1000000000ULL

/* Words **********************************************************************/

/* After the word "gate": ID | fd N | pid PID fd N */
int parse_watched(struct words *w, struct watched *watched)
{
	struct memgate_gate_info *g;
	struct words ahead = *w, fd_ahead = *w;
	int fd, id, err;

	memset(watched, 0, sizeof(*watched));
	if (w->nr && !parse_int(*w->word, &id)) {
		next_word(w);
		watched->gate = id;
		return id ? 0 : report_usage("gates have ids from 1 on");
	}
	if (take_word(&ahead, "pid"))
		parse_int(next_word(&ahead), &watched->pid);
	else if (!take_word(&fd_ahead, "fd"))
		return report_usage("'gate' needs an id, 'fd N' or 'pid PID "
				    "fd N'");
	err = parse_target(w, &fd);
	if (err)
		return err;
	g = memgate_gate__info(fd);
	err = g ? 0 : report();
	/* Only another process's descriptor has been opened anew. */
	if (watched->pid)
		close(fd);
	if (g)
		watched->gate = g->id;
	memgate_gate_info__free(g);
	error_context("%s", "");
	return err;
}

int parse_seconds(struct words *w, int *seconds)
{
	if (parse_int(next_word(w), seconds) || !*seconds)
		return report_usage("'for' needs a number of seconds");
	return 0;
}

/* A name, or the number of a class that is newer than this program. */
int parse_class(const char *word, unsigned int *class)
{
	const char *name;
	int nr;

	for (nr = 0; word && (name = memgate_class_name(nr)); nr++)
		if (!strcmp(name, word)) {
			*class = nr;
			return 0;
		}
	if (!parse_int(word, &nr) && nr < 64) {
		*class = nr;
		return 0;
	}
	return report_usage("'class' needs the name of a class, such as map "
			    "or kvm, not '%s'", word ? word : "");
}

/* Time and signals ***********************************************************/

uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NSEC_PER_SEC + t.tv_nsec;
}

int watch_begin(struct watch *watch)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &watch->mask);
	/* A reader that has gone is noticed by poll(2) and by fflush(3). */
	signal(SIGPIPE, SIG_IGN);
	watch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals < 0)
		return report_errno(EXIT_REFUSED, errno, NULL, "signalfd");
	return 0;
}

/* 0 in the child, 1 in the parent, or minus the exit code. */
int watch_fork(struct watch *watch)
{
	fflush(NULL);
	watch->child = fork();
	if (watch->child < 0) {
		watch->child = 0;
		return -report_errno(EXIT_RUN_FAILED, errno, NULL, "fork");
	}
	if (watch->child)
		return 1;
	close(watch->signals);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &watch->mask, NULL);
	return 0;
}

/* Run a command that is watched. */
int watch_start(struct watch *watch, struct words *command)
{
	int ret = watch_fork(watch), err;

	if (ret)
		return ret < 0 ? -ret : 0;
	execvp(command->word[0], command->word);
	err = errno;
	err = report_errno(err == ENOENT ? EXIT_RUN_NOT_FOUND :
			   EXIT_RUN_CANNOT_EXEC, err, NULL,
			   "cannot execute %s", command->word[0]);
	fflush(NULL);
	_exit(err);
}

static bool child_ended(struct watch *watch)
{
	int status;

	if (!watch->child ||
	    waitpid(watch->child, &status, WNOHANG) != watch->child)
		return false;
	watch->child = 0;
	watch->code = WIFEXITED(status) ? WEXITSTATUS(status) :
					  128 + WTERMSIG(status);
	return true;
}

/*
 * A signal that somebody has sent is for the command, too; those of a terminal
 * reach it without us.
 */
static void take_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			watch->done |= child_ended(watch);
		} else if (!watch->child) {
			watch->done = true;
		} else if (info.ssi_code == SI_USER ||
			   info.ssi_code == SI_QUEUE) {
			kill(watch->child, info.ssi_signo);
		}
	}
}

/* Events *********************************************************************/

static int take_one(const struct memgate_event *event, void *ctx)
{
	struct watch *watch = ctx;

	/* Of those after the end there may be no end. */
	if (watch->end && event->time > watch->end)
		watch->taken = true;
	else if (watch->take(event, watch->ctx))
		watch->taken = watch->done = true;
	return watch->taken;
}

static int take_all(struct watch *watch)
{
	int n;

	do {
		n = memgate_events__read(watch->events, take_one, watch, 0);
		if (watch->batch)
			watch->batch(watch->ctx);
	} while (n > 0 && watch->end && !watch->taken);
	return n < 0 ? (errno = -n, report()) : 0;
}

/* Milliseconds for poll(2). */
static int time_left(const struct watch *watch)
{
	uint64_t now = boot_ns();

	if (!watch->deadline)
		return -1;
	if (now >= watch->deadline)
		return 0;
	return (watch->deadline - now) / 1000000 + 1;
}

/* Until the end; then what happened before it is taken. */
int watch_run(struct watch *watch)
{
	struct pollfd polls[] = {
		{ .fd = memgate_events__fd(watch->events), .events = POLLIN },
		{ .fd = watch->signals, .events = POLLIN },
		{ .fd = STDOUT_FILENO },
	};
	int err = 0;

	if (watch->seconds)
		watch->deadline = boot_ns() + watch->seconds * NSEC_PER_SEC;
	while (!err && !watch->done) {
		if (poll(polls, ARRAY_SIZE(polls), time_left(watch)) < 0 &&
		    errno != EINTR)
			return report_errno(EXIT_REFUSED, errno, NULL, "poll");
		watch->gone |= polls[2].revents & (POLLERR | POLLHUP);
		watch->done |= watch->gone || !time_left(watch);
		take_signal(watch);
		if (polls[0].revents && !watch->done)
			err = take_all(watch);
	}
	watch->end = boot_ns();
	return err || watch->taken ? err : take_all(watch);
}

/* The command's exit status, when it has one. */
int watch_wait(struct watch *watch)
{
	struct pollfd poll_signals = { .fd = watch->signals,
				       .events = POLLIN };

	while (watch->child && !child_ended(watch)) {
		poll(&poll_signals, 1, -1);
		take_signal(watch);
	}
	return watch->code;
}
