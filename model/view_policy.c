/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which locality policy is in force and what it does to endpoints: "order is the policy's alone".
 * Source: istiod's applyLocalityFailover, applyFailoverPriorities and applyLocalityWeight, where
 * ours differs only in that distribute leaves groups in place and that pods behind a gateway keep
 * their labels for failoverPriority.
 */
#include "view_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "model/lb.h"

const char *view_mode_text(enum view_mode mode)
{
	static const char *const texts[] = {"none", "locality", "failover", "failoverPriority",
	                                    "distribute"};

	return texts[mode];
}

static enum view_mode mode_of(const struct locality_setting *setting, bool ordered)
{
	if (!setting->present || !setting->enabled)
		return VIEW_MODE_NONE;
	if (setting->n_distribute > 0)
		return VIEW_MODE_DISTRIBUTE;
	if (!ordered)
		return VIEW_MODE_NONE;
	if (setting->n_priority > 0)
		return VIEW_MODE_PRIORITY;
	return setting->n_failover > 0 ? VIEW_MODE_FAILOVER : VIEW_MODE_LOCALITY;
}

void view_policy_choose(const struct mesh *mesh, const struct mesh_service *service,
                        struct view_route *route)
{
	const struct mesh_settings *settings = &mesh->settings;
	struct traffic_policy *p = &route->policy;

	*p = policy_effective(service->policy, route->port, route->subset, &route->policy_field);
	if (p->locality.present) {
		route->policy_source = xasprintf("DestinationRule %s", service->policy->key);
	} else if (settings->locality.present) {
		p->locality = settings->locality;
		route->policy_source = xstrdup("Mesh default");
		route->policy_field = "spec.localityLbSetting";
	} else {
		route->policy_source = xstrdup("");
	}
	route->mode = mode_of(&p->locality,
	                      settings->failover == FAILOVER_LIVENESS || p->outlier.present);
	route->panic_percent = p->outlier.present ? p->outlier.min_health_percent : 0;
}

static uint32_t failover_rank(const struct view *view, const struct locality_setting *setting,
                              const struct locality *locality)
{
	uint32_t rank = locality_rank(view->locality, locality);

	for (size_t i = 0; i < setting->n_failover; i++) {
		if (strcmp(setting->failover[i].from, view->locality->region) != 0)
			continue;
		if (rank == LOCALITY_ELSEWHERE &&
		    strcmp(setting->failover[i].to, locality->region) != 0)
			return LOCALITY_ELSEWHERE + 1;
		break;
	}
	return rank;
}

/* A label that Istio gives to proxies and endpoints; NULL: not one of those. */
static const char *topology_label(const char *key, const char *network, const char *cluster,
                                  const struct locality *locality)
{
	if (strcmp(key, "topology.istio.io/network") == 0)
		return network;
	if (strcmp(key, "topology.istio.io/cluster") == 0)
		return cluster;
	if (strcmp(key, "topology.kubernetes.io/region") == 0)
		return locality->region;
	if (strcmp(key, "topology.kubernetes.io/zone") == 0)
		return locality->zone;
	if (strcmp(key, "topology.istio.io/subzone") == 0)
		return locality->subzone;
	return NULL;
}

static bool label_matches(const struct view *view, const struct priority_label *label,
                          const struct view_item *item)
{
	const char *want = label->value;
	const char *have = topology_label(label->key, item->cluster->network, item->cluster->name,
	                                  item->locality);

	if (want == NULL)
		want = topology_label(label->key, view->network, view->cluster, view->locality);
	if (have == NULL)
		have = labels_find(item->labels, label->key);
	return strcmp(want != NULL ? want : "", have != NULL ? have : "") == 0;
}

static uint32_t label_rank(const struct view *view, const struct locality_setting *setting,
                           const struct view_item *item)
{
	uint32_t n = (uint32_t)setting->n_priority, extra = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (label_matches(view, &setting->priority[i], item))
			continue;
		/* The network as the first label puts others below, in the order of the rest. */
		if (i > 0 || strcmp(setting->priority[0].key, "topology.istio.io/network") != 0)
			return extra + n - i;
		extra = n;
	}
	return extra;
}

static uint32_t rank_of(const struct view *view, const struct view_route *route,
                        const struct view_item *item)
{
	const struct locality_setting *setting = &route->policy.locality;
	uint32_t rank;

	switch (route->mode) {
	case VIEW_MODE_NONE:
	case VIEW_MODE_DISTRIBUTE:
		return 0;
	case VIEW_MODE_LOCALITY:
		return locality_rank(view->locality, item->locality);
	case VIEW_MODE_FAILOVER:
		return failover_rank(view, setting, item->locality);
	case VIEW_MODE_PRIORITY:
		rank = label_rank(view, setting, item);
		if (setting->n_failover == 0)
			return rank;
		return rank * 5 + failover_rank(view, setting, item->locality);
	}
	UNREACHABLE("mode of a route");
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t view_policy_order(const struct view *view, const struct view_route *route,
                           struct view_item *items, size_t n)
{
	uint32_t *ranks = xcalloc(n + 1, sizeof(ranks[0]));
	uint32_t used = 0;

	for (size_t i = 0; i < n; i++)
		ranks[i] = items[i].priority = rank_of(view, route, &items[i]);
	if (n > 1)
		qsort(ranks, n, sizeof(ranks[0]), by_value);
	for (size_t i = 0; i < n; i++) {
		if (used == 0 || ranks[used - 1] != ranks[i])
			ranks[used++] = ranks[i];
	}
	for (size_t i = 0; i < n; i++) {
		const uint32_t *at =
			bsearch(&items[i].priority, ranks, used, sizeof(ranks[0]), by_value);
		uint32_t priority = (uint32_t)(at - ranks);

		items[i].priority = priority < LB_PRIORITIES_MAX ? priority : LB_PRIORITIES_MAX - 1;
	}
	free(ranks);
	return used < LB_PRIORITIES_MAX ? used : LB_PRIORITIES_MAX;
}

static uint64_t group_size(const struct view_group *group)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < group->n_endpoints; i++)
		sum += group->endpoints[i].weight;
	return sum;
}

/* The groups a rule matches share its percent by their sizes, rounded up; a group belongs to the
 * first rule that matches it. */
static void weigh_rule(struct view_route *route, const struct distribute_to *to, bool *taken)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < route->n_groups; i++) {
		if (!taken[i] &&
		    locality_rule_matches(str_from(to->rule), route->groups[i].locality))
			sum += group_size(&route->groups[i]);
	}
	for (size_t i = 0; i < route->n_groups; i++) {
		struct view_group *group = &route->groups[i];

		if (taken[i] || !locality_rule_matches(str_from(to->rule), group->locality))
			continue;
		taken[i] = true;
		group->weight = (uint32_t)((group_size(group) * to->percent + sum - 1) / sum);
	}
}

void view_policy_weigh(const struct view *view, struct view_route *route)
{
	const struct locality_setting *setting = &route->policy.locality;

	if (route->mode != VIEW_MODE_DISTRIBUTE)
		return;
	for (size_t i = 0; i < setting->n_distribute; i++) {
		const struct distribute *rule = &setting->distribute[i];

		if (!locality_rule_matches(str_from(rule->from), view->locality))
			continue;
		bool *taken = xcalloc(route->n_groups + 1, sizeof(taken[0]));

		route->weighted = true;
		for (size_t k = 0; k < rule->n_to; k++)
			weigh_rule(route, &rule->to[k], taken);
		free(taken);
		return;
	}
}
