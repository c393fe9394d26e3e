/* SPDX-License-Identifier: Apache-2.0 */
/* The candidates of an explanation. */
#pragma once

#include "model/explain.h"
#include "model/health.h"

struct explaining {
	const struct view *view;
	const struct mesh_service *service;
	const struct mesh_port *port;
	const char *subset;
	const struct view_route *route; /* NULL: the consumer has none */
	struct view_route in_force;     /* the policy with its locality setting */
	struct lb_level levels[LB_PRIORITIES_MAX];
	bool usable;
	json_t *candidates;
	size_t n_dropped; /* candidates beyond the limit */
};

/* What the route offers: pods of the own network, gateways of the others. */
void explain_add_offered(struct explaining *ex);
/* What is in no route, with the reason. */
void explain_add_left_out(struct explaining *ex);
