/* SPDX-License-Identifier: Apache-2.0 */
#include "openapi.h"

#include "discovery_doc.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void add_root_path(json_t *paths, const char *group, const char *version, const char *hash)
{
	char text[API_VERSION_TEXT_MAX];
	char *key = xasprintf("%s/%s", group[0] != '\0' ? "apis" : "api",
	                      api_group_version(group, version, text));
	char *url = xasprintf("/openapi/v3/%s?hash=%s", key, hash);
	json_object_set_new(paths, key, json_pack("{s:s}", "serverRelativeURL", url));
	free(url);
	free(key);
}

static void add_root_paths(json_t *paths, const struct api_kinds *kinds, const char *group,
                           const char *hash)
{
	json_t *versions = api_discovery_group_versions(kinds, group);
	for (size_t i = 0; i < json_array_size(versions); i++)
		add_root_path(paths, group, json_string_value(json_array_get(versions, i)), hash);
	json_decref(versions);
}

json_t *api_openapi_root(const struct api_kinds *kinds, const char *hash)
{
	json_t *paths = json_object();
	json_t *groups = api_discovery_group_names(kinds);
	add_root_paths(paths, kinds, "", hash);
	for (size_t i = 0; i < json_array_size(groups); i++)
		add_root_paths(paths, kinds, json_string_value(json_array_get(groups, i)), hash);
	json_decref(groups);
	return json_pack("{s:o}", "paths", paths);
}

/* --- one document ----------------------------------------------------------------------------- */

static json_t *parameter(const char *name, const char *in)
{
	return json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in", in, "required",
	                 strcmp(in, "path") == 0, "schema", "type", "string");
}

static json_t *gvk(const struct api_resource *resource, const struct api_version *version)
{
	return json_pack("{s:s, s:s, s:s}", "group", resource->group, "version", version->name,
	                 "kind", resource->kind);
}

/* "io.example.v1.Widget": kubectl finds the schema by its kind, not by this name. */
static char *schema_name(const struct api_resource *resource, const struct api_version *version)
{
	return xasprintf("%s.%s.%s", resource->group[0] != '\0' ? resource->group : "core",
	                 version->name, resource->kind);
}

static json_t *operation(const struct api_resource *resource, const struct api_version *version,
                         const char *action)
{
	static const char *const params[] = {"dryRun", "fieldManager", "fieldValidation", "force"};
	char *name = schema_name(resource, version);
	char *ref = xasprintf("#/components/schemas/%s", name);
	json_t *parameters = json_array();
	for (size_t i = 0; i < N_ELEMS(params); i++)
		json_array_append_new(parameters, parameter(params[i], "query"));
	json_t *result = json_pack("{s:s, s:o, s:s, s:o, s:{s:{s:s, s:{s:{s:{s:s}}}}}}",
	                           "operationId", name, "parameters", parameters,
	                           "x-kubernetes-action", action, "x-kubernetes-group-version-kind",
	                           gvk(resource, version), "responses", "200", "description", "OK",
	                           "content", "application/json", "schema", "$ref", ref);
	free(ref);
	free(name);
	return result;
}

static json_t *patch_operation(const struct api_resource *resource,
                               const struct api_version *version)
{
	json_t *result = operation(resource, version, "patch");
	json_object_set_new(result, "requestBody",
	                    json_pack("{s:{s:{}}}", "content", "application/merge-patch+json"));
	return result;
}

static void add_paths(json_t *paths, const struct api_resource *resource,
                      const struct api_version *version)
{
	char text[API_VERSION_TEXT_MAX];
	char *collection =
		xasprintf("/%s/%s%s/%s", resource->group[0] != '\0' ? "apis" : "api",
	                  api_group_version(resource->group, version->name, text),
	                  resource->namespaced ? "/namespaces/{namespace}" : "", resource->plural);
	json_object_set_new(paths, collection,
	                    json_pack("{s:o}", "post", operation(resource, version, "post")));
	if (!resource->is_virtual) {
		char *object = xasprintf("%s/{name}", collection);
		json_object_set_new(paths, object,
		                    json_pack("{s:o, s:o, s:o}", "get",
		                              operation(resource, version, "get"), "put",
		                              operation(resource, version, "put"), "patch",
		                              patch_operation(resource, version)));
		free(object);
	}
	free(collection);
}

static void set_standard(json_t *schema)
{
	json_t *properties = json_object_get(schema, "properties");
	if (!json_is_object(properties)) {
		properties = json_object();
		json_object_set_new(schema, "properties", properties);
	}
	json_object_set_new(properties, "apiVersion", json_pack("{s:s}", "type", "string"));
	json_object_set_new(properties, "kind", json_pack("{s:s}", "type", "string"));
	json_object_set_new(properties, "metadata", json_pack("{s:s}", "type", "object"));
}

static void add_schema(json_t *schemas, const struct api_resource *resource,
                       const struct api_version *version)
{
	char *name = schema_name(resource, version);
	json_t *schema =
		version->openapi != NULL ? json_deep_copy(version->openapi) : json_object();
	if (json_object_get(schema, "type") == NULL)
		json_object_set_new(schema, "type", json_string("object"));
	set_standard(schema);
	json_object_set_new(schema, "x-kubernetes-group-version-kind",
	                    json_pack("[o]", gvk(resource, version)));
	json_object_set_new(schemas, name, schema);
	free(name);
}

json_t *api_openapi_document(const struct api_kinds *kinds, const char *group, const char *version)
{
	if (!api_kinds_has_group_version(kinds, group, version))
		return NULL;
	json_t *paths = json_object();
	json_t *schemas = json_object();
	for (const struct api_resource *it = kinds->first; it != NULL; it = it->next) {
		const struct api_version *found = api_resource_find_version(it, version);
		if (!it->served || strcmp(it->group, group) != 0 || found == NULL || !found->served)
			continue;
		add_paths(paths, it, found);
		add_schema(schemas, it, found);
	}
	return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o}}", "openapi", "3.0.0", "info", "title",
	                 "Fedway", "version", FEDWAY_VERSION, "paths", paths, "components",
	                 "schemas", schemas);
}
