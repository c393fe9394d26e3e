/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"
#include "lab_pods.h"
#include "lab_programs.h"
#include "resources.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"

/* --- configuration files ---------------------------------------------------------------------- */

static json_t *control_plane(const struct lab_place *place, const char *xds)
{
	return json_pack("{ss ss ss ss}", "address", xds, "cluster", place->host->cluster,
	                 "trustFile", "trust.pem", "tokenFile", "token");
}

static json_t *door(const char *address, int port)
{
	return json_pack("{ss si}", "address", address, "port", port);
}

char *lab_gateway_config(const struct lab_place *place, const char *xds)
{
	char name[LAB_NAME_MAX];
	char inner[LAB_NAME_MAX];
	json_t *source = control_plane(place, xds);
	snprintf(name, sizeof(name), "gw-%d", place->host->number);
	lab_pod_address(place->host, lab_pod_find("gateway"), inner);
	json_object_set_new(source, "name", json_string(name));
	json_t *config CLEANUP(json_cleanup) = json_pack(
		"{ss ss si so so so s{ss} ss s[{ss ss ss si} {ss ss ss si s[s]}]}", "apiVersion",
		"fedway.io/v1alpha1", "kind", "GatewayConfig", "workers", 1, "controlPlane", source,
		"metrics", door("127.0.0.1", 15090), "health", door("127.0.0.1", 15021), "admin",
		"path", "gateway.sock", "dataDir", "data", "listeners", "name", "ingress", "mode",
		"ingress", "address", place->host->wan, "port", 15443, "name", "egress", "mode",
		"egress", "address", inner, "port", 15444, "allow", place->host->pods);
	return yaml_format(config);
}

char *lab_probe_config(const struct lab_place *place, const char *xds)
{
	char address[LAB_NAME_MAX];
	lab_pod_address(place->host, lab_pod_find("probe"), address);
	json_t *config CLEANUP(json_cleanup) =
		json_pack("{ss ss so so ss}", "apiVersion", "fedway.io/v1alpha1", "kind",
	                  "ProbeConfig", "controlPlane", control_plane(place, xds), "listener",
	                  door(address, 15020), "dataDir", "data");
	return yaml_format(config);
}

/* --- objects ---------------------------------------------------------------------------------- */

static json_t *account(const char *name)
{
	struct kube_ref ref = {&KUBE_SERVICE_ACCOUNTS, LAB_NAMESPACE, name, NULL};
	return kube_object_create(&ref);
}

json_t *lab_member_objects(void)
{
	struct kube_ref space = {&KUBE_NAMESPACES, NULL, LAB_NAMESPACE, NULL};
	struct kube_ref hello = {&KUBE_SERVICES, LAB_NAMESPACE, "helloworld", NULL};
	json_t *service = kube_object_create(&hello);
	json_object_set_new(service, "spec",
	                    json_pack("{s{ss} s[{ss si si ss}]}", "selector", "app", "helloworld",
	                              "ports", "name", "tls-hello", "port", 5000, "targetPort",
	                              5000, "protocol", "TCP"));
	return json_pack("[o o o o]", kube_object_create(&space), account("helloworld"),
	                 account("sleep"), service);
}

static json_t *gateway(const struct lab_host *host)
{
	char name[LAB_NAME_MAX];
	snprintf(name, sizeof(name), "gw-%d", host->number);
	return json_pack("{ss ss s{ss} s{ss s[{ss si}]}}", "apiVersion", "fedway.io/v1alpha1",
	                 "kind", "EastWestGateway", "metadata", "name", name, "spec", "cluster",
	                 host->cluster, "addresses", "address", host->wan, "port", 15443);
}

json_t *lab_control_objects(const struct lab_host *host, const char *kubeconfig)
{
	char parts[3][LAB_NAME_MAX] = {"", "", ""};
	struct kube_ref space = {&KUBE_NAMESPACES, NULL, JOIN_NAMESPACE, NULL};
	struct str rest = str_from(host->locality);
	struct str part;
	for (size_t i = 0; i < N_ELEMS(parts) && str_split(&rest, '/', &part); i++)
		snprintf(parts[i], LAB_NAME_MAX, "%.*s", STR_ARG(part));
	struct join_wish wish = {.cluster = host->cluster,
	                         .group = host->network,
	                         .region = parts[0],
	                         .zone = parts[1],
	                         .subzone = parts[2],
	                         .kubeconfig = kubeconfig};
	json_t *group = join_group(&wish);
	json_set_at(group, "spec.interconnect.joined", json_true());
	return json_pack("[o o o o o]", kube_object_create(&space), join_secret(&wish), group,
	                 join_cluster(&wish), gateway(host));
}

struct kube_ref lab_ref_of(const json_t *obj)
{
	static const struct kube_resource *const known[] = {
		&KUBE_NAMESPACES,      &KUBE_SERVICE_ACCOUNTS,
		&KUBE_SERVICES,        &KUBE_SECRETS,
		&KUBE_NODES,           &KUBE_PODS,
		&KUBE_ENDPOINT_SLICES, &cli_group,
		&cli_cluster,          &cli_gateway,
	};
	struct kube_ref ref = {.name = kube_name(obj)};
	for (size_t i = 0; i < N_ELEMS(known); i++) {
		if (strcmp(known[i]->kind, json_str_at(obj, "kind", "")) == 0)
			ref.resource = known[i];
	}
	if (ref.resource != NULL && ref.resource->namespaced)
		ref.namespace_ = kube_namespace(obj);
	return ref;
}
