/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route's trafficPolicy: the names of a DestinationRule, as far as they mean something here, and
 * by model's arithmetic where one is needed. Unlike in a DestinationRule an unknown key is an
 * error.
 */
#include "model/policy.h"
#include "table/config_priv.h"

enum {
	INTERVAL_MS = 10000,
	BASE_EJECTION_MS = 30000,
	MAX_EJECTION_PERCENT = 10
};

/* An absent one leaves *ret_ms. */
static bool read_time(const struct ew_config_at *at, const char *key, uint32_t min,
                      uint32_t *ret_ms)
{
	struct str text = STR_NULL;
	uint64_t ms;
	if (!ew_config_text(at, key, false, &text))
		return false;
	if (text.ptr == NULL)
		return true;
	if (!str_to_duration_ms(text, &ms) || ms < min || ms > EW_TIMEOUT_MAX_MS)
		return ew_config_fail(at, key, "must be a duration like 250ms or 10s, %s24h",
		                      min > 0 ? "over 0 and at most " : "at most ");
	*ret_ms = (uint32_t)ms;
	return true;
}

/* --- loadBalancer ----------------------------------------------------------------------------- */

static bool read_simple(const struct ew_config_at *at, enum ew_lb *ret_lb)
{
	static const struct {
		const char *name;
		enum ew_lb lb;
	} rows[] = {
		{"ROUND_ROBIN", EW_LB_ROUND_ROBIN},
		{"LEAST_REQUEST", EW_LB_LEAST_CONNECTIONS},
		{"LEAST_CONN", EW_LB_LEAST_CONNECTIONS},
		{"RANDOM", EW_LB_RANDOM},
	};
	struct str name = STR_NULL;
	if (!ew_config_text(at, "simple", false, &name))
		return false;
	if (name.ptr == NULL)
		return true;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (!str_is(name, rows[i].name))
			continue;
		*ret_lb = rows[i].lb;
		return true;
	}
	return ew_config_fail(at, "simple",
	                      "must be ROUND_ROBIN, LEAST_REQUEST, LEAST_CONN or RANDOM");
}

static bool read_hash(const struct ew_config_at *at, enum ew_lb *ret_lb)
{
	static const char *const known[] = {"useSourceIp", NULL};
	struct ew_config_at object;
	bool on = false;
	if (!ew_config_object(at, "consistentHash", &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) || !ew_config_bool(&object, "useSourceIp", &on))
		return false;
	if (on && json_object_get(at->value, "simple") != NULL)
		return ew_config_fail(at, "consistentHash", "has no meaning beside simple");
	if (on)
		*ret_lb = EW_LB_SOURCE_IP;
	return true;
}

static bool read_lb(const struct ew_config_at *at, struct ew_route_spec *route)
{
	static const char *const known[] = {"simple", "consistentHash", NULL};
	struct ew_config_at object;
	if (!ew_config_object(at, "loadBalancer", &object))
		return false;
	return object.value == NULL ||
	       (ew_config_keys(&object, known) && read_simple(&object, &route->policy.lb) &&
	        read_hash(&object, &route->policy.lb));
}

/* --- connectionPool --------------------------------------------------------------------------- */

static bool read_pool(const struct ew_config_at *at, struct ew_route_spec *route)
{
	static const char *const known[] = {"tcp", NULL};
	static const char *const known_tcp[] = {"maxConnections", "connectTimeout", "idleTimeout",
	                                        NULL};
	struct ew_config_at object;
	struct ew_config_at tcp;
	if (!ew_config_object(at, "connectionPool", &object))
		return false;
	if (object.value == NULL)
		return true;
	if (!ew_config_keys(&object, known) || !ew_config_object(&object, "tcp", &tcp))
		return false;
	return tcp.value == NULL || (ew_config_keys(&tcp, known_tcp) &&
	                             ew_config_number(&tcp, "maxConnections", 1, INT32_MAX,
	                                              &route->policy.max_connections) &&
	                             read_time(&tcp, "connectTimeout", 1, &route->connect_ms) &&
	                             read_time(&tcp, "idleTimeout", 1, &route->idle_ms));
}

/* --- outlierDetection ------------------------------------------------------------------------- */

static bool read_limit(const struct ew_config_at *at, uint32_t *ret_limit)
{
	struct outlier_limits limits = {.errors_5xx = 5, .local = 5};
	if (!ew_config_number(at, "consecutive5xxErrors", 0, INT32_MAX, &limits.errors_5xx) ||
	    !ew_config_number(at, "consecutiveGatewayErrors", 0, INT32_MAX, &limits.gateway) ||
	    !ew_config_number(at, "consecutiveLocalOriginFailures", 0, INT32_MAX, &limits.local) ||
	    !ew_config_bool(at, "splitExternalLocalOriginErrors", &limits.split))
		return false;
	*ret_limit = outlier_limit(&limits);
	return true;
}

static bool read_outlier(const struct ew_config_at *at, struct ew_route_spec *route)
{
	static const char *const known[] = {"consecutive5xxErrors",
	                                    "consecutiveGatewayErrors",
	                                    "consecutiveLocalOriginFailures",
	                                    "splitExternalLocalOriginErrors",
	                                    "interval",
	                                    "baseEjectionTime",
	                                    "maxEjectionPercent",
	                                    "minHealthPercent",
	                                    NULL};
	struct ew_outlier_policy *outlier = &route->policy.outlier;
	struct ew_config_at object;
	if (!ew_config_object(at, "outlierDetection", &object))
		return false;
	if (object.value == NULL)
		return true;
	outlier->interval_ms = INTERVAL_MS;
	outlier->base_ms = BASE_EJECTION_MS;
	outlier->max_percent = MAX_EJECTION_PERCENT;
	return ew_config_keys(&object, known) && read_limit(&object, &outlier->consecutive) &&
	       read_time(&object, "interval", 1, &outlier->interval_ms) &&
	       read_time(&object, "baseEjectionTime", 1, &outlier->base_ms) &&
	       ew_config_number(&object, "maxEjectionPercent", 0, 100, &outlier->max_percent) &&
	       ew_config_number(&object, "minHealthPercent", 0, 100, &route->policy.panic_percent);
}

bool ew_config_read_policy(const struct ew_config_at *at, struct ew_route_spec *route)
{
	static const char *const known[] = {"loadBalancer", "connectionPool", "outlierDetection",
	                                    NULL};
	struct ew_config_at object;
	if (!ew_config_object(at, "trafficPolicy", &object))
		return false;
	return object.value == NULL || (ew_config_keys(&object, known) && read_lb(&object, route) &&
	                                read_pool(&object, route) && read_outlier(&object, route));
}
