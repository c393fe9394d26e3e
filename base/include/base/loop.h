/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one thread's events: descriptors, timers, signals, messages from other threads.
 *
 * A thin face of libevent, so that no other header shows it. Everything but loop_post() is for the
 * loop's own thread. Two-step close: an object that closes inside a callback puts itself on the
 * graveyard with loop_bury(), and is freed at the end of the turn.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct loop;
struct event_base;

struct loop *loop_create(void);
/* Buried objects are freed first. NULL is harmless. */
void loop_destroy(struct loop *loop);
/* Until loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* One turn: waits at most timeout_ms (-1: no limit, 0: does not wait). For tests. */
void loop_run_once(struct loop *loop, int timeout_ms);
/* Monotonic milliseconds. */
int64_t loop_now_ms(const struct loop *loop);
/* For files that may use libevent themselves. */
struct event_base *loop_base(struct loop *loop);

/* --- timers: embedded, one shot, may be set again any time ------------------------------------ */

struct loop_timer {
	void *impl;
	struct loop *loop;
	void (*cb)(void *arg);
	void *arg;
};

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*cb)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *timer, int64_t in_ms);
void loop_timer_cancel(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
/* Cancels and frees; harmless twice and on zeroed memory. */
void loop_timer_fini(struct loop_timer *timer);

/* --- descriptors: level-triggered interest ---------------------------------------------------- */

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2
};

struct loop_io {
	void *impl;
	struct loop *loop;
	int fd;
	unsigned interest;
	void (*cb)(unsigned ready, void *arg);
	void *arg;
};

/* The fd stays the caller's to close, after loop_io_fini(). */
void loop_io_init(struct loop_io *io, struct loop *loop, int fd,
                  void (*cb)(unsigned ready, void *arg), void *arg);
/* LOOP_READ | LOOP_WRITE, or 0. */
void loop_io_set(struct loop_io *io, unsigned interest);
void loop_io_fini(struct loop_io *io);

/* --- signals, posts, graveyard ---------------------------------------------------------------- */

struct loop_signal;
struct loop_signal *loop_signal_create(struct loop *loop, int signum, void (*cb)(void *arg),
                                       void *arg);
void loop_signal_destroy(struct loop_signal *signal);

/* Runs fn(arg) on the loop's thread, in order. Thread-safe. */
void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Runs fn(arg) at the end of this turn. */
void loop_bury(struct loop *loop, void (*fn)(void *arg), void *arg);
