/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - what a gateway routes: SNI names to endpoints, remote networks to gateways.
 *
 * Immutable once built, shared by ref/unref; any thread reads. Routes and networks are shared
 * between a table and its successor, so that a change of one service costs one route. The same
 * builder serves the configuration file and xDS.
 *
 *   table ── hash(sni) ──▶ page ──▶ route ──▶ groups (priority, locality, weight) ──▶ endpoints
 *     └───── network name ─▶ network ──▶ gateways (cluster, address, weight, mark, health)
 *
 * Routes lie in pages of about 128, shared as well: a successor with one other route copies a list
 * of pages and one page.
 *
 * Size: a route with two endpoints takes less than 512 bytes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "eastwest/health.h"
#include "eastwest/names.h"
#include "eastwest/ranges.h"

enum {
	EW_ROUTES_MAX = 1 << 20,
	EW_ROUTE_ENDPOINTS_MAX = 65535,
	EW_PRIORITIES_MAX = 128, /* Envoy's own limit */
	EW_WEIGHT_MAX = 1 << 20,
	EW_NETWORKS_MAX = 4096,
	EW_TIMEOUT_MAX_MS = 24 * 3600 * 1000, /* of all times of a policy */
	EW_NETWORK_GATEWAYS_MAX = 1024
};

/* --- reading ---------------------------------------------------------------------------------- */

struct ew_endpoint {
	struct ip ip;     /* own network only */
	uint16_t port;    /* own network only */
	uint16_t network; /* EW_NAME_NONE: own network */
	uint16_t cluster; /* EW_NAME_NONE: not said */
	bool healthy;
	uint32_t weight; /* > 0 */
};

/* Endpoints of one priority and locality. */
struct ew_group {
	uint8_t priority;
	uint16_t locality;
	uint32_t first; /* index into endpoints */
	uint32_t n;
	uint32_t weight; /* weighted routes only; 0: never chosen */
};

enum ew_lb {
	EW_LB_ROUND_ROBIN, /* evenly spread turns */
	EW_LB_LEAST_CONNECTIONS,
	EW_LB_RANDOM,
	EW_LB_SOURCE_IP /* a client keeps its endpoint */
};

/* An endpoint that cannot be reached is left out for a while. Envoy's arithmetic: table/outlier.h.
 */
struct ew_outlier_policy {
	uint32_t consecutive; /* failed connects in a row; 0: never */
	uint32_t interval_ms; /* of looking whether it may come back; > 0 if consecutive is */
	uint32_t base_ms;     /* how long, times how often it was */
	uint32_t max_percent; /* of the route's endpoints at a time */
};

/* What a DestinationRule says of choosing endpoints. Zeroed: the defaults. */
struct ew_policy {
	enum ew_lb lb;
	uint32_t max_connections; /* of all workers together; 0: no limit */
	uint32_t panic_percent;   /* a priority with less of it healthy uses all of it; 0: never */
	struct ew_outlier_policy outlier;
};

struct ew_traffic;

struct ew_route {
	_Atomic uint32_t refs;
	uint32_t hash;
	uint64_t id;          /* no other route of the process has it */
	uint32_t n_groups;    /* in order of priority */
	uint32_t n_endpoints; /* in order of groups */
	uint8_t n_priorities; /* highest + 1 */
	bool exposed;
	bool weighted; /* group weights count (distribute) */
	uint8_t sni_len;
	uint32_t connect_ms; /* 0: the gateway's own time */
	uint32_t idle_ms;    /* 0: the gateway's own time */
	struct ew_policy policy;
	struct ew_traffic *traffic; /* shared with other versions of the route */
	const struct ew_group *groups;
	const struct ew_endpoint *endpoints;
	const char *sni; /* NUL-terminated */
};

struct ew_gateway {
	struct addr addr;
	uint16_t cluster;
	bool mark; /* takes the mark */
	uint32_t weight;
	struct ew_health *health; /* shared */
};

struct ew_network {
	_Atomic uint32_t refs;
	uint16_t name;
	uint32_t n_gateways;
	struct ew_gateway *gateways;
};

struct ew_table;

struct ew_table *ew_table_ref(struct ew_table *table);
void ew_table_unref(struct ew_table *table);

/* NULL: not there. Borrowed from the table. */
const struct ew_route *ew_table_find(const struct ew_table *table, struct str sni);
const struct ew_network *ew_table_network(const struct ew_table *table, uint16_t name);
/* Is some subset of this SNI name's host and port there? (outbound_.PORT_.SUBSET_.HOST) */
bool ew_table_has_other_subset(const struct ew_table *table, struct str sni);
/* All routes and networks, by number; in no order that means something. */
uint32_t ew_table_n_routes(const struct ew_table *table);
const struct ew_route *ew_table_route_at(const struct ew_table *table, uint32_t i);
uint32_t ew_table_n_networks(const struct ew_table *table);
const struct ew_network *ew_table_network_at(const struct ew_table *table, uint32_t i);
/* Borrowed from the table. */
const struct ew_names *ew_table_names(const struct ew_table *table);
/* Who may call ingress doors, as the control plane says; empty: everybody. Borrowed from the table.
 */
const struct ew_ranges *ew_table_sources(const struct ew_table *table);
/* Own network and cluster, "" when not said. */
const char *ew_table_own_network(const struct ew_table *table);
const char *ew_table_own_cluster(const struct ew_table *table);
/* Different for every table of a process. */
uint64_t ew_table_version(const struct ew_table *table);
/* Different whenever networks or their gateways may differ. */
uint64_t ew_table_networks_version(const struct ew_table *table);
/* Different whenever an older table may have had a route that this one has not. */
uint64_t ew_table_removals_version(const struct ew_table *table);
/* Heap bytes of routes, hash and networks. */
size_t ew_table_memory(const struct ew_table *table);

/* --- building (control thread) ---------------------------------------------------------------- */

struct ew_endpoint_spec {
	struct addr addr;   /* own network */
	struct str network; /* not empty: another network, addr unused */
	struct str cluster;
	struct str locality;
	uint32_t priority;
	uint32_t weight; /* 1 to EW_WEIGHT_MAX */
	bool healthy;
};

struct ew_group_weight {
	struct str locality;
	uint32_t priority;
	uint32_t weight;
};

struct ew_route_spec {
	struct str sni; /* any case, a final dot is dropped */
	bool exposed;
	const struct ew_endpoint_spec *endpoints;
	size_t n_endpoints;
	bool weighted;
	const struct ew_group_weight *weights; /* of a weighted route */
	size_t n_weights;
	uint32_t connect_ms; /* 0 to EW_TIMEOUT_MAX_MS, as the other times */
	uint32_t idle_ms;
	struct ew_policy policy;
};

/* Times and percents of a route's policy. ERR_INVALID: the message names the field. */
MUST_CHECK
bool ew_route_spec_check(const struct ew_route_spec *spec, struct err *err);

struct ew_gateway_spec {
	struct addr addr;
	struct str cluster;
	uint32_t weight;
	bool mark;
};

struct ew_table_builder;

/* old: what the new table begins with, or NULL for an empty one. registry is borrowed until
 * finish; gateways of the table hold what they got from it. */
struct ew_table_builder *ew_table_builder_create(const struct ew_table *old,
                                                 struct ew_health_registry *registry);
/* Gives up what was begun. NULL is harmless. */
void ew_table_builder_destroy(struct ew_table_builder *builder);

MUST_CHECK
bool ew_table_builder_set_self(struct ew_table_builder *builder, struct str network,
                               struct str cluster, struct err *err);
/* Who may call ingress doors; copied. */
void ew_table_builder_set_sources(struct ew_table_builder *builder, const struct cidr *list,
                                  size_t n);
/* Adds or replaces. ERR_INVALID, ERR_TOO_LARGE: the message names the field; the builder is as it
 * was before. */
MUST_CHECK
bool ew_table_builder_set_route(struct ew_table_builder *builder, const struct ew_route_spec *spec,
                                struct err *err);
void ew_table_builder_remove_route(struct ew_table_builder *builder, struct str sni);
MUST_CHECK
bool ew_table_builder_set_network(struct ew_table_builder *builder, struct str name,
                                  const struct ew_gateway_spec *gateways, size_t n,
                                  struct err *err);
void ew_table_builder_remove_network(struct ew_table_builder *builder, struct str name);
bool ew_table_builder_has_route(const struct ew_table_builder *builder, struct str sni);
/* Gives the table (one reference) and frees the builder. */
struct ew_table *ew_table_builder_finish(struct ew_table_builder *builder);
