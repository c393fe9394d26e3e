/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
	FILE_CHUNK = 65536
};

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool read_all(int fd, const char *path, struct buf *buf, char chunk[FILE_CHUNK],
                     struct err *err)
{
	for (;;) {
		ssize_t n = read(fd, chunk, FILE_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "cannot read '%s'", path);
		if (n == 0)
			return true;
		if (!buf_add(buf, chunk, (size_t)n))
			return err_set(err, ERR_TOO_LARGE, "'%s' is over the limit of %zu bytes",
			               path, buf->max);
	}
}

bool file_load(const char *path, struct buf *buf, struct err *err)
{
	CLEANUP(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	buf_clear(buf);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "'%s' does not exist", path);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot open '%s'", path);
	char chunk[FILE_CHUNK];
	bool ok = read_all(fd, path, buf, chunk, err);
	if (buf->secret)
		explicit_bzero(chunk, sizeof(chunk));
	return ok;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool write_all(int fd, struct str content)
{
	while (content.len > 0) {
		ssize_t n = write(fd, content.ptr, content.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		content = str_make(content.ptr + n, content.len - (size_t)n);
	}
	return true;
}

static bool sync_folder_of(const char *path)
{
	CLEANUP(free_ptr) char *copy = xstrdup(path);
	CLEANUP(close_fd) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && fsync(fd) == 0;
}

static bool write_beside(int fd, struct str content, mode_t mode)
{
	return fchmod(fd, mode) == 0 && write_all(fd, content) && fsync(fd) == 0;
}

bool file_save(const char *path, struct str content, mode_t mode, struct err *err)
{
	CLEANUP(free_ptr) char *beside = xasprintf("%s.XXXXXX", path);
	CLEANUP(close_fd) int fd = mkostemp(beside, O_CLOEXEC);

	if (fd < 0)
		return err_set_errno(err, errno, "cannot write beside '%s'", path);
	if (!write_beside(fd, content, mode) || rename(beside, path) < 0) {
		int why = errno;
		unlink(beside);
		return err_set_errno(err, why, "cannot write '%s'", path);
	}
	if (!sync_folder_of(path))
		return err_set_errno(err, errno, "cannot sync the folder of '%s'", path);
	return true;
}

static bool make_dir(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) == 0)
		return true;
	if (errno == EEXIST && stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ||
		       err_set(err, ERR_IO, "'%s' is in the way: it is no folder", path);
	return err_set_errno(err, errno, "cannot make folder '%s'", path);
}

bool file_make_dirs(const char *path, struct err *err)
{
	CLEANUP(free_ptr) char *part = xstrdup(path);

	for (char *slash = strchr(part + 1, '/'); part[0] != '\0' && slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (!make_dir(part, err))
			return false;
		*slash = '/';
	}
	return make_dir(part, err);
}
