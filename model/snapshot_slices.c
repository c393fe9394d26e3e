/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_builder_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
	ENDPOINTS_MAX = 1000000 /* of one member, over all slices */
};

void snapshot_objects_mark(struct snapshot_builder *b, struct object_service *service)
{
	if (service != NULL && list_is_empty(&service->dirty))
		list_append(&b->dirty, &service->dirty);
}

struct object_service *snapshot_objects_get_service(struct snapshot_builder *b, struct str key,
                                                    struct err *err)
{
	struct object_service *service = map_find(&b->objects[OBJECT_SERVICE], key);
	struct str rest = key, ns;

	if (service != NULL)
		return service;
	if (map_len(&b->objects[OBJECT_SERVICE]) >= SNAPSHOT_SERVICES_MAX) {
		err_set(err, ERR_TOO_LARGE, "cluster has over %d Services; the rest is not seen",
		        SNAPSHOT_SERVICES_MAX);
		return NULL;
	}
	str_split(&rest, '/', &ns);
	service = xcalloc(1, sizeof(*service));
	service->ns = str_dup(ns);
	service->name = str_dup(rest);
	list_init(&service->slices);
	list_init(&service->dirty);
	map_set(&b->objects[OBJECT_SERVICE], key, service);
	return service;
}

void snapshot_objects_release_service(struct snapshot_builder *b, struct object_service *service)
{
	if (service->seen || !list_is_empty(&service->slices) || !list_is_empty(&service->dirty))
		return;
	CLEANUP(free_ptr) char *key = xasprintf("%s/%s", service->ns, service->name);

	map_remove(&b->objects[OBJECT_SERVICE], str_from(key));
	kube_service_fini(&service->object);
	free(service->ns);
	free(service->name);
	free(service);
}

struct object_pod *snapshot_objects_get_pod(struct snapshot_builder *b, struct str key)
{
	struct object_pod *pod = map_find(&b->objects[OBJECT_POD], key);

	if (pod == NULL) {
		pod = xcalloc(1, sizeof(*pod));
		pod->key = str_dup(key);
		pod->locality = locality_none();
		list_init(&pod->uses);
		map_set(&b->objects[OBJECT_POD], key, pod);
	}
	return pod;
}

void snapshot_objects_release_pod(struct snapshot_builder *b, struct object_pod *pod)
{
	if (pod->seen || !list_is_empty(&pod->uses))
		return;
	map_remove(&b->objects[OBJECT_POD], str_from(pod->key));
	labels_unref(pod->labels);
	free(pod->key);
	free(pod);
}

struct object_node *snapshot_objects_get_node(struct snapshot_builder *b, struct str name)
{
	struct object_node *node = map_find(&b->objects[OBJECT_NODE], name);

	if (node == NULL) {
		node = xcalloc(1, sizeof(*node));
		node->name = str_dup(name);
		node->locality = locality_none();
		map_set(&b->objects[OBJECT_NODE], name, node);
	}
	return node;
}

void snapshot_objects_release_node(struct snapshot_builder *b, struct object_node *node)
{
	if (node->seen || node->n_uses > 0)
		return;
	map_remove(&b->objects[OBJECT_NODE], str_from(node->name));
	free(node->name);
	free(node);
}

void snapshot_objects_drop_slice(struct snapshot_builder *b, struct object_slice *slice)
{
	snapshot_objects_mark(b, slice->service);
	for (size_t i = 0; i < slice->n_uses; i++) {
		struct slice_use *use = &slice->uses[i];

		list_remove(&use->of_pod);
		if (use->pod != NULL)
			snapshot_objects_release_pod(b, use->pod);
		if (use->node != NULL) {
			use->node->n_uses--;
			snapshot_objects_release_node(b, use->node);
		}
	}
	b->n_uses -= slice->n_uses;
	if (slice->service != NULL)
		slice->service->n_endpoints -= slice->n_uses;
	list_remove(&slice->of_service);
	for (size_t i = 0; i < slice->n_ports; i++) {
		free(slice->ports[i].name);
		free(slice->ports[i].protocol);
	}
	free(slice->ports);
	free(slice->uses);
	free(slice);
}

static void resolve_uses(struct snapshot_builder *b, struct object_slice *slice, const char *ns,
                         const struct kube_slice *from)
{
	slice->uses = xcalloc(from->n_endpoints + 1, sizeof(slice->uses[0]));
	slice->n_uses = from->n_endpoints;
	for (size_t i = 0; i < from->n_endpoints; i++) {
		const struct kube_endpoint *ep = &from->endpoints[i];
		struct slice_use *use = &slice->uses[i];

		*use = (struct slice_use){ep->ip, ep->ready, ep->terminating, .slice = slice};
		list_init(&use->of_pod);
		if (ep->pod != NULL) {
			CLEANUP(free_ptr) char *key = xasprintf("%s/%s", ns, ep->pod);

			use->pod = snapshot_objects_get_pod(b, str_from(key));
			list_append(&use->pod->uses, &use->of_pod);
		}
		if (ep->node != NULL) {
			use->node = snapshot_objects_get_node(b, str_from(ep->node));
			use->node->n_uses++;
		}
	}
	b->n_uses += slice->n_uses;
}

/* Finds the service and sees that the limits hold, counting old as already gone. */
static bool admit_slice(struct snapshot_builder *b, const char *ns, const struct kube_slice *new,
                        const struct object_slice *old, struct object_service **ret_service,
                        struct err *err)
{
	struct object_service *service = NULL;
	size_t going = old != NULL ? old->n_uses : 0;

	if (b->n_uses - going + new->n_endpoints > ENDPOINTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "cluster has over %d endpoints", ENDPOINTS_MAX);
	if (new->service != NULL) {
		CLEANUP(free_ptr) char *key = xasprintf("%s/%s", ns, new->service);

		service = snapshot_objects_get_service(b, str_from(key), err);
		if (service == NULL)
			return false;
		if (old == NULL || old->service != service)
			going = 0;
		if (service->n_endpoints - going + new->n_endpoints > SNAPSHOT_ENDPOINTS_MAX)
			return err_set(err, ERR_TOO_LARGE, "Service '%s' has over %d endpoints",
			               key, SNAPSHOT_ENDPOINTS_MAX);
	}
	*ret_service = service;
	return true;
}

bool snapshot_objects_put_slice(struct snapshot_builder *b, struct str key, const char *ns,
                                const json_t *obj, struct err *err)
{
	struct map *slices = &b->objects[OBJECT_SLICE];
	struct object_slice *old = map_find(slices, key);
	struct object_service *service;
	struct kube_slice new;

	if (!kube_decode_slice(obj, &new, err))
		return false;
	if (!admit_slice(b, ns, &new, old, &service, err)) {
		kube_slice_fini(&new);
		return false;
	}
	struct object_slice *slice = xcalloc(1, sizeof(*slice));

	slice->service = service;
	slice->round = b->rounds[OBJECT_SLICE];
	list_init(&slice->of_service);
	resolve_uses(b, slice, ns, &new);
	slice->ports = new.ports;
	slice->n_ports = new.n_ports;
	new.ports = NULL;
	new.n_ports = 0;
	if (service != NULL) {
		service->n_endpoints += slice->n_uses;
		list_append(&service->slices, &slice->of_service);
		snapshot_objects_mark(b, service);
	}
	map_set(slices, key, slice);
	if (old != NULL)
		snapshot_objects_drop_slice(b, old);
	kube_slice_fini(&new);
	return true;
}
