/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a client: its transports, its queue of calls, and streams for the reflector.
 *
 *   kube_call: WAITING ──▶ SENT ──▶ on_answer ──▶ kube_call_finish ──▶ cb, freed
 *                 ▲                  │ (Retry-After, next page, next step of an apply)
 *                 └──────────────────┘ kube_call_queue
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "kube/client.h"

enum {
	KUBE_PATH_QUERY_MAX = 32 << 10,
	KUBE_TRIES_MAX = 10,
	KUBE_TOKEN_AGE_MS = 60000 /* a token file is read again after this */
};

#define KUBE_JSON          "application/json"
#define KUBE_MERGE_PATCH   "application/merge-patch+json"
#define KUBE_METADATA_LIST "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#define KUBE_METADATA      "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

/* Why a request failed, and what the server advised. */
struct kube_failure {
	struct err err;
	int http_status; /* 0: no answer */
	bool rv_too_large;
	int64_t retry_after_ms; /* 0: nothing said */
};

/* One configuration's connections. It outlives its client until its calls are done. */
struct kube_transport {
	struct http_client *http; /* owned */
	struct loop *loop;
	size_t n_calls;
	bool retired;
};

struct kube_client {
	struct loop *loop;
	struct kube_client_options options; /* with defaults; user_agent owned */
	struct kubeconfig config;
	struct kube_transport *transport;
	struct list waiting; /* of kube_call, in order */
	struct list sent;
	struct loop_timer timer; /* the queue's next turn */
	int64_t milli_tokens;    /* of the bucket */
	int64_t refilled_ms;
	int64_t token_read_ms;
	enum kube_apply_outcome outcome;
	struct kube_client_counts counts;
};

/* An answer that comes in pieces. */
struct kube_stream {
	void (*on_head)(void *arg); /* 2xx */
	/* Pieces of the body. May cancel the call. */
	void (*on_data)(struct str data, void *arg);
	/* NULL: ended as it should. The call is freed afterwards. */
	void (*on_end)(const struct kube_failure *failure, void *arg);
	void *arg;
	int64_t idle_ms;
	bool is_watch; /* does not count as in flight */
};

struct kube_call {
	struct list link; /* in waiting or sent; alone while its answer is handled */
	struct kube_client *client;
	struct kube_transport *transport; /* while sent */
	struct http_call *http;           /* while sent */
	const char *method;
	const char *accept;
	const char *content_type; /* of body */
	char *path;               /* owned, with query */
	char *body;               /* owned; NULL: none */
	int64_t deadline_ms;
	int64_t not_before_ms;
	int tries;
	bool plain;        /* text is a good answer */
	bool reauthorized; /* its 401 led to a new token already */
	bool refused;      /* never sent: failure says why */
	bool cancelled;    /* ended by its caller: nobody is told */
	struct err refusal;
	struct kube_stream stream; /* on_end set: a stream */
	/* Takes the answer: finishes the call, or changes it and queues it again. */
	void (*on_answer)(struct kube_call *call, json_t *answer, const struct err *err);
	kube_answer_cb cb;
	void *arg;
	/* for calls of several steps */
	json_t *kept;      /* owned: pages so far, or the desired object */
	char *object_path; /* owned */

	int rounds;
};

/* A call with deadline, not yet queued; cb gets what on_answer finishes with. */
struct kube_call *kube_call_create(struct kube_client *client, const char *method,
                                   kube_answer_cb cb, void *arg);
/* Formats ref's path; a wrong one marks the call as refused. extra, if not NULL: a further path
 * segment such as a name. */
bool kube_call_set_ref(struct kube_call *call, const struct kube_ref *ref);
void kube_call_set_path(struct kube_call *call, const char *path);
/* Also checks the size; obj NULL: no body. */
void kube_call_set_body(struct kube_call *call, const char *content_type, const json_t *obj);
void kube_call_refuse(struct kube_call *call, const struct err *err);
void kube_call_queue(struct kube_call *call);
/* Calls cb and frees the call. The client may be gone afterwards. */
void kube_call_finish(struct kube_call *call, json_t *answer, const struct err *err);

/* Starts a GET whose answer is streamed. */
struct kube_call *kube_client_stream(struct kube_client *client, const char *path,
                                     const char *accept, const struct kube_stream *stream);

/* The queue's next turn: in_ms from now at the latest. */
void kube_client_schedule(struct kube_client *client, int64_t in_ms);
void kube_client_pump(void *client);

void kube_transport_unref_call(struct kube_transport *transport);
/* Reads the token file again. True: the token is another one now. */
bool kube_client_refresh_token(struct kube_client *client);

/* Judges an answer. True: *ret_answer is set (owned). plain: text is taken as JSON string. */
bool kube_answer_read(const struct http_response *response, bool plain, json_t **ret_answer,
                      struct kube_failure *ret_failure);
