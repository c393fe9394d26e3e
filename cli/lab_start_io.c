/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_inside.h"
#include "lab_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/net.h"

enum {
	CONNECT_MS = 200,
	TAIL_MAX = 300
};

extern char **environ;

const char *lab_bin(char path[LAB_PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, LAB_PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (slash != NULL)
		*slash = '\0';
	return path;
}

static char *path_of(const struct lab_place *place, const char *folder, const char *name)
{
	return xasprintf("%s/%s/%s/%s", place->dir, place->host->name, folder, name);
}

bool lab_wait_a_little(int64_t since_ms, int64_t timeout_ms)
{
	struct timespec a_little = {.tv_nsec = LAB_ASK_MS * 1000000L};
	nanosleep(&a_little, NULL);
	return clock_now_ms() - since_ms < timeout_ms;
}

/* --- is it there ------------------------------------------------------------------------------ */

/* The kernel tells the lock's holder by its number in our pid namespace. */
pid_t lab_program_pid(const char *dir, const char *host, const char *program)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *path CLEANUP(free_ptr) = xasprintf("%s/%s/%s/lock", dir, host, program);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held ? lock.l_pid : 0;
}

bool lab_port_is_open(const char *door)
{
	struct addr addr;
	struct err err;
	int fd = addr_parse(str_from(door), &addr) ? net_connect(&addr, &err) : -1;
	if (fd < 0)
		return false;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	bool open = poll(&ready, 1, CONNECT_MS) == 1 && net_error(fd) == 0;
	close(fd);
	return open;
}

bool lab_door_is_open(const struct lab_host *host, const char *door)
{
	struct err err;
	bool open = lab_enter_host(host, &err) && lab_port_is_open(door);
	return lab_enter_host(NULL, &err) && open;
}

static bool tell_end(const struct lab_place *place, const char *folder, struct err *err)
{
	char tail[TAIL_MAX + 1] = "";
	char *path CLEANUP(free_ptr) = path_of(place, folder, "log.txt");
	FILE *log = fopen(path, "re");
	if (log != NULL) {
		if (fseek(log, -TAIL_MAX, SEEK_END) != 0)
			rewind(log);
		tail[fread(tail, 1, TAIL_MAX, log)] = '\0';
		fclose(log);
	}
	struct str words = str_trim(str_from(tail));
	return err_set(err, ERR_IO, "%s on %s has ended (%s): ... %.*s", folder, place->host->name,
	               path, STR_ARG(words));
}

bool lab_start_wait(const struct lab_place *place, const struct lab_program *program,
                    struct err *err)
{
	int64_t since_ms = clock_now_ms();
	char *door CLEANUP(free_ptr) = lab_expand(str_from(program->door), place);
	do {
		if (lab_program_pid(place->dir, place->host->name, program->name) == 0)
			return tell_end(place, program->name, err);
		if (door[0] == '\0' || lab_door_is_open(place->host, door))
			return true;
	} while (lab_wait_a_little(since_ms, LAB_WAIT_MS));
	return err_set(err, ERR_TIMEOUT, "%s on %s does not listen at %s after %d s (%s/%s/%s)",
	               program->name, place->host->name, door, LAB_WAIT_MS / 1000, place->dir,
	               place->host->name, program->name);
}

/* --- starting --------------------------------------------------------------------------------- */

/* What the operator has set for commands is nothing for the lab's programs. */
static void forget_environment(void)
{
	for (size_t i = 0; environ[i] != NULL;) {
		const char *equals = strchr(environ[i], '=');
		char *name CLEANUP(free_ptr) =
			xstrndup(environ[i], equals != NULL ? (size_t)(equals - environ[i]) : 0);
		if (strncmp(name, "FEDWAY_", 7) == 0)
			unsetenv(name); /* the next one has taken its place */
		else
			i++;
	}
}

static void use_log(const char *folder)
{
	char *path CLEANUP(free_ptr) = xasprintf("%s/log.txt", folder);
	int in = open("/dev/null", O_RDONLY);
	int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (in >= 0)
		dup2(in, STDIN_FILENO);
	if (log >= 0) {
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
	}
}

static _Noreturn void become(const struct lab_place *place, const char *folder, const char *words,
                             const char *bin)
{
	struct err err;
	struct lab_words argv;
	struct sigaction usual = {.sa_handler = SIG_DFL};
	lab_words_make(words, place, &argv);
	char *ours = xasprintf("%s/%s", bin, argv.words[0]);
	setsid();
	sigaction(SIGPIPE, &usual, NULL);
	use_log(folder);
	forget_environment();
	if (!lab_enter_host(place->host, &err) || chdir(folder) != 0) {
		fprintf(stderr, "fedway: cannot go to '%s' on %s\n", folder, place->host->name);
		_exit(126);
	}
	execv(ours, argv.words);
	execvp(argv.words[0], argv.words);
	fprintf(stderr, "fedway: cannot run '%s', neither in '%s' nor in PATH: %s\n", argv.words[0],
	        bin, strerror(errno));
	_exit(127);
}

/* The lock is kept by exec, and goes with the process. */
static bool take_lock(const char *folder)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *path CLEANUP(free_ptr) = xasprintf("%s/lock", folder);
	int fd = open(path, O_RDWR | O_CREAT, 0644);
	return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0;
}

/* Returns when the program is running, or has ended already: the pipe closes with exec. */
bool lab_start(const struct lab_place *place, const struct lab_program *program, const char *bin,
               struct err *err)
{
	int pipe_fds[2];
	char byte;
	char *folder CLEANUP(free_ptr) = path_of(place, program->name, "");
	if (lab_program_pid(place->dir, place->host->name, program->name) != 0)
		return true;
	if (!file_make_dirs(folder, err))
		return false;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return err_set_errno(err, errno, "cannot make a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		if (!take_lock(folder))
			_exit(126);
		become(place, folder, program->words, bin);
	}
	close(pipe_fds[1]);
	bool ok = pid > 0 && read(pipe_fds[0], &byte, 1) == 0;
	close(pipe_fds[0]);
	return ok ||
	       err_set(err, ERR_IO, "cannot start %s on %s", program->name, place->host->name);
}

bool lab_start_once(const struct lab_place *place, const char *folder, const char *words,
                    const char *bin, struct err *err)
{
	int status = -1;
	char *path CLEANUP(free_ptr) = path_of(place, folder, "");
	if (!file_make_dirs(path, err))
		return false;
	pid_t pid = fork();
	if (pid == 0)
		become(place, path, words, bin);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status == 0 || tell_end(place, folder, err);
}
