/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call - one request on its way through the stages, and the handlers of the verbs.
 *
 *   route ▶ authn (before) ▶ authz ▶ negotiate ▶ kind ▶ verb: decode ▶ prepare ▶ put ▶ encode
 *
 * A stage that returns false has filled the reply.
 */
#pragma once

#include "core.h"
#include "encode.h"
#include "request.h"
#include "url.h"

struct api_call {
	struct api_core *core;
	const struct api_request *request;
	struct api_reply *reply;
	struct api_route route;
	struct api_params params;
	struct api_accept accept;
	struct api_resource *resource;
	struct api_version *version;
	char group_version[API_VERSION_TEXT_MAX];
};

/* Answers a request whose user is known. */
void api_handle(struct api_core *core, const struct api_request *request, struct api_reply *reply);

/* --- verbs: fill the reply -------------------------------------------------------------------- */

bool api_handle_get(struct api_call *call);
bool api_handle_list(struct api_call *call);
bool api_handle_watch(struct api_call *call);
bool api_handle_create(struct api_call *call);
bool api_handle_update(struct api_call *call); /* PUT, also of /status */
bool api_handle_patch(struct api_call *call);
bool api_handle_delete(struct api_call *call);
bool api_handle_delete_collection(struct api_call *call);
bool api_handle_token_request(struct api_call *call);
bool api_handle_token_review(struct api_call *call);

/* --- shared steps ----------------------------------------------------------------------------- */

/* The body as an object of the call's kind: parsed, its apiVersion, kind, namespace and name in
 * agreement with the URL, unknown fields pruned as fieldValidation says. New, or NULL. */
json_t *api_decode_body(struct api_call *call);
/* Any body as JSON (or YAML), duplicates by fieldValidation. New, or NULL. */
json_t *api_parse_body(struct api_call *call);
/* Prunes what the schema does not know and tells or refuses it. extra: unknown fields found before,
 * or NULL. */
bool api_prune(struct api_call *call, json_t *obj, const json_t *duplicates);

/* Metadata, defaults, strategy, validation. old NULL: a create. */
bool api_prepare(struct api_call *call, json_t *obj, const json_t *old);
/* What a create sets: uid, creationTimestamp, generation, generated name. */
void api_fill_new_meta(struct api_call *call, json_t *obj);

/* Finds the object of the URL; NULL: 404 is in the reply. Borrowed. */
struct api_object *api_find_object(struct api_call *call);
/* The tree of an object in the call's version. New. */
json_t *api_decode_object(const struct api_call *call, const struct api_object *object);
/* Puts obj and tells the strategy. */
struct api_object *api_put(struct api_core *core, struct api_resource *resource, json_t *obj,
                           const json_t *old);
/* Removes old for good; last is what watchers see. */
void api_remove(struct api_core *core, struct api_resource *resource, const json_t *last);

/* Takes a new state into force: no-op, dry run, removal of the last finalizer or a write; then
 * answers with it. obj is borrowed. */
bool api_commit_update(struct api_call *call, json_t *obj, const json_t *old);

/* Replies with one object in the form asked for. */
void api_reply_object(struct api_call *call, int status, const struct api_object *object,
                      uint64_t rev);
/* "2026-11-24T23:56:18Z" of now. */
json_t *api_now(const struct api_core *core);
/* A random UUID (version 4). */
void api_uid_make(char text[37]);
void api_name_suffix_make(char text[6]);

/* --- deletion, also for the life cycles ------------------------------------------------------- */

/* Marks or removes; *ret_object: the marked one (borrowed), NULL: it is gone. */
void api_delete_object(struct api_core *core, struct api_resource *resource,
                       struct api_object *object, struct api_object **ret_object);
