/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/alloc.h"
#include "model/policy.h"

#define LOCALITY_FIELD "trafficPolicy.loadBalancer.localityLbSetting"

const struct policy_subset *policy_find_subset(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_subsets; i++) {
		if (strcmp(policy->subsets[i].name, name) == 0)
			return &policy->subsets[i];
	}
	return NULL;
}

static const struct traffic_policy *find_port(const struct policy_port *ports, size_t n,
                                              uint16_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (ports[i].number == number)
			return &ports[i].policy;
	}
	return NULL;
}

/* What the narrower one says replaces; its silence keeps. */
static void merge(struct traffic_policy *to, const struct traffic_policy *from, const char *field,
                  const char **ret_field)
{
	if (from->has_lb) {
		to->has_lb = true;
		to->lb = from->lb;
		to->locality = from->locality;
		*ret_field = from->locality.present ? field : "";
	}
	if (from->outlier.present)
		to->outlier = from->outlier;
	if (from->tcp.present)
		to->tcp = from->tcp;
}

struct traffic_policy policy_effective(const struct policy *policy, uint16_t port,
                                       const char *subset, const char **ret_field)
{
	struct traffic_policy out = {0};
	const struct traffic_policy *at_port;

	*ret_field = "";
	if (policy == NULL)
		return out;
	at_port = find_port(policy->ports, policy->n_ports, port);
	if (at_port != NULL)
		merge(&out, at_port, "spec.trafficPolicy.portLevelSettings", ret_field);
	else
		merge(&out, &policy->policy, "spec." LOCALITY_FIELD, ret_field);
	const struct policy_subset *sub =
		subset[0] != '\0' ? policy_find_subset(policy, subset) : NULL;

	if (sub == NULL)
		return out;
	at_port = find_port(sub->ports, sub->n_ports, port);
	if (at_port != NULL)
		merge(&out, at_port, "spec.subsets.trafficPolicy.portLevelSettings", ret_field);
	else
		merge(&out, &sub->policy, "spec.subsets." LOCALITY_FIELD, ret_field);
	return out;
}

char *policy_full_host(const struct policy *policy, const char *cluster_domain)
{
	if (strchr(policy->host, '.') != NULL || strchr(policy->host, '*') != NULL)
		return xstrdup(policy->host);
	return xasprintf("%s.%s.svc.%s", policy->host, policy->ns, cluster_domain);
}

bool policy_host_matches(const char *rule_host, const char *service_host)
{
	struct str host = str_from(service_host);

	if (rule_host[0] != '*')
		return strcmp(rule_host, service_host) == 0;
	struct str suffix = str_from(rule_host + 1);

	return host.len > suffix.len && str_ends_with(host, suffix);
}
