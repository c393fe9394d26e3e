/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds.h"

#include "strategy.h"

#include <stdlib.h>

#include "base/alloc.h"

enum {
	ALL_VERBS = API_VERB_GET | API_VERB_LIST | API_VERB_WATCH | API_VERB_CREATE |
	            API_VERB_UPDATE | API_VERB_PATCH | API_VERB_DELETE | API_VERB_DELETE_COLLECTION
};

void api_kinds_init(struct api_kinds *kinds)
{
	*kinds = (struct api_kinds){.by_name = MAP_EMPTY};
	kinds->last = &kinds->first;
}

/* --- one version ------------------------------------------------------------------------------ */

static void fini_version(struct api_version *version)
{
	free(version->name);
	free(version->warning);
	schema_destroy(version->schema);
	json_decref(version->openapi);
	printer_destroy(version->printer);
	for (size_t i = 0; i < version->n_fields; i++) {
		free(version->fields[i].label);
		jsonpath_destroy(version->fields[i].path);
	}
	free(version->fields);
	*version = (struct api_version){0};
}

static bool add_field(struct api_version *version, const char *label, struct err *err)
{
	char *text = xasprintf(".%s", label[0] == '.' ? label + 1 : label);
	struct jsonpath *path = jsonpath_create(text, err);
	free(text);
	if (path == NULL)
		return false;
	version->fields =
		xrealloc(version->fields, (version->n_fields + 1) * sizeof(*version->fields));
	version->fields[version->n_fields++] =
		(struct api_field){xstrdup(label[0] == '.' ? label + 1 : label), path};
	return true;
}

static bool add_fields(struct api_version *version, const json_t *fields, bool namespaced,
                       struct err *err)
{
	if (!add_field(version, "metadata.name", err) ||
	    (namespaced && !add_field(version, "metadata.namespace", err)))
		return false;
	for (size_t i = 0; i < json_array_size(fields); i++) {
		const char *label = json_string_value(json_array_get(fields, i));
		if (label == NULL)
			return err_set(err, ERR_INVALID, "a selectable field is no text");
		if (!add_field(version, label, err))
			return false;
	}
	return true;
}

static bool init_version(struct api_version *version, const json_t *source, bool namespaced,
                         struct err *err)
{
	const json_t *schema = json_object_get(source, "schema");
	*version = (struct api_version){
		.name = xstrdup(json_str_at(source, "name", "")),
		.served = json_bool_at(source, "served", true),
		.storage = json_bool_at(source, "storage", false),
		.deprecated = json_bool_at(source, "deprecated", false),
		.has_status = json_bool_at(source, "status", false),
	};
	const char *warning = json_str_at(source, "deprecationWarning", NULL);
	if (warning != NULL)
		version->warning = xstrdup(warning);
	if (schema != NULL) {
		version->openapi = json_deep_copy(schema);
		version->schema = schema_create(schema, err);
		if (version->schema == NULL)
			return false;
	}
	version->printer = printer_create(json_object_get(source, "columns"), api_computes, err);
	return version->printer != NULL &&
	       add_fields(version, json_object_get(source, "fields"), namespaced, err);
}

/* --- one resource ----------------------------------------------------------------------------- */

static void fini_definition(struct api_resource *resource)
{
	for (size_t i = 0; i < resource->n_versions; i++)
		fini_version(&resource->versions[i]);
	free(resource->versions);
	free(resource->group);
	free(resource->plural);
	free(resource->singular);
	free(resource->kind);
	free(resource->list_kind);
	json_decref(resource->short_names);
	json_decref(resource->categories);
	json_decref(resource->subresources);
}

static json_t *list_or_empty(const json_t *list)
{
	return json_is_array(list) ? json_deep_copy(list) : json_array();
}

static enum api_name_rule name_rule(const json_t *definition)
{
	const char *text = json_str_at(definition, "nameRule", "");
	if (strcmp(text, "label") == 0)
		return API_NAME_LABEL;
	return strcmp(text, "service") == 0 ? API_NAME_SERVICE : API_NAME_SUBDOMAIN;
}

static void init_texts(struct api_resource *resource, const json_t *definition)
{
	const char *kind = json_str_at(definition, "kind", "");
	const char *list_kind = json_str_at(definition, "listKind", NULL);
	const char *singular = json_str_at(definition, "singular", NULL);
	resource->group = xstrdup(json_str_at(definition, "group", ""));
	resource->plural = xstrdup(json_str_at(definition, "plural", ""));
	resource->kind = xstrdup(kind);
	resource->list_kind = list_kind != NULL ? xstrdup(list_kind) : xasprintf("%sList", kind);
	resource->singular = xstrdup(singular != NULL ? singular : kind);
	for (char *c = resource->singular; *c != '\0'; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
	resource->short_names = list_or_empty(json_object_get(definition, "shortNames"));
	resource->categories = list_or_empty(json_object_get(definition, "categories"));
	resource->subresources = json_deep_copy(json_object_get(definition, "subresources"));
}

static bool init_definition(struct api_resource *resource, const json_t *definition,
                            struct err *err)
{
	const json_t *versions = json_object_get(definition, "versions");
	init_texts(resource, definition);
	resource->namespaced = json_bool_at(definition, "namespaced", false);
	resource->builtin = json_bool_at(definition, "builtin", false);
	resource->has_generation = json_bool_at(definition, "generation", false);
	resource->is_virtual = json_bool_at(definition, "virtual", false);
	resource->verbs = resource->is_virtual ? API_VERB_CREATE : (unsigned)ALL_VERBS;
	resource->name_rule = name_rule(definition);
	resource->served = true;
	resource->versions = xcalloc(json_array_size(versions) + 1, sizeof(*resource->versions));
	for (size_t i = 0; i < json_array_size(versions); i++) {
		struct api_version *version = &resource->versions[resource->n_versions++];
		if (!init_version(version, json_array_get(versions, i), resource->namespaced, err))
			return false;
	}
	return true;
}

static void add_resource(struct api_kinds *kinds, struct api_resource *resource)
{
	char name[API_VERSION_TEXT_MAX];
	*kinds->last = resource;
	kinds->last = &resource->next;
	map_set(&kinds->by_name, str_from(api_resource_name(resource, name)), resource);
}

struct api_resource *api_kinds_define(struct api_kinds *kinds, const json_t *definition,
                                      struct err *err)
{
	struct api_resource made = {0};
	if (!init_definition(&made, definition, err)) {
		fini_definition(&made);
		return NULL;
	}
	struct api_resource *resource = api_kinds_find(kinds, made.group, made.plural);
	kinds->changes++;
	if (resource == NULL) {
		resource = xmemdup(&made, sizeof(made));
		resource->strategy = api_strategy_find(resource);
		add_resource(kinds, resource);
		return resource;
	}
	made.index = resource->index;
	made.next = resource->next;
	made.strategy = resource->strategy;
	fini_definition(resource);
	*resource = made;
	return resource;
}

void api_kinds_hide(struct api_kinds *kinds, struct api_resource *resource)
{
	resource->served = false;
	kinds->changes++;
}

void api_kinds_fini(struct api_kinds *kinds)
{
	map_fini(&kinds->by_name, NULL);
	while (kinds->first != NULL) {
		struct api_resource *resource = kinds->first;
		kinds->first = resource->next;
		api_index_fini(&resource->index);
		fini_definition(resource);
		free(resource);
	}
}

/* --- finding ---------------------------------------------------------------------------------- */

struct api_resource *api_kinds_find(const struct api_kinds *kinds, const char *group,
                                    const char *plural)
{
	char name[API_VERSION_TEXT_MAX];
	snprintf(name, sizeof(name), "%s%s%s", plural, group[0] != '\0' ? "." : "", group);
	return map_find_text(&kinds->by_name, name);
}

struct api_resource *api_kinds_find_served(const struct api_kinds *kinds, const char *group,
                                           const char *version, const char *plural)
{
	struct api_resource *resource = api_kinds_find(kinds, group, plural);
	if (resource == NULL || !resource->served)
		return NULL;
	const struct api_version *found = api_resource_find_version(resource, version);
	return found != NULL && found->served ? resource : NULL;
}

bool api_kinds_has_group(const struct api_kinds *kinds, const char *group)
{
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		if (it->served && strcmp(it->group, group) == 0)
			return true;
	}
	return false;
}

bool api_kinds_has_group_version(const struct api_kinds *kinds, const char *group,
                                 const char *version)
{
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		const struct api_version *found = api_resource_find_version(it, version);
		if (it->served && strcmp(it->group, group) == 0 && found != NULL && found->served)
			return true;
	}
	return false;
}

struct api_resource *api_kinds_find_kind(const struct api_kinds *kinds, const char *group,
                                         const char *version, const char *kind)
{
	for (struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		const struct api_version *found = api_resource_find_version(it, version);
		if (it->served && strcmp(it->group, group) == 0 && strcmp(it->kind, kind) == 0 &&
		    found != NULL && found->served)
			return it;
	}
	return NULL;
}

struct api_version *api_resource_find_version(const struct api_resource *resource, const char *name)
{
	for (size_t i = 0; i < resource->n_versions; i++) {
		if (strcmp(resource->versions[i].name, name) == 0)
			return &resource->versions[i];
	}
	return NULL;
}

struct api_version *api_resource_storage(const struct api_resource *resource)
{
	for (size_t i = 0; i < resource->n_versions; i++) {
		if (resource->versions[i].storage)
			return &resource->versions[i];
	}
	return &resource->versions[0];
}

/* --- names ------------------------------------------------------------------------------------ */

const char *api_group_version(const char *group, const char *version,
                              char text[API_VERSION_TEXT_MAX])
{
	snprintf(text, API_VERSION_TEXT_MAX, "%s%s%s", group, group[0] != '\0' ? "/" : "", version);
	return text;
}

static const char *with_group(const char *name, const char *group, char *text)
{
	snprintf(text, API_VERSION_TEXT_MAX, "%s%s%s", name, group[0] != '\0' ? "." : "", group);
	return text;
}

const char *api_resource_name(const struct api_resource *resource, char text[API_VERSION_TEXT_MAX])
{
	return with_group(resource->plural, resource->group, text);
}

const char *api_kind_name(const struct api_resource *resource, char text[API_VERSION_TEXT_MAX])
{
	return with_group(resource->kind, resource->group, text);
}

json_t *api_version_fields(const struct api_version *version, const json_t *obj)
{
	json_t *fields = json_object();
	for (size_t i = 0; i < version->n_fields; i++) {
		const json_t *value = jsonpath_find(version->fields[i].path, obj);
		if (value == NULL || json_is_null(value))
			continue;
		if (json_is_string(value)) {
			json_object_set_new(fields, version->fields[i].label,
			                    json_deep_copy(value));
		} else {
			char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
			json_object_set_new(fields, version->fields[i].label, json_string(text));
			free(text);
		}
	}
	return fields;
}
