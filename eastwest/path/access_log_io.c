/* SPDX-License-Identifier: Apache-2.0 */
#include "path/access_log_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "path/access_ring.h"

enum {
	COLLECT_MS = 100, /* each waking up costs as much as several lines */
	URGENT = EW_ACCESS_RING / 2,
	AGAIN_MS = 100,         /* a pipe that is full */
	REOPEN_MS = 1000,       /* a file that cannot be opened */
	PENDING_MAX = 512 << 10 /* bytes that are still to be written */
};

struct ew_access_log {
	struct loop *loop;
	struct ew_stats *stats;
	/* shared with the workers */
	_Atomic uint64_t sample;
	_Atomic bool told;             /* we know that there is something */
	struct ew_access_ring **rings; /* owned; made when the log is first on */
	uint32_t n_rings;
	int wake_fd;
	/* the control loop's */
	struct loop_io wake;
	struct loop_timer timer;
	char *path; /* owned; NULL: off */
	bool json;
	bool blocked;       /* not all was taken: the timer tries again */
	int fd;             /* -1: not open */
	bool may_block;     /* fd is somebody else's description as well */
	bool torn;          /* the last line in the file may have no end */
	int64_t failed_ms;  /* when opening failed; 0: it did not */
	uint64_t n_pending; /* lines that are (partly) in pending */
	struct buf pending;
	struct ew_line line;
};

/* --- file ------------------------------------------------------------------------------------- */

static void lose(struct ew_access_log *log)
{
	metrics_add(log->stats->log_lost, (int64_t)log->n_pending);
	log->n_pending = 0;
	buf_clear(&log->pending);
}

static void close_file(struct ew_access_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* Of the process's own, which are shared, not opened by their names: it may not be allowed to, a
 * socket cannot be, and two descriptions of one file would write over one another. */
static int own_output(const char *path)
{
	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	return strcmp(path, "/dev/stderr") == 0 ? STDERR_FILENO : -1;
}

static int open_path(const char *path, bool *ret_may_block)
{
	struct stat st;
	int own = own_output(path);
	*ret_may_block = own >= 0 && fstat(own, &st) == 0 && !S_ISREG(st.st_mode);
	if (own >= 0)
		return fcntl(own, F_DUPFD_CLOEXEC, 0);
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
}

/* As write(2), and never waits. */
static ssize_t write_some(const struct ew_access_log *log, const char *data, size_t len)
{
	struct pollfd ready = {.fd = log->fd, .events = POLLOUT};
	if (!log->may_block)
		return write(log->fd, data, len);
	if (poll(&ready, 1, 0) != 1) {
		errno = EAGAIN;
		return -1;
	}
	/* so many bytes a pipe takes that says it takes some */
	return write(log->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
}

static bool open_file(struct ew_access_log *log)
{
	int64_t now_ms = clock_now_ms();
	if (log->fd >= 0)
		return true;
	if (log->failed_ms != 0 && now_ms - log->failed_ms < REOPEN_MS)
		return false;
	log->fd = open_path(log->path, &log->may_block);
	int failed = errno;
	if (log->fd < 0 && log->failed_ms == 0)
		log_warn("eastwest",
		         "access log: cannot open '%s': %s; its lines are lost until "
		         "that is mended",
		         log->path, strerror(failed));
	log->failed_ms = log->fd < 0 ? now_ms : 0;
	/* an error came in the middle of a line */
	if (log->fd >= 0 && log->torn)
		IGNORE(write_some(log, "\n", 1) < 0);
	log->torn = false;
	return log->fd >= 0;
}

static void on_write_error(struct ew_access_log *log)
{
	log_warn("eastwest", "access log: '%s': %s", log->path, strerror(errno));
	lose(log);
	close_file(log);
	log->failed_ms = clock_now_ms();
}

/* False: something is left, as it is not taken now. */
static bool write_pending(struct ew_access_log *log)
{
	while (log->pending.len > 0) {
		ssize_t n = write_some(log, log->pending.ptr, log->pending.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n < 0) {
			on_write_error(log);
			return true;
		}
		log->torn = log->pending.ptr[n - 1] != '\n';
		buf_consume(&log->pending, (size_t)n);
	}
	metrics_add(log->stats->log_lines, (int64_t)log->n_pending);
	log->n_pending = 0;
	return true;
}

/* --- batches ---------------------------------------------------------------------------------- */

static void add_line(struct ew_access_log *log, const struct ew_access *access)
{
	char *room = buf_reserve(&log->pending, EW_LINE_MAX);
	buf_commit(&log->pending, ew_access_format(access, log->json, &log->line, room));
	log->n_pending++;
}

/* Fills pending. False: there is more. */
static bool collect(struct ew_access_log *log)
{
	for (uint32_t i = 0; log->rings != NULL && i < log->n_rings; i++) {
		struct ew_access_ring *ring = log->rings[i];
		const struct ew_access *access;
		while ((access = ew_access_ring_peek(ring)) != NULL) {
			if (log->pending.len + EW_LINE_MAX > PENDING_MAX)
				return false;
			add_line(log, access);
			ew_access_ring_drop(ring);
		}
	}
	return true;
}

/* Writes what there is. False: not all of it is taken now. */
static bool flush(struct ew_access_log *log)
{
	for (;;) {
		bool all = collect(log);
		if (log->pending.len == 0)
			return true;
		if (log->path == NULL || !open_file(log))
			lose(log);
		else if (!write_pending(log))
			return false;
		if (all)
			return true;
	}
}

static void on_timer(void *arg)
{
	struct ew_access_log *log = arg;
	/* before the rings are read: who puts from here on tells us again */
	atomic_exchange(&log->told, false);
	log->blocked = !flush(log);
	if (log->blocked)
		loop_timer_set(&log->timer, AGAIN_MS);
	else
		loop_timer_cancel(&log->timer);
}

static bool is_urgent(const struct ew_access_log *log)
{
	for (uint32_t i = 0; log->rings != NULL && i < log->n_rings; i++) {
		if (ew_access_ring_fill(log->rings[i]) >= URGENT)
			return true;
	}
	return false;
}

static void on_wake(unsigned ready, void *arg)
{
	struct ew_access_log *log = arg;
	uint64_t count;
	(void)ready;
	IGNORE(read(log->wake_fd, &count, sizeof(count)) < 0);
	if (log->blocked)
		return;
	if (is_urgent(log))
		on_timer(log);
	else if (!loop_timer_is_set(&log->timer))
		loop_timer_set(&log->timer, COLLECT_MS);
}

/* --- workers ---------------------------------------------------------------------------------- */

uint64_t ew_access_log_sample(const struct ew_access_log *log)
{
	/* the rings are there before the sample is */
	return atomic_load_explicit(&log->sample, memory_order_acquire);
}

void ew_access_log_put(struct ew_access_log *log, uint32_t worker, const struct ew_access *access)
{
	const uint64_t one = 1;
	struct ew_access_ring *ring = log->rings[worker];
	if (!ew_access_ring_put(ring, access))
		metrics_add(log->stats->log_lost, 1);
	if (!atomic_exchange(&log->told, true) || ew_access_ring_fill(ring) == URGENT)
		IGNORE(write(log->wake_fd, &one, sizeof(one)) < 0);
}

/* --- life ------------------------------------------------------------------------------------- */

struct ew_access_log *ew_access_log_create(struct loop *loop, struct ew_stats *stats)
{
	struct ew_access_log *log = xcalloc(1, sizeof(*log));
	log->loop = loop;
	log->stats = stats;
	log->fd = -1;
	log->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	buf_init(&log->pending, PENDING_MAX);
	loop_timer_init(&log->timer, loop, on_timer, log);
	loop_io_init(&log->wake, loop, log->wake_fd, on_wake, log);
	loop_io_set(&log->wake, LOOP_READ);
	return log;
}

static void make_rings(struct ew_access_log *log)
{
	if (log->rings != NULL || log->n_rings == 0)
		return;
	log->rings = xcalloc(log->n_rings, sizeof(*log->rings));
	for (uint32_t i = 0; i < log->n_rings; i++)
		log->rings[i] = xcalloc(1, sizeof(*log->rings[i]));
}

/* Without workers nobody asks yet. */
static void publish(struct ew_access_log *log, uint64_t sample)
{
	if (sample > 0)
		make_rings(log);
	atomic_store_explicit(&log->sample, sample, memory_order_release);
}

void ew_access_log_set_workers(struct ew_access_log *log, uint32_t n)
{
	log->n_rings = n;
	publish(log, ew_access_log_sample(log));
}

void ew_access_log_set(struct ew_access_log *log, const struct ew_access_config *config)
{
	bool same = log->path != NULL && config->path != NULL &&
	            strcmp(log->path, config->path) == 0 && log->json == config->json;
	if (!same) {
		/* what came before goes where it belonged */
		if (!flush(log))
			lose(log);
		close_file(log);
		free(log->path);
		log->path = config->path != NULL ? xstrdup(config->path) : NULL;
		log->json = config->json;
		log->failed_ms = 0;
		log->torn = false;
		if (log->path != NULL)
			IGNORE(open_file(log));
	}
	publish(log, config->path != NULL ? config->sample : 0);
}

void ew_access_log_reopen(struct ew_access_log *log)
{
	if (log->path == NULL)
		return;
	if (!flush(log))
		lose(log);
	close_file(log);
	log->failed_ms = 0;
	IGNORE(open_file(log));
}

void ew_access_log_destroy(struct ew_access_log *log)
{
	if (log == NULL)
		return;
	if (!flush(log))
		lose(log);
	close_file(log);
	loop_io_fini(&log->wake);
	loop_timer_fini(&log->timer);
	close(log->wake_fd);
	for (uint32_t i = 0; log->rings != NULL && i < log->n_rings; i++)
		free(log->rings[i]);
	free(log->rings);
	free(log->path);
	buf_fini(&log->pending);
	free(log);
}
