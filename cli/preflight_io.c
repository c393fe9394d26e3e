/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"
#include "preflight.h"
#include "resources.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

enum {
	MESSAGE_MAX = 700
};

static void say(struct preflight *preflight, const char *id, const char *state, const char *code,
                const char *message)
{
	join_add_check(preflight->result, &(struct join_check){id, state, code, message, ""});
}

static bool check_reach(struct preflight *preflight)
{
	struct err err;
	char text[MESSAGE_MAX];
	json_t *version CLEANUP(json_cleanup) =
		remote_get_path(preflight->member, "/version", &err);
	if (version == NULL) {
		say(preflight, "reach-api", "Failed", "", err.msg);
		return false;
	}
	snprintf(text, sizeof(text), "API server %s answers, Kubernetes %s",
	         remote_server(preflight->member), json_str_at(version, "gitVersion", "unknown"));
	char took[32];
	snprintf(took, sizeof(took), "%lld ms", (long long)remote_took_ms(preflight->member));
	join_add_check(preflight->result,
	               &(struct join_check){"reach-api", "Passed", "", text, took});
	return true;
}

static void check_rights(struct preflight *preflight)
{
	struct err err;
	struct kube_ref ref = {.resource = &KUBE_SELF_SUBJECT_ACCESS_REVIEWS};
	char text[MESSAGE_MAX];
	size_t refused = 0;
	int len = snprintf(text, sizeof(text), "credentials may not:");
	for (size_t i = 0; i < join_n_rights; i++) {
		const struct join_right *right = &join_rights[i];
		json_t *review CLEANUP(json_cleanup) = join_review(right);
		json_t *answer CLEANUP(json_cleanup) =
			remote_create(preflight->member, &ref, review, &err);
		if (answer == NULL) {
			bool absent = err.code == ERR_NOT_FOUND || err.code == ERR_PROTOCOL;
			say(preflight, "permissions", absent ? "Skipped" : "Warning", "",
			    absent ? "this API server does not tell what credentials may do; "
			             "joining will"
			           : err.msg);
			return;
		}
		if (json_bool_at(answer, "status.allowed", false))
			continue;
		refused++;
		if (len >= 0 && (size_t)len < sizeof(text))
			len += snprintf(text + len, sizeof(text) - (size_t)len, "%s %s %s",
			                refused > 1 ? "," : "", right->verb, right->resource);
	}
	if (refused == 0)
		snprintf(text, sizeof(text), "credentials may do the %zu actions needed",
		         join_n_rights);
	say(preflight, "permissions", refused == 0 ? "Passed" : "Failed", "", text);
}

static void check_identity(struct preflight *preflight)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref system = {.resource = &KUBE_NAMESPACES, .name = "kube-system"};
	struct kube_ref all = {.resource = &cli_cluster};
	json_t *ns CLEANUP(json_cleanup) = remote_get(preflight->member, &system, &err);
	json_t *clusters CLEANUP(json_cleanup) =
		ns != NULL ? remote_list(preflight->hub, &all, NULL, &err) : NULL;
	if (clusters == NULL) {
		say(preflight, "identity", "Failed", "", err.msg);
		return;
	}
	const char *clash = join_find_clash(clusters, preflight->cluster, kube_uid(ns));
	if (clash != NULL)
		snprintf(text, sizeof(text), "is a member already, as Cluster '%s'", clash);
	say(preflight, "identity", clash == NULL ? "Passed" : "Failed",
	    clash == NULL ? "" : "FED-403",
	    clash == NULL ? "is no member under another name" : text);
}

static void check_istio(struct preflight *preflight)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref ref = {.resource = &KUBE_NAMESPACES, .name = "istio-system"};
	json_t *ns CLEANUP(json_cleanup) = remote_get(preflight->member, &ref, &err);
	if (ns == NULL) {
		say(preflight, "istio", err.code == ERR_NOT_FOUND ? "Passed" : "Warning", "",
		    err.code == ERR_NOT_FOUND ? "no Istio found" : err.msg);
		return;
	}
	const char *network = kube_label_find(ns, "topology.istio.io/network");
	bool differs = network != NULL && strcmp(network, preflight->group) != 0;
	snprintf(text, sizeof(text), "Istio found%s%s%s; it stays and keeps its sidecars",
	         network != NULL ? ", network " : "", network != NULL ? network : "",
	         differs ? " (not the --group: its sidecars will count as another network)" : "");
	say(preflight, "istio", differs ? "Warning" : "Passed", "", text);
}

static void check_localities(struct preflight *preflight)
{
	struct err err;
	char text[MESSAGE_MAX];
	struct kube_ref ref = {.resource = &KUBE_NODES};
	json_t *nodes CLEANUP(json_cleanup) = remote_list(preflight->member, &ref, NULL, &err);
	const json_t *items = json_object_get(nodes, "items");
	size_t n = json_array_size(items);
	size_t bare = 0;
	if (nodes == NULL) {
		say(preflight, "localities", "Warning", "", err.msg);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const json_t *node = json_array_get(items, i);
		if (kube_label_find(node, "topology.kubernetes.io/region") == NULL ||
		    kube_label_find(node, "topology.kubernetes.io/zone") == NULL)
			bare++;
	}
	if (bare == 0)
		snprintf(text, sizeof(text), "all %zu nodes have region and zone labels", n);
	else
		snprintf(text, sizeof(text), "%zu of %zu nodes have no region and zone label%s",
		         bare, n, preflight->has_zone ? "; --region, --zone stand in" : "");
	say(preflight, "localities", bare > 0 ? "Warning" : "Passed", bare > 0 ? "FED-211" : "",
	    text);
}

json_t *preflight_run(struct preflight *preflight)
{
	preflight->result = join_preflight(preflight->cluster);
	if (check_reach(preflight)) {
		check_rights(preflight);
		check_identity(preflight);
		check_istio(preflight);
		check_localities(preflight);
	}
	return preflight->result;
}
