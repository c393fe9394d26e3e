/* SPDX-License-Identifier: Apache-2.0 */
#include "member_objects.h"

#include "control_priv.h"

#include <stdio.h>

static json_t *labels(const struct member *member)
{
	return json_pack("{ssss}", CONTROL_MANAGED_BY, "fedway", CONTROL_CLUSTER,
	                 member->spec.name);
}

static json_t *account(const struct member *member, const char *name)
{
	return json_pack("{ss ss s{ss ss so}}", "apiVersion", "v1", "kind", "ServiceAccount",
	                 "metadata", "name", name, "namespace", CONTROL_NAMESPACE, "labels",
	                 labels(member));
}

static json_t *probe_service(const struct member *member)
{
	return json_pack("{ss ss s{ss ss so} s{s{ss} s[{ss si si}]}}", "apiVersion", "v1", "kind",
	                 "Service", "metadata", "name", "fedway-probe", "namespace",
	                 CONTROL_NAMESPACE, "labels", labels(member), "spec", "selector",
	                 "app.kubernetes.io/name", "fedway-probe", "ports", "name", "tls-probe",
	                 "port", 15020, "targetPort", 15020);
}

json_t *member_objects_wanted(const struct world *world, const struct member *member,
                              struct str roots_pem, const char *xds_address)
{
	char name[128];
	json_t *list = json_array();
	json_array_append_new(list, json_pack("{ss ss s{ss so}}", "apiVersion", "v1", "kind",
	                                      "Namespace", "metadata", "name", CONTROL_NAMESPACE,
	                                      "labels", labels(member)));
	json_array_append_new(
		list, json_pack("{ss ss s{ss ss so} s{ss% ss}}", "apiVersion", "v1", "kind",
	                        "ConfigMap", "metadata", "name", "fedway-trust", "namespace",
	                        CONTROL_NAMESPACE, "labels", labels(member), "data", "roots.pem",
	                        roots_pem.ptr, roots_pem.len, "xdsAddress", xds_address));
	json_array_append_new(list, account(member, "fedway-probe"));
	json_array_append_new(list, probe_service(member));
	map_for_each (it, &world->gateways) {
		const struct gateway_spec *gateway = map_value(it);
		if (strcmp(gateway->cluster, member->spec.name) != 0 || gateway->deleting)
			continue;
		snprintf(name, sizeof(name), "fedway-gateway-%s", gateway->name);
		json_array_append_new(list, account(member, name));
	}
	return list;
}
