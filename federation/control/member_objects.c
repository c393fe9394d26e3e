/* SPDX-License-Identifier: Apache-2.0 */
#include "member_objects.h"

#include "control_priv.h"

#include <stdio.h>

#include "kube/client.h"

#define GATEWAY_ACCOUNT "fedway-gateway-"

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
		snprintf(name, sizeof(name), GATEWAY_ACCOUNT "%s", gateway->name);
		json_array_append_new(list, account(member, name));
	}
	return list;
}

struct kube_ref member_object_ref(const json_t *obj)
{
	static const struct kube_resource *const all[] = {
		&KUBE_NAMESPACES, &KUBE_SERVICES, &KUBE_CONFIG_MAPS, &KUBE_SERVICE_ACCOUNTS};
	const char *kind = json_str_at(obj, "kind", "");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->kind, kind) == 0)
			return (struct kube_ref){
				.resource = all[i],
				.namespace_ = all[i]->namespaced ? kube_namespace(obj) : NULL,
				.name = kube_name(obj),
			};
	}
	UNREACHABLE("a kind that is not made in members");
}

static void gather_one(json_t *objects, const struct kube_resource *resource, json_t *obj)
{
	json_object_set_new(obj, "kind", json_string(resource->kind));
	json_array_append(objects, obj);
}

void member_objects_gather(json_t *objects, const struct kube_resource *resource, json_t *answer)
{
	size_t i;
	json_t *item;
	const json_t *items = json_object_get(answer, "items");
	if (items == NULL)
		gather_one(objects, resource, answer);
	json_array_foreach (items, i, item)
		gather_one(objects, resource, item);
}

/* --- comparing --------------------------------------------------------------------------------
 */

static const json_t *find_like(const json_t *list, const json_t *obj)
{
	size_t i;
	json_t *item;
	json_array_foreach (list, i, item) {
		if (strcmp(json_str_at(item, "kind", ""), json_str_at(obj, "kind", "")) == 0 &&
		    strcmp(kube_name(item), kube_name(obj)) == 0)
			return item;
	}
	return NULL;
}

static bool is_as_wanted(const json_t *obj, const json_t *found)
{
	if (found == NULL)
		return false;
	json_t *diff = kube_apply_diff(obj, found);
	bool same = diff == NULL;
	json_decref(diff);
	return same;
}

static bool is_surplus(const struct member *member, const json_t *wanted, const json_t *obj)
{
	const char *cluster = kube_label_find(obj, CONTROL_CLUSTER);
	return strcmp(json_str_at(obj, "kind", ""), KUBE_SERVICE_ACCOUNTS.kind) == 0 &&
	       str_starts_with(str_from(kube_name(obj)), STR_LIT(GATEWAY_ACCOUNT)) &&
	       cluster != NULL && strcmp(cluster, member->spec.name) == 0 &&
	       find_like(wanted, obj) == NULL;
}

struct member_survey member_objects_compare(const struct world *world, const struct member *member,
                                            const json_t *wanted, const json_t *found)
{
	struct member_survey survey = {.todo = json_array(), .surplus = json_array()};
	size_t i;
	json_t *obj;
	json_array_foreach (wanted, i, obj) {
		if (!is_as_wanted(obj, find_like(found, obj)))
			json_array_append(survey.todo, obj);
	}
	json_array_foreach (found, i, obj) {
		const char *cluster = kube_label_find(obj, CONTROL_CLUSTER);
		if (is_surplus(member, wanted, obj))
			json_array_append(survey.surplus, obj);
		if (cluster == NULL || strcmp(cluster, member->spec.name) == 0)
			continue;
		if (world_yields_to(world, member, cluster))
			survey.older = cluster;
		else
			survey.younger = world_member(world, cluster) != NULL;
	}
	return survey;
}
