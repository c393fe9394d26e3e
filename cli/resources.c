/* SPDX-License-Identifier: Apache-2.0 */
#include "resources.h"

#include <string.h>
#include <strings.h>

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
