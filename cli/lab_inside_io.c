/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joining the lab's pid namespace holds for children only, hence one more fork: a program's parent
 * is then inside as well, and when it is gone the lab's first process takes its place.
 */
#include "lab_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static bool join_namespace(const char *path, int type, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && setns(fd, type) == 0;
	int errnum = errno;
	if (fd >= 0)
		close(fd);
	return ok || err_set_errno(err, errnum, "cannot enter the lab ('%s')", path);
}

static bool join_all(pid_t pid, struct err *err)
{
	/* user first: it gives the rights; mount last: after it /proc is the lab's */
	static const struct {
		const char *kind;
		int type;
	} rows[] = {{"user", CLONE_NEWUSER},
	            {"net", CLONE_NEWNET},
	            {"pid", CLONE_NEWPID},
	            {"mnt", CLONE_NEWNS}};
	for (size_t i = getuid() == 0 ? 1 : 0; i < N_ELEMS(rows); i++) {
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, rows[i].kind);
		if (!join_namespace(path, rows[i].type, err))
			return false;
	}
	return true;
}

/* Joining a mount namespace moves to its root: go back to where we were. */
static bool enter_lab(const char *dir, struct err *err)
{
	char cwd[LAB_PATH_MAX];
	pid_t pid = lab_pid(dir);
	if (pid == 0)
		return err_set(err, ERR_NOT_FOUND, "the lab is not up (fedway lab up)");
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return err_set_errno(err, errno, "no working folder");
	if (!join_all(pid, err))
		return false;
	return chdir(cwd) == 0 || err_set_errno(err, errno, "cannot go back to '%s'", cwd);
}

bool lab_enter_host(const struct lab_host *host, struct err *err)
{
	char path[128] = "/proc/1/ns/net"; /* the first process stays on the wan */
	if (host != NULL)
		snprintf(path, sizeof(path), "/run/netns/%s", host->name);
	return join_namespace(path, CLONE_NEWNET, err);
}

/* --- going in --------------------------------------------------------------------------------- */

static volatile pid_t passed_to;

static void on_signal(int number)
{
	kill(passed_to, number);
}

/* Until the child has ended: its exit status, 128 plus the number of a signal that ended it. */
static int wait_for(pid_t pid)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	int status;
	passed_to = pid;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* of these the terminal tells the child as well */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The error travels through the pipe as it is. */
static _Noreturn void do_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                                int report_fd)
{
	struct err err = {0};
	bool ok = enter_lab(dir, &err);
	pid_t pid = ok ? fork() : 0;
	if (pid > 0) {
		close(report_fd);
		_exit(wait_for(pid));
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	ok = ok && pid == 0 && act(arg, &err);
	fflush(stdout);
	if (!ok)
		IGNORE(write(report_fd, &err, sizeof(err)) < 0);
	_exit(ok ? 0 : 1);
}

/* Returns when the act has ended, or the program that it became. */
static bool go_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                      int *ret_status, struct err *err)
{
	struct err said;
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot make a pipe");
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		close(pipe_fds[0]);
		do_inside(dir, act, arg, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	if (pid > 0)
		*ret_status = wait_for(pid);
	ssize_t n = read(pipe_fds[0], &said, sizeof(said));
	close(pipe_fds[0]);
	if (n == sizeof(said))
		*err = said;
	else if (pid < 0)
		return err_set(err, ERR_IO, "cannot fork");
	return n != sizeof(said);
}

bool lab_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                struct err *err)
{
	int status;
	return go_inside(dir, act, arg, &status, err) &&
	       (status == 0 || err_set(err, ERR_IO, "interrupted inside the lab"));
}

/* --- a program -------------------------------------------------------------------------------- */

struct errand {
	const struct lab_host *host;
	const char *folder;
	char *const *argv;
};

static bool become(void *arg, struct err *err)
{
	const struct errand *errand = arg;
	struct sigaction usual = {.sa_handler = SIG_DFL};
	if (errand->host != NULL && !lab_enter_host(errand->host, err))
		return false;
	if (errand->folder != NULL && chdir(errand->folder) != 0)
		return err_set_errno(err, errno, "cannot go to '%s'", errand->folder);
	sigaction(SIGPIPE, &usual, NULL);
	execvp(errand->argv[0], errand->argv);
	return err_set_errno(err, errno, "cannot run '%s'", errand->argv[0]);
}

bool lab_exec(const char *dir, const struct lab_host *host, const char *folder, char *const argv[],
              int *ret_status, struct err *err)
{
	struct errand errand = {host, folder, argv};
	return go_inside(dir, become, &errand, ret_status, err);
}
