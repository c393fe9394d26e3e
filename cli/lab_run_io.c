/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_run.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"

enum {
	LINE_MAX_ = 1024,
	WORDS_MAX = 48
};

extern char **environ;

static void split_words(char *line, char *words[WORDS_MAX])
{
	size_t n = 0;
	char *save = NULL;
	for (char *word = strtok_r(line, " ", &save); word != NULL && n < WORDS_MAX - 1;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	words[n] = NULL;
}

/* Standard output is dropped, standard error read from the pipe. */
static int spawn(char *const words[], int err_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", 1, 0);
	posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	int rc = posix_spawnp(ret_pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static bool wait_for(pid_t pid, int err_fd, const char *line, struct err *err)
{
	char said[ERR_MSG_MAX / 2];
	size_t len = 0;
	int status = 0;
	for (;;) {
		char piece[256];
		ssize_t n = read(err_fd, piece, sizeof(piece));
		if (n <= 0)
			break;
		size_t fits = (size_t)n < sizeof(said) - len ? (size_t)n : sizeof(said) - len;
		memcpy(said + len, piece, fits);
		len += fits;
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	struct str words = str_trim(str_make(said, len));
	return err_set(err, ERR_IO, "'%s' failed: %.*s", line, STR_ARG(words));
}

bool lab_run(struct err *err, const char *fmt, ...)
{
	char line[LINE_MAX_];
	char copy[LINE_MAX_];
	char *words[WORDS_MAX];
	int pipe_fds[2];
	pid_t pid;
	va_list args;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	memcpy(copy, line, sizeof(copy));
	split_words(copy, words);
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot make a pipe");
	int rc = spawn(words, pipe_fds[1], &pid);
	close(pipe_fds[1]);
	bool ok = rc == 0 ? wait_for(pid, pipe_fds[0], line, err)
	                  : err_set_errno(err, rc, "cannot run '%s'", words[0]);
	close(pipe_fds[0]);
	return ok;
}
