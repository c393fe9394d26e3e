/* SPDX-License-Identifier: Apache-2.0 */
#include "model/snapshot_builder.h"

#include "snapshot_builder_priv.h"
#include "snapshot_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

struct snapshot_builder *snapshot_builder_create(const char *cluster)
{
	struct snapshot_builder *b = xcalloc(1, sizeof(*b));

	b->cluster = xstrdup(cluster);
	b->uid = xstrdup("");
	b->network = xstrdup("");
	b->no_labels = labels_none();
	b->last = snapshot_create(cluster);
	list_init(&b->dirty);
	return b;
}

void snapshot_builder_destroy(struct snapshot_builder *builder)
{
	if (builder == NULL)
		return;
	snapshot_objects_fini(builder);
	snapshot_unref(builder->last);
	labels_unref(builder->no_labels);
	free(builder->cluster);
	free(builder->uid);
	free(builder->network);
	free(builder);
}

bool snapshot_builder_put(struct snapshot_builder *builder, const char *kind, const json_t *obj,
                          struct err *err)
{
	enum object_kind which;

	if (!object_kind_find(kind, &which))
		return err_set(err, ERR_BAD_REQUEST, "kind '%.100s' is not part of a snapshot",
		               kind);
	if (!snapshot_objects_put(builder, which, obj, err))
		return err_wrap(err, "%s '%.63s/%.253s'", kind,
		                json_str_at(obj, "metadata.namespace", ""),
		                json_str_at(obj, "metadata.name", ""));
	return true;
}

void snapshot_builder_remove(struct snapshot_builder *builder, const char *kind, const char *ns,
                             const char *name)
{
	enum object_kind which;

	if (!object_kind_find(kind, &which))
		return;
	bool global = which == OBJECT_NODE || which == OBJECT_NAMESPACE;
	CLEANUP(free_ptr)
	char *key = xasprintf("%s%s%s", global ? "" : ns, global ? "" : "/", name);

	snapshot_objects_remove(builder, which, str_from(key));
}

void snapshot_builder_start_list(struct snapshot_builder *builder, const char *kind)
{
	enum object_kind which;

	if (object_kind_find(kind, &which))
		builder->rounds[which]++;
}

void snapshot_builder_end_list(struct snapshot_builder *builder, const char *kind)
{
	enum object_kind which;

	if (object_kind_find(kind, &which))
		snapshot_objects_expire(builder, which);
}

bool snapshot_builder_is_dirty(const struct snapshot_builder *builder)
{
	return builder->meta_dirty || !list_is_empty(&builder->dirty);
}

static struct snap_endpoint make_endpoint(const struct snapshot_builder *b,
                                          const struct object_service *service,
                                          const struct slice_use *use, uint16_t port)
{
	const struct object_pod *pod = use->pod;
	const struct locality *locality = pod != NULL ? pod->locality : locality_none();
	struct labels *labels = pod != NULL && pod->labels != NULL ? pod->labels : b->no_labels;

	if (locality == locality_none() && use->node != NULL)
		locality = use->node->locality;
	return (struct snap_endpoint){
		.ip = use->ip,
		.locality = locality,
		.labels = labels_ref(labels),
		.port = port,
		.ready = use->ready,
		.terminating = use->terminating,
		.mtls = pod != NULL ? pod->mtls : service->object.mtls,
	};
}

static const struct kube_port *find_port(const struct object_slice *slice, const char *name)
{
	for (size_t i = 0; i < slice->n_ports; i++) {
		if (strcmp(slice->ports[i].name, name) == 0)
			return &slice->ports[i];
	}
	return NULL;
}

static void fill_port(const struct snapshot_builder *b, struct object_service *service,
                      const struct kube_port *from, struct snap_port *to)
{
	size_t n = 0;

	to->name = xstrdup(from->name);
	to->protocol = xstrdup(from->protocol);
	to->number = from->number;
	to->endpoints = xcalloc(service->n_endpoints + 1, sizeof(to->endpoints[0]));
	list_for_each (it, &service->slices) {
		const struct object_slice *slice = LIST_ENTRY(it, struct object_slice, of_service);
		const struct kube_port *port = find_port(slice, from->name);

		for (size_t i = 0; port != NULL && i < slice->n_uses; i++)
			to->endpoints[n++] =
				make_endpoint(b, service, &slice->uses[i], port->number);
	}
	to->n_endpoints = n;
}

static struct snap_service *make_service(const struct snapshot_builder *b,
                                         struct object_service *from)
{
	struct snap_service *s = snap_service_create(str_from(from->ns), str_from(from->name));

	s->labels = labels_ref(from->object.labels);
	s->export = from->object.export;
	s->headless = from->object.headless;
	s->external = from->object.external;
	s->ports = xcalloc(from->object.n_ports + 1, sizeof(s->ports[0]));
	s->n_ports = from->object.n_ports;
	for (size_t i = 0; i < s->n_ports; i++)
		fill_port(b, from, &from->object.ports[i], &s->ports[i]);
	snap_service_finish(s);
	return s;
}

/* Counts of the service leave or join those of the snapshot. */
static void count(struct snapshot *snapshot, const struct snap_service *service, bool join)
{
	size_t endpoints = 0, ready = 0;

	if (service == NULL)
		return;
	snap_service_count(service, &endpoints, &ready);
	snapshot->n_endpoints += join ? endpoints : -endpoints;
	snapshot->n_ready += join ? ready : -ready;
}

/* True: the snapshot differs now. */
static bool build_service(const struct snapshot_builder *b, struct snapshot *to,
                          struct object_service *from)
{
	CLEANUP(free_ptr) char *key = xasprintf("%s/%s", from->ns, from->name);
	const struct snap_service *old = snapshot_find(to, key);

	if (!from->seen) {
		count(to, old, false);
		tree_drop(&to->services, str_from(key));
		return old != NULL;
	}
	struct snap_service *new = make_service(b, from);
	bool differs = old == NULL || !snap_service_eq(old, new);

	if (differs) {
		count(to, old, false);
		count(to, new, true);
		tree_put(&to->services, str_from(new->key), &new->shared);
	}
	shared_unref(&new->shared);
	return differs;
}

struct snapshot *snapshot_builder_build(struct snapshot_builder *builder)
{
	struct snapshot *next = snapshot_make(builder->cluster, builder->uid, builder->network,
	                                      builder->last->services);
	bool differs = builder->meta_dirty;

	next->n_endpoints = builder->last->n_endpoints;
	next->n_ready = builder->last->n_ready;
	builder->meta_dirty = false;
	list_for_each_safe (it, &builder->dirty) {
		struct object_service *service = LIST_ENTRY(it, struct object_service, dirty);

		list_remove(it);
		differs = build_service(builder, next, service) || differs;
		snapshot_objects_release_service(builder, service);
	}
	if (!differs) {
		snapshot_unref(next);
		return snapshot_ref(builder->last);
	}
	snapshot_unref(builder->last);
	builder->last = next;
	return snapshot_ref(next);
}
