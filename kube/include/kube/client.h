/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - requests to one cluster's API server: asynchronous, paced, with deadlines and limits.
 *
 *   call ──▶ waiting (token bucket, calls in flight) ──▶ sent ──▶ answer ──▶ cb, once
 *                 ▲                                        │
 *                 └── Retry-After of 429, 502, 503, 504 ◀──┘   (within the call's deadline)
 *
 * Every client has its own connections, pace and limits, so a dead cluster costs no other one
 * anything. Loop thread only. The callback comes once, in a later turn than the call, unless the
 * call was cancelled or the client destroyed: then never.
 *
 * Errors as Status says them (ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT, ERR_INVALID, ERR_FORBIDDEN,
 * ERR_UNAUTHORIZED, ERR_EXPIRED ...), with method and path in front; an answer that is not JSON
 * (a login page, a proxy's error) is ERR_PROTOCOL and says what it looks like; ERR_IO and
 * ERR_TIMEOUT when there was none.
 * Source: Kubernetes API concepts; client-go rest/request.go for Retry-After.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http_client.h"
#include "base/loop.h"
#include "kube/kubeconfig.h"
#include "kube/meta.h"

struct kube_client;
struct kube_call;

enum {
	KUBE_CLIENT_QPS = 20, /* defaults for zeros */
	KUBE_CLIENT_BURST = 30,
	KUBE_CLIENT_IN_FLIGHT = 8,
	KUBE_CLIENT_TIMEOUT_MS = 30000,
	KUBE_CLIENT_BODY_MAX = 64 << 20,
	KUBE_CLIENT_REQUEST_MAX = 3 << 20, /* what a kube-apiserver takes */
	KUBE_CLIENT_PAGE = 500,
	KUBE_CLIENT_LIST_MAX = 100000, /* objects that kube_client_list() gathers */
	KUBE_CLIENT_WAITING_MAX = 10000
};

struct kube_client_options {
	struct loop *loop;      /* borrowed */
	const char *user_agent; /* NULL: "fedway/VERSION"; copied */
	int qps;
	int burst;
	int in_flight; /* watches do not count */
	int64_t timeout_ms;
	/* A connected socket instead of dialling: an API server in this process. */
	int (*dial)(void *arg);
	void *dial_arg;
};

/* config is copied. ERR_INVALID: PEM that holds nothing, certificate without its key. */
MUST_CHECK
struct kube_client *kube_client_create(const struct kubeconfig *config,
                                       const struct kube_client_options *options, struct err *err);
/* Drops all calls without callback. NULL is harmless. */
void kube_client_destroy(struct kube_client *client);
/* Other credentials or server from the next request on; calls in flight go on. ERR_INVALID: the
 * old ones stay. */
MUST_CHECK
bool kube_client_set_config(struct kube_client *client, const struct kubeconfig *config,
                            struct err *err);
const char *kube_client_server(const struct kube_client *client);

/* answer: borrowed for the call, NULL with err. err: NULL with answer. */
typedef void (*kube_answer_cb)(json_t *answer, const struct err *err, void *arg);

/* No callback follows. Not for a call whose callback has come. NULL is harmless. */
void kube_call_cancel(struct kube_call *call);

/* All return a call that lives until its callback returns, or is cancelled. `ref` and JSON are
 * copied or formatted before they return. A ref that is wrong is told by callback. */

struct kube_call *kube_client_get(struct kube_client *client, const struct kube_ref *ref,
                                  kube_answer_cb cb, void *arg);

struct kube_list_options {
	const char *label_selector; /* NULL: all */
	const char *field_selector;
	bool metadata_only; /* PartialObjectMetadata */
	int limit;          /* a page; 0: KUBE_CLIENT_PAGE */
};
/* Every page, as one List object {metadata, items}; options may be NULL. For lists that are small
 * and asked seldom; what is watched belongs to a reflector. ERR_TOO_LARGE over
 * KUBE_CLIENT_LIST_MAX objects. */
struct kube_call *kube_client_list(struct kube_client *client, const struct kube_ref *ref,
                                   const struct kube_list_options *options, kube_answer_cb cb,
                                   void *arg);

/* POST obj to the collection of ref, or to ref's subresource (serviceaccounts/NAME/token), or a
 * review (KUBE_TOKEN_REVIEWS ...). Name and namespace of ref win over none. */
struct kube_call *kube_client_create_object(struct kube_client *client, const struct kube_ref *ref,
                                            const json_t *obj, kube_answer_cb cb, void *arg);
/* PUT; ref.subresource "status" for the status alone. */
struct kube_call *kube_client_update(struct kube_client *client, const struct kube_ref *ref,
                                     const json_t *obj, kube_answer_cb cb, void *arg);
/* Merge patch (RFC 7386); a metadata.resourceVersion inside is a precondition. */
struct kube_call *kube_client_patch(struct kube_client *client, const struct kube_ref *ref,
                                    const json_t *patch, kube_answer_cb cb, void *arg);

struct kube_delete_options {
	const char *uid; /* preconditions; NULL: none */
	const char *resource_version;
	const char *propagation; /* "Background", "Foreground", "Orphan"; NULL: the default */
};
/* options may be NULL. */
struct kube_call *kube_client_delete(struct kube_client *client, const struct kube_ref *ref,
                                     const struct kube_delete_options *options, kube_answer_cb cb,
                                     void *arg);

/* GET of any path ("/version"), with its query. An answer that is no JSON object is
 * ERR_PROTOCOL, but for plain text ("ok"), which comes as a JSON string. */
struct kube_call *kube_client_get_path(struct kube_client *client, const char *path,
                                       kube_answer_cb cb, void *arg);

/*
 * Makes the object be as desired: creates it, or writes a merge patch of what differs, or writes
 * nothing. Compared are the fields that desired has (null: must be absent); lists as wholes; the
 * rest is left alone. desired.status is ignored. The answer is the object as it then stands; a
 * lost race (created or deleted meanwhile) is tried again, up to 4 times.
 */
struct kube_call *kube_client_apply(struct kube_client *client, const struct kube_ref *ref,
                                    const json_t *desired, kube_answer_cb cb, void *arg);

/* For callbacks: what the last finished call did. */
enum kube_apply_outcome {
	KUBE_APPLY_UNCHANGED,
	KUBE_APPLY_CREATED,
	KUBE_APPLY_PATCHED,
};
enum kube_apply_outcome kube_client_apply_outcome(const struct kube_client *client);

/* The merge patch that makes `actual` carry all that `desired` has; NULL: nothing to do. Owned.
 * Pure. */
json_t *kube_apply_diff(const json_t *desired, const json_t *actual);

struct kube_client_counts {
	uint64_t sent;
	uint64_t failed;  /* answers 4xx, 5xx and none */
	uint64_t retried; /* after Retry-After */
	size_t waiting;
	size_t in_flight;
};
struct kube_client_counts kube_client_counts(const struct kube_client *client);
