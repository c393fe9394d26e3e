/* SPDX-License-Identifier: Apache-2.0 */
#include "committer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/loop.h"

struct batch {
	struct api_row *rows;
	size_t n;
	size_t cap;
};

struct api_committer {
	struct loop *loop;
	struct api_store *store;
	struct api_committer_events events;
	pthread_t thread;
	bool is_gone; /* loop's thread only: a post that comes late finds nobody */

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct batch queue;
	uint64_t compact_rev;
	unsigned posts; /* that the loop has not counted yet */
	bool stopping;
};

/* --- messages to the loop --------------------------------------------------------------------- */

struct message {
	struct api_committer *committer;
	uint64_t durable; /* 0: about failing */
	bool failing;
	struct err err;
};

static void deliver(void *arg)
{
	struct message *message = arg;
	struct api_committer *committer = message->committer;
	const struct api_committer_events *events = &committer->events;
	pthread_mutex_lock(&committer->mutex);
	committer->posts--;
	bool last = committer->is_gone && committer->posts == 0;
	pthread_mutex_unlock(&committer->mutex);
	if (!committer->is_gone && message->durable > 0)
		events->on_durable(message->durable, events->arg);
	else if (!committer->is_gone)
		events->on_failing(message->failing ? &message->err : NULL, events->arg);
	if (last)
		free(committer);
	free(message);
}

static void post(struct api_committer *committer, const struct message *message)
{
	pthread_mutex_lock(&committer->mutex);
	committer->posts++;
	pthread_mutex_unlock(&committer->mutex);
	loop_post(committer->loop, deliver, xmemdup(message, sizeof(*message)));
}

/* --- the thread ------------------------------------------------------------------------------- */

static void fini_batch(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		api_row_fini(&batch->rows[i]);
	free(batch->rows);
	*batch = (struct batch){NULL, 0, 0};
}

/* Waits a second, or for the stop. True: go on trying. */
static bool wait_for_retry(struct api_committer *committer)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&committer->mutex);
	while (!committer->stopping &&
	       pthread_cond_timedwait(&committer->changed, &committer->mutex, &until) != ETIMEDOUT)
		;
	bool go_on = !committer->stopping;
	pthread_mutex_unlock(&committer->mutex);
	return go_on;
}

static void commit(struct api_committer *committer, const struct batch *batch)
{
	struct message message = {.committer = committer};
	while (!api_store_write(committer->store, batch->rows, batch->n, &message.err)) {
		message.failing = true;
		post(committer, &message);
		if (!wait_for_retry(committer))
			return;
	}
	if (message.failing) {
		message.failing = false;
		post(committer, &message);
	}
	message.durable = batch->rows[batch->n - 1].rev;
	post(committer, &message);
}

/* Takes what there is to do; false: stop. */
static bool take_work(struct api_committer *committer, struct batch *ret_batch,
                      uint64_t *ret_compact)
{
	pthread_mutex_lock(&committer->mutex);
	while (committer->queue.n == 0 && committer->compact_rev == 0 && !committer->stopping)
		pthread_cond_wait(&committer->changed, &committer->mutex);
	*ret_batch = committer->queue;
	committer->queue = (struct batch){NULL, 0, 0};
	*ret_compact = committer->compact_rev;
	committer->compact_rev = 0;
	bool work = ret_batch->n > 0 || !committer->stopping;
	pthread_mutex_unlock(&committer->mutex);
	return work;
}

static void *run(void *arg)
{
	struct api_committer *committer = arg;
	struct batch batch;
	uint64_t compact_rev;
	while (take_work(committer, &batch, &compact_rev)) {
		struct message message = {.committer = committer, .failing = true};
		if (batch.n > 0)
			commit(committer, &batch);
		if (compact_rev > 0 &&
		    !api_store_compact(committer->store, compact_rev, &message.err))
			post(committer, &message);
		fini_batch(&batch);
	}
	return NULL;
}

/* --- the loop's side -------------------------------------------------------------------------- */

struct api_committer *api_committer_create(struct loop *loop, struct api_store *store,
                                           const struct api_committer_events *events)
{
	struct api_committer *committer = xcalloc(1, sizeof(*committer));
	committer->loop = loop;
	committer->store = store;
	committer->events = *events;
	pthread_mutex_init(&committer->mutex, NULL);
	pthread_cond_init(&committer->changed, NULL);
	if (pthread_create(&committer->thread, NULL, run, committer) != 0)
		UNREACHABLE("no thread for the store");
	return committer;
}

void api_committer_add(struct api_committer *committer, const struct api_row *row)
{
	pthread_mutex_lock(&committer->mutex);
	struct batch *queue = &committer->queue;
	if (queue->n == queue->cap) {
		queue->cap = queue->cap > 0 ? queue->cap * 2 : 16;
		queue->rows = xrealloc(queue->rows, queue->cap * sizeof(*queue->rows));
	}
	queue->rows[queue->n++] = *row;
	pthread_cond_signal(&committer->changed);
	pthread_mutex_unlock(&committer->mutex);
}

void api_committer_compact(struct api_committer *committer, uint64_t rev)
{
	pthread_mutex_lock(&committer->mutex);
	committer->compact_rev = rev;
	pthread_cond_signal(&committer->changed);
	pthread_mutex_unlock(&committer->mutex);
}

void api_committer_destroy(struct api_committer *committer)
{
	if (committer == NULL)
		return;
	pthread_mutex_lock(&committer->mutex);
	committer->stopping = true;
	pthread_cond_signal(&committer->changed);
	pthread_mutex_unlock(&committer->mutex);
	pthread_join(committer->thread, NULL);
	fini_batch(&committer->queue);
	api_store_close(committer->store);
	committer->is_gone = true;
	if (committer->posts == 0)
		free(committer);
}
