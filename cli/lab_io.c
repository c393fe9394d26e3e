/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `lab up` forks twice: the supervisor unshares, and its child is the first process of the new pid
 * namespace, which makes the network, says so through a pipe, and is there. Its end is the end of
 * every process of the lab.
 */
#include "lab.h"
#include "lab_net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

enum {
	DOWN_MS = 5000
};

/* --- inside ----------------------------------------------------------------------------------- */

static bool write_text(const char *path, const char *text, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		int errnum = errno;
		if (fd >= 0)
			close(fd);
		return err_set_errno(err, errnum, "cannot write '%s'", path);
	}
	close(fd);
	return true;
}

/* Root inside is who we are outside. */
static bool map_user(uid_t uid, gid_t gid, struct err *err)
{
	char text[64];
	if (!write_text("/proc/self/setgroups", "deny", err))
		return false;
	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (!write_text("/proc/self/uid_map", text, err))
		return false;
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return write_text("/proc/self/gid_map", text, err);
}

static bool enter_new_namespaces(struct err *err)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	int user = uid != 0 ? CLONE_NEWUSER : 0;
	if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | user) != 0)
		return err_set_errno(err, errno,
		                     "cannot make namespaces (run as root, or allow user "
		                     "namespaces: kernel.unprivileged_userns_clone)");
	return user == 0 || map_user(uid, gid, err);
}

/* `ip netns` keeps its names in /run/netns: with a /run of its own the lab's names are the lab's.
 */
static bool mount_own(struct err *err)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return err_set_errno(err, errno, "cannot mount the lab's /run and /proc");
	return true;
}

/* Who called `lab up` may wait for the end of what it says. */
static void let_go_of_caller(void)
{
	int null_fd = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= 2 && null_fd >= 0; fd++)
		dup2(null_fd, fd);
}

static _Noreturn void be_first_process(int report_fd)
{
	struct err err;
	const char *said = "ok";
	if (!mount_own(&err) || !lab_net_build(&err))
		said = err.msg;
	IGNORE(write(report_fd, said, strlen(said)) < 0);
	close(report_fd);
	if (said == err.msg)
		_exit(1);
	let_go_of_caller();
	/* orphans of the lab come to us, and are gone at once */
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigaction(SIGCHLD, &ignore, NULL);
	for (;;)
		pause();
}

/* --- the supervisor --------------------------------------------------------------------------- */

static void write_pid(const char *dir, pid_t pid)
{
	char path[LAB_PATH_MAX];
	char text[32];
	struct err err;
	snprintf(path, sizeof(path), "%s/supervisor.pid", dir);
	snprintf(text, sizeof(text), "%d\n", pid);
	IGNORE(file_save(path, str_from(text), 0600, &err));
}

static _Noreturn void supervise(const char *dir, int report_fd)
{
	struct err err;
	setsid();
	if (!enter_new_namespaces(&err)) {
		IGNORE(write(report_fd, err.msg, strlen(err.msg)) < 0);
		_exit(1);
	}
	pid_t first = fork();
	if (first == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_first_process(report_fd);
	}
	write_pid(dir, first);
	close(report_fd);
	let_go_of_caller();
	waitpid(first, NULL, 0);
	_exit(0);
}

bool lab_up(const char *dir, struct err *err)
{
	char said[ERR_MSG_MAX] = "";
	int pipe_fds[2];
	if (lab_pid(dir) != 0)
		return err_set(err, ERR_EXISTS, "the lab is up already (fedway lab down ends it)");
	if (!lab_dir_clear(dir, err) || !file_make_dirs(dir, err))
		return false;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot make a pipe");
	pid_t supervisor = fork();
	if (supervisor == 0) {
		close(pipe_fds[0]);
		supervise(dir, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	ssize_t n = read(pipe_fds[0], said, sizeof(said) - 1);
	close(pipe_fds[0]);
	if (n == 2 && memcmp(said, "ok", 2) == 0)
		return true;
	return err_set(err, ERR_IO, "%s", n > 0 ? said : "the lab's supervisor ended at once");
}

/* --- from outside ----------------------------------------------------------------------------- */

pid_t lab_pid(const char *dir)
{
	char path[LAB_PATH_MAX];
	struct err err;
	uint64_t pid = 0;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, 64);
	snprintf(path, sizeof(path), "%s/supervisor.pid", dir);
	if (!file_load(path, &text, &err) || !str_to_u64(str_trim(buf_str(&text)), INT32_MAX, &pid))
		return 0;
	/* A pid that was given to somebody else meanwhile has no tmpfs of ours on /run. */
	snprintf(path, sizeof(path), "/proc/%d/root/run/netns/control", (int)pid);
	return access(path, F_OK) == 0 ? (pid_t)pid : 0;
}

bool lab_down(const char *dir, struct err *err)
{
	pid_t pid = lab_pid(dir);
	if (pid == 0)
		return err_set(err, ERR_NOT_FOUND, "the lab is not up");
	int pid_fd = (int)pidfd_open(pid, 0);
	if (pid_fd < 0 || kill(pid, SIGKILL) != 0) {
		int errnum = errno;
		if (pid_fd >= 0)
			close(pid_fd);
		return err_set_errno(err, errnum, "cannot end the lab's first process %d", pid);
	}
	struct pollfd gone = {.fd = pid_fd, .events = POLLIN};
	bool ended = poll(&gone, 1, DOWN_MS) == 1;
	close(pid_fd);
	return ended || err_set(err, ERR_TIMEOUT, "the lab's first process %d does not end", pid);
}
