/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/worker_io.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/grpc.h"
#include "base/list.h"
#include "base/log.h"
#include "probe/ladder_io.h"
#include "probe/work.h"

enum {
	REOPEN_MS = 5000 /* after the server ended the stream while the connection stands */
};

/* One task, from its arrival to its result. */
struct job {
	struct list link; /* waiting or running */
	struct probe_worker *worker;
	struct probe_task task;
	struct probe_run *run;
};

struct probe_worker {
	struct loop *loop;
	struct xds_uplink *uplink;
	struct xds_uplink_user user;
	struct grpc_stream *stream;
	struct loop_timer reopen;
	struct tls_ctx *tls;
	struct list waiting;
	struct list running;
	size_t n_waiting;
	size_t n_running;
	size_t done;
};

/* --- results ---------------------------------------------------------------------------------- */

static void send_result(struct probe_worker *worker, const char *id,
                        const struct probe_result *result)
{
	struct buf bytes CLEANUP(buf_fini);
	buf_init(&bytes, PROBE_MESSAGE_MAX);
	probe_result_encode(id, result, &bytes);
	/* A full queue means that the control plane does not read; its deadline tells it more. */
	if (worker->stream != NULL && !grpc_stream_send(worker->stream, buf_str(&bytes)))
		log_warn("probe", "result dropped: the control plane does not take it");
}

/* A task that is not run. */
static void send_refusal(struct probe_worker *worker, const char *id, const char *why)
{
	struct probe_result result = {
		.code = "FED-171",
		.n_steps = 1,
		.steps = {{PROBE_STAGE_ADDRESS, false, 0}},
		.evidence_of = PROBE_STAGE_ADDRESS,
	};
	/* a longer reason is cut */
	snprintf(result.evidence, sizeof(result.evidence), "the probe did not check: %.*s",
	         (int)sizeof(result.evidence) / 2, why);
	send_result(worker, id, &result);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void free_job(struct job *job)
{
	probe_run_cancel(job->run);
	list_remove(&job->link);
	probe_task_fini(&job->task);
	free(job);
}

static void start_jobs(struct probe_worker *worker);

static void on_result(const struct probe_result *result, void *arg)
{
	struct job *job = arg;
	struct probe_worker *worker = job->worker;
	job->run = NULL;
	worker->done++;
	worker->n_running--;
	send_result(worker, job->task.id, result);
	free_job(job);
	start_jobs(worker);
}

static void start_jobs(struct probe_worker *worker)
{
	struct list *first = NULL;
	while (worker->n_running < PROBE_WORKER_PARALLEL &&
	       (first = list_first(&worker->waiting)) != NULL) {
		struct job *job = LIST_ENTRY(first, struct job, link);
		list_remove(first);
		worker->n_waiting--;
		list_append(&worker->running, first);
		worker->n_running++;
		job->run = probe_run_start(worker->loop, &job->task.check, worker->tls, on_result,
		                           job);
	}
}

static void drop_jobs(struct probe_worker *worker)
{
	list_for_each_safe (it, &worker->waiting)
		free_job(LIST_ENTRY(it, struct job, link));
	list_for_each_safe (it, &worker->running)
		free_job(LIST_ENTRY(it, struct job, link));
	worker->n_waiting = 0;
	worker->n_running = 0;
}

static void add_job(struct probe_worker *worker, struct str bytes)
{
	struct err err;
	struct job *job = xcalloc(1, sizeof(*job));
	list_init(&job->link);
	job->worker = worker;
	bool ok = probe_task_decode(bytes, &job->task, &err);
	if (ok && worker->tls == NULL)
		ok = err_set(&err, ERR_UNAVAILABLE, "it has no certificate yet");
	if (ok && worker->n_waiting >= PROBE_WORKER_QUEUE_MAX)
		ok = err_set(&err, ERR_TOO_MANY, "more than %d tasks wait", PROBE_WORKER_QUEUE_MAX);
	if (ok) {
		list_append(&worker->waiting, &job->link);
		worker->n_waiting++;
		return;
	}
	log_warn("probe", "task refused: %s", err.msg);
	if (job->task.id[0] != '\0')
		send_refusal(worker, job->task.id, err.msg);
	free_job(job);
}

/* --- the stream ------------------------------------------------------------------------------- */

static void on_message(struct grpc_stream *stream, struct str message, void *arg)
{
	(void)stream;
	struct probe_worker *worker = arg;
	add_job(worker, message);
	start_jobs(worker);
}

static void on_stream_close(struct grpc_stream *stream, int status, const char *message, void *arg)
{
	(void)stream;
	struct probe_worker *worker = arg;
	log_warn("probe", "work stream ended: %s %s", grpc_status_name(status),
	         message != NULL ? message : "");
	worker->stream = NULL;
	drop_jobs(worker);
	loop_timer_set(&worker->reopen, REOPEN_MS);
}

static void open_stream(struct probe_worker *worker, struct grpc_conn *conn)
{
	static const struct grpc_stream_events events = {.on_message = on_message,
	                                                 .on_close = on_stream_close};
	loop_timer_cancel(&worker->reopen);
	if (worker->stream == NULL)
		worker->stream = grpc_stream_open(conn, PROBE_WORK_PATH, NULL, &events, worker);
}

static void on_up(struct grpc_conn *conn, void *arg)
{
	log_info("probe", "connected to the control plane");
	open_stream(arg, conn);
}

static void on_reopen(void *arg)
{
	struct probe_worker *worker = arg;
	struct grpc_conn *conn = xds_uplink_conn(worker->uplink);
	if (conn != NULL)
		open_stream(worker, conn);
}

struct probe_worker *probe_worker_create(struct loop *loop, struct xds_uplink *uplink)
{
	struct probe_worker *worker = xcalloc(1, sizeof(*worker));
	worker->loop = loop;
	worker->uplink = uplink;
	list_init(&worker->waiting);
	list_init(&worker->running);
	loop_timer_init(&worker->reopen, loop, on_reopen, worker);
	worker->user.on_up = on_up;
	worker->user.arg = worker;
	list_init(&worker->user.link);
	xds_uplink_add(uplink, &worker->user);
	return worker;
}

void probe_worker_destroy(struct probe_worker *worker)
{
	if (worker == NULL)
		return;
	xds_uplink_remove(&worker->user);
	grpc_stream_cancel(worker->stream);
	drop_jobs(worker);
	loop_timer_fini(&worker->reopen);
	tls_ctx_unref(worker->tls);
	free(worker);
}

void probe_worker_set_tls(struct probe_worker *worker, struct tls_ctx *tls)
{
	tls_ctx_unref(worker->tls);
	worker->tls = tls_ctx_ref(tls);
}

size_t probe_worker_done(const struct probe_worker *worker)
{
	return worker->done;
}
