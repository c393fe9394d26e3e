/* SPDX-License-Identifier: Apache-2.0 */
/*
 * health - what of a route can be used, once pods and gateways are looked at together. Explanations
 * and MeshService status use the same functions.
 */
#pragma once

#include "model/lb.h"
#include "model/view.h"

/* Why a view's endpoint cannot be used now. */
enum health {
	HEALTH_OK,
	HEALTH_NOT_READY,  /* the pods say so */
	HEALTH_REFUSING,   /* the pods say they are, but the gateways of their network cannot
	                    * connect to them */
	HEALTH_NO_GATEWAY, /* its network has no gateway address */
	HEALTH_DEAD        /* it has, and none is live */
};
/* "Healthy", "NotReady", "NotAnswering", "NoGateway", "GatewayDead". */
const char *health_text(enum health health);
/* Cause code, "" for HEALTH_OK. */
const char *health_code(enum health health);

enum health health_of_endpoint(const struct view *view, const struct view_endpoint *endpoint);
/* Of a remote network for one of its clusters: its own gateways count, else any of the network. */
enum health health_of_network(const struct mesh_network *network, const char *cluster);
/* The gateway is among those that carry traffic for that cluster. */
bool health_uses_gateway(const struct mesh_network *network, const struct mesh_gateway *gateway,
                         const char *cluster);

/* Ready endpoints of a service's part that callers of other networks reach: none if its network is
 * joined and no gateway of it is live, or if its endpoints answer on no port. */
uint32_t health_ready_of_part(const struct mesh *mesh, const struct mesh_service *service,
                              const struct mesh_part *part);

/* Fills n_priorities levels with total, healthy, health, load. levels has LB_PRIORITIES_MAX. */
bool health_spread(const struct view *view, const struct view_route *route,
                   struct lb_level levels[LB_PRIORITIES_MAX]);

/* A group's part of the traffic of its priority, in millionths, by the weights of localities if the
 * route is weighted, else by healthy endpoints. */
uint32_t health_group_share(const struct view *view, const struct view_route *route,
                            const struct view_group *group);
