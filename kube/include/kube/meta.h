/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta - what every Kubernetes object has: its resource, name, key, labels, finalizers, conditions.
 *
 * Pure functions on JSON objects. "find" functions borrow from the object; NULL: not there.
 * Source: Kubernetes API conventions ("Metadata", "Typical status properties"); apimachinery's
 * path segment rules.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	KUBE_NAMESPACE_MAX = 63,
	KUBE_NAME_MAX = 253,
	KUBE_KEY_MAX = KUBE_NAMESPACE_MAX + 1 + KUBE_NAME_MAX + 1, /* with the final NUL */
	KUBE_PATH_MAX = 1024
};

/* --- resources -------------------------------------------------------------------------------- */

/* Where a kind lives. Texts outlive whoever holds the struct (literals, or a schema's). */
struct kube_resource {
	const char *group; /* "": core */
	const char *version;
	const char *plural;
	const char *kind;
	bool namespaced;
};

/*      constant                      group                    version plural  kind  namespaced */
#define KUBE_RESOURCES(X)                                                                          \
	X(KUBE_NAMESPACES, "", "v1", "namespaces", "Namespace", false)                             \
	X(KUBE_NODES, "", "v1", "nodes", "Node", false)                                            \
	X(KUBE_PODS, "", "v1", "pods", "Pod", true)                                                \
	X(KUBE_SERVICES, "", "v1", "services", "Service", true)                                    \
	X(KUBE_SECRETS, "", "v1", "secrets", "Secret", true)                                       \
	X(KUBE_CONFIG_MAPS, "", "v1", "configmaps", "ConfigMap", true)                             \
	X(KUBE_SERVICE_ACCOUNTS, "", "v1", "serviceaccounts", "ServiceAccount", true)              \
	X(KUBE_EVENTS, "", "v1", "events", "Event", true)                                          \
	X(KUBE_ENDPOINT_SLICES, "discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true) \
	X(KUBE_LEASES, "coordination.k8s.io", "v1", "leases", "Lease", true)                       \
	X(KUBE_DEPLOYMENTS, "apps", "v1", "deployments", "Deployment", true)                       \
	X(KUBE_CLUSTER_ROLES, "rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole",    \
	  false)                                                                                   \
	X(KUBE_CLUSTER_ROLE_BINDINGS, "rbac.authorization.k8s.io", "v1", "clusterrolebindings",    \
	  "ClusterRoleBinding", false)                                                             \
	X(KUBE_CRDS, "apiextensions.k8s.io", "v1", "customresourcedefinitions",                    \
	  "CustomResourceDefinition", false)                                                       \
	X(KUBE_TOKEN_REVIEWS, "authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false) \
	X(KUBE_SELF_SUBJECT_ACCESS_REVIEWS, "authorization.k8s.io", "v1",                          \
	  "selfsubjectaccessreviews", "SelfSubjectAccessReview", false)                            \
	X(KUBE_SUBJECT_ACCESS_REVIEWS, "authorization.k8s.io", "v1", "subjectaccessreviews",       \
	  "SubjectAccessReview", false)

#define X(constant, ...) extern const struct kube_resource constant;
KUBE_RESOURCES(X)
#undef X

/* "v1", "discovery.k8s.io/v1" into buf. */
void kube_api_version(const struct kube_resource *resource, struct buf *out);

/* One object, or with name NULL a collection; without namespace_ one over all namespaces. */
struct kube_ref {
	const struct kube_resource *resource;
	const char *namespace_;  /* NULL: cluster-scoped, or all namespaces */
	const char *name;        /* NULL: the collection */
	const char *subresource; /* NULL, "status", "token" ... */
};

/* "/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME/SUB" into out. ERR_INVALID: a part that cannot
 * stand in a path, a missing or a needless namespace. */
MUST_CHECK
bool kube_path_format(const struct kube_ref *ref, struct buf *out, struct err *err);

/* --- metadata --------------------------------------------------------------------------------- */

/* "" when not there. */
const char *kube_name(const json_t *obj);
const char *kube_namespace(const json_t *obj);
const char *kube_uid(const json_t *obj);
const char *kube_resource_version(const json_t *obj);
int64_t kube_generation(const json_t *obj);
bool kube_is_deleting(const json_t *obj);
/* Has no ownerReferences. */
bool kube_is_ownerless(const json_t *obj);

const char *kube_label_find(const json_t *obj, const char *key);
const char *kube_annotation_find(const json_t *obj, const char *key);
/* Make what is missing on the way. */
void kube_label_set(json_t *obj, const char *key, const char *value);
void kube_annotation_set(json_t *obj, const char *key, const char *value);

bool kube_finalizer_has(const json_t *obj, const char *finalizer);
/* True: the object was changed. */
bool kube_finalizer_add(json_t *obj, const char *finalizer);
bool kube_finalizer_remove(json_t *obj, const char *finalizer);

/* {apiVersion, kind, metadata: {namespace, name}}; owned. */
json_t *kube_object_create(const struct kube_ref *ref);

/* Takes out metadata.managedFields, which is large and nobody here reads. */
void kube_managed_fields_drop(json_t *obj);

/* "NAMESPACE/NAME", or "NAME" when cluster-scoped. False: no name, or too long. */
bool kube_key_format(const json_t *obj, char ret_key[KUBE_KEY_MAX]);
bool kube_key_make(struct str namespace_, struct str name, char ret_key[KUBE_KEY_MAX]);
/* Views into key; ret_namespace is empty for a cluster-scoped one. */
void kube_key_split(struct str key, struct str *ret_namespace, struct str *ret_name);

/* Resource versions are decimal and compare within one type of one cluster. <0, 0, >0; texts that
 * are no decimals are older than all that are. */
int kube_rv_cmp(struct str a, struct str b);

/* --- conditions ------------------------------------------------------------------------------- */

struct kube_condition {
	const char *type;
	const char *status; /* "True", "False", "Unknown" */
	const char *reason; /* CamelCase */
	const char *message;
	int64_t observed_generation; /* 0: left out */
};

/* Borrowed from obj.status.conditions. */
const json_t *kube_condition_find(const json_t *obj, const char *type);
/* Is status.conditions[type].status "True"? */
bool kube_condition_is_true(const json_t *obj, const char *type);

/* Sets the condition in the array `conditions` (kept in its place, else appended).
 * lastTransitionTime stays unless status changes. True: something changed. */
bool kube_condition_set(json_t *conditions, const struct kube_condition *condition,
                        int64_t now_wall_s);
/* True: it was there. */
bool kube_condition_remove(json_t *conditions, const char *type);
