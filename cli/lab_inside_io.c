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

/* --- a program -------------------------------------------------------------------------------- */

static volatile pid_t passed_to;

static void on_signal(int number)
{
	if (passed_to > 0)
		kill(passed_to, number);
}

static void pass_signals_on(pid_t pid)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	passed_to = pid;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* the terminal tells both of us */
	sigaction(SIGINT, &ignore, NULL);
	sigaction(SIGQUIT, &ignore, NULL);
}

static _Noreturn void become(char *const argv[])
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp(argv[0], argv);
	fprintf(stderr, "fedway: cannot run '%s': %s\n", argv[0], strerror(errno));
	_exit(127);
}

bool lab_exec(const char *dir, const struct lab_host *host, const char *folder, char *const argv[],
              int *ret_status, struct err *err)
{
	int status;
	if (!enter_lab(dir, err) || (host != NULL && !lab_enter_host(host, err)))
		return false;
	if (folder != NULL && chdir(folder) != 0)
		return err_set_errno(err, errno, "cannot go to '%s'", folder);
	pid_t pid = fork();
	if (pid < 0)
		return err_set_errno(err, errno, "cannot fork");
	if (pid == 0)
		become(argv);
	pass_signals_on(pid);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set_errno(err, errno, "cannot wait");
	}
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}

/* --- a piece of work -------------------------------------------------------------------------- */

static int wait_for(pid_t pid)
{
	int status = -1;
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* The error travels through the pipe as it is. */
static _Noreturn void do_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                                int report_fd)
{
	struct err err = {0};
	bool ok = enter_lab(dir, &err);
	pid_t pid = ok ? fork() : 0;
	if (pid != 0)
		_exit(wait_for(pid) == 0 ? 0 : 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	ok = ok && act(arg, &err);
	fflush(stdout);
	if (!ok)
		IGNORE(write(report_fd, &err, sizeof(err)) < 0);
	_exit(ok ? 0 : 1);
}

bool lab_inside(const char *dir, bool (*act)(void *arg, struct err *err), void *arg,
                struct err *err)
{
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
	struct err said;
	ssize_t n = read(pipe_fds[0], &said, sizeof(said));
	close(pipe_fds[0]);
	int status = wait_for(pid);
	if (n == sizeof(said))
		*err = said;
	else if (status != 0)
		return err_set(err, ERR_IO, "the lab could not be entered");
	return n != sizeof(said);
}
