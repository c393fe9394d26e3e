/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"
#include "failure.h"
#include "watcher.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	WATCH_MIN_S = 1800, /* without timeoutSeconds; spread, so that clients do not come back
	                     * together */
	WATCH_SPREAD_S = 1800
};

/* --- options of a list or watch --------------------------------------------------------------- */

static bool check_fields(struct api_call *call)
{
	for (size_t i = 0; i < call->params.fields.n_terms; i++) {
		const char *label = call->params.fields.terms[i].key;
		bool known = strcmp(label, "metadata.namespace") == 0;
		for (size_t j = 0; !known && j < call->version->n_fields; j++)
			known = strcmp(call->version->fields[j].label, label) == 0;
		if (!known && call->version->n_fields <= 2)
			return api_fail(call->reply, ERR_BAD_REQUEST,
			                "\"%s\" is not a known field selector: only "
			                "\"metadata.name\", \"metadata.namespace\"",
			                label);
		if (!known)
			return api_fail(call->reply, ERR_BAD_REQUEST,
			                "field label not supported: %s", label);
	}
	return true;
}

static bool parse_rev(struct api_call *call, uint64_t *ret_rev)
{
	const char *text = call->params.resource_version;
	*ret_rev = 0;
	if (text[0] == '\0' || str_to_u64(str_from(text), INT64_MAX, ret_rev))
		return true;
	return api_fail(call->reply, ERR_BAD_REQUEST,
	                "invalid resource version: resourceVersion: Invalid value: \"%s\": "
	                "strconv.ParseUint: parsing \"%s\": invalid syntax",
	                text, text);
}

static bool forbid(struct api_call *call, const char *field, const char *why)
{
	char *message = xasprintf("Forbidden: %s", why);
	api_fail_options(call->reply, "ListOptions", field, "FieldValueForbidden", message);
	free(message);
	return false;
}

static bool check_match(struct api_call *call)
{
	const char *match = call->params.resource_version_match;
	bool has_rev = call->params.resource_version[0] != '\0';
	if (match[0] == '\0')
		return true;
	if (!has_rev && !call->params.has_send_initial_events)
		return forbid(
			call, "resourceVersionMatch",
			"resourceVersionMatch is forbidden unless resourceVersion is provided");
	if (strcmp(match, "Exact") != 0 && strcmp(match, "NotOlderThan") != 0) {
		char *message = xasprintf("Unsupported value: \"%s\": supported values: \"Exact\", "
		                          "\"NotOlderThan\", \"\"",
		                          match);
		api_fail_options(call->reply, "ListOptions", "resourceVersionMatch",
		                 "FieldValueNotSupported", message);
		free(message);
		return false;
	}
	return true;
}

static bool fail_future(struct api_call *call, uint64_t rev)
{
	json_t *status;
	char message[96];
	snprintf(message, sizeof(message),
	         "Timeout: Too large resource version: %" PRIu64 ", current: %" PRIu64, rev,
	         call->core->head);
	status = api_status_create(504, "Timeout", message);
	json_object_set_new(status, "details",
	                    json_pack("{s:[{s:s, s:s}], s:i}", "causes", "reason",
	                              "ResourceVersionTooLarge", "message",
	                              "Too large resource version", "retryAfterSeconds", 1));
	api_reply_json(call->reply, 504, status);
	call->reply->retry_after_s = 1;
	json_decref(status);
	return false;
}

/* --- GET -------------------------------------------------------------------------------------- */

bool api_handle_get(struct api_call *call)
{
	struct api_object *object = api_find_object(call);
	if (object == NULL)
		return false;
	api_reply_object(call, 200, object, object->rev);
	return true;
}

static bool check_list(struct api_call *call)
{
	uint64_t rev;
	if (call->params.has_send_initial_events)
		return forbid(call, "sendInitialEvents", "sendInitialEvents is forbidden for list");
	/* Everything is sent at once, so no token was ever given. */
	if (call->params.continue_token != NULL)
		return api_fail(
			call->reply, ERR_EXPIRED,
			"The provided continue parameter is too old to display a consistent "
			"list result. You must start a new list without the continue "
			"parameter.");
	if (!check_match(call) || !parse_rev(call, &rev) || !check_fields(call))
		return false;
	if (rev > call->core->head)
		return fail_future(call, rev);
	if (strcmp(call->params.resource_version_match, "Exact") == 0 && rev != call->core->head)
		return api_fail(call->reply, ERR_EXPIRED,
		                "The resourceVersion for the provided list is too old.");
	return true;
}

static void init_encoder(const struct api_call *call, struct api_encoder *encoder)
{
	api_encoder_init(encoder, call->resource, call->version, call->accept.form);
	encoder->include = api_include_parse(call->params.include_object);
	encoder->now_s = call->core->now_s;
}

/* Objects in order; the references are the index's. Owned array. */
static struct api_object **select_objects(const struct api_call *call,
                                          const struct api_encoder *encoder, size_t *ret_n)
{
	size_t first;
	size_t end;
	const struct api_index *index = &call->resource->index;
	api_index_range(index, call->route.namespace_, &first, &end);
	struct api_object **objects = xcalloc(end - first + 1, sizeof(*objects));
	*ret_n = 0;
	for (size_t i = first; i < end; i++) {
		if (api_selects(encoder, index->v[i], "", &call->params.labels,
		                &call->params.fields))
			objects[(*ret_n)++] = index->v[i];
	}
	return objects;
}

bool api_handle_list(struct api_call *call)
{
	struct api_encoder encoder;
	struct api_list_meta meta = {.rev = call->core->head};
	size_t n;
	if (!check_list(call))
		return false;
	init_encoder(call, &encoder);
	struct api_object **objects = select_objects(call, &encoder, &n);
	api_encode_list(&encoder, objects, n, &meta, &call->reply->body);
	buf_add_char(&call->reply->body, '\n');
	free(objects);
	return !call->reply->body.failed ||
	       api_fail(call->reply, ERR_TOO_LARGE, "the list is larger than %d bytes",
	                API_REPLY_MAX);
}

/* --- watch ------------------------------------------------------------------------------------ */

static bool check_watch(struct api_call *call, uint64_t *ret_rev)
{
	const char *match = call->params.resource_version_match;
	if (call->params.send_initial_events && strcmp(match, "NotOlderThan") != 0)
		return forbid(call, "resourceVersionMatch",
		              "sendInitialEvents requires setting resourceVersionMatch to "
		              "NotOlderThan");
	if (!call->params.has_send_initial_events && match[0] != '\0')
		return forbid(
			call, "resourceVersionMatch",
			"resourceVersionMatch is forbidden for watch unless sendInitialEvents "
			"is provided");
	return parse_rev(call, ret_rev) && check_fields(call);
}

/* One ADDED for each object there is. True: a Table's columns have been sent. */
static bool add_initial(struct api_call *call, const struct api_encoder *encoder)
{
	size_t n;
	struct buf *out = &call->reply->body;
	struct api_object **objects = select_objects(call, encoder, &n);
	for (size_t i = 0; i < n; i++) {
		buf_add_text(out, "{\"type\":\"ADDED\",\"object\":");
		api_encode_object(encoder, objects[i], objects[i]->rev, i == 0, out);
		buf_add_text(out, "}\n");
	}
	free(objects);
	if (call->params.send_initial_events && call->params.allow_bookmarks) {
		buf_add_text(out, "{\"type\":\"BOOKMARK\",\"object\":");
		api_encode_bookmark(encoder, call->core->head, true, out);
		buf_add_text(out, "}\n");
	}
	return n > 0;
}

static int64_t watch_timeout_ms(const struct api_call *call)
{
	if (call->params.timeout_s > 0 && call->params.timeout_s < 86400)
		return call->params.timeout_s * 1000;
	return (WATCH_MIN_S + call->core->now_ms % WATCH_SPREAD_S) * 1000;
}

bool api_handle_watch(struct api_call *call)
{
	uint64_t rev;
	struct api_encoder encoder;
	if (!check_watch(call, &rev))
		return false;
	init_encoder(call, &encoder);
	bool initial =
		call->params.has_send_initial_events ? call->params.send_initial_events : rev == 0;
	struct api_watch_options options = {
		.hub = &call->core->hub,
		.resource = call->resource,
		.version = call->version,
		.form = call->accept.form,
		.include = encoder.include,
		.namespace_ = call->route.namespace_,
		.after_rev = initial || rev == 0 ? call->core->head : rev,
		.bookmarks = call->params.allow_bookmarks,
		.timeout_ms = watch_timeout_ms(call),
		.now_ms = call->core->now_ms,
		.now_s = &call->core->now_s,
	};
	if (initial)
		options.columns_sent = add_initial(call, &encoder);
	options.labels = call->params.labels;
	options.fields = call->params.fields;
	call->params.labels = (struct selector){NULL, 0};
	call->params.fields = (struct selector){NULL, 0};
	call->reply->watcher = api_watcher_create(&options);
	return true;
}
