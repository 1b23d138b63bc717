// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process of the test VM
 *
 * The root file system is the host's own, read-only over 9p.  This program
 * makes it a place where programs run (proc, sys, tmpfs over what must be
 * writable), runs one command with the VM's virtio console as its terminal,
 * leaves the command's exit status in the work folder and powers off.
 *
 * The work folder is a second, writable 9p share.  The runner passes its path
 * by memgate.out= on the kernel command line and leaves there:
 *	argv	the command, each word ended by NUL
 *	env	the environment, likewise
 *	cwd	the folder to run it in
 *	keep	folders that must stay visible where a tmpfs is mounted above
 * While the command runs, the file "alive" in it is touched every few seconds.
 */

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS	512
#define MAX_KEEP	16
#define BEAT_SECONDS	5

static char out_dir[4096];

/* Says on the kernel console what went wrong; the runner shows it. */
static void complain(const char *fmt, ...)
{
	char msg[512];
	va_list ap;
	int fd, len;

	len = snprintf(msg, sizeof(msg), "memgate-init: ");
	va_start(ap, fmt);
	vsnprintf(msg + len, sizeof(msg) - len - 1, fmt, ap);
	va_end(ap);
	strcat(msg, "\n");
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Not by dprintf(): before glibc 2.37 it fails as kmsg cannot seek. */
	write(fd, msg, strlen(msg));
	close(fd);
}

static void __attribute__((noreturn)) power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

#define die(...) do {			\
	complain(__VA_ARGS__);		\
	power_off();			\
} while (0)

static void mount_at(const char *type, const char *dir, unsigned long flags,
		     const char *data)
{
	/* devtmpfs may be there already: the kernel mounts it by itself. */
	if (mount(type, dir, type, flags, data) && errno != EBUSY)
		complain("cannot mount %s on %s: %s", type, dir,
			 strerror(errno));
}

static void make_dirs(const char *path)
{
	char part[4096];
	char *p;

	snprintf(part, sizeof(part), "%s", path);
	for (p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(part, 0755);
		*p = '/';
	}
	mkdir(part, 0755);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		complain("cannot write '%s' to %s: %s", text, path,
			 strerror(errno));
	close(fd);
}

/* Reads a file of the work folder; the result is ended by NUL. */
static char *read_out(const char *name, size_t *len)
{
	static const size_t max = 1 << 20;
	char path[8192];
	char *text = malloc(max);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", out_dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !text)
		die("cannot read %s: %s", path, strerror(errno));
	*len = 0;
	while ((n = read(fd, text + *len, max - 1 - *len)) > 0)
		*len += n;
	close(fd);
	text[*len] = '\0';
	return text;
}

static char **read_words(const char *name)
{
	static char *none[] = { NULL };
	char **words = calloc(MAX_WORDS + 1, sizeof(*words));
	size_t len, pos = 0;
	char *text = read_out(name, &len);
	int n = 0;

	if (!words)
		return none;
	while (pos < len && n < MAX_WORDS) {
		words[n++] = text + pos;
		pos += strlen(text + pos) + 1;
	}
	return words;
}

static void find_out_dir(void)
{
	static char line[8192];
	char *p;
	FILE *f;

	f = fopen("/proc/cmdline", "re");
	if (!f || !fgets(line, sizeof(line), f))
		die("cannot read /proc/cmdline: %s", strerror(errno));
	fclose(f);
	p = strstr(line, "memgate.out=");
	if (!p)
		die("no memgate.out= on the kernel command line");
	sscanf(p, "memgate.out=%4095s", out_dir);
}

static void mount_out(void)
{
	static const char opts[] = "trans=virtio,version=9p2000.L,msize=512000";

	make_dirs(out_dir);
	if (mount("out", out_dir, "9p", 0, opts))
		die("cannot mount the work folder on %s: %s", out_dir,
		    strerror(errno));
}

/*
 * What the command may write to is tmpfs.  Folders that were below and must
 * stay visible (a checkout in /root or /tmp) are held open meanwhile, and
 * bound to their place again.
 */
static void mount_tmpfs(void)
{
	static const char * const dirs[] = {
		"/tmp", "/run", "/var/tmp", "/root",
	};
	char **keep = read_words("keep");
	int fds[MAX_KEEP];
	char link[64];
	size_t i;

	for (i = 0; i < MAX_KEEP && keep[i]; i++)
		fds[i] = open(keep[i], O_PATH | O_CLOEXEC);
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		mount_at("tmpfs", dirs[i], 0, i % 2 ? "mode=755" : "mode=1777");
	for (i = 0; i < MAX_KEEP && keep[i]; i++) {
		if (!access(keep[i], F_OK))
			continue;
		make_dirs(keep[i]);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fds[i]);
		if (mount(link, keep[i], NULL, MS_BIND | MS_REC, NULL))
			die("cannot keep %s visible: %s", keep[i],
			    strerror(errno));
	}
}

static void loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr))
		complain("cannot bring lo up: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void prepare_dev(void)
{
	mount_at("devtmpfs", "/dev", 0, NULL);
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mkdir("/dev/hugepages", 0755);
	mount_at("devpts", "/dev/pts", 0, "gid=5,mode=620,ptmxmode=666");
	mount_at("tmpfs", "/dev/shm", 0, "mode=1777");
	mount_at("hugetlbfs", "/dev/hugepages", 0, NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
}

static void prepare_sys(void)
{
	mount_at("sysfs", "/sys", 0, NULL);
	mount_at("debugfs", "/sys/kernel/debug", 0, NULL);
	mount_at("tracefs", "/sys/kernel/tracing", 0, NULL);
	mount_at("securityfs", "/sys/kernel/security", 0, NULL);
	mount_at("bpf", "/sys/fs/bpf", 0, "mode=755");
	mount_at("cgroup2", "/sys/fs/cgroup", 0, NULL);
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids");
	write_file("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
		   "advise");
}

static void prepare_process(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	umask(022);
	sethostname("memgate", 7);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	write_file("/proc/sys/kernel/printk_devkmsg", "on\n");
	loopback_up();
}

/* Bytes pass as they are, except for a person at a prompt. */
static void make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		return;
	cfmakeraw(&t);
	t.c_lflag |= ISIG;
	tcsetattr(fd, TCSANOW, &t);
}

/* The console does not know the size of the terminal at its other end. */
static void set_size(int fd, char **env)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	for (; *env; env++) {
		sscanf(*env, "LINES=%hu", &size.ws_row);
		sscanf(*env, "COLUMNS=%hu", &size.ws_col);
	}
	ioctl(fd, TIOCSWINSZ, &size);
}

static int open_console(int interactive)
{
	int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY);

	if (fd < 0)
		die("cannot open /dev/hvc0: %s", strerror(errno));
	if (!interactive)
		make_raw(fd);
	return fd;
}

static void __attribute__((noreturn)) run_child(char **argv, char **env)
{
	int interactive = 0;
	size_t len;
	char *cwd;
	int fd, i;

	for (i = 0; env[i]; i++)
		interactive |= !strcmp(env[i], "MEMGATE_INTERACTIVE=1");
	setsid();
	fd = open_console(interactive);
	ioctl(fd, TIOCSCTTY, 0);
	set_size(fd, env);
	if (interactive) {
		dup2(fd, 0);
	} else {
		i = open("/dev/null", O_RDONLY);
		dup2(i, 0);
		close(i);
	}
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
	cwd = read_out("cwd", &len);
	if (chdir(cwd))
		fprintf(stderr, "init: cannot enter %s: %s\n", cwd,
			strerror(errno));
	environ = env;
	execvp(argv[0], argv);
	fprintf(stderr, "init: cannot run %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Tells the runner that this kernel still runs processes. */
static void beat(void)
{
	char path[8192];
	int fd;

	snprintf(path, sizeof(path), "%s/alive", out_dir);
	/* Writing would pin a page, and tests count pins. */
	if (!utimensat(AT_FDCWD, path, NULL, 0))
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
}

/* Reaps whoever ends, until @child has. */
static int wait_for(pid_t child, const sigset_t *chld)
{
	const struct timespec pause = { .tv_sec = BEAT_SECONDS };
	int status;
	pid_t pid;

	for (;;) {
		beat();
		do {
			pid = waitpid(-1, &status, WNOHANG);
			if (pid == child)
				return status;
		} while (pid > 0);
		sigtimedwait(chld, NULL, &pause);
	}
}

static int run(char **argv, char **env)
{
	sigset_t chld;
	pid_t child;
	int status;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	/* execvp() of the child searches the PATH of the command's own. */
	child = fork();
	if (child < 0)
		die("cannot fork: %s", strerror(errno));
	if (!child) {
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		run_child(argv, env);
	}
	status = wait_for(child, &chld);
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

/* Lets what the command left behind die while the console still listens. */
static void end_stragglers(void)
{
	int i;

	kill(-1, SIGKILL);
	for (i = 0; i < 200; i++) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0)
			break;
		if (!pid)
			usleep(10000);
	}
}

/* Says also that nothing was found: that it was looked for is worth knowing. */
static void report_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char line[1024];
	int leaks = 0;
	FILE *f;

	if (access(path, F_OK))
		return;
	write_file(path, "scan");
	sleep(6);	/* younger objects are not reported */
	write_file(path, "scan");
	f = fopen(path, "re");
	if (!f) {
		complain("cannot read %s: %s", path, strerror(errno));
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		leaks += !strncmp(line, "unreferenced object", 19);
		complain("%s", line);
	}
	fclose(f);
	snprintf(line, sizeof(line), "memgate-test: kmemleak names %d\n",
		 leaks);
	write_file("/dev/kmsg", line);
}

static void save_status(int status)
{
	char path[8192], tmp[8192];
	FILE *f;

	snprintf(path, sizeof(path), "%s/status", out_dir);
	snprintf(tmp, sizeof(tmp), "%s/status.tmp", out_dir);
	f = fopen(tmp, "we");
	if (!f || fprintf(f, "%d\n", status) < 0 || fclose(f) ||
	    rename(tmp, path))
		complain("cannot leave the exit status in %s: %s", path,
			 strerror(errno));
}

int main(void)
{
	char **argv, **env;
	int status;

	if (getpid() != 1) {
		fprintf(stderr, "This is the init of the test VM.\n");
		return 1;
	}
	mount_at("proc", "/proc", 0, NULL);
	prepare_dev();
	prepare_sys();
	find_out_dir();
	/* The share has to be seen before /tmp and the like are covered ... */
	mount_out();
	mount_tmpfs();
	/* ... and once more if they covered it. */
	if (access(out_dir, W_OK))
		mount_out();
	prepare_process();

	argv = read_words("argv");
	env = read_words("env");
	if (!argv[0])
		die("no command in %s/argv", out_dir);
	status = run(argv, env);
	end_stragglers();
	report_leaks();
	save_status(status);
	power_off();
}
