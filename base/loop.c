/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A turn: libevent waits and calls back, then whatever was buried is freed. loop_post() hands over
 * through a list under a mutex, and wakes the loop with an eventfd.
 */
#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"

/* A call that waits: posted or buried. */
struct task {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct event *turn_end; /* the time limit of loop_run_once() */
	bool stopping;
	struct list buried;
	int wake_fd;
	struct loop_io wake_io;
	pthread_mutex_t lock;
	struct list posted; /* under lock */
};

static void task_append(struct list *list, void (*fn)(void *arg), void *arg)
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->fn = fn;
	task->arg = arg;
	list_init(&task->link);
	list_append(list, &task->link);
}

/* Until the list is empty, as a task may add others. */
static void run_tasks(struct list *list)
{
	for (struct list *link = list_first(list); link != NULL; link = list_first(list)) {
		struct task *task = LIST_ENTRY(link, struct task, link);
		list_remove(link);
		task->fn(task->arg);
		free(task);
	}
}

static void run_posted(struct loop *loop)
{
	struct list batch;

	pthread_mutex_lock(&loop->lock);
	list_move_all(&loop->posted, &batch);
	pthread_mutex_unlock(&loop->lock);
	run_tasks(&batch);
}

static void on_wake(unsigned ready, void *arg)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)ready;
	/* EAGAIN: another turn has emptied it already. */
	IGNORE(read(loop->wake_fd, &count, sizeof(count)) < 0);
	run_posted(loop);
}

static void on_turn_end(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* --- life ------------------------------------------------------------------------------------- */

static struct event_base *make_base(void)
{
	struct event_config *config = event_config_new();

	if (config == NULL)
		UNREACHABLE("out of memory");
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK);
	struct event_base *base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL)
		UNREACHABLE("no event loop: too many open files?");
	return base;
}

struct loop *loop_create(void)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));

	loop->base = make_base();
	list_init(&loop->buried);
	list_init(&loop->posted);
	pthread_mutex_init(&loop->lock, NULL);
	loop->turn_end = event_new(loop->base, -1, 0, on_turn_end, NULL);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->turn_end == NULL || loop->wake_fd < 0)
		UNREACHABLE("no event loop: too many open files?");
	loop_io_init(&loop->wake_io, loop, loop->wake_fd, on_wake, loop);
	loop_io_set(&loop->wake_io, LOOP_READ);
	return loop;
}

void loop_destroy(struct loop *loop)
{
	if (loop == NULL)
		return;
	run_posted(loop);
	run_tasks(&loop->buried);
	loop_io_fini(&loop->wake_io);
	close(loop->wake_fd);
	event_free(loop->turn_end);
	event_base_free(loop->base);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static void turn(struct loop *loop, int flags)
{
	event_base_loop(loop->base, flags);
	run_tasks(&loop->buried);
}

void loop_run(struct loop *loop)
{
	while (!loop->stopping)
		turn(loop, EVLOOP_ONCE);
	loop->stopping = false;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

void loop_run_once(struct loop *loop, int timeout_ms)
{
	struct timeval tv = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};

	if (timeout_ms == 0) {
		turn(loop, EVLOOP_NONBLOCK);
		return;
	}
	if (timeout_ms > 0)
		event_add(loop->turn_end, &tv);
	turn(loop, EVLOOP_ONCE);
	event_del(loop->turn_end);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

int64_t loop_now_ms(const struct loop *loop)
{
	(void)loop;
	return clock_now_ms();
}

static struct event *make_event(struct loop *loop, int fd, short what, event_callback_fn cb,
                                void *arg)
{
	struct event *event = event_new(loop->base, fd, what, cb, arg);

	if (event == NULL)
		UNREACHABLE("out of memory");
	return event;
}

static void free_event(void **impl)
{
	if (*impl != NULL)
		event_free(*impl);
	*impl = NULL;
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->cb(timer->arg);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*cb)(void *arg), void *arg)
{
	*timer = (struct loop_timer){.loop = loop, .cb = cb, .arg = arg};
	timer->impl = make_event(loop, -1, 0, on_timer, timer);
}

void loop_timer_set(struct loop_timer *timer, int64_t in_ms)
{
	int64_t ms = in_ms > 0 ? in_ms : 0;
	struct timeval tv = {ms / 1000, (ms % 1000) * 1000};

	event_add(timer->impl, &tv);
}

void loop_timer_cancel(struct loop_timer *timer)
{
	if (timer->impl != NULL)
		event_del(timer->impl);
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->impl != NULL && event_pending(timer->impl, EV_TIMEOUT, NULL) != 0;
}

void loop_timer_fini(struct loop_timer *timer)
{
	free_event(&timer->impl);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct loop_io *io = arg;
	unsigned ready = 0;

	(void)fd;
	if ((what & EV_READ) != 0)
		ready |= LOOP_READ;
	if ((what & EV_WRITE) != 0)
		ready |= LOOP_WRITE;
	io->cb(ready, io->arg);
}

void loop_io_init(struct loop_io *io, struct loop *loop, int fd,
                  void (*cb)(unsigned ready, void *arg), void *arg)
{
	*io = (struct loop_io){.loop = loop, .fd = fd, .cb = cb, .arg = arg};
	io->impl = make_event(loop, fd, EV_PERSIST, on_io, io);
}

void loop_io_set(struct loop_io *io, unsigned interest)
{
	short what = EV_PERSIST;

	if (interest == io->interest)
		return;
	if (io->interest != 0)
		event_del(io->impl);
	io->interest = interest;
	if (interest == 0)
		return;
	if ((interest & LOOP_READ) != 0)
		what |= EV_READ;
	if ((interest & LOOP_WRITE) != 0)
		what |= EV_WRITE;
	event_assign(io->impl, io->loop->base, io->fd, what, on_io, io);
	if (event_add(io->impl, NULL) < 0)
		UNREACHABLE("descriptor that cannot be polled");
}

void loop_io_fini(struct loop_io *io)
{
	free_event(&io->impl);
	io->interest = 0;
}

/* --- signals, posts, graveyard ---------------------------------------------------------------- */

struct loop_signal {
	void *impl;
	void (*cb)(void *arg);
	void *arg;
};

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
	struct loop_signal *signal = arg;

	(void)signum;
	(void)what;
	signal->cb(signal->arg);
}

struct loop_signal *loop_signal_create(struct loop *loop, int signum, void (*cb)(void *arg),
                                       void *arg)
{
	struct loop_signal *signal = xcalloc(1, sizeof(*signal));

	signal->cb = cb;
	signal->arg = arg;
	signal->impl = make_event(loop, signum, EV_SIGNAL | EV_PERSIST, on_signal, signal);
	if (event_add(signal->impl, NULL) < 0)
		UNREACHABLE("signal that cannot be caught");
	return signal;
}

void loop_signal_destroy(struct loop_signal *signal)
{
	if (signal == NULL)
		return;
	free_event(&signal->impl);
	free(signal);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&loop->lock);
	task_append(&loop->posted, fn, arg);
	pthread_mutex_unlock(&loop->lock);
	/* EAGAIN: the counter is full, so the loop wakes anyway. */
	IGNORE(write(loop->wake_fd, &one, sizeof(one)) < 0);
}

void loop_bury(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	task_append(&loop->buried, fn, arg);
}
