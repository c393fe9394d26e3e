/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include "table.h"

#include <string.h>

#include "base/json.h"
#include "model/causes.h"

const struct join_right join_rights[] = {
	{"list", "", "services", ""},
	{"watch", "", "services", ""},
	{"list", "", "pods", ""},
	{"watch", "", "pods", ""},
	{"list", "", "nodes", ""},
	{"watch", "", "nodes", ""},
	{"list", "", "namespaces", ""},
	{"watch", "", "namespaces", ""},
	{"list", "discovery.k8s.io", "endpointslices", ""},
	{"watch", "discovery.k8s.io", "endpointslices", ""},
	{"create", "", "namespaces", ""},
	{"create", "", "configmaps", JOIN_NAMESPACE},
	{"create", "", "serviceaccounts", JOIN_NAMESPACE},
	{"create", "", "services", JOIN_NAMESPACE},
	{"create", "authentication.k8s.io", "tokenreviews", ""},
};
const size_t join_n_rights = N_ELEMS(join_rights);

json_t *join_review(const struct join_right *right)
{
	json_t *attributes = json_pack("{ss ss ss}", "verb", right->verb, "group", right->group,
	                               "resource", right->resource);
	if (right->namespace_[0] != '\0')
		json_object_set_new(attributes, "namespace", json_string(right->namespace_));
	return json_pack("{ss ss s{so}}", "apiVersion", "authorization.k8s.io/v1", "kind",
	                 "SelfSubjectAccessReview", "spec", "resourceAttributes", attributes);
}

/* --- preflight -------------------------------------------------------------------------------- */

json_t *join_preflight(const char *cluster)
{
	return json_pack("{ss ss ss s[] ss}", "apiVersion", "answers.fedway.io/v1alpha1", "kind",
	                 "Preflight", "cluster", cluster, "checks", "verdict", "Passed");
}

void join_add_check(json_t *preflight, const struct join_check *check)
{
	const struct cause *cause = cause_find(check->code);
	const char *verdict = json_str_at(preflight, "verdict", "Passed");
	json_array_append_new(json_object_get(preflight, "checks"),
	                      json_pack("{ss ss ss ss ss ss}", "id", check->id, "state",
	                                check->state, "code", check->code, "message",
	                                check->message, "evidence", check->evidence, "remedy",
	                                cause != NULL ? cause->remedy : ""));
	if (strcmp(check->state, "Failed") == 0 ||
	    (strcmp(check->state, "Warning") == 0 && strcmp(verdict, "Passed") == 0))
		json_object_set_new(preflight, "verdict", json_string(check->state));
}

bool join_has_failed(const json_t *preflight)
{
	return strcmp(json_str_at(preflight, "verdict", ""), "Failed") == 0;
}

static enum look_mark mark_of(const char *state)
{
	return strcmp(state, "Passed") == 0    ? MARK_PASS
	       : strcmp(state, "Warning") == 0 ? MARK_WARN
	       : strcmp(state, "Failed") == 0  ? MARK_FAIL
	                                       : MARK_NONE;
}

void join_format_preflight(const json_t *preflight, struct look look, struct buf *out)
{
	const json_t *checks = json_object_get(preflight, "checks");
	struct table table CLEANUP(table_fini);
	char mark[LOOK_MARK_MAX];
	table_init(&table, 2);
	table.indent = 2;
	buf_printf(out, "Preflight  %s\n", json_str_at(preflight, "cluster", ""));
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *check = json_array_get(checks, i);
		const char *code = json_str_at(check, "code", "");
		table_cell(&table, "%s",
		           look_mark(look, mark_of(json_str_at(check, "state", "")), mark));
		const char *evidence = json_str_at(check, "evidence", "");
		table_cell(&table, "%s%s%s%s%s%s", code, code[0] != '\0' ? "  " : "",
		           json_str_at(check, "message", ""), evidence[0] != '\0' ? " (" : "",
		           evidence, evidence[0] != '\0' ? ")" : "");
	}
	table_format(&table, out);
}

const char *join_find_clash(const json_t *clusters, const char *cluster, const char *uid)
{
	const json_t *items = json_object_get(clusters, "items");
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *other = json_array_get(items, i);
		if (strcmp(json_str_at(other, "status.uid", ""), uid) == 0 &&
		    strcmp(kube_name(other), cluster) != 0)
			return kube_name(other);
	}
	return NULL;
}

/* --- objects ---------------------------------------------------------------------------------- */

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
