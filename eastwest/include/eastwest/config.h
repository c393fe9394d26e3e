/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - a GatewayConfig file as a checked value.
 *
 * Pure: text in, struct out. Unknown keys are errors. Every error names file, line and key:
 *   gateway.yaml:14: routes[2].endpoints[0].port: must be 1 to 65535
 *
 * A route's trafficPolicy has the names, units and defaults of a DestinationRule's:
 *
 *   trafficPolicy:
 *     loadBalancer: {simple: ROUND_ROBIN}     # LEAST_REQUEST, LEAST_CONN, RANDOM; or
 *                                             # {consistentHash: {useSourceIp: true}}
 *     connectionPool: {tcp: {maxConnections: 100, connectTimeout: 1s, idleTimeout: 1h}}
 *     outlierDetection: {consecutive5xxErrors: 5, consecutiveGatewayErrors: 0,
 *                        splitExternalLocalOriginErrors: false, consecutiveLocalOriginFailures: 5,
 *                        interval: 10s, baseEjectionTime: 30s, maxEjectionPercent: 10,
 *                        minHealthPercent: 0}
 *
 * maxConnections is of all workers together; without it there is no limit.
 *
 * Immutable once parsed; destroyed by its owner.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "eastwest/limits.h"
#include "eastwest/ranges.h"
#include "eastwest/table.h"

enum {
	EW_CONFIG_TEXT_MAX = 64 << 20,
	EW_CONFIG_WORKERS_MAX = 256,
	EW_CONFIG_LISTENERS_MAX = 64,
	EW_CONFIG_RANGES_MAX = 4096,
	EW_CONFIG_LABELS_MAX = 64,
	EW_ACCESS_PATH_MAX = 1024
};

enum ew_door {
	EW_DOOR_INGRESS,
	EW_DOOR_EGRESS,
};
/* As in `mode` of a listener, in metrics, log and admin socket. Static. */
const char *ew_door_name(enum ew_door door);

struct ew_listener_config {
	char *name; /* owned, a DNS label */
	enum ew_door door;
	struct addr addr;         /* port 0: any free one */
	struct ew_ranges allow;   /* egress: needed; ingress: empty means everybody */
	struct ew_ranges trusted; /* may put a PROXY header before the stream */
};

struct ew_gateway_config {
	struct str host; /* an address or a host name */
	struct str cluster;
	uint16_t port;
	uint32_t weight;
	bool mark;
};

struct ew_network_config {
	struct str name;
	struct ew_gateway_config *gateways; /* owned */
	size_t n_gateways;
};

/* Who the gateway is to an istiod. */
struct ew_istiod_config {
	char *namespace_; /* owned, as all texts; NULL: the control plane is no istiod */
	char *account;    /* its service account */
	char *trust_domain;
	char *domain;   /* DNS domain of the cluster */
	char *mesh_id;  /* "": not said */
	json_t *labels; /* of its pods, an object of texts in tree; may be NULL */
};

struct ew_control_plane_config {
	char *address; /* owned; NULL: none, the file has the routes */
	char *trust_file;
	char *token_file;
	char *cluster;
	char *name;
	char *type; /* "fedwayd" or "istiod" */
	struct ew_istiod_config istiod;
};

/* A number of 32 bits is less than it. */
#define EW_SAMPLE_ALL ((uint64_t)1 << 32)

/* accessLog: {format: json | text, path: /dev/stdout, sample: 1}; without it there is none. */
struct ew_access_config {
	char *path; /* owned, absolute; NULL: off */
	bool json;
	uint64_t sample; /* share of connections, of EW_SAMPLE_ALL */
};

struct ew_config {
	uint32_t workers; /* 0: one a core */
	char *locality;   /* owned, may be "" */
	char *network;    /* owned, may be "" */
	char *data_dir;   /* owned, NULL: no disk copy */
	struct ew_listener_config *listeners;
	size_t n_listeners;
	struct ew_route_spec *routes; /* views into tree */
	size_t n_routes;
	struct ew_endpoint_spec *endpoints; /* of all routes */
	struct ew_network_config *networks; /* views into tree */
	size_t n_networks;
	struct ew_control_plane_config control_plane;
	struct ew_limits limits;
	bool has_metrics;
	struct addr metrics;
	bool has_health;
	struct addr health;
	char *admin_path; /* owned, NULL: none */
	struct ew_access_config access_log;
	json_t *tree; /* owned: the file as read */
};

/* Never NULL on true. ERR_BAD_REQUEST (no YAML), ERR_INVALID, ERR_TOO_LARGE. name is for messages.
 */
MUST_CHECK
bool ew_config_parse(struct str text, const char *name, struct ew_config **ret_config,
                     struct err *err);
/* From what ew_config_parse kept in tree (the disk copy). Messages have no line. Borrows tree. */
MUST_CHECK
bool ew_config_from_json(json_t *tree, const char *name, struct ew_config **ret_config,
                         struct err *err);
void ew_config_destroy(struct ew_config *config);

/* What a host name means now; NULL or n 0: not known. Borrowed for the call. */
typedef size_t (*ew_resolve_cb)(struct str host, struct ip *ret_ips, size_t max, void *arg);

/* The table that the file describes. resolve may be NULL: host names then have no addresses. */
MUST_CHECK
bool ew_config_table(const struct ew_config *config, struct ew_health_registry *registry,
                     ew_resolve_cb resolve, void *arg, struct ew_table **ret_table,
                     struct err *err);
/* As old, with the networks of config and what host names mean now. */
MUST_CHECK
bool ew_config_networks(const struct ew_config *config, const struct ew_table *old,
                        struct ew_health_registry *registry, ew_resolve_cb resolve, void *arg,
                        struct ew_table **ret_table, struct err *err);
/* Gives back the memory of the routes, once they are in a table; everything else stays. */
void ew_config_forget_routes(struct ew_config *config);
/* Do the parts differ that only a restart changes (workers, dataDir, metrics, health, admin,
 * controlPlane)? Returns the first such key, or NULL. */
const char *ew_config_restart_key(const struct ew_config *a, const struct ew_config *b);
