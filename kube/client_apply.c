/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Apply: read, compare, then create or patch or nothing. The patch says only what differs, so what
 * others wrote into the object stays.
 */
#include "client_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/macros.h"

enum {
	ROUNDS_MAX = 4
};

/* --- what differs ----------------------------------------------------------------------------- */

static bool is_empty(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

static json_t *diff_objects(const json_t *desired, const json_t *actual);

/* Has actual all that desired asks for? A server adds defaults to the elements of lists as well. */
static bool covers(const json_t *desired, const json_t *actual)
{
	if (actual == NULL)
		return json_is_null(desired) || is_empty(desired);
	if (json_is_object(desired) && json_is_object(actual)) {
		json_t *patch CLEANUP(json_cleanup) = diff_objects(desired, actual);

		return patch == NULL;
	}
	if (!json_is_array(desired) || !json_is_array(actual))
		return json_equal(desired, actual) != 0;
	size_t i;
	json_t *element;

	json_array_foreach (desired, i, element) {
		if (!covers(element, json_array_get(actual, i)))
			return false;
	}
	return json_array_size(desired) == json_array_size(actual);
}

/* The patch for one key; NULL: none needed. */
static json_t *diff_value(json_t *desired, const json_t *actual)
{
	if (covers(desired, actual))
		return NULL;
	if (json_is_object(desired) && json_is_object(actual))
		return diff_objects(desired, actual);
	return json_incref(desired);
}

static json_t *diff_objects(const json_t *desired, const json_t *actual)
{
	json_t *patch = NULL;
	void *it;

	/* jansson's iterator has no const form, and changes nothing. */
	for (it = json_object_iter((json_t *)(uintptr_t)desired); it != NULL;
	     it = json_object_iter_next((json_t *)(uintptr_t)desired, it)) {
		const char *key = json_object_iter_key(it);
		json_t *value =
			diff_value(json_object_iter_value(it), json_object_get(actual, key));

		if (value == NULL)
			continue;
		if (patch == NULL)
			patch = json_object();
		json_object_set_new(patch, key, value);
	}
	return patch;
}

/* What the server decides, or what only names the object. */
static json_t *without_identity(const json_t *desired)
{
	static const char *const top[] = {"apiVersion", "kind", "status"};
	static const char *const meta[] = {"name",         "namespace",  "resourceVersion",
	                                   "uid",          "generation", "creationTimestamp",
	                                   "managedFields"};
	json_t *copy = json_deep_copy(desired);

	for (size_t i = 0; i < N_ELEMS(top); i++)
		json_object_del(copy, top[i]);
	for (size_t i = 0; i < N_ELEMS(meta); i++)
		json_object_del(json_object_get(copy, "metadata"), meta[i]);
	return copy;
}

json_t *kube_apply_diff(const json_t *desired, const json_t *actual)
{
	json_t *wanted CLEANUP(json_cleanup) = without_identity(desired);

	return diff_objects(wanted, actual);
}

/* --- the steps -------------------------------------------------------------------------------- */

static void on_read(struct kube_call *call, json_t *actual, const struct err *err);

static void ask(struct kube_call *call, const char *method, const char *content_type,
                const json_t *body)
{
	call->method = method;
	kube_call_set_body(call, content_type, body);
	kube_call_queue(call);
}

static void read_again(struct kube_call *call)
{
	call->rounds++;
	call->on_answer = on_read;
	kube_call_set_path(call, call->object_path);
	ask(call, "GET", NULL, NULL);
}

static void on_written(struct kube_call *call, json_t *answer, const struct err *err)
{
	bool created = strcmp(call->method, "POST") == 0;
	bool lost_race =
		err != NULL && (created ? err->code == ERR_EXISTS
	                                : err->code == ERR_NOT_FOUND || err->code == ERR_CONFLICT);

	if (lost_race && call->rounds < ROUNDS_MAX) {
		read_again(call);
		return;
	}
	if (err == NULL)
		call->client->outcome =
			strcmp(call->method, "POST") == 0 ? KUBE_APPLY_CREATED : KUBE_APPLY_PATCHED;
	kube_call_finish(call, answer, err);
}

static void create(struct kube_call *call)
{
	char *slash = strrchr(call->path, '/');

	*slash = '\0'; /* the collection */
	json_t *body CLEANUP(json_cleanup) = json_copy(call->kept);

	json_object_del(body, "status");
	ask(call, "POST", KUBE_JSON, body);
}

static void on_read(struct kube_call *call, json_t *actual, const struct err *err)
{
	call->on_answer = on_written;
	if (err != NULL && err->code == ERR_NOT_FOUND) {
		create(call);
		return;
	}
	if (err != NULL) {
		kube_call_finish(call, NULL, err);
		return;
	}
	json_t *patch CLEANUP(json_cleanup) = kube_apply_diff(call->kept, actual);

	if (patch != NULL) {
		ask(call, "PATCH", KUBE_MERGE_PATCH, patch);
		return;
	}
	call->client->outcome = KUBE_APPLY_UNCHANGED;
	kube_call_finish(call, actual, NULL);
}

struct kube_call *kube_client_apply(struct kube_client *client, const struct kube_ref *ref,
                                    const json_t *desired, kube_answer_cb cb, void *arg)
{
	struct kube_call *call = kube_call_create(client, "GET", cb, arg);
	struct err err;

	call->kept = json_deep_copy(desired);
	call->on_answer = on_read;
	if (ref->name == NULL || ref->subresource != NULL) {
		err_set(&err, ERR_INVALID, "apply needs the name of an object, not a subresource");
		kube_call_refuse(call, &err);
	} else if (kube_call_set_ref(call, ref)) {
		call->object_path = xstrdup(call->path);
	}
	kube_call_queue(call);
	return call;
}
