/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot_builder_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

enum {
	OBJECTS_MAX = 1000000, /* objects of a kind, of one member */
	SETS_SWEEP_MIN = 1024,
	SET_TEXT_MAX = LABELS_MAX * (2 * LABEL_TEXT_MAX + 2)
};

/* ── label sets ── */

static void sweep_sets(struct snapshot_builder *b)
{
	map_for_each (it, &b->sets) {
		struct labels *set = map_value(it);

		if (atomic_load(&set->shared.refs) == 1) {
			map_remove(&b->sets, map_key(it));
			labels_unref(set);
		}
	}
	b->sweep_at = 2 * map_len(&b->sets);
	if (b->sweep_at < SETS_SWEEP_MIN)
		b->sweep_at = SETS_SWEEP_MIN;
}

/* The one set of this content; takes the reference to labels and returns one. */
static struct labels *share_set(struct snapshot_builder *b, struct labels *labels)
{
	CLEANUP(buf_fini) struct buf text;
	struct labels *found;

	buf_init(&text, SET_TEXT_MAX);
	for (size_t i = 0; i < labels->n; i++) {
		buf_add(&text, labels->pairs[i].key, strlen(labels->pairs[i].key) + 1);
		buf_add(&text, labels->pairs[i].value, strlen(labels->pairs[i].value) + 1);
	}
	found = map_find(&b->sets, buf_str(&text));
	if (found != NULL) {
		labels_unref(labels);
		return labels_ref(found);
	}
	if (map_len(&b->sets) >= b->sweep_at)
		sweep_sets(b);
	map_set(&b->sets, buf_str(&text), labels_ref(labels));
	return labels;
}

/* ── services, pods, nodes, namespaces ── */

static bool put_service(struct snapshot_builder *b, struct str key, const json_t *obj,
                        struct err *err)
{
	struct kube_service new;

	if (!kube_decode_service(obj, &new, err))
		return false;
	struct object_service *service = snapshot_objects_get_service(b, key, err);

	if (service == NULL) {
		kube_service_fini(&new);
		return false;
	}
	kube_service_fini(&service->object);
	service->object = new;
	service->seen = true;
	service->round = b->rounds[OBJECT_SERVICE];
	snapshot_objects_mark(b, service);
	return true;
}

static void set_pod(struct snapshot_builder *b, struct object_pod *pod, struct labels *labels)
{
	bool same = pod->labels == labels;

	labels_unref(pod->labels);
	pod->labels = labels;
	pod->locality = labels != NULL ? kube_pod_locality(labels) : locality_none();
	pod->mtls = labels != NULL && kube_is_mtls(labels);
	if (same)
		return;
	list_for_each (it, &pod->uses)
		snapshot_objects_mark(b, LIST_ENTRY(it, struct slice_use, of_pod)->slice->service);
}

static bool put_pod(struct snapshot_builder *b, struct str key, const json_t *obj, struct err *err)
{
	struct labels *labels = kube_decode_labels(obj, err);

	if (labels == NULL)
		return false;
	struct object_pod *pod = snapshot_objects_get_pod(b, key);

	pod->seen = true;
	pod->round = b->rounds[OBJECT_POD];
	set_pod(b, pod, share_set(b, labels));
	return true;
}

static void set_node(struct snapshot_builder *b, struct object_node *node,
                     const struct locality *locality)
{
	if (node->locality == locality)
		return;
	node->locality = locality;
	if (node->n_uses == 0)
		return;
	map_for_each (it, &b->objects[OBJECT_SLICE]) {
		struct object_slice *slice = map_value(it);

		for (size_t i = 0; i < slice->n_uses; i++) {
			if (slice->uses[i].node == node)
				snapshot_objects_mark(b, slice->service);
		}
	}
}

static bool put_node(struct snapshot_builder *b, struct str name, const json_t *obj,
                     struct err *err)
{
	struct labels *labels = kube_decode_labels(obj, err);

	if (labels == NULL)
		return false;
	struct object_node *node = snapshot_objects_get_node(b, name);

	node->seen = true;
	node->round = b->rounds[OBJECT_NODE];
	set_node(b, node, kube_node_locality(labels));
	labels_unref(labels);
	return true;
}

static void set_text(struct snapshot_builder *b, char **text, const char *to)
{
	if (strcmp(*text, to) == 0)
		return;
	free(*text);
	*text = xstrdup(to);
	b->meta_dirty = true;
}

/* Two namespaces say something about the cluster itself. obj NULL: removed. */
static void note_namespace(struct snapshot_builder *b, const char *name, const json_t *obj)
{
	const json_t *labels = json_at(obj, "metadata.labels");
	const char *network = json_string_value(json_object_get(labels, KUBE_NETWORK_LABEL));

	if (strcmp(name, "kube-system") == 0 && obj != NULL)
		set_text(b, &b->uid, json_str_at(obj, "metadata.uid", ""));
	if (strcmp(name, "istio-system") == 0)
		set_text(b, &b->network, network != NULL ? network : "");
}

static void put_namespace(struct snapshot_builder *b, const char *name, const json_t *obj)
{
	struct object_namespace *ns = map_find_text(&b->objects[OBJECT_NAMESPACE], name);

	if (ns == NULL) {
		ns = xcalloc(1, sizeof(*ns));
		map_set(&b->objects[OBJECT_NAMESPACE], str_from(name), ns);
	}
	ns->round = b->rounds[OBJECT_NAMESPACE];
	note_namespace(b, name, obj);
}

/* ── all kinds ── */

bool object_kind_find(const char *name, enum object_kind *ret_kind)
{
	static const char *const names[N_OBJECT_KINDS] = {"Service", "EndpointSlice", "Node",
	                                                  "Namespace", "Pod"};

	for (size_t i = 0; i < N_OBJECT_KINDS; i++) {
		if (strcmp(names[i], name) == 0) {
			*ret_kind = (enum object_kind)i;
			return true;
		}
	}
	return false;
}

bool snapshot_objects_put(struct snapshot_builder *b, enum object_kind kind, const json_t *obj,
                          struct err *err)
{
	const char *ns, *name;

	if (!kube_decode_key(obj, &ns, &name, err))
		return false;
	bool global = kind == OBJECT_NODE || kind == OBJECT_NAMESPACE;
	CLEANUP(free_ptr)
	char *key = xasprintf("%s%s%s", global ? "" : ns, global ? "" : "/", name);
	struct map *objects = &b->objects[kind];

	if (!global && ns[0] == '\0')
		return err_set(err, ERR_INVALID, "'%s' has no metadata.namespace", name);
	if (map_len(objects) >= OBJECTS_MAX && map_find_text(objects, key) == NULL)
		return err_set(err, ERR_TOO_LARGE, "cluster has over %d objects of the kind",
		               OBJECTS_MAX);
	switch (kind) {
	case OBJECT_SERVICE:
		return put_service(b, str_from(key), obj, err);
	case OBJECT_SLICE:
		return snapshot_objects_put_slice(b, str_from(key), ns, obj, err);
	case OBJECT_NODE:
		return put_node(b, str_from(key), obj, err);
	case OBJECT_POD:
		return put_pod(b, str_from(key), obj, err);
	case OBJECT_NAMESPACE:
		put_namespace(b, key, obj);
		return true;
	case N_OBJECT_KINDS:
		break;
	}
	UNREACHABLE("kind of an object");
}

static void remove_object(struct snapshot_builder *b, enum object_kind kind, struct str key,
                          void *object)
{
	struct object_service *service = object;
	struct object_pod *pod = object;
	struct object_node *node = object;

	switch (kind) {
	case OBJECT_SERVICE:
		service->seen = false;
		kube_service_fini(&service->object);
		snapshot_objects_mark(b, service);
		break;
	case OBJECT_SLICE:
		map_remove(&b->objects[kind], key);
		snapshot_objects_drop_slice(b, object);
		break;
	case OBJECT_NODE:
		node->seen = false;
		set_node(b, node, locality_none());
		snapshot_objects_release_node(b, node);
		break;
	case OBJECT_POD:
		pod->seen = false;
		set_pod(b, pod, NULL);
		snapshot_objects_release_pod(b, pod);
		break;
	case OBJECT_NAMESPACE: {
		CLEANUP(free_ptr) char *name = str_dup(key);

		note_namespace(b, name, NULL);
		map_remove(&b->objects[kind], key);
		free(object);
		break;
	}
	case N_OBJECT_KINDS:
		break;
	}
}

void snapshot_objects_remove(struct snapshot_builder *b, enum object_kind kind, struct str key)
{
	void *object = map_find(&b->objects[kind], key);

	if (object != NULL)
		remove_object(b, kind, key, object);
}

/* What only a slice has named is nothing that a list could leave out. */
static bool is_expired(enum object_kind kind, const void *object, uint32_t round)
{
	switch (kind) {
	case OBJECT_SERVICE: {
		const struct object_service *service = object;
		return service->seen && service->round != round;
	}
	case OBJECT_SLICE:
		return ((const struct object_slice *)object)->round != round;
	case OBJECT_NODE: {
		const struct object_node *node = object;
		return node->seen && node->round != round;
	}
	case OBJECT_POD: {
		const struct object_pod *pod = object;
		return pod->seen && pod->round != round;
	}
	case OBJECT_NAMESPACE:
		return ((const struct object_namespace *)object)->round != round;
	case N_OBJECT_KINDS:
		break;
	}
	return false;
}

void snapshot_objects_expire(struct snapshot_builder *b, enum object_kind kind)
{
	map_for_each (it, &b->objects[kind]) {
		if (is_expired(kind, map_value(it), b->rounds[kind]))
			remove_object(b, kind, map_key(it), map_value(it));
	}
}

void snapshot_objects_fini(struct snapshot_builder *b)
{
	static const enum object_kind order[] = {OBJECT_SLICE, OBJECT_POD, OBJECT_NODE,
	                                         OBJECT_NAMESPACE, OBJECT_SERVICE};

	for (size_t i = 0; i < N_ELEMS(order); i++) {
		map_for_each (it, &b->objects[order[i]])
			remove_object(b, order[i], map_key(it), map_value(it));
	}
	list_for_each_safe (it, &b->dirty) {
		struct object_service *service = LIST_ENTRY(it, struct object_service, dirty);

		list_remove(it);
		snapshot_objects_release_service(b, service);
	}
	for (size_t i = 0; i < N_OBJECT_KINDS; i++)
		map_fini(&b->objects[i], NULL);
	map_for_each (it, &b->sets)
		labels_unref(map_value(it));
	map_fini(&b->sets, NULL);
}
