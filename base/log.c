/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

enum {
	LOG_LINE_MAX = 8192
};

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static _Atomic int least = LOG_INFO;
static _Atomic bool as_json;

void log_set_level(enum log_level level)
{
	atomic_store(&least, (int)level);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&least, memory_order_relaxed);
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < N_ELEMS(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_set_json(bool json)
{
	atomic_store(&as_json, json);
}

static void format_now(char text[32])
{
	struct timespec ts;
	struct tm tm;
	char second[24];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, 32, "%s.%03dZ", second, (int)(ts.tv_nsec / 1000000));
}

/* Bytes of a peer must not be able to start a line of their own or steer a terminal. */
static void add_escaped(struct buf *line, const char *text, bool quotes)
{
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			buf_printf(line, "\\u%04x", (unsigned)(unsigned char)*c);
		else if (quotes && (*c == '"' || *c == '\\'))
			buf_printf(line, "\\%c", *c);
		else
			buf_add_char(line, *c);
	}
}

static void format_line(struct buf *line, enum log_level level, const char *component,
                        const char *msg)
{
	char now[32];

	format_now(now);
	if (atomic_load_explicit(&as_json, memory_order_relaxed)) {
		buf_printf(line,
		           "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"%s\",\"msg\":\"", now,
		           level_names[level], component);
		add_escaped(line, msg, true);
		buf_add_text(line, "\"}\n");
	} else {
		buf_printf(line, "%s %-5s %s  ", now, level_names[level], component);
		add_escaped(line, msg, false);
		buf_add_char(line, '\n');
	}
}

/* One write a line, so that threads do not mix. What stderr does not take is lost. */
static void write_line(struct str line)
{
	while (line.len > 0) {
		ssize_t n = write(STDERR_FILENO, line.ptr, line.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line = str_make(line.ptr + n, line.len - (size_t)n);
	}
}

void log_write(enum log_level level, const char *component, const char *fmt, ...)
{
	char msg[LOG_LINE_MAX];
	int saved_errno = errno;
	struct buf line;
	va_list args;

	if (level < log_level())
		return;
	va_start(args, fmt);
	vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	buf_init(&line, LOG_LINE_MAX * 8);
	format_line(&line, level, component, msg);
	write_line(buf_str(&line));
	buf_fini(&line);
	errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint32_t burst)
{
	if (limit->window_ms == 0 || now_ms - limit->window_ms >= 1000) {
		limit->window_ms = now_ms;
		limit->written = 0;
	}
	if (limit->written >= burst) {
		limit->dropped++;
		return false;
	}
	limit->written++;
	return true;
}
