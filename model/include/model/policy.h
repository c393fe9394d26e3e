/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy - an Istio DestinationRule as far as a passthrough gateway can honour it, and the locality
 * setting that a Mesh may carry as well. Immutable after decoding.
 *
 * Source: istio.io/api networking v1 DestinationRule; TrafficPolicy merging as in istiod: a
 * subset's fields replace the rule's one by one, port-level settings replace the whole.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"
#include "model/labels.h"

enum {
	POLICY_SUBSETS_MAX = 256,
	POLICY_PORTS_MAX = 256,
	POLICY_RULES_MAX = 256, /* distribute, failover, failoverPriority: entries of each */
	POLICY_NOTES_MAX = 32,
	POLICY_TIME_MAX_MS =
		24 * 3600 * 1000 /* of every duration; longer ones are cut, with a note */
};

struct distribute_to {
	const char *rule; /* as in locality_rule_matches */
	uint32_t percent;
};

struct distribute {
	const char *from;
	struct distribute_to *to; /* sorted by rule */
	size_t n_to;
};

struct failover {
	const char *from; /* region */
	const char *to;
};

struct priority_label {
	const char *key;
	const char *value; /* NULL: the consumer's own */
};

struct locality_setting {
	bool present; /* the field is there at all */
	bool enabled; /* false: none, everything shares evenly */
	struct distribute *distribute;
	size_t n_distribute;
	struct failover *failover;
	size_t n_failover;
	struct priority_label *priority;
	size_t n_priority;
};

enum lb_kind {
	LB_DEFAULT, /* not set */
	LB_ROUND_ROBIN,
	LB_LEAST_REQUEST,
	LB_RANDOM,
	LB_PASSTHROUGH, /* has no meaning here: a note, treated as default */
	LB_SOURCE_IP
};

/* The limits on errors in a row that an outlierDetection may have, 0: off. */
struct outlier_limits {
	uint32_t errors_5xx; /* absent: 5 */
	uint32_t gateway;    /* absent: 0 */
	bool split;          /* splitExternalLocalOriginErrors */
	uint32_t local;      /* absent: 5; only with split, as in Istio */
};

struct outlier {
	bool present;
	uint32_t consecutive; /* failed connects until ejection, see outlier_limit(); 0 off */
	uint32_t interval_ms;
	uint32_t base_ejection_ms;
	uint32_t max_ejection_percent;
	uint32_t min_health_percent; /* the panic threshold; 0 = no panic */
};

struct tcp_pool {
	bool present;
	uint32_t max_connections;    /* 0: no limit */
	uint32_t connect_timeout_ms; /* 0: default */
	uint32_t idle_timeout_ms;    /* 0: default. "0s" (no timeout) is POLICY_TIME_MAX_MS */
	uint32_t keepalive_s;        /* 0: default */
};

struct traffic_policy {
	bool has_lb; /* loadBalancer is there: lb and locality are meant */
	enum lb_kind lb;
	struct locality_setting locality;
	struct outlier outlier;
	struct tcp_pool tcp;
};

struct policy_port {
	uint16_t number;
	struct traffic_policy policy;
};

struct policy_subset {
	const char *name; /* lower case */
	struct labels *labels;
	struct traffic_policy policy;
	struct policy_port *ports;
	size_t n_ports;
};

struct policy {
	struct shared shared;
	const char *key; /* "NAMESPACE/NAME" of the DestinationRule */
	const char *ns;
	const char *name;
	const char *host;  /* as written, lower case */
	int64_t created_s; /* metadata.creationTimestamp, 0 unknown */
	struct traffic_policy policy;
	struct policy_port *ports;
	size_t n_ports;
	struct policy_subset *subsets; /* sorted by name */
	size_t n_subsets;
	const char **
		notes; /* sentences on fields that have no meaning for passthrough, or are broken */
	size_t n_notes;
};

/* Tolerates what is missing; a broken part is left out with a note. NULL: no host, or no name
 * (ERR_INVALID), or limits passed (ERR_TOO_LARGE). Owned. */
MUST_CHECK
struct policy *policy_decode(const json_t *obj, struct err *err);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);

/* How many failed connects in a row eject: as Envoy counts them for TCP, each is a 5xx and a
 * gateway's error as well, or only one of local origin where those are told apart. 0: never. */
uint32_t outlier_limit(const struct outlier_limits *limits);

const struct policy_subset *policy_find_subset(const struct policy *policy, const char *name);

/* What is in force for one port (0: any) and subset ("": none), merged; the parts are borrowed from
 * policy. policy may be NULL: all defaults. ret_field is the path of the locality setting in force
 * ("spec.trafficPolicy.loadBalancer.localityLbSetting"), "" if the policy has none. */
struct traffic_policy policy_effective(const struct policy *policy, uint16_t port,
                                       const char *subset, const char **ret_field);

/* The host as full name: a short name belongs to the rule's namespace. Owned by the caller. */
char *policy_full_host(const struct policy *policy, const char *cluster_domain);
/* The rule's host covers this full service host: equal, or a wildcard "*.x". */
bool policy_host_matches(const char *rule_host, const char *service_host);

/* localityLbSetting as in a Mesh or a rule. NULL or JSON null: not present. Problems become notes
 * (owned array of owned texts, may be NULL to drop them). */
void locality_setting_decode(const json_t *obj, struct locality_setting *ret_setting,
                             const char ***notes, size_t *n_notes);
void locality_setting_copy(struct locality_setting *to, const struct locality_setting *from);
bool locality_setting_eq(const struct locality_setting *a, const struct locality_setting *b);
void locality_setting_fini(struct locality_setting *setting);
