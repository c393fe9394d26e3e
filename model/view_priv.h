/* SPDX-License-Identifier: Apache-2.0 */
/* The steps from a merged service to its routes in a view. */
#pragma once

#include "model/view.h"

/* Routes of the service for the view's consumer; uses the view's key, joined and mesh. Owned; NULL
 * if the consumer has nothing to do with the service. */
struct view_service *view_service_create(const struct view *view, struct mesh_service *service);
bool view_service_eq(const struct view_service *a, const struct view_service *b);

/* The network is the own one, or seen through the interconnect. */
bool view_sees_network(const struct view *view, const char *network);

/* What is in force for the route: sets policy, policy_source, policy_field, mode, panic_percent. */
void view_policy_choose(const struct mesh *mesh, const struct mesh_service *service,
                        struct view_route *route);

/* One endpoint on its way into a group. */
struct view_item {
	struct view_endpoint endpoint;
	const struct locality *locality;
	const struct mesh_cluster *cluster;
	const struct labels *labels;
	uint32_t priority;
};

/* Sets the priority of each item, without holes from 0. Returns how many there are. */
uint32_t view_policy_order(const struct view *view, const struct view_route *route,
                           struct view_item *items, size_t n);
/* Sets the groups' weights if a rule of distribute is for this consumer. */
void view_policy_weigh(const struct view *view, struct view_route *route);

bool view_groups_eq(const struct view_route *a, const struct view_route *b);
/* What CDS tells, without endpoints. */
bool view_definition_eq(const struct view_route *a, const struct view_route *b);
