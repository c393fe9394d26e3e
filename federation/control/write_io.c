/* SPDX-License-Identifier: Apache-2.0 */
#include "control_priv.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/log.h"

enum {
	WRITE_KEY_MAX = KUBE_KEY_MAX + 4
};

struct write {
	struct control *control;
	struct kube_call *call;
	enum control_kind kind;
	json_t *status;           /* what was written; NULL: not a status */
	char name[WRITE_KEY_MAX]; /* in control->writes */
	char key[KUBE_KEY_MAX];
};

static void write_name(enum control_kind kind, const char *key, char name[WRITE_KEY_MAX])
{
	snprintf(name, WRITE_KEY_MAX, "%d %s", (int)kind, key);
}

bool control_is_writing(const struct control *control, enum control_kind kind, const char *key)
{
	char name[WRITE_KEY_MAX];
	write_name(kind, key, name);
	return map_find_text(&control->writes, name) != NULL;
}

/*
 * What the API server did not keep of a status (another CRD than ours prunes it) is remembered, so
 * that the same is not written again for ever.
 */
static void note_refused(struct control *control, struct write *write, const json_t *answer)
{
	json_t *nothing = json_object();
	const json_t *have = json_object_get(answer, "status");
	json_t *diff = kube_apply_diff(write->status, json_is_object(have) ? have : nothing);
	json_decref(nothing);
	if (diff != NULL)
		log_warn("control",
		         "%s '%s': the API server does not keep all of its status; is "
		         "its CRD another one?",
		         control_resources[write->kind].kind, write->key);
	json_decref(diff != NULL ? map_set(&control->refused, str_from(write->name), diff)
	                         : map_remove(&control->refused, str_from(write->name)));
}

static void free_write(struct write *write)
{
	json_decref(write->status);
	free(write);
}

/* A write that failed is tried again by the reconciler, from what then is. A conflict or an object
 * that is gone is everyday life. */
static void on_written(json_t *answer, const struct err *err, void *arg)
{
	struct write *write = arg;
	struct control *control = write->control;
	map_remove(&control->writes, str_from(write->name));
	if (err == NULL && write->status != NULL)
		note_refused(control, write, answer);
	else if (err != NULL && err->code == ERR_NOT_FOUND)
		json_decref(map_remove(&control->refused, str_from(write->name)));
	if (err != NULL && err->code != ERR_NOT_FOUND) {
		if (err->code != ERR_CONFLICT)
			log_warn("control", "%s '%s' not written: %s",
			         control_resources[write->kind].kind, write->key, err->msg);
		control_enqueue(control, write->kind, write->key, CONTROL_RETRY_MS);
	} else {
		control_enqueue(control, write->kind, write->key, 0);
	}
	free_write(write);
}

static void start(struct control *control, enum control_kind kind, const json_t *obj,
                  const char *subresource, json_t *patch)
{
	struct write *write = xcalloc(1, sizeof(*write));
	struct kube_ref ref = control_ref(kind, obj);
	ref.subresource = subresource;
	write->control = control;
	write->kind = kind;
	write->status = json_incref(json_object_get(patch, "status"));
	if (!kube_key_format(obj, write->key)) {
		free_write(write);
		json_decref(patch);
		return;
	}
	write_name(kind, write->key, write->name);
	map_set(&control->writes, str_from(write->name), write);
	metrics_add(control->status_writes, 1);
	write->call = kube_client_patch(control->api, &ref, patch, on_written, write);
	json_decref(patch);
}

static bool is_refused(const struct control *control, enum control_kind kind, const char *key,
                       const json_t *diff)
{
	char name[WRITE_KEY_MAX];
	write_name(kind, key, name);
	const json_t *refused = map_find_text(&control->refused, name);
	return refused != NULL && json_equal(refused, diff);
}

void control_write_status(struct control *control, enum control_kind kind, const json_t *obj,
                          json_t *status)
{
	char key[KUBE_KEY_MAX];
	const json_t *have = json_object_get(obj, "status");
	json_t *nothing = json_object();
	json_t *diff = kube_apply_diff(status, json_is_object(have) ? have : nothing);
	json_decref(nothing);
	json_decref(status);
	if (diff == NULL)
		return;
	if (!kube_key_format(obj, key) || control_is_writing(control, kind, key) ||
	    is_refused(control, kind, key, diff)) {
		json_decref(diff);
		return;
	}
	start(control, kind, obj, "status", json_pack("{so}", "status", diff));
}

void control_patch(struct control *control, enum control_kind kind, const json_t *obj,
                   json_t *patch)
{
	char key[KUBE_KEY_MAX];
	if (kube_key_format(obj, key) && !control_is_writing(control, kind, key))
		start(control, kind, obj, NULL, patch);
	else
		json_decref(patch);
}

static void drop(void *value)
{
	struct write *write = value;
	kube_call_cancel(write->call);
	free_write(write);
}

static void drop_refused(void *value)
{
	json_decref(value);
}

void control_writes_init(struct control *control)
{
	control->writes = MAP_EMPTY;
	control->refused = MAP_EMPTY;
}

void control_writes_fini(struct control *control)
{
	map_fini(&control->writes, drop);
	map_fini(&control->refused, drop_refused);
}
