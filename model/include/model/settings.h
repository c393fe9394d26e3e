/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings - our own kinds as structs: Mesh, Cluster, NetworkGroup, EastWestGateway. What is
 * missing has the default of the schema (crds/). Decoded from objects the API has validated; still,
 * nothing here trusts a length or a type.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "base/json.h"
#include "model/locality.h"
#include "model/policy.h"

enum {
	SETTINGS_ADDRESSES_MAX = 64, /* of a gateway or group */
	SETTINGS_RANGES_MAX = 256
};

enum failover_mode {
	FAILOVER_LIVENESS,
	FAILOVER_OUTLIER_DETECTION
};

enum export_policy {
	EXPORT_ALL,
	EXPORT_OPT_IN
};

enum cluster_loss {
	CLUSTER_LOSS_KEEP,
	CLUSTER_LOSS_DRAIN,
	CLUSTER_LOSS_DROP
};

struct mesh_settings {
	char *trust_domain;
	char *cluster_domain;
	bool interconnect_enabled;
	struct locality_setting locality;
	enum failover_mode failover;
	enum export_policy export_policy;
	enum cluster_loss on_cluster_loss;
	uint64_t on_cluster_loss_after_ms;
	char *root_secret_namespace; /* "" none */
	char *root_secret_name;
	uint64_t leaf_ttl_ms;
	uint64_t intermediate_ttl_ms;
};

/* With all defaults. */
void mesh_settings_init(struct mesh_settings *settings);
/* ERR_INVALID names the field; *ret is untouched then. */
MUST_CHECK
bool mesh_settings_decode(const json_t *obj, struct mesh_settings *ret_settings, struct err *err);
void mesh_settings_copy(struct mesh_settings *to, const struct mesh_settings *from);
bool mesh_settings_eq(const struct mesh_settings *a, const struct mesh_settings *b);
void mesh_settings_fini(struct mesh_settings *settings);

struct cluster_spec {
	char *name;
	char *uid;         /* of the Cluster object */
	int64_t created_s; /* 0 unknown */
	bool deleting;
	bool paused;
	char *secret_namespace;
	char *secret_name;
	char *secret_key; /* "kubeconfig" */
	char *network;    /* networkGroup */
	const struct locality *locality;
	char *phase;       /* status.phase, "" none yet */
	char *cluster_uid; /* status.uid */
};

MUST_CHECK
bool cluster_spec_decode(const json_t *obj, struct cluster_spec *ret_spec, struct err *err);
void cluster_spec_fini(struct cluster_spec *spec);

struct host_port {
	char *host; /* name or IP */
	uint16_t port;
};

struct group_spec {
	char *name;
	bool deleting;
	char *display_name;
	bool joined;
	struct host_port *addresses;
	size_t n_addresses;
	struct cidr *source_ranges;
	size_t n_source_ranges;
	char *bad_range; /* which of the spec is none, and why: then they are those of the status */
};

/* A range that is none fails only a group whose status has no earlier ones. */
MUST_CHECK
bool group_spec_decode(const json_t *obj, struct group_spec *ret_spec, struct err *err);
void group_spec_fini(struct group_spec *spec);

struct gateway_status_address {
	char *host;
	uint16_t port;
	bool live;
	char *reason;
};

struct gateway_instance {
	char *name;
	char *version;
	bool mark;
};

struct gateway_spec {
	char *name;
	bool deleting;
	char *cluster;
	struct host_port *addresses;
	size_t n_addresses;
	struct gateway_status_address *status_addresses;
	size_t n_status_addresses;
	struct gateway_instance *instances;
	size_t n_instances;
};

MUST_CHECK
bool gateway_spec_decode(const json_t *obj, struct gateway_spec *ret_spec, struct err *err);
void gateway_spec_fini(struct gateway_spec *spec);
