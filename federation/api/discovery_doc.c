/* SPDX-License-Identifier: Apache-2.0 */
#include "discovery_doc.h"

#include <string.h>

#include "base/macros.h"

static const struct {
	unsigned verb;
	const char *name;
} verbs[] = {
	{API_VERB_CREATE, "create"},
	{API_VERB_DELETE, "delete"},
	{API_VERB_DELETE_COLLECTION, "deletecollection"},
	{API_VERB_GET, "get"},
	{API_VERB_LIST, "list"},
	{API_VERB_PATCH, "patch"},
	{API_VERB_UPDATE, "update"},
	{API_VERB_WATCH, "watch"},
};

static json_t *verb_names(unsigned set)
{
	json_t *names = json_array();
	for (size_t i = 0; i < N_ELEMS(verbs); i++) {
		if (set & verbs[i].verb)
			json_array_append_new(names, json_string(verbs[i].name));
	}
	return names;
}

static json_t *status_verbs(void)
{
	return json_pack("[s, s, s]", "get", "patch", "update");
}

static bool has_text(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (strcmp(json_string_value(json_array_get(list, i)), text) == 0)
			return true;
	}
	return false;
}

json_t *api_discovery_group_names(const struct api_kinds *kinds)
{
	json_t *names = json_array();
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		if (it->served && it->group[0] != '\0' && !has_text(names, it->group))
			json_array_append_new(names, json_string(it->group));
	}
	return names;
}

json_t *api_discovery_group_versions(const struct api_kinds *kinds, const char *group)
{
	json_t *names = json_array();
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		if (!it->served || strcmp(it->group, group) != 0)
			continue;
		for (size_t i = 0; i < it->n_versions; i++) {
			const struct api_version *version = &it->versions[i];
			if (version->served && !has_text(names, version->name))
				json_array_append_new(names, json_string(version->name));
		}
	}
	return names;
}

static const struct api_version *served_version(const struct api_resource *resource,
                                                const char *group, const char *version)
{
	if (!resource->served || strcmp(resource->group, group) != 0)
		return NULL;
	const struct api_version *found = api_resource_find_version(resource, version);
	return found != NULL && found->served ? found : NULL;
}

/* --- aggregated ------------------------------------------------------------------------------- */

static json_t *kind_of(const char *group, const char *version, const char *kind)
{
	return json_pack("{s:s, s:s, s:s}", "group", group, "version", version, "kind", kind);
}

static void add_subresources_v2(json_t *entry, const struct api_resource *resource,
                                const struct api_version *version)
{
	json_t *list = json_array();
	if (version->has_status)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:o}", "subresource", "status", "responseKind",
		                        kind_of(resource->group, version->name, resource->kind),
		                        "verbs", status_verbs()));
	const char *name;
	json_t *sub;
	json_object_foreach (resource->subresources, name, sub) {
		json_array_append_new(list, json_pack("{s:s, s:o, s:O}", "subresource", name,
		                                      "responseKind",
		                                      kind_of(json_str_at(sub, "group", ""),
		                                              json_str_at(sub, "version", ""),
		                                              json_str_at(sub, "kind", "")),
		                                      "verbs", json_object_get(sub, "verbs")));
	}
	if (json_array_size(list) > 0)
		json_object_set(entry, "subresources", list);
	json_decref(list);
}

static json_t *resource_v2(const struct api_resource *resource, const struct api_version *version)
{
	json_t *entry =
		json_pack("{s:s, s:o, s:s, s:s, s:o}", "resource", resource->plural, "responseKind",
	                  kind_of(resource->group, version->name, resource->kind), "scope",
	                  resource->namespaced ? "Namespaced" : "Cluster", "singularResource",
	                  resource->singular, "verbs", verb_names(resource->verbs));
	if (json_array_size(resource->short_names) > 0)
		json_object_set(entry, "shortNames", resource->short_names);
	if (json_array_size(resource->categories) > 0)
		json_object_set(entry, "categories", resource->categories);
	add_subresources_v2(entry, resource, version);
	return entry;
}

static json_t *group_v2(const struct api_kinds *kinds, const char *group)
{
	json_t *versions = json_array();
	json_t *names = api_discovery_group_versions(kinds, group);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		json_t *resources = json_array();
		for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
			const struct api_version *version = served_version(it, group, name);
			if (version != NULL)
				json_array_append_new(resources, resource_v2(it, version));
		}
		json_array_append_new(versions,
		                      json_pack("{s:s, s:s, s:o}", "version", name, "freshness",
		                                "Current", "resources", resources));
	}
	json_decref(names);
	json_t *meta = json_object();
	if (group[0] != '\0')
		json_object_set_new(meta, "name", json_string(group));
	return json_pack("{s:o, s:o}", "metadata", meta, "versions", versions);
}

json_t *api_discovery_v2(const struct api_kinds *kinds, bool core)
{
	json_t *items = json_array();
	if (core) {
		json_array_append_new(items, group_v2(kinds, ""));
	} else {
		json_t *names = api_discovery_group_names(kinds);
		for (size_t i = 0; i < json_array_size(names); i++)
			json_array_append_new(
				items,
				group_v2(kinds, json_string_value(json_array_get(names, i))));
		json_decref(names);
	}
	return json_pack("{s:s, s:s, s:{}, s:o}", "kind", "APIGroupDiscoveryList", "apiVersion",
	                 "apidiscovery.k8s.io/v2", "metadata", "items", items);
}

/* --- the old form ----------------------------------------------------------------------------- */

json_t *api_discovery_versions(void)
{
	return json_pack("{s:s, s:[s], s:[]}", "kind", "APIVersions", "versions", "v1",
	                 "serverAddressByClientCIDRs");
}

static json_t *version_entry(const char *group, const char *version)
{
	char text[API_VERSION_TEXT_MAX];
	return json_pack("{s:s, s:s}", "groupVersion", api_group_version(group, version, text),
	                 "version", version);
}

json_t *api_discovery_group(const struct api_kinds *kinds, const char *group)
{
	json_t *names = api_discovery_group_versions(kinds, group);
	json_t *versions = json_array();
	for (size_t i = 0; i < json_array_size(names); i++)
		json_array_append_new(
			versions,
			version_entry(group, json_string_value(json_array_get(names, i))));
	json_t *result = NULL;
	if (json_array_size(versions) > 0)
		result = json_pack("{s:s, s:s, s:s, s:O, s:O}", "kind", "APIGroup", "apiVersion",
		                   "v1", "name", group, "versions", versions, "preferredVersion",
		                   json_array_get(versions, 0));
	json_decref(versions);
	json_decref(names);
	return result;
}

json_t *api_discovery_groups(const struct api_kinds *kinds)
{
	json_t *groups = json_array();
	json_t *names = api_discovery_group_names(kinds);
	for (size_t i = 0; i < json_array_size(names); i++) {
		json_t *group =
			api_discovery_group(kinds, json_string_value(json_array_get(names, i)));
		json_object_del(group, "kind");
		json_object_del(group, "apiVersion");
		if (group != NULL)
			json_array_append_new(groups, group);
	}
	json_decref(names);
	return json_pack("{s:s, s:s, s:o}", "kind", "APIGroupList", "apiVersion", "v1", "groups",
	                 groups);
}

static void add_resource(json_t *list, const struct api_resource *resource,
                         const struct api_version *version)
{
	json_t *entry =
		json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", resource->plural, "singularName",
	                  resource->singular, "namespaced", resource->namespaced, "kind",
	                  resource->kind, "verbs", verb_names(resource->verbs));
	if (json_array_size(resource->short_names) > 0)
		json_object_set(entry, "shortNames", resource->short_names);
	if (json_array_size(resource->categories) > 0)
		json_object_set(entry, "categories", resource->categories);
	json_array_append_new(list, entry);
	char name[API_VERSION_TEXT_MAX];
	if (version->has_status) {
		snprintf(name, sizeof(name), "%s/status", resource->plural);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", name,
		                                      "singularName", "", "namespaced",
		                                      resource->namespaced, "kind", resource->kind,
		                                      "verbs", status_verbs()));
	}
	const char *key;
	json_t *sub;
	json_object_foreach (resource->subresources, key, sub) {
		snprintf(name, sizeof(name), "%s/%s", resource->plural, key);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:O}", "name",
		                                      name, "singularName", "", "namespaced",
		                                      resource->namespaced, "group",
		                                      json_str_at(sub, "group", ""), "version",
		                                      json_str_at(sub, "version", ""), "kind",
		                                      json_str_at(sub, "kind", ""), "verbs",
		                                      json_object_get(sub, "verbs")));
	}
}

json_t *api_discovery_resources(const struct api_kinds *kinds, const char *group,
                                const char *version)
{
	char text[API_VERSION_TEXT_MAX];
	json_t *list = json_array();
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		const struct api_version *found = served_version(it, group, version);
		if (found != NULL)
			add_resource(list, it, found);
	}
	if (json_array_size(list) == 0) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "kind", "APIResourceList", "apiVersion", "v1",
	                 "groupVersion", api_group_version(group, version, text), "resources",
	                 list);
}
