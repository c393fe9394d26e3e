/* SPDX-License-Identifier: Apache-2.0 */
#include "resources.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"

const struct kube_resource cli_mesh = {"fedway.io", "v1alpha1", "meshes", "Mesh", false};
const struct kube_resource cli_cluster = {"fedway.io", "v1alpha1", "clusters", "Cluster", false};
const struct kube_resource cli_group = {"fedway.io", "v1alpha1", "networkgroups", "NetworkGroup",
                                        false};
const struct kube_resource cli_gateway = {"fedway.io", "v1alpha1", "eastwestgateways",
                                          "EastWestGateway", false};
const struct kube_resource cli_service = {"fedway.io", "v1alpha1", "meshservices", "MeshService",
                                          true};
static const struct kube_resource rule = {"networking.istio.io", "v1", "destinationrules",
                                          "DestinationRule", true};

static const struct {
	const struct kube_resource *resource;
	const char *names[3]; /* beside plural and kind */
} known[] = {
	{&cli_mesh, {NULL}},
	{&cli_cluster, {"cl", "fcl"}},
	{&cli_group, {"ng", "groups", "group"}},
	{&cli_gateway, {"gw", "ewg", "gateways"}},
	{&cli_service, {"msvc"}},
	{&rule, {"dr"}},
	{&KUBE_NAMESPACES, {"ns"}},
	{&KUBE_SECRETS, {NULL}},
	{&KUBE_CONFIG_MAPS, {"cm"}},
	{&KUBE_EVENTS, {"ev"}},
	{&KUBE_LEASES, {NULL}},
	{&KUBE_SERVICES, {"svc"}},
	{&KUBE_ENDPOINT_SLICES, {NULL}},
	{&KUBE_NODES, {"no"}},
	{&KUBE_PODS, {"po"}},
};

/* As kubectl takes it: "clusters.fedway.io". */
static bool is_full_name(const struct kube_resource *resource, const char *word)
{
	size_t len = strlen(resource->plural);
	return resource->group[0] != '\0' && strncasecmp(resource->plural, word, len) == 0 &&
	       word[len] == '.' && strcmp(resource->group, word + len + 1) == 0;
}

static bool is_called(size_t row, const char *word)
{
	if (is_full_name(known[row].resource, word))
		return true;
	if (strcasecmp(known[row].resource->plural, word) == 0 ||
	    strcasecmp(known[row].resource->kind, word) == 0)
		return true;
	for (size_t i = 0; i < N_ELEMS(known[row].names); i++) {
		const char *name = known[row].names[i];
		if (name != NULL && strcmp(name, word) == 0)
			return true;
	}
	return false;
}

const struct kube_resource *resources_find(const char *word)
{
	for (size_t i = 0; i < N_ELEMS(known); i++) {
		if (is_called(i, word))
			return known[i].resource;
	}
	return NULL;
}

const char *resources_known(void)
{
	return "clusters (cl), networkgroups (ng), eastwestgateways (gw), meshservices (msvc), "
	       "meshes, destinationrules (dr), namespaces, secrets, configmaps, events, leases, "
	       "services, endpointslices, nodes, pods";
}

/* --- of a server ------------------------------------------------------------------------------ */

static bool has_text(const json_t *texts, const char *word)
{
	size_t i;
	json_t *text;
	json_array_foreach (texts, i, text) {
		if (json_is_string(text) && strcmp(json_string_value(text), word) == 0)
			return true;
	}
	return false;
}

/* Subresources and what cannot be listed are no types. */
static bool is_type(const json_t *entry)
{
	return strchr(json_str_at(entry, "name", "/"), '/') == NULL &&
	       has_text(json_object_get(entry, "verbs"), "list");
}

static struct kube_resource resource_of(const json_t *list, const json_t *entry)
{
	return (struct kube_resource){
		.group = json_str_at(list, "group", ""),
		.version = json_str_at(list, "version", ""),
		.plural = json_str_at(entry, "name", ""),
		.kind = json_str_at(entry, "kind", ""),
		.namespaced = json_bool_at(entry, "namespaced", false),
	};
}

static bool is_named(const json_t *entry, const struct kube_resource *resource, const char *word)
{
	const char *singular = json_str_at(entry, "singularName", "");
	return strcasecmp(resource->plural, word) == 0 || strcasecmp(resource->kind, word) == 0 ||
	       (singular[0] != '\0' && strcasecmp(singular, word) == 0) ||
	       has_text(json_object_get(entry, "shortNames"), word) || is_full_name(resource, word);
}

static size_t match_types(const json_t *lists, const char *word, struct kube_resource *ret_found)
{
	size_t i;
	json_t *list;
	json_array_foreach (lists, i, list) {
		size_t k;
		json_t *entry;
		json_array_foreach (json_object_get(list, "resources"), k, entry) {
			*ret_found = resource_of(list, entry);
			if (is_type(entry) && is_named(entry, ret_found, word))
				return 1;
		}
	}
	return 0;
}

static size_t match_category(const json_t *lists, const char *word,
                             struct kube_resource ret_found[RESOURCES_MATCH_MAX])
{
	size_t n = 0;
	size_t i;
	json_t *list;
	json_array_foreach (lists, i, list) {
		size_t k;
		json_t *entry;
		json_array_foreach (json_object_get(list, "resources"), k, entry) {
			if (n < RESOURCES_MATCH_MAX && is_type(entry) &&
			    has_text(json_object_get(entry, "categories"), word))
				ret_found[n++] = resource_of(list, entry);
		}
	}
	return n;
}

size_t resources_match(const json_t *lists, const char *word, bool types_first,
                       struct kube_resource ret_found[RESOURCES_MATCH_MAX])
{
	size_t n = types_first ? match_types(lists, word, ret_found)
	                       : match_category(lists, word, ret_found);
	if (n > 0)
		return n;
	return types_first ? match_category(lists, word, ret_found)
	                   : match_types(lists, word, ret_found);
}
