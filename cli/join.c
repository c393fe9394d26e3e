/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <string.h>

#include "base/json.h"

static json_t *labels(const struct join_wish *wish)
{
	return json_pack("{ss ss}", "app.kubernetes.io/managed-by", "fedway", "fedway.io/cluster",
	                 wish->cluster);
}

json_t *join_secret(const struct join_wish *wish)
{
	return json_pack("{ss ss ss s{ss ss so} s{ss}}", "apiVersion", "v1", "kind", "Secret",
	                 "type", "Opaque", "metadata", "name", wish->cluster, "namespace",
	                 JOIN_NAMESPACE, "labels", labels(wish), "stringData", "kubeconfig",
	                 wish->kubeconfig);
}

json_t *join_cluster(const struct join_wish *wish)
{
	json_t *locality = json_object();
	if (wish->region[0] != '\0')
		json_object_set_new(locality, "region", json_string(wish->region));
	if (wish->zone[0] != '\0')
		json_object_set_new(locality, "zone", json_string(wish->zone));
	if (wish->subzone[0] != '\0')
		json_object_set_new(locality, "subzone", json_string(wish->subzone));
	json_t *spec =
		json_pack("{s{ss ss} ss}", "kubeconfigSecretRef", "namespace", JOIN_NAMESPACE,
	                  "name", wish->cluster, "networkGroup", wish->group);
	if (json_object_size(locality) > 0)
		json_object_set(spec, "locality", locality);
	json_decref(locality);
	if (wish->paused)
		json_object_set_new(spec, "paused", json_true());
	return json_pack("{ss ss s{ss} so}", "apiVersion", "fedway.io/v1alpha1", "kind", "Cluster",
	                 "metadata", "name", wish->cluster, "spec", spec);
}

json_t *join_group(const struct join_wish *wish)
{
	return json_pack("{ss ss s{ss}}", "apiVersion", "fedway.io/v1alpha1", "kind",
	                 "NetworkGroup", "metadata", "name", wish->group);
}

const char *join_waits_for(const json_t *cluster)
{
	const json_t *conditions = json_at(cluster, "status.conditions");
	const json_t *blocking = json_at(cluster, "status.blocking");
	if (json_array_size(blocking) > 0)
		return json_str_at(json_array_get(blocking, 0), "message", "");
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *c = json_array_get(conditions, i);
		if (strcmp(json_str_at(c, "type", ""), "Ready") != 0 &&
		    strcmp(json_str_at(c, "status", ""), "True") != 0)
			return json_str_at(c, "message", "");
	}
	return "";
}
