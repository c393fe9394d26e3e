/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding of a DestinationRule. What has a meaning for bytes that nobody decrypts is taken; the
 * rest is named in notes, from which a controller makes a condition.
 */
#include "model/policy.h"

#include "notes_priv.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"

static const struct {
	const char *path;
	const char *why;
} meaningless[] = {
	{"connectionPool.http", "http settings do not apply to passed-through TLS"},
	{"tls", "TLS is the sidecars' own; a gateway does not touch it"},
	{"loadBalancer.consistentHash.httpHeaderName", "headers are not visible"},
	{"loadBalancer.consistentHash.httpCookie", "cookies are not visible"},
	{"loadBalancer.consistentHash.httpQueryParameterName", "queries are not visible"},
	{"loadBalancer.warmup", "warm-up is not done for connections"},
	{"loadBalancer.warmupDurationSecs", "warm-up is not done for connections"},
	{"loadBalancer.zoneAwareLbSetting", "zone aware routing is not supported"},
	{"proxyProtocol", "it would stand before the TLS of the sidecar"},
	{"tunnel", "it belongs to the sidecar"},
	{"retryBudget", "it belongs to the sidecar"},
};

static void note_meaningless(const json_t *obj, const char *where, struct notes *notes)
{
	for (size_t i = 0; i < N_ELEMS(meaningless); i++) {
		if (json_at(obj, meaningless[i].path) != NULL)
			notes_add(notes, "%s.%s: %s", where, meaningless[i].path,
			          meaningless[i].why);
	}
}

static enum lb_kind decode_lb(const json_t *obj, struct notes *notes)
{
	static const struct {
		const char *name;
		enum lb_kind kind;
	} simple[] = {
		{"UNSPECIFIED", LB_DEFAULT},
		{"LEAST_CONN", LB_LEAST_REQUEST},
		{"LEAST_REQUEST", LB_LEAST_REQUEST},
		{"ROUND_ROBIN", LB_ROUND_ROBIN},
		{"RANDOM", LB_RANDOM},
		{"PASSTHROUGH", LB_PASSTHROUGH},
	};
	const char *name = json_str_at(obj, "simple", NULL);

	if (json_bool_at(obj, "consistentHash.useSourceIp", false))
		return LB_SOURCE_IP;
	for (size_t i = 0; name != NULL && i < N_ELEMS(simple); i++) {
		if (strcmp(simple[i].name, name) != 0)
			continue;
		if (simple[i].kind == LB_PASSTHROUGH)
			notes_add(notes, "simple: PASSTHROUGH: the address called is a gateway's");
		return simple[i].kind;
	}
	if (name != NULL)
		notes_add(notes, "simple: '%.100s' is no load balancer", name);
	return LB_DEFAULT;
}

/* Milliseconds of a duration text at path, or dflt. */
static uint32_t duration_at(const json_t *obj, const char *path, uint32_t dflt, struct notes *notes)
{
	const char *text = json_str_at(obj, path, NULL);
	uint64_t ms;

	if (text == NULL)
		return dflt;
	if (!str_to_duration_ms(str_from(text), &ms)) {
		notes_add(notes, "%s: '%.100s' is no duration", path, text);
		return dflt;
	}
	if (ms > POLICY_TIME_MAX_MS) {
		notes_add(notes, "%s: '%.100s' is longer than a day; a day is taken", path, text);
		return POLICY_TIME_MAX_MS;
	}
	return (uint32_t)ms;
}

static uint32_t count_at(const json_t *obj, const char *path, uint32_t dflt)
{
	int64_t value = json_int_at(obj, path, dflt);

	return value >= 0 && value <= UINT32_MAX ? (uint32_t)value : dflt;
}

static uint32_t percent_at(const json_t *obj, const char *path, uint32_t dflt)
{
	uint32_t value = count_at(obj, path, dflt);

	return value <= 100 ? value : dflt;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

uint32_t outlier_limit(const struct outlier_limits *limits)
{
	return limits->split ? limits->local : lower(limits->errors_5xx, limits->gateway);
}

static void decode_outlier(const json_t *obj, struct outlier *out, struct notes *notes)
{
	if (!json_is_object(obj))
		return;
	struct outlier_limits limits = {
		.errors_5xx = count_at(obj, "consecutive5xxErrors", 5),
		.gateway = count_at(obj, "consecutiveGatewayErrors", 0),
		.split = json_bool_at(obj, "splitExternalLocalOriginErrors", false),
		.local = count_at(obj, "consecutiveLocalOriginFailures", 5),
	};

	out->present = true;
	out->consecutive = outlier_limit(&limits);
	if (!limits.split && json_object_get(obj, "consecutiveLocalOriginFailures") != NULL)
		notes_add(notes,
		          "outlierDetection.consecutiveLocalOriginFailures: counts only with "
		          "splitExternalLocalOriginErrors");
	out->interval_ms = duration_at(obj, "interval", 10000, notes);
	if (out->interval_ms == 0) {
		notes_add(notes, "outlierDetection.interval: 0 is too short; 10s is taken");
		out->interval_ms = 10000;
	}
	out->base_ejection_ms = duration_at(obj, "baseEjectionTime", 30000, notes);
	out->max_ejection_percent = percent_at(obj, "maxEjectionPercent", 10);
	out->min_health_percent = percent_at(obj, "minHealthPercent", 0);
}

static void decode_tcp(const json_t *obj, struct tcp_pool *tcp, struct notes *notes)
{
	if (!json_is_object(obj))
		return;
	tcp->present = true;
	tcp->max_connections = count_at(obj, "maxConnections", 0);
	tcp->connect_timeout_ms = duration_at(obj, "connectTimeout", 0, notes);
	tcp->idle_timeout_ms = duration_at(obj, "idleTimeout", 0, notes);
	if (tcp->idle_timeout_ms == 0 && json_object_get(obj, "idleTimeout") != NULL)
		tcp->idle_timeout_ms = POLICY_TIME_MAX_MS;
	tcp->keepalive_s = duration_at(obj, "tcpKeepalive.time", 0, notes) / 1000;
}

/* Takes over what the setting's decoder had to say. */
static void decode_locality(const json_t *obj, struct locality_setting *setting,
                            struct notes *notes)
{
	const char **texts;
	size_t n;

	locality_setting_decode(obj, setting, &texts, &n);
	for (size_t i = 0; i < n; i++)
		notes_add(notes, "localityLbSetting: %s", texts[i]);
	notes_free(texts, n);
}

static void decode_traffic(const json_t *obj, const char *where, struct traffic_policy *policy,
                           struct notes *notes)
{
	const json_t *lb = json_object_get(obj, "loadBalancer");

	if (json_is_object(lb)) {
		policy->has_lb = true;
		policy->lb = decode_lb(lb, notes);
		decode_locality(json_object_get(lb, "localityLbSetting"), &policy->locality, notes);
	}
	decode_outlier(json_object_get(obj, "outlierDetection"), &policy->outlier, notes);
	decode_tcp(json_at(obj, "connectionPool.tcp"), &policy->tcp, notes);
	note_meaningless(obj, where, notes);
}

static void decode_ports(const json_t *traffic, struct policy_port **ret_ports, size_t *ret_n,
                         struct notes *notes)
{
	const json_t *array = json_object_get(traffic, "portLevelSettings");
	size_t n = json_array_size(array), used = 0;

	if (n > POLICY_PORTS_MAX) {
		notes_add(notes, "portLevelSettings: only the first %d are taken",
		          POLICY_PORTS_MAX);
		n = POLICY_PORTS_MAX;
	}
	struct policy_port *ports = xcalloc(n + 1, sizeof(ports[0]));

	for (size_t i = 0; i < n; i++) {
		const json_t *obj = json_array_get(array, i);
		int64_t number = json_int_at(obj, "port.number", 0);

		if (number < 1 || number > 65535) {
			notes_add(notes, "portLevelSettings[%zu] has no port.number", i);
			continue;
		}
		ports[used].number = (uint16_t)number;
		decode_traffic(obj, "portLevelSettings", &ports[used].policy, notes);
		used++;
	}
	*ret_ports = ports;
	*ret_n = used;
}

static char *lower_case(const char *text)
{
	char *copy = xstrdup(text);

	for (char *at = copy; *at != '\0'; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

static bool is_subset_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 128 && strstr(name, "_.") == NULL &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == len;
}

static void decode_subset(const json_t *obj, struct policy *policy, struct notes *notes)
{
	struct policy_subset *subset = &policy->subsets[policy->n_subsets];
	const json_t *traffic = json_object_get(obj, "trafficPolicy");
	char *name = lower_case(json_str_at(obj, "name", ""));
	struct err err;
	struct labels *labels = labels_decode(json_object_get(obj, "labels"), &err);

	if (!is_subset_name(name)) {
		notes_add(notes, "subset '%.100s' cannot be part of a name and is left out", name);
	} else if (policy_find_subset(policy, name) != NULL) {
		notes_add(notes, "subset '%s' is there twice; the first counts", name);
	} else if (labels == NULL) {
		notes_add(notes, "subset '%s': %.200s", name, err.msg);
	} else {
		subset->name = name;
		subset->labels = labels;
		decode_traffic(traffic, "subsets.trafficPolicy", &subset->policy, notes);
		decode_ports(traffic, &subset->ports, &subset->n_ports, notes);
		policy->n_subsets++;
		return;
	}
	labels_unref(labels);
	free(name);
}

static int by_name(const void *a, const void *b)
{
	const struct policy_subset *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void decode_spec(const json_t *spec, struct policy *policy, struct notes *notes)
{
	const json_t *traffic = json_object_get(spec, "trafficPolicy");
	const json_t *subsets = json_object_get(spec, "subsets");
	size_t n = json_array_size(subsets);

	decode_traffic(traffic, "spec.trafficPolicy", &policy->policy, notes);
	decode_ports(traffic, &policy->ports, &policy->n_ports, notes);
	policy->subsets = xcalloc(n + 1, sizeof(policy->subsets[0]));
	for (size_t i = 0; i < n; i++)
		decode_subset(json_array_get(subsets, i), policy, notes);
	if (policy->n_subsets > 1)
		qsort(policy->subsets, policy->n_subsets, sizeof(policy->subsets[0]), by_name);
	if (json_object_get(spec, "workloadSelector") != NULL)
		notes_add(notes, "spec.workloadSelector: a gateway serves all workloads");
}

static void ports_fini(struct policy_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		locality_setting_fini(&ports[i].policy.locality);
	free(ports);
}

static void destroy(struct shared *value)
{
	struct policy *p = CONTAINER_OF(value, struct policy, shared);

	for (size_t i = 0; i < p->n_subsets; i++) {
		struct policy_subset *subset = &p->subsets[i];

		free((char *)(uintptr_t)subset->name);
		labels_unref(subset->labels);
		locality_setting_fini(&subset->policy.locality);
		ports_fini(subset->ports, subset->n_ports);
	}
	free(p->subsets);
	ports_fini(p->ports, p->n_ports);
	locality_setting_fini(&p->policy.locality);
	notes_free(p->notes, p->n_notes);
	free((char *)(uintptr_t)p->key);
	free((char *)(uintptr_t)p->ns);
	free((char *)(uintptr_t)p->name);
	free((char *)(uintptr_t)p->host);
	free(p);
}

struct policy *policy_decode(const json_t *obj, struct err *err)
{
	const char *ns = json_str_at(obj, "metadata.namespace", "");
	const char *name = json_str_at(obj, "metadata.name", "");
	const char *host = json_str_at(obj, "spec.host", "");
	struct notes notes = {0};

	if (name[0] == '\0' || ns[0] == '\0' || host[0] == '\0') {
		err_set(err, ERR_INVALID, "DestinationRule '%.63s/%.253s' has no %s", ns, name,
		        host[0] == '\0' ? "spec.host" : "name and namespace");
		return NULL;
	}
	if (strlen(host) > 253 ||
	    json_array_size(json_at(obj, "spec.subsets")) > POLICY_SUBSETS_MAX) {
		err_set(err, ERR_TOO_LARGE,
		        "DestinationRule '%.63s/%.253s': the host has over 253 bytes or there are "
		        "over %d subsets",
		        ns, name, POLICY_SUBSETS_MAX);
		return NULL;
	}
	struct policy *p = xcalloc(1, sizeof(*p));

	shared_init(&p->shared, destroy);
	p->key = xasprintf("%s/%s", ns, name);
	p->ns = xstrdup(ns);
	p->name = xstrdup(name);
	p->host = lower_case(host);
	p->created_s = clock_parse_rfc3339(json_str_at(obj, "metadata.creationTimestamp", ""));
	decode_spec(json_object_get(obj, "spec"), p, &notes);
	notes_take(&notes, &p->notes, &p->n_notes);
	return p;
}

struct policy *policy_ref(struct policy *policy)
{
	shared_ref(&policy->shared);
	return policy;
}

void policy_unref(struct policy *policy)
{
	if (policy != NULL)
		shared_unref(&policy->shared);
}
