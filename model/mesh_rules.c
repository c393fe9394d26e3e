/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh_rules_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

#define ROOT_NAMESPACE "istio-system"

/* Wildcards before the rest, long before short; then the oldest, then the name. */
static int rule_cmp(const void *a, const void *b)
{
	const struct mesh_rule *x = a, *y = b;
	size_t x_len = x->host[0] == '*' ? strlen(x->host) : 0;
	size_t y_len = y->host[0] == '*' ? strlen(y->host) : 0;

	if (x_len != y_len)
		return x_len > y_len ? -1 : 1;
	if (x->policy->created_s != y->policy->created_s)
		return x->policy->created_s < y->policy->created_s ? -1 : 1;
	return strcmp(x->policy->key, y->policy->key);
}

void mesh_rules_init(struct mesh_rules *rules, struct tree *policies, const char *cluster_domain)
{
	struct tree_iter it;

	*rules = (struct mesh_rules){0};
	rules->list = xcalloc(tree_len(policies) + 1, sizeof(rules->list[0]));
	for (struct policy *p = tree_first(&it, policies); p != NULL; p = tree_next(&it))
		rules->list[rules->n++] =
			(struct mesh_rule){policy_full_host(p, cluster_domain), p};
	if (rules->n > 1)
		qsort(rules->list, rules->n, sizeof(rules->list[0]), rule_cmp);
	for (size_t i = 0; i < rules->n; i++) {
		struct mesh_rule *rule = &rules->list[i];

		if (rule->host[0] == '*') {
			rules->n_wildcards++;
			continue;
		}
		CLEANUP(free_ptr) char *key = xasprintf("%s|%s", rule->policy->ns, rule->host);

		if (map_find_text(&rules->exact, key) == NULL)
			map_set(&rules->exact, str_from(key), rule->policy);
	}
}

void mesh_rules_fini(struct mesh_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++)
		free(rules->list[i].host);
	free(rules->list);
	map_fini(&rules->exact, NULL);
}

struct policy *mesh_rules_find(const struct mesh_rules *rules, struct str ns, const char *host)
{
	const struct str places[2] = {ns, STR_LIT(ROOT_NAMESPACE)};

	for (size_t i = 0; i < 2; i++) {
		CLEANUP(free_ptr) char *key = xasprintf("%.*s|%s", STR_ARG(places[i]), host);
		struct policy *policy = map_find_text(&rules->exact, key);

		for (size_t k = 0; policy == NULL && k < rules->n_wildcards; k++) {
			if (str_is(places[i], rules->list[k].policy->ns) &&
			    policy_host_matches(rules->list[k].host, host))
				policy = rules->list[k].policy;
		}
		if (policy != NULL)
			return policy;
	}
	return NULL;
}
