/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route is one allocation: head, groups, endpoints, name. Endpoints are sorted by priority, then
 * locality, so that a group is a run of them.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "table/table_priv.h"
#include "table/traffic.h"

/* An endpoint on its way into a route. */
struct draft {
	struct ew_endpoint endpoint;
	uint16_t locality;
	uint8_t priority;
	uint32_t order; /* keeps the author's order inside a group */
};

static int by_group(const void *a, const void *b)
{
	const struct draft *x = a;
	const struct draft *y = b;
	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->locality != y->locality)
		return x->locality < y->locality ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static bool check_endpoint(const struct ew_endpoint_spec *spec, struct err *err)
{
	if (spec->priority >= EW_PRIORITIES_MAX)
		return err_set(err, ERR_INVALID, "priority: must be 0 to %d",
		               EW_PRIORITIES_MAX - 1);
	if (spec->weight < 1 || spec->weight > EW_WEIGHT_MAX)
		return err_set(err, ERR_INVALID, "weight: must be 1 to %d", EW_WEIGHT_MAX);
	if (spec->network.len == 0 && spec->addr.port == 0)
		return err_set(err, ERR_INVALID, "port: must be 1 to 65535");
	return true;
}

static bool draft_endpoint(const struct ew_endpoint_spec *spec, struct ew_names *names,
                           struct draft *draft, struct err *err)
{
	struct ew_endpoint *endpoint = &draft->endpoint;
	if (!check_endpoint(spec, err))
		return false;
	if (!ew_names_add(names, spec->network, &endpoint->network, err))
		return err_wrap(err, "network");
	if (!ew_names_add(names, spec->cluster, &endpoint->cluster, err))
		return err_wrap(err, "cluster");
	if (!ew_names_add(names, spec->locality, &draft->locality, err))
		return err_wrap(err, "locality");
	if (endpoint->network == EW_NAME_NONE) {
		endpoint->ip = spec->addr.ip;
		endpoint->port = spec->addr.port;
	}
	endpoint->healthy = spec->healthy;
	endpoint->weight = spec->weight;
	draft->priority = (uint8_t)spec->priority;
	return true;
}

static uint32_t count_groups(const struct draft *drafts, size_t n)
{
	uint32_t groups = 0;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || drafts[i].priority != drafts[i - 1].priority ||
		    drafts[i].locality != drafts[i - 1].locality)
			groups++;
	}
	return groups;
}

/* The bytes behind the head: groups, endpoints, name. */
static struct ew_route *fill(const struct draft *drafts, size_t n, struct str sni)
{
	uint32_t n_groups = count_groups(drafts, n);
	size_t groups_at = sizeof(struct ew_route);
	size_t endpoints_at = groups_at + n_groups * sizeof(struct ew_group);
	size_t sni_at = endpoints_at + n * sizeof(struct ew_endpoint);
	char *bytes = xcalloc(1, sni_at + sni.len + 1);
	struct ew_route *route = (void *)bytes;
	struct ew_group *groups = (void *)(bytes + groups_at);
	struct ew_endpoint *endpoints = (void *)(bytes + endpoints_at);
	uint32_t g = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool same = g > 0 && groups[g - 1].priority == drafts[i].priority &&
		            groups[g - 1].locality == drafts[i].locality;
		if (!same)
			groups[g++] = (struct ew_group){.priority = drafts[i].priority,
			                                .locality = drafts[i].locality,
			                                .first = i};
		groups[g - 1].n++;
		endpoints[i] = drafts[i].endpoint;
	}
	for (size_t i = 0; i < sni.len; i++)
		bytes[sni_at + i] =
			(char)(sni.ptr[i] >= 'A' && sni.ptr[i] <= 'Z' ? sni.ptr[i] - 'A' + 'a'
		                                                      : sni.ptr[i]);
	static _Atomic uint64_t last_id;
	route->refs = 1;
	route->id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
	route->groups = groups;
	route->endpoints = endpoints;
	route->sni = bytes + sni_at;
	route->sni_len = (uint8_t)sni.len;
	route->hash = ew_table_hash(str_make(route->sni, sni.len));
	route->n_groups = n_groups;
	route->n_endpoints = (uint32_t)n;
	route->n_priorities = n > 0 ? (uint8_t)(drafts[n - 1].priority + 1) : 0;
	return route;
}

static bool set_weights(struct ew_route *route, const struct ew_route_spec *spec,
                        struct ew_names *names, struct err *err)
{
	/* the route is still ours alone */
	struct ew_group *groups = (struct ew_group *)(void *)((char *)route + sizeof(*route));
	for (size_t i = 0; i < spec->n_weights; i++) {
		const struct ew_group_weight *weight = &spec->weights[i];
		uint16_t locality;
		if (weight->weight > EW_WEIGHT_MAX)
			return err_set(err, ERR_INVALID, "weight: must be 0 to %d", EW_WEIGHT_MAX);
		if (!ew_names_add(names, weight->locality, &locality, err))
			return err_wrap(err, "locality");
		for (uint32_t g = 0; g < route->n_groups; g++) {
			if (groups[g].locality == locality &&
			    groups[g].priority == weight->priority)
				groups[g].weight = weight->weight;
		}
	}
	return true;
}

bool ew_route_spec_check(const struct ew_route_spec *spec, struct err *err)
{
	const struct ew_outlier_policy *outlier = &spec->policy.outlier;
	const struct {
		const char *field;
		uint32_t value;
		uint32_t min;
		uint32_t max;
	} rows[] = {
		{"connectTimeout", spec->connect_ms, 0, EW_TIMEOUT_MAX_MS},
		{"idleTimeout", spec->idle_ms, 0, EW_TIMEOUT_MAX_MS},
		{"minHealthPercent", spec->policy.panic_percent, 0, 100},
		{"interval", outlier->interval_ms, outlier->consecutive > 0, EW_TIMEOUT_MAX_MS},
		{"baseEjectionTime", outlier->base_ms, 0, EW_TIMEOUT_MAX_MS},
		{"maxEjectionPercent", outlier->max_percent, 0, 100},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
			return err_set(err, ERR_INVALID, "%s: must be %u to %u", rows[i].field,
			               rows[i].min, rows[i].max);
	}
	return true;
}

static bool check_spec(const struct ew_route_spec *spec, struct str sni, struct err *err)
{
	if (sni.len == 0 || sni.len > EW_NAME_LEN_MAX)
		return err_set(err, ERR_INVALID, "sni: must have 1 to %d characters",
		               EW_NAME_LEN_MAX);
	if (spec->n_endpoints > EW_ROUTE_ENDPOINTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "endpoints: more than %d",
		               EW_ROUTE_ENDPOINTS_MAX);
	return ew_route_spec_check(spec, err);
}

bool ew_route_create(const struct ew_route_spec *spec, struct ew_names *names,
                     struct ew_route **ret_route, struct err *err)
{
	struct str sni = spec->sni;
	if (sni.len > 1 && sni.ptr[sni.len - 1] == '.')
		sni.len--;
	if (!check_spec(spec, sni, err))
		return false;
	struct draft *drafts = xcalloc(spec->n_endpoints + 1, sizeof(*drafts));
	bool ok = true;
	for (size_t i = 0; ok && i < spec->n_endpoints; i++) {
		drafts[i].order = (uint32_t)i;
		ok = draft_endpoint(&spec->endpoints[i], names, &drafts[i], err) ||
		     err_wrap(err, "endpoints[%zu]", i);
	}
	if (ok) {
		qsort(drafts, spec->n_endpoints, sizeof(*drafts), by_group);
		struct ew_route *route = fill(drafts, spec->n_endpoints, sni);
		route->exposed = spec->exposed;
		route->weighted = spec->weighted;
		route->connect_ms = spec->connect_ms;
		route->idle_ms = spec->idle_ms;
		route->policy = spec->policy;
		ok = set_weights(route, spec, names, err) || err_wrap(err, "localityWeights");
		if (ok)
			*ret_route = route;
		else
			ew_route_unref(route);
	}
	free(drafts);
	return ok;
}

void ew_route_unref(struct ew_route *route)
{
	if (route == NULL || atomic_fetch_sub_explicit(&route->refs, 1, memory_order_acq_rel) > 1)
		return;
	ew_traffic_unref(route->traffic);
	free(route);
}

void ew_network_unref(struct ew_network *network)
{
	if (network == NULL ||
	    atomic_fetch_sub_explicit(&network->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < network->n_gateways; i++)
		ew_health_unref(network->gateways[i].health);
	free(network->gateways);
	free(network);
}
