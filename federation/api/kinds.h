/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds - what resources exist: one table for built-in kinds and those of custom resource
 * definitions. A resource is never freed while the server runs, so watchers may point to it; one
 * whose definition was deleted is merely not served.
 */
#pragma once

#include "object.h"

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "kube/jsonpath.h"
#include "kube/printer.h"
#include "kube/schema.h"

struct api_strategy;

enum api_verb {
	API_VERB_GET = 1,
	API_VERB_LIST = 2,
	API_VERB_WATCH = 4,
	API_VERB_CREATE = 8,
	API_VERB_UPDATE = 16,
	API_VERB_PATCH = 32,
	API_VERB_DELETE = 64,
	API_VERB_DELETE_COLLECTION = 128,
};

enum api_name_rule {
	API_NAME_SUBDOMAIN,
	API_NAME_LABEL,   /* Namespace */
	API_NAME_SERVICE, /* DNS-1035 label */
};

/* A field that selectors may ask for. */
struct api_field {
	char *label;
	struct jsonpath *path;
};

struct api_version {
	char *name;
	bool served;
	bool storage;
	bool deprecated;
	char *warning;         /* of a deprecated version, or NULL for the standard one */
	struct schema *schema; /* NULL: everything is kept */
	json_t *openapi;       /* its source, or NULL */
	struct printer *printer;
	bool has_status;
	struct api_field *fields;
	size_t n_fields;
};

struct api_resource {
	char *group; /* "": core */
	char *plural;
	char *singular;
	char *kind;
	char *list_kind;
	json_t *short_names;
	json_t *categories;
	bool namespaced;
	bool builtin;
	bool served;
	bool has_generation;
	bool is_virtual; /* create-only, nothing stored */
	unsigned verbs;
	enum api_name_rule name_rule;
	const struct api_strategy *strategy; /* NULL: nothing special */
	struct api_version *versions;        /* in order of preference */
	size_t n_versions;
	json_t *subresources; /* {name: {kind, group, version, verbs}} beside status */
	struct api_index index;
	struct api_resource *next; /* in order of the table */
};

/* The kinds of one logical cluster. */
struct api_kinds {
	struct api_resource *first;
	struct api_resource **last;
	struct map by_name; /* "plural.group" */
	uint64_t changes;   /* counts every change of what is served: discovery's ETag */
};

void api_kinds_init(struct api_kinds *kinds);
void api_kinds_fini(struct api_kinds *kinds);

/* Whatever is known under that name, served or not; NULL. */
struct api_resource *api_kinds_find(const struct api_kinds *kinds, const char *group,
                                    const char *plural);
/* Only served ones of that version. */
struct api_resource *api_kinds_find_served(const struct api_kinds *kinds, const char *group,
                                           const char *version, const char *plural);
bool api_kinds_has_group(const struct api_kinds *kinds, const char *group);
bool api_kinds_has_group_version(const struct api_kinds *kinds, const char *group,
                                 const char *version);
/* By kind: for objects that come with apiVersion and kind. */
struct api_resource *api_kinds_find_kind(const struct api_kinds *kinds, const char *group,
                                         const char *version, const char *kind);

/*
 * Makes the resource, or gives the one of that name another definition; its objects stay.
 * definition: {group, plural, singular, kind, listKind, shortNames, categories, namespaced,
 * builtin, generation, virtual, nameRule, subresources, versions: [{name, served, storage,
 * deprecated, deprecationWarning, schema, columns, fields: [path], status}]}. Borrowed. NULL:
 * ERR_INVALID, and nothing has changed.
 */
MUST_CHECK
struct api_resource *api_kinds_define(struct api_kinds *kinds, const json_t *definition,
                                      struct err *err);
void api_kinds_hide(struct api_kinds *kinds, struct api_resource *resource);

/* The one of that name, or NULL. */
struct api_version *api_resource_find_version(const struct api_resource *resource,
                                              const char *name);
struct api_version *api_resource_storage(const struct api_resource *resource);
/* "v1", "example.com/v1" into text. Returns text. */
enum {
	API_VERSION_TEXT_MAX = 384
};
const char *api_group_version(const char *group, const char *version,
                              char text[API_VERSION_TEXT_MAX]);
/* "configmaps", "widgets.example.com": as error messages name it. */
const char *api_resource_name(const struct api_resource *resource, char text[API_VERSION_TEXT_MAX]);
/* "ConfigMap", "Widget.example.com". */
const char *api_kind_name(const struct api_resource *resource, char text[API_VERSION_TEXT_MAX]);

/* Field selectors: every path that version knows, as {path: text}. New. */
json_t *api_version_fields(const struct api_version *version, const json_t *obj);
/* Kinds of the table with computed cells. */
extern const struct printer_compute api_computes[];
