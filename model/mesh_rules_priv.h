/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh_rules - which DestinationRule is in force for a service. Made once a build; borrows the
 * policies.
 */
#pragma once

#include "base/map.h"
#include "model/policy.h"
#include "model/tree.h"

struct mesh_rule {
	char *host; /* full */
	struct policy *policy;
};

struct mesh_rules {
	struct mesh_rule *list;
	size_t n;
	struct map exact;   /* "NAMESPACE|HOST" → struct policy, the oldest */
	size_t n_wildcards; /* they stand first in list, the longest first */
};

void mesh_rules_init(struct mesh_rules *rules, struct tree *policies, const char *cluster_domain);
void mesh_rules_fini(struct mesh_rules *rules);
/* Rules of the service's own namespace, then of the root namespace, as istiod looks: first an equal
 * host, then the longest wildcard; of two the older. Borrowed; NULL: none. */
struct policy *mesh_rules_find(const struct mesh_rules *rules, struct str ns, const char *host);
