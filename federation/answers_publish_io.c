/* SPDX-License-Identifier: Apache-2.0 */
#include "answers_publish.h"
#include "answers_server.h"

#include "base/alloc.h"
#include "base/log.h"

#define NAMESPACE "fedway-system"
#define NAME      "fedway-answers"

struct answers_publish {
	struct kube_client *api;
	struct kube_call *call;
	json_t *wanted;
	struct loop_timer retry;
};

static void on_published(json_t *answer, const struct err *err, void *arg)
{
	struct answers_publish *publish = arg;
	(void)answer;
	publish->call = NULL;
	if (err == NULL)
		return;
	log_warn("fedwayd", "where answers are is not published in ConfigMap %s/%s: %s", NAMESPACE,
	         NAME, err->msg);
	loop_timer_set(&publish->retry, ANSWERS_PUBLISH_RETRY_MS);
}

/* It is there already, or may not be made: the ConfigMap tells. */
static void on_namespace(json_t *answer, const struct err *err, void *arg)
{
	struct answers_publish *publish = arg;
	struct kube_ref ref = {&KUBE_CONFIG_MAPS, NAMESPACE, NAME, NULL};
	(void)answer;
	(void)err;
	publish->call =
		kube_client_apply(publish->api, &ref, publish->wanted, on_published, publish);
}

static void make_namespace(void *arg)
{
	struct answers_publish *publish = arg;
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = NAMESPACE};
	json_t *obj = kube_object_create(&ref);
	kube_label_set(obj, "app.kubernetes.io/managed-by", "fedway");
	publish->call = kube_client_create_object(publish->api, &ref, obj, on_namespace, publish);
	json_decref(obj);
}

struct answers_publish *answers_publish_start(struct loop *loop, struct kube_client *api,
                                              const char *address, const char *ca_pem)
{
	struct answers_publish *publish = xcalloc(1, sizeof(*publish));
	struct kube_ref ref = {&KUBE_CONFIG_MAPS, NAMESPACE, NAME, NULL};
	publish->api = api;
	publish->wanted = kube_object_create(&ref);
	kube_label_set(publish->wanted, "app.kubernetes.io/managed-by", "fedway");
	json_object_set_new(publish->wanted, "data",
	                    json_pack("{ss ss}", "address", address, "ca.pem", ca_pem));
	loop_timer_init(&publish->retry, loop, make_namespace, publish);
	make_namespace(publish);
	return publish;
}

void answers_publish_stop(struct answers_publish *publish)
{
	if (publish == NULL)
		return;
	kube_call_cancel(publish->call);
	loop_timer_fini(&publish->retry);
	json_decref(publish->wanted);
	free(publish);
}
