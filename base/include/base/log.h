/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line per event to stderr: logfmt or JSON, thread-safe.
 *
 *   2026-11-24T23:56:18.123Z info  eastwest  listening  door=ingress address=0.0.0.0:15443
 *
 * The component names the room. Fields come as key=value in the message; secrets never.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

enum log_level {
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
};

void log_set_level(enum log_level level);
enum log_level log_level(void);
/* "debug", "info", "warn", "error". False: another word. */
bool log_level_parse(const char *text, enum log_level *ret_level);
void log_set_json(bool json);

void log_write(enum log_level level, const char *component, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* At most `burst` lines a second per call site for lines that a peer can cause; what was left out
 * is counted and told with the next one. */
struct log_limit {
	int64_t window_ms;
	uint32_t written;
	uint32_t dropped;
};
bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint32_t burst);

#define log_debug(component, ...)                                                                  \
	do {                                                                                       \
		if (log_level() == LOG_DEBUG)                                                      \
			log_write(LOG_DEBUG, component, __VA_ARGS__);                              \
	} while (0)
#define log_info(component, ...)  log_write(LOG_INFO, component, __VA_ARGS__)
#define log_warn(component, ...)  log_write(LOG_WARN, component, __VA_ARGS__)
#define log_error(component, ...) log_write(LOG_ERROR, component, __VA_ARGS__)
