/* SPDX-License-Identifier: Apache-2.0 */
#include "copy_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"

enum {
	HEAD_MAX = 64
};

void copy_init(struct copy *copy, const char *dir, const char *cluster)
{
	*copy = (struct copy){.journal_fd = -1};
	copy->snapshot_path = xasprintf("%s/%s.snapshot", dir, cluster);
	copy->journal_path = xasprintf("%s/%s.journal", dir, cluster);
}

static void close_journal(struct copy *copy)
{
	if (copy->journal_fd >= 0)
		close(copy->journal_fd);
	copy->journal_fd = -1;
}

void copy_fini(struct copy *copy)
{
	close_journal(copy);
	free_ptr(&copy->snapshot_path);
	free_ptr(&copy->journal_path);
}

void copy_remove(struct copy *copy)
{
	close_journal(copy);
	unlink(copy->journal_path);
	unlink(copy->snapshot_path);
	copy->generation = 0;
	copy->snapshot_bytes = copy->journal_bytes = 0;
}

void copy_touch(const struct copy *copy)
{
	/* Only the age after a restart depends on it. */
	IGNORE(utimensat(AT_FDCWD, copy->snapshot_path, NULL, 0) != 0);
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *head_text(uint64_t generation, char text[HEAD_MAX])
{
	snprintf(text, HEAD_MAX, "{\"generation\":%" PRIu64 "}", generation);
	return text;
}

/* Takes the first line off. False: it is no head. */
static bool take_head(struct str *rest, uint64_t *ret_generation)
{
	static const char begin[] = "{\"generation\":";
	struct str line;

	if (!str_split(rest, '\n', &line) || !str_starts_with(line, STR_LIT(begin)) ||
	    !str_ends_with(line, STR_LIT("}")))
		return false;
	size_t skip = sizeof(begin) - 1;

	return str_to_u64(str_make(line.ptr + skip, line.len - skip - 1), INT64_MAX,
	                  ret_generation);
}

/* *snapshot moves on line by line, as far as the journal is good. */
static void replay(struct copy *copy, struct str text, struct snapshot **snapshot)
{
	const char *begin = text.ptr;
	uint64_t generation = 0;
	struct str line;
	struct err err;

	if (!take_head(&text, &generation) || generation != copy->generation)
		return;
	copy->journal_bytes = text.ptr != NULL ? (size_t)(text.ptr - begin) : 0;
	/* What stands behind the last line feed was cut. */
	while (str_split(&text, '\n', &line) && text.ptr != NULL) {
		struct snapshot *next = copy_change_apply(*snapshot, line, &err);

		if (next == NULL)
			return;
		snapshot_unref(*snapshot);
		*snapshot = next;
		copy->journal_bytes += line.len + 1;
	}
}

static struct snapshot *load_snapshot(struct copy *copy, struct err *err)
{
	struct buf CLEANUP(buf_fini) content = {.max = COPY_SNAPSHOT_MAX};

	if (!file_load(copy->snapshot_path, &content, err))
		return NULL;
	struct str text = buf_str(&content);

	if (!take_head(&text, &copy->generation)) {
		err_set(err, ERR_INVALID, "'%s' is not a copy of a cluster", copy->snapshot_path);
		return NULL;
	}
	copy->snapshot_bytes = content.len;
	struct snapshot *snapshot = snapshot_load(text, err);

	if (snapshot == NULL)
		err_wrap(err, "%s", copy->snapshot_path);
	return snapshot;
}

struct snapshot *copy_load(struct copy *copy, int64_t *ret_saved_wall_s, struct err *err)
{
	struct buf CLEANUP(buf_fini) journal = {.max = COPY_SNAPSHOT_MAX};
	struct snapshot *snapshot = load_snapshot(copy, err);
	struct stat info;
	struct err why;

	if (snapshot == NULL)
		return NULL;
	if (file_load(copy->journal_path, &journal, &why))
		replay(copy, buf_str(&journal), &snapshot);
	*ret_saved_wall_s = stat(copy->snapshot_path, &info) == 0 ? info.st_mtime : 0;
	if (stat(copy->journal_path, &info) == 0 && info.st_mtime > *ret_saved_wall_s)
		*ret_saved_wall_s = info.st_mtime;
	return snapshot;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool write_all(int fd, struct str text, const char *path, struct err *err)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set_errno(err, errno, "writing '%s'", path);
		text = str_make(text.ptr + n, text.len - (size_t)n);
	}
	return true;
}

/* An empty journal for the current generation. */
static bool begin_journal(struct copy *copy, struct err *err)
{
	char head[HEAD_MAX];
	char line[HEAD_MAX + 1];

	close_journal(copy);
	copy->journal_fd =
		open(copy->journal_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (copy->journal_fd < 0)
		return err_set_errno(err, errno, "opening '%s'", copy->journal_path);
	int len = snprintf(line, sizeof(line), "%s\n", head_text(copy->generation, head));

	copy->journal_bytes = (size_t)len;
	return write_all(copy->journal_fd, str_make(line, (size_t)len), copy->journal_path, err);
}

static bool write_whole(struct copy *copy, const struct snapshot *snapshot, struct err *err)
{
	struct buf CLEANUP(buf_fini) content = {.max = COPY_SNAPSHOT_MAX};
	char head[HEAD_MAX];
	size_t len = 0;
	char *text CLEANUP(free_ptr) = snapshot_save(snapshot, &len);

	buf_printf(&content, "%s\n", head_text(copy->generation + 1, head));
	buf_add(&content, text, len);
	if (buf_failed(&content))
		return err_set(err, ERR_TOO_LARGE, "'%s' would have more than %d bytes",
		               copy->snapshot_path, COPY_SNAPSHOT_MAX);
	if (!file_save(copy->snapshot_path, buf_str(&content), 0600, err))
		return false;
	copy->generation++;
	copy->snapshot_bytes = content.len;
	return begin_journal(copy, err);
}

static size_t journal_room(const struct copy *copy)
{
	return copy->snapshot_bytes > COPY_JOURNAL_LEAST ? copy->snapshot_bytes
	                                                 : COPY_JOURNAL_LEAST;
}

bool copy_write(struct copy *copy, const struct snapshot *snapshot, const char *const *keys,
                size_t n_keys, struct err *err)
{
	struct buf CLEANUP(buf_fini) line = {.max = COPY_SNAPSHOT_MAX};

	/* After a start the journal's end may be a line that was cut: begin with a whole one. */
	if (copy->journal_fd < 0)
		return write_whole(copy, snapshot, err);
	copy_change_encode(snapshot, keys, n_keys, &line);
	if (buf_failed(&line) || copy->journal_bytes + line.len > journal_room(copy))
		return write_whole(copy, snapshot, err);
	copy->journal_bytes += line.len;
	if (write_all(copy->journal_fd, buf_str(&line), copy->journal_path, err))
		return true;
	/* Half a line may stand there: nothing may follow it. */
	close_journal(copy);
	return false;
}
