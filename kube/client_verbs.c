/* SPDX-License-Identifier: Apache-2.0 */
#include "client_priv.h"
#include "query_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"

static struct kube_call *send(struct kube_client *client, const char *method,
                              const struct kube_ref *ref, kube_answer_cb cb, void *arg)
{
	struct kube_call *call = kube_call_create(client, method, cb, arg);

	kube_call_set_ref(call, ref); /* a wrong one is told by the callback */
	return call;
}

struct kube_call *kube_client_get(struct kube_client *client, const struct kube_ref *ref,
                                  kube_answer_cb cb, void *arg)
{
	struct kube_call *call = send(client, "GET", ref, cb, arg);

	kube_call_queue(call);
	return call;
}

struct kube_call *kube_client_get_path(struct kube_client *client, const char *path,
                                       kube_answer_cb cb, void *arg)
{
	struct kube_call *call = kube_call_create(client, "GET", cb, arg);
	struct err err;

	kube_call_set_path(call, path);
	call->plain = true;
	if (path[0] != '/' || strlen(path) > KUBE_PATH_QUERY_MAX) {
		err_set(&err, ERR_INVALID, "'%.100s' is not a path", path);
		kube_call_refuse(call, &err);
	}
	kube_call_queue(call);
	return call;
}

struct kube_call *kube_client_create_object(struct kube_client *client, const struct kube_ref *ref,
                                            const json_t *obj, kube_answer_cb cb, void *arg)
{
	struct kube_ref to = *ref;

	/* An object is made in its collection; only its subresources are posted to by name. */
	if (to.subresource == NULL)
		to.name = NULL;
	struct kube_call *call = send(client, "POST", &to, cb, arg);

	kube_call_set_body(call, KUBE_JSON, obj);
	kube_call_queue(call);
	return call;
}

struct kube_call *kube_client_update(struct kube_client *client, const struct kube_ref *ref,
                                     const json_t *obj, kube_answer_cb cb, void *arg)
{
	struct kube_call *call = send(client, "PUT", ref, cb, arg);

	kube_call_set_body(call, KUBE_JSON, obj);
	kube_call_queue(call);
	return call;
}

struct kube_call *kube_client_patch(struct kube_client *client, const struct kube_ref *ref,
                                    const json_t *patch, kube_answer_cb cb, void *arg)
{
	struct kube_call *call = send(client, "PATCH", ref, cb, arg);

	kube_call_set_body(call, KUBE_MERGE_PATCH, patch);
	kube_call_queue(call);
	return call;
}

static void set_given(json_t *obj, const char *path, const char *value)
{
	if (value != NULL)
		json_set_at(obj, path, json_string(value));
}

struct kube_call *kube_client_delete(struct kube_client *client, const struct kube_ref *ref,
                                     const struct kube_delete_options *options, kube_answer_cb cb,
                                     void *arg)
{
	struct kube_call *call = send(client, "DELETE", ref, cb, arg);
	json_t *body CLEANUP(json_cleanup) =
		json_pack("{s:s, s:s}", "kind", "DeleteOptions", "apiVersion", "v1");

	if (options != NULL) {
		set_given(body, "preconditions.uid", options->uid);
		set_given(body, "preconditions.resourceVersion", options->resource_version);
		set_given(body, "propagationPolicy", options->propagation);
		kube_call_set_body(call, KUBE_JSON, body);
	}
	kube_call_queue(call);
	return call;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void set_page_path(struct kube_call *call, const char *cont)
{
	struct buf CLEANUP(buf_fini) path = {.max = KUBE_PATH_QUERY_MAX};
	struct err err;

	buf_add_text(&path, call->object_path);
	kube_query_add(&path, "continue", cont);
	kube_call_set_path(call, buf_text(&path));
	if (buf_failed(&path)) {
		err_set(&err, ERR_TOO_LARGE, "selector or continue token of more than %d bytes",
		        KUBE_PATH_QUERY_MAX);
		kube_call_refuse(call, &err);
	}
}

static bool keep_page(struct kube_call *call, json_t *page, struct err *err)
{
	json_t *items = json_object_get(page, "items");

	if (!json_is_array(items) && !json_is_null(items))
		return err_set(err, ERR_PROTOCOL, "GET %s: the answer is not a list",
		               call->object_path);
	if (json_is_null(items))
		json_object_set_new(page, "items", json_array());
	if (call->kept == NULL) {
		call->kept = json_incref(page);
		return true;
	}
	json_array_extend(json_object_get(call->kept, "items"), items);
	if (json_array_size(json_object_get(call->kept, "items")) > KUBE_CLIENT_LIST_MAX)
		return err_set(err, ERR_TOO_LARGE, "GET %s: more than %d objects; watch them",
		               call->object_path, KUBE_CLIENT_LIST_MAX);
	return true;
}

static void on_page(struct kube_call *call, json_t *page, const struct err *failure)
{
	const char *cont = json_str_at(page, "metadata.continue", "");
	struct err err;

	if (failure != NULL) {
		kube_call_finish(call, NULL, failure);
		return;
	}
	char *next CLEANUP(free_ptr) = cont[0] != '\0' ? xstrdup(cont) : NULL;

	if (!keep_page(call, page, &err)) {
		kube_call_finish(call, NULL, &err);
		return;
	}
	if (next == NULL) {
		json_object_del(json_object_get(call->kept, "metadata"), "continue");
		kube_call_finish(call, call->kept, NULL);
		return;
	}
	set_page_path(call, next);
	kube_call_queue(call);
}

struct kube_call *kube_client_list(struct kube_client *client, const struct kube_ref *ref,
                                   const struct kube_list_options *options, kube_answer_cb cb,
                                   void *arg)
{
	static const struct kube_list_options all = {0};
	struct kube_call *call = send(client, "GET", ref, cb, arg);
	struct buf CLEANUP(buf_fini) path = {.max = KUBE_PATH_QUERY_MAX};

	if (options == NULL)
		options = &all;
	if (options->metadata_only)
		call->accept = KUBE_METADATA_LIST;
	call->on_answer = on_page;
	if (!call->refused) {
		buf_add_text(&path, call->path);
		kube_query_add_int(&path, "limit",
		                   options->limit > 0 ? options->limit : KUBE_CLIENT_PAGE);
		kube_query_add(&path, "labelSelector", options->label_selector);
		kube_query_add(&path, "fieldSelector", options->field_selector);
		call->object_path = xstrdup(buf_text(&path));
		set_page_path(call, NULL);
	}
	kube_call_queue(call);
	return call;
}
