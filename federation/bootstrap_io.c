/* SPDX-License-Identifier: Apache-2.0 */
#include "bootstrap.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/yaml.h"
#include "model/crds.h"

enum {
	RETRY_MS = 250
};

struct bootstrap {
	struct loop *loop;
	struct kube_client *api;
	struct kube_call *call;
	struct loop_timer retry;
	size_t next; /* CRD to install */
	char said[ERR_MSG_MAX];
	void (*done)(const json_t *mesh, void *arg);
	void *arg;
};

static const struct kube_resource meshes = {"fedway.io", "v1alpha1", "meshes", "Mesh", false};
static const struct kube_ref mesh_default = {.resource = &meshes, .name = "default"};

static void step(void *arg);

/* Logged once per reason: an API server that is starting says the same many times. */
static void again(struct bootstrap *bootstrap, const struct err *err)
{
	if (strcmp(bootstrap->said, err->msg) != 0)
		log_info("fedwayd", "waiting for the API server: %s", err->msg);
	memcpy(bootstrap->said, err->msg, sizeof(bootstrap->said));
	loop_timer_set(&bootstrap->retry, RETRY_MS);
}

static void on_crd(json_t *answer, const struct err *err, void *arg)
{
	struct bootstrap *bootstrap = arg;
	(void)answer;
	bootstrap->call = NULL;
	if (err != NULL && err->code != ERR_EXISTS) {
		again(bootstrap, err);
		return;
	}
	bootstrap->next++;
	step(bootstrap);
}

static void install_crd(struct bootstrap *bootstrap, const struct crd *crd)
{
	struct err err;
	struct kube_ref ref = {.resource = &KUBE_CRDS, .name = crd->name};
	json_t *obj = yaml_parse(crd->text, crd->name, &err);
	if (obj == NULL)
		UNREACHABLE("a CRD of ours does not parse");
	bootstrap->call =
		crd->ours ? kube_client_apply(bootstrap->api, &ref, obj, on_crd, bootstrap)
			  : kube_client_create_object(bootstrap->api, &ref, obj, on_crd, bootstrap);
	json_decref(obj);
}

static void on_mesh(json_t *answer, const struct err *err, void *arg)
{
	struct bootstrap *bootstrap = arg;
	bootstrap->call = NULL;
	if (err == NULL) {
		bootstrap->done(answer, bootstrap->arg);
		return;
	}
	if (err->code != ERR_NOT_FOUND) {
		again(bootstrap, err);
		return;
	}
	json_t *obj = json_pack("{ss ss s{ss} s{}}", "apiVersion", "fedway.io/v1alpha1", "kind",
	                        "Mesh", "metadata", "name", "default", "spec");
	/* 404 here means that the kind is not served yet */
	bootstrap->call =
		kube_client_create_object(bootstrap->api, &mesh_default, obj, on_crd, bootstrap);
	json_decref(obj);
}

static void step(void *arg)
{
	struct bootstrap *bootstrap = arg;
	size_t n;
	const struct crd *crds = crd_all(&n);
	if (bootstrap->next < n)
		install_crd(bootstrap, &crds[bootstrap->next]);
	else
		bootstrap->call =
			kube_client_get(bootstrap->api, &mesh_default, on_mesh, bootstrap);
}

struct bootstrap *bootstrap_start(struct loop *loop, struct kube_client *api,
                                  void (*done)(const json_t *mesh, void *arg), void *arg)
{
	struct bootstrap *bootstrap = xcalloc(1, sizeof(*bootstrap));
	bootstrap->loop = loop;
	bootstrap->api = api;
	bootstrap->done = done;
	bootstrap->arg = arg;
	loop_timer_init(&bootstrap->retry, loop, step, bootstrap);
	step(bootstrap);
	return bootstrap;
}

void bootstrap_destroy(struct bootstrap *bootstrap)
{
	if (bootstrap == NULL)
		return;
	kube_call_cancel(bootstrap->call);
	loop_timer_fini(&bootstrap->retry);
	free(bootstrap);
}
