/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ads asks of control, and what it tells: where a gateway stands, who is connected, what
 * gateways see of each other.
 */
#include "control_priv.h"

#include <stdio.h>

#include "base/log.h"

enum {
	REPORTER_MAX = 300
};

/* NULL: there is none, or it is being deleted. */
static const struct gateway_spec *gateway_of(const struct control *control, const char *cluster,
                                             const char *name)
{
	const struct gateway_spec *gateway = map_find_text(&control->world.gateways, name);
	bool is_there =
		gateway != NULL && !gateway->deleting && strcmp(gateway->cluster, cluster) == 0;
	return is_there ? gateway : NULL;
}

static bool find_gateway(const char *cluster, const char *name, const char **ret_network,
                         const struct locality **ret_locality, void *arg, struct err *err)
{
	struct control *control = arg;
	const struct member *member = world_member(&control->world, cluster);
	if (!control->started)
		return err_set(err, ERR_UNAVAILABLE, "the control plane is reading its objects");
	if (member == NULL || member->leave >= MEMBER_CLEANING)
		return err_set(err, ERR_FORBIDDEN, "cluster '%s' is not a member", cluster);
	if (gateway_of(control, cluster, name) == NULL)
		return err_set(err, ERR_FORBIDDEN,
		               "cluster '%s' has no EastWestGateway '%s': create it first", cluster,
		               name);
	*ret_network = member->spec.network;
	*ret_locality = member->spec.locality;
	return true;
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	struct control *control = arg;
	const struct member *member = world_member(&control->world, cluster);
	if (!control->started)
		return err_set(err, ERR_UNAVAILABLE, "the control plane is reading its objects");
	if (member == NULL)
		return err_set(err, ERR_FORBIDDEN, "there is no Cluster '%s'", cluster);
	if (member->leave >= MEMBER_CLEANING)
		return err_set(err, ERR_FORBIDDEN, "cluster '%s' has left", cluster);
	return true;
}

bool control_cluster_may(struct control *control, const char *cluster, struct err *err)
{
	return cluster_may(cluster, control, err);
}

static bool gateway_exists(const char *cluster, const char *name, void *arg)
{
	return gateway_of(arg, cluster, name) != NULL;
}

static bool service_is_lost(const char *key, void *arg)
{
	struct control *control = arg;
	const json_t *obj = control_object(control, KIND_SERVICE, key);
	return obj != NULL && status_service_is_lost(obj, &control->world);
}

/* --- what is told -------------------------------------------------------------------------------
 */

static void on_instance(const struct ads_instance *instance, bool connected, void *arg)
{
	struct control *control = arg;
	char reporter[REPORTER_MAX];
	struct inventory_instance seen = {
		.cluster = str_lend(instance->cluster),
		.gateway = str_lend(instance->gateway),
		.name = str_lend(instance->instance),
		.version = str_lend(instance->version),
		.mark = instance->mark,
		.connected = connected,
		.seen_ms = loop_now_ms(control->loop),
		.cert_not_after_s = instance->cert_not_after_s,
	};
	inventory_see(&control->world.inventory, &seen);
	if (!connected) {
		snprintf(reporter, sizeof(reporter), "%s/%s", instance->cluster, instance->gateway);
		health_forget_reporter(&control->world.health, reporter);
		control_judge_soon(control);
	}
	control_enqueue(control, KIND_GATEWAY, instance->gateway, 0);
	control_enqueue(control, KIND_MESH, "default", 0);
}

/* The Mesh counts who is current; many become so at once. */
static void on_current(void *arg)
{
	control_enqueue(arg, KIND_MESH, "default", CONTROL_COUNT_MS);
}

static void on_nack(const struct ads_instance *instance, const char *resource, const char *message,
                    void *arg)
{
	(void)arg;
	log_warn("control", "gateway %s of %s refuses '%s': %s", instance->gateway,
	         instance->cluster, resource, message);
}

static void on_report(const struct ads_instance *instance,
                      const struct ads_address_health *addresses, size_t n, void *arg)
{
	struct control *control = arg;
	char reporter[REPORTER_MAX];
	int64_t now_ms = loop_now_ms(control->loop);
	snprintf(reporter, sizeof(reporter), "%s/%s", instance->cluster, instance->gateway);
	for (size_t i = 0; i < n; i++)
		health_report(&control->world.health, addresses[i].address, addresses[i].port,
		              reporter, addresses[i].live, addresses[i].reason, now_ms);
	control_judge_soon(control);
}

static void on_judge(void *arg)
{
	struct control *control = arg;
	int64_t now_ms = loop_now_ms(control->loop);
	int64_t next_ms;
	if (health_judge(&control->world.health, now_ms, &next_ms)) {
		control_update_networks(control);
		control_enqueue_all(control, KIND_GATEWAY);
	}
	if (inventory_expire(&control->world.inventory, now_ms))
		control_enqueue_all(control, KIND_GATEWAY);
	if (next_ms >= 0)
		loop_timer_set(&control->judge, next_ms > now_ms ? next_ms - now_ms : 0);
}

void control_judge_soon(struct control *control)
{
	loop_timer_set(&control->judge, 0);
}

void control_hooks_init(struct control *control)
{
	loop_timer_init(&control->judge, control->loop, on_judge, control);
}

void control_hooks_fini(struct control *control)
{
	loop_timer_fini(&control->judge);
}

struct ads_control control_ads_hooks(struct control *control)
{
	return (struct ads_control){
		.find_gateway = find_gateway,
		.review = control_review,
		.cluster_may = cluster_may,
		.gateway_exists = gateway_exists,
		.service_is_lost = service_is_lost,
		.on_instance = on_instance,
		.on_current = on_current,
		.on_nack = on_nack,
		.on_report = on_report,
		.on_routes = control_on_routes,
		.arg = control,
	};
}
