/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot_objects - what the builder keeps per object, and how one points to the other:
 *
 *   service ◀── slice ──▶ pod      a change of a pod, or of a slice, makes the service dirty;
 *      ▲          └─────▶ node     a change of a node's labels looks through all slices (rare)
 *      └─ dirty list
 *
 * Services, pods and nodes may be placeholders: named by a slice, not seen themselves.
 */
#pragma once

#include "decode_kube_priv.h"

#include "base/list.h"
#include "base/map.h"
#include "model/snapshot_builder.h"

enum object_kind {
	OBJECT_SERVICE,
	OBJECT_SLICE,
	OBJECT_NODE,
	OBJECT_NAMESPACE,
	OBJECT_POD,
	N_OBJECT_KINDS
};

struct object_service {
	char *ns;
	char *name;
	bool seen;
	uint32_t round; /* of the list that named it last */
	struct kube_service object;
	struct list slices; /* struct object_slice.of_service */
	struct list dirty;  /* struct snapshot_builder.dirty */
	size_t n_endpoints; /* over all slices */
};

struct object_pod {
	char *key;
	bool seen;
	uint32_t round;
	struct labels *labels; /* shared by pods with the same ones; NULL until seen */
	const struct locality *locality;
	bool mtls;
	struct list uses; /* struct slice_use.of_pod */
};

struct object_node {
	char *name;
	bool seen;
	uint32_t round;
	const struct locality *locality;
	size_t n_uses;
};

struct object_namespace {
	uint32_t round;
};

/* One endpoint of a slice, resolved. */
struct slice_use {
	struct ip ip;
	bool ready;
	bool terminating;
	struct object_pod *pod;   /* NULL: none */
	struct object_node *node; /* NULL: unknown */
	struct object_slice *slice;
	struct list of_pod;
};

struct object_slice {
	struct object_service *service; /* NULL: belongs to none */
	uint32_t round;
	struct kube_port *ports;
	size_t n_ports;
	struct slice_use *uses;
	size_t n_uses;
	struct list of_service;
};

struct snapshot_builder {
	char *cluster;
	char *uid;
	char *network;
	struct map objects[N_OBJECT_KINDS]; /* "NS/NAME" (nodes, namespaces: NAME) → object_… */
	uint32_t rounds[N_OBJECT_KINDS];
	size_t n_uses; /* endpoints over all slices */
	struct list dirty;
	bool meta_dirty; /* uid or network */
	struct map sets; /* canonical text → struct labels, one reference each */
	size_t sweep_at;
	struct labels *no_labels;
	struct snapshot *last;
};

/* False: none of the kinds. */
bool object_kind_find(const char *name, enum object_kind *ret_kind);

MUST_CHECK
bool snapshot_objects_put(struct snapshot_builder *b, enum object_kind kind, const json_t *obj,
                          struct err *err);
void snapshot_objects_remove(struct snapshot_builder *b, enum object_kind kind, struct str key);
/* Those of an older round than the kind's. */
void snapshot_objects_expire(struct snapshot_builder *b, enum object_kind kind);
void snapshot_objects_fini(struct snapshot_builder *b);

/* A placeholder without slices goes; for a service that was built without having been seen. */
void snapshot_objects_release_service(struct snapshot_builder *b, struct object_service *service);

/* ── between snapshot_objects.c and snapshot_slices.c ── */

void snapshot_objects_mark(struct snapshot_builder *b, struct object_service *service);
/* "get" makes a placeholder where there is none; "release" frees one that nobody needs. */
struct object_service *snapshot_objects_get_service(struct snapshot_builder *b, struct str key,
                                                    struct err *err);
struct object_pod *snapshot_objects_get_pod(struct snapshot_builder *b, struct str key);
void snapshot_objects_release_pod(struct snapshot_builder *b, struct object_pod *pod);
struct object_node *snapshot_objects_get_node(struct snapshot_builder *b, struct str name);
void snapshot_objects_release_node(struct snapshot_builder *b, struct object_node *node);
MUST_CHECK
bool snapshot_objects_put_slice(struct snapshot_builder *b, struct str key, const char *ns,
                                const json_t *obj, struct err *err);
void snapshot_objects_drop_slice(struct snapshot_builder *b, struct object_slice *slice);
