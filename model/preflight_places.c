/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"

/* --- which cluster it is ------------------------------------------------------------------------
 */

static const char *find_twin(const struct preflight_facts *facts, const char *uid)
{
	size_t i;
	json_t *other;
	json_array_foreach (json_object_get(facts->clusters, "items"), i, other) {
		const char *name = json_str_at(other, "metadata.name", "");
		if (strcmp(json_str_at(other, "status.uid", ""), uid) == 0 &&
		    strcmp(name, facts->cluster) != 0)
			return name;
	}
	return NULL;
}

/* Which real cluster the Cluster of this name is, "" not known or none. */
static const char *uid_before(const struct preflight_facts *facts)
{
	size_t i;
	json_t *obj;
	json_array_foreach (json_object_get(facts->clusters, "items"), i, obj) {
		if (strcmp(json_str_at(obj, "metadata.name", ""), facts->cluster) == 0)
			return json_str_at(obj, "status.uid", "");
	}
	return "";
}

void preflight_identity(const struct preflight_facts *facts, struct found *found)
{
	const char *uid = json_str_at(facts->system.value, "metadata.uid", "");
	if (facts->system.err != NULL) {
		found_fail(found, "", "namespace kube-system cannot be read: %s",
		           facts->system.err->msg);
		return;
	}
	if (uid[0] == '\0') {
		found_fail(found, "", "namespace kube-system has no uid");
		return;
	}
	const char *twin = find_twin(facts, uid);
	snprintf(found->evidence, sizeof(found->evidence), "uid %s", uid);
	const char *before = uid_before(facts);
	if (twin != NULL)
		found_fail(found, "FED-403", "is a member already, as Cluster '%s'", twin);
	else if (before[0] != '\0' && strcmp(before, uid) != 0)
		found_warn(found, "",
		           "Cluster '%s' has led to another real cluster so far (uid %s)",
		           facts->cluster, before);
	else
		found_pass(found, "is no member under another name");
}

/* --- nodes --------------------------------------------------------------------------------------
 */

static bool has_labels(const json_t *node)
{
	const json_t *labels = json_at(node, "metadata.labels");
	return json_object_get(labels, "topology.kubernetes.io/region") != NULL &&
	       json_object_get(labels, "topology.kubernetes.io/zone") != NULL;
}

void preflight_localities(const struct preflight_facts *facts, struct found *found)
{
	const json_t *items = json_object_get(facts->nodes.value, "items");
	size_t n = json_array_size(items);
	size_t bare = 0;
	if (facts->nodes.err != NULL) {
		found_warn(found, "", "its nodes cannot be listed: %s", facts->nodes.err->msg);
		return;
	}
	for (size_t i = 0; i < n; i++)
		bare += has_labels(json_array_get(items, i)) ? 0 : 1;
	bool more = json_str_at(facts->nodes.value, "metadata.continue", "")[0] != '\0';
	const char *which = more ? "the first " : "";
	if (n == 0)
		found_pass(found, "it has no nodes yet");
	else if (bare == 0)
		found_pass(found, "%s%zu nodes have region and zone labels", more ? which : "all ",
		           n);
	else if (facts->has_locality)
		found_warn(found, "FED-211",
		           "%zu of %s%zu nodes have no region and zone labels; the locality of "
		           "the Cluster stands in",
		           bare, which, n);
	else
		found_warn(found, "FED-211", "%zu of %s%zu nodes have no region and zone labels",
		           bare, which, n);
}

/* --- pod ranges ---------------------------------------------------------------------------------
 */

enum {
	RANGES_MAX = 2 * PREFLIGHT_NODES /* two families a node */
};

struct overlap {
	const struct mesh_cluster *cluster; /* NULL: none */
	struct ip ip;
	const char *range_text;
};

struct ranges {
	struct cidr cidrs[RANGES_MAX];
	const char *texts[RANGES_MAX];
	size_t n;
};

static void add_range(struct ranges *ranges, const char *text)
{
	if (text != NULL && ranges->n < RANGES_MAX &&
	    cidr_parse(str_from(text), &ranges->cidrs[ranges->n]))
		ranges->texts[ranges->n++] = text;
}

static void read_ranges(const json_t *nodes, struct ranges *ranges)
{
	size_t i;
	json_t *node;
	ranges->n = 0;
	json_array_foreach (json_object_get(nodes, "items"), i, node) {
		const json_t *all = json_at(node, "spec.podCIDRs");
		for (size_t k = 0; k < json_array_size(all); k++)
			add_range(ranges, json_string_value(json_array_get(all, k)));
		if (json_array_size(all) == 0)
			add_range(ranges, json_str_at(node, "spec.podCIDR", NULL));
	}
}

static bool find_in_port(const struct ranges *ranges, const struct snap_port *port,
                         struct overlap *ret_overlap)
{
	for (size_t e = 0; e < port->n_endpoints; e++) {
		for (size_t r = 0; r < ranges->n; r++) {
			if (!cidr_has(&ranges->cidrs[r], &port->endpoints[e].ip))
				continue;
			ret_overlap->ip = port->endpoints[e].ip;
			ret_overlap->range_text = ranges->texts[r];
			return true;
		}
	}
	return false;
}

static bool find_in_service(const struct preflight_facts *facts, const struct ranges *ranges,
                            const struct mesh_service *service, struct overlap *ret_overlap)
{
	for (size_t i = 0; i < service->n_parts; i++) {
		const struct mesh_part *part = &service->parts[i];
		if (strcmp(part->cluster->name, facts->cluster) == 0 ||
		    strcmp(part->cluster->network, facts->group) != 0)
			continue;
		for (size_t p = 0; p < part->service->n_ports; p++) {
			if (!find_in_port(ranges, &part->service->ports[p], ret_overlap))
				continue;
			ret_overlap->cluster = part->cluster;
			return true;
		}
	}
	return false;
}

void preflight_pod_ranges(const struct preflight_facts *facts, struct found *found)
{
	struct ranges ranges;
	struct overlap overlap = {.cluster = NULL};
	struct tree_iter it;
	char text[IP_TEXT_MAX];
	read_ranges(facts->nodes.value, &ranges);
	if (ranges.n == 0 || facts->mesh == NULL || facts->group[0] == '\0') {
		found_skip(found, ranges.n == 0 ? "its nodes name no pod range"
		                                : "there is nothing yet to compare with");
		return;
	}
	for (const struct mesh_service *service = tree_first(&it, facts->mesh->services);
	     service != NULL; service = tree_next(&it)) {
		if (find_in_service(facts, &ranges, service, &overlap))
			break;
	}
	snprintf(found->evidence, sizeof(found->evidence), "%s%s", ranges.texts[0],
	         ranges.n > 1 ? " and others" : "");
	if (overlap.cluster != NULL)
		found_fail(found, "FED-160",
		           "its pod range %s has %s, a pod of %s in the same network group %s",
		           overlap.range_text, ip_format(&overlap.ip, text), overlap.cluster->name,
		           facts->group);
	else
		found_pass(found, "no pod range overlaps inside %s", facts->group);
}

/* --- Istio --------------------------------------------------------------------------------------
 */

void preflight_istio(const struct preflight_facts *facts, struct found *found)
{
	const struct err *err = facts->istio.err;
	const char *network = json_string_value(json_object_get(
		json_at(facts->istio.value, "metadata.labels"), "topology.istio.io/network"));
	if (err != NULL && err->code == ERR_NOT_FOUND)
		found_pass(found, "no Istio found");
	else if (err != NULL)
		found_warn(found, "", "cannot tell whether Istio is there: %s", err->msg);
	else if (network == NULL)
		found_pass(found, "Istio found; it stays and keeps its sidecars");
	else if (facts->group[0] != '\0' && strcmp(network, facts->group) != 0)
		found_warn(found, "",
		           "Istio found, of network %s and not %s: its sidecars count as another "
		           "network; name the group as the network",
		           network, facts->group);
	else
		found_pass(found, "Istio found, network %s; it stays and keeps its sidecars",
		           network);
}
