/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gateway hides the endpoints behind it, so that callers of other networks cannot see that they
 * are dead. Its word on them goes to route_health, and the verdict into the mesh: there the
 * endpoints are not ready for others, and callers fail over by their own arithmetic.
 */
#include "control_priv.h"

#include <stdio.h>

#include "base/log.h"
#include "model/sni.h"

enum {
	WHY_MAX = 300,
	GATEWAY_MAX = 200
};

static void on_change(const struct route_verdict *verdict, void *arg)
{
	struct control *control = arg;
	char why[WHY_MAX];
	snprintf(why, sizeof(why),
	         "ready, but gateway %s of their own network can connect to none of them",
	         verdict->gateway);
	struct mesh_outage outage = {verdict->network, verdict->sni, why};
	if (verdict->withdrawn) {
		mesh_builder_set_outage(control->builder, &outage);
		metrics_add(control->route_withdrawals, 1);
		log_warn("control",
		         "endpoints withdrawn for other networks  route=%s network=%s: %s",
		         verdict->sni, verdict->network, why);
	} else {
		mesh_builder_remove_outage(control->builder, verdict->network, verdict->sni);
		log_info("control", "endpoints count again  route=%s network=%s", verdict->sni,
		         verdict->network);
	}
	metrics_set(control->routes_withdrawn, (int64_t)control->routes.n_withdrawn);
	control_publish_soon(control);
}

static bool is_service(const char *sni)
{
	struct sni parsed;
	return sni_parse(str_from(sni), &parsed) && parsed.kind == SNI_SERVICE;
}

static void judge_within(struct control *control, int64_t in_ms)
{
	if (!loop_timer_is_set(&control->judge_routes))
		loop_timer_set(&control->judge_routes, in_ms);
}

void control_on_routes(const struct ads_instance *instance, const char *process,
                       const struct ads_route_state *routes, size_t n, void *arg)
{
	struct control *control = arg;
	char gateway[GATEWAY_MAX];
	const struct member *member = world_member(&control->world, instance->cluster);
	if (member == NULL || member->spec.network == NULL || member->spec.network[0] == '\0')
		return;
	snprintf(gateway, sizeof(gateway), "%s (%s)", instance->gateway, instance->cluster);
	for (size_t i = 0; i < n; i++) {
		struct route_word word = {
			.network = member->spec.network,
			.sni = routes[i].sni,
			.reporter = process,
			.gateway = gateway,
			.usable = routes[i].usable,
		};
		if (is_service(word.sni))
			route_health_hear(&control->routes, &word, loop_now_ms(control->loop));
	}
	if (map_len(&control->routes.routes) > 0)
		judge_within(control, CONTROL_JUDGE_MS);
}

/* Reports judge their own routes; here what is due without one: silence, and time. */
static void on_judge(void *arg)
{
	struct control *control = arg;
	int64_t now_ms = loop_now_ms(control->loop);
	int64_t next_ms;
	route_health_judge(&control->routes, now_ms, &next_ms);
	if (next_ms >= 0)
		judge_within(control, next_ms - now_ms > CONTROL_JUDGE_MS ? next_ms - now_ms
		                                                          : CONTROL_JUDGE_MS);
}

void control_outages_init(struct control *control)
{
	route_health_init(&control->routes, on_change, control);
	loop_timer_init(&control->judge_routes, control->loop, on_judge, control);
}

void control_outages_fini(struct control *control)
{
	loop_timer_fini(&control->judge_routes);
	route_health_fini(&control->routes);
}
