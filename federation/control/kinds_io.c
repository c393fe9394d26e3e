/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds that are followed, as one table. An event only marks its key; what it means is the
 * reconciler's matter. Nothing is reconciled before every list has ended once.
 */
#include "control_priv.h"

#include "base/clock.h"
#include "base/log.h"

const struct kube_resource control_resources[N_CONTROL_KINDS] = {
	[KIND_MESH] = {"fedway.io", "v1alpha1", "meshes", "Mesh", false},
	[KIND_GROUP] = {"fedway.io", "v1alpha1", "networkgroups", "NetworkGroup", false},
	[KIND_GATEWAY] = {"fedway.io", "v1alpha1", "eastwestgateways", "EastWestGateway", false},
	[KIND_CLUSTER] = {"fedway.io", "v1alpha1", "clusters", "Cluster", false},
	[KIND_RULE] = {"networking.istio.io", "v1", "destinationrules", "DestinationRule", true},
	[KIND_SERVICE] = {"fedway.io", "v1alpha1", "meshservices", "MeshService", true},
	[KIND_SECRET] = {"", "v1", "secrets", "Secret", true},
};

static void mark(struct control_watch *watch, struct str key)
{
	char *text = str_dup(key);
	if (watch->control->started)
		control_enqueue(watch->control, watch->kind, text, 0);
	free(text);
}

static void on_one(struct str key, json_t *obj, void *arg)
{
	(void)obj;
	mark(arg, key);
}

static void on_update(struct str key, json_t *old, json_t *obj, void *arg)
{
	(void)old;
	(void)obj;
	mark(arg, key);
}

static void on_synced(void *arg)
{
	struct control_watch *watch = arg;
	struct control *control = watch->control;
	if (control->started)
		return;
	for (int kind = 0; kind < N_CONTROL_KINDS; kind++) {
		if (!reflector_status(control->reflectors[kind]).synced)
			return;
	}
	control->started = true;
	log_info("control", "objects read  clusters=%zu groups=%zu gateways=%zu",
	         reflector_len(control->reflectors[KIND_CLUSTER]),
	         reflector_len(control->reflectors[KIND_GROUP]),
	         reflector_len(control->reflectors[KIND_GATEWAY]));
	for (int kind = 0; kind < N_CONTROL_KINDS; kind++)
		control_enqueue_all(control, (enum control_kind)kind);
	control_publish_soon(control);
}

static void on_status(void *arg)
{
	struct control_watch *watch = arg;
	struct reflector_status status = reflector_status(watch->control->reflectors[watch->kind]);
	if (!status.reachable && status.error[0] != '\0')
		log_warn("control", "cannot follow %s: %s", control_resources[watch->kind].plural,
		         status.error);
}

bool control_watch(struct control *control, struct err *err)
{
	for (int kind = 0; kind < N_CONTROL_KINDS; kind++) {
		control->watches[kind] = (struct control_watch){control, (enum control_kind)kind};
		struct reflector_options options = {
			.client = control->api,
			.resource = &control_resources[kind],
		};
		struct reflector_handlers handlers = {
			.on_add = on_one,
			.on_update = on_update,
			.on_delete = on_one,
			.on_synced = on_synced,
			.on_status = on_status,
			.arg = &control->watches[kind],
		};
		control->reflectors[kind] =
			reflector_create(control->loop, &options, &handlers, err);
		if (control->reflectors[kind] == NULL)
			return false;
	}
	return true;
}

const json_t *control_object(const struct control *control, enum control_kind kind, const char *key)
{
	return reflector_find(control->reflectors[kind], str_from(key));
}

struct kube_ref control_ref(enum control_kind kind, const json_t *obj)
{
	const struct kube_resource *resource = &control_resources[kind];
	return (struct kube_ref){
		.resource = resource,
		.namespace_ = resource->namespaced ? kube_namespace(obj) : NULL,
		.name = kube_name(obj),
	};
}

struct status_now control_now(const struct control *control)
{
	return (struct status_now){clock_wall_s(), loop_now_ms(control->loop)};
}
