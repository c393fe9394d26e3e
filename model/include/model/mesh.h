/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mesh - all members, policy and networks as one immutable shared value; everything downstream
 * (views, status, explanations) is computed from it.
 *
 *   cluster snapshots ─┐
 *   DestinationRules ──┼─▶ mesh_builder ─▶ struct mesh ─▶ view, explain
 *   Mesh, Clusters,    │   only what changed
 *   networks, gateways ┘   is merged again
 *
 * Services of the same namespace and name are the same service. Ports join by name; one route per
 * distinct number of a name; when one number means two names, the oldest Cluster wins. Services
 * without any part left keep no entry.
 */
#pragma once

#include "model/policy.h"
#include "model/settings.h"
#include "model/snapshot.h"
#include "model/tree.h"

/* A member as the merge needs it. */
struct mesh_cluster {
	struct shared shared;
	const char *name;
	const char *network; /* network group; "" none yet: its endpoints are left out */
	const struct locality *locality; /* for endpoints without one */
	int64_t created_s;         /* which Cluster is older decides conflicts; then the name */
	bool withdrawn;            /* data path dead, draining, or lost with Drop: no endpoints */
	const char *why_withdrawn; /* sentence, "" if not withdrawn */
};

/* One gateway address. */
struct mesh_gateway {
	const char *name;    /* of the EastWestGateway; "" for an address typed on the group */
	const char *cluster; /* "" as above */
	const char *address; /* IP or host name */
	uint16_t port;
	uint32_t weight;
	bool mark;          /* every instance behind it has announced the mark */
	bool live;          /* false: withdrawn for everybody */
	const char *reason; /* why not live, "" if live */
};

/* A network group as it is in effect. */
struct mesh_network {
	struct shared shared;
	const char *name;
	bool joined;                   /* in the interconnect: exposes and sees */
	struct mesh_gateway *gateways; /* sorted by cluster, name, address, port */
	size_t n_gateways;
	struct cidr *source_ranges; /* callers that its own gateways accept; none: any */
	size_t n_source_ranges;
};

/* Why an endpoint or a whole part is in no view. */
#define MESH_LEFT_OUT(X)                                                                           \
	X(MESH_USED, "", "")                                                                       \
	X(MESH_NOT_MTLS, "FED-212", "its Pod does not carry security.istio.io/tlsMode: istio")     \
	X(MESH_TERMINATING, "", "it is terminating")                                               \
	X(MESH_NOT_EXPORTED, "FED-213", "the Service is not exported")                             \
	X(MESH_CLUSTER_LOCAL, "FED-214", "the service is local to each cluster")                   \
	X(MESH_CLUSTER_WITHDRAWN, "FED-215", "its cluster is withdrawn")                           \
	X(MESH_NO_NETWORK, "FED-216", "its cluster belongs to no network group")                   \
	X(MESH_EXTERNAL, "", "the Service is an ExternalName")                                     \
	X(MESH_NOT_TCP, "", "the port is not TCP")                                                 \
	X(MESH_PORT_LOST, "FED-217", "an older Cluster uses the port number under another name")

enum mesh_left_out {
#define X(code, fed, text) code,
	MESH_LEFT_OUT(X)
#undef X
};

const char *mesh_left_out_text(enum mesh_left_out reason);
/* Cause code, "" none. */
const char *mesh_left_out_code(enum mesh_left_out reason);

/* One cluster's share of a service. */
struct mesh_part {
	struct mesh_cluster *cluster;
	struct snap_service *service;
	bool exported;
	uint32_t ready; /* endpoints that views may use, ready, of the port that has most */
	uint32_t total; /* the same with the not ready ones */
};

struct mesh_port {
	const char *name;
	uint16_t number;
};

/* Endpoints of one route in one network that do not answer, though they are ready there: that
 * network's own gateways say so. Other networks count them as not ready, unless nothing else
 * of the route is ready; the network itself decides by what its gateways see. */
struct mesh_outage {
	const char *network;
	const char *sni; /* folded; routes of other ports and subsets are routes of their own */
	const char *why; /* sentence */
};

struct mesh_outages {
	struct mesh_outage *list;
	size_t n;
};

struct mesh_service {
	struct shared shared;
	const char *key; /* "NAMESPACE/NAME" */
	const char *ns;
	const char *name;
	const char *host;        /* NAME.NAMESPACE.svc.DOMAIN */
	struct mesh_part *parts; /* oldest Cluster first */
	size_t n_parts;
	struct mesh_port *ports; /* TCP, sorted by number: one route each */
	size_t n_ports;
	struct policy *policy;  /* NULL none */
	const char **conflicts; /* sentences */
	size_t n_conflicts;
	struct mesh_outages outages; /* sorted by network and SNI */
	enum mesh_left_out
		left_out; /* MESH_CLUSTER_LOCAL, MESH_NOT_EXPORTED: no routes; else MESH_USED */
};

struct mesh {
	struct shared shared;
	uint64_t revision; /* one more with each build that differs */
	struct mesh_settings settings;
	uint64_t settings_revision; /* changes when views of all services must be computed again */
	struct tree *clusters;      /* name → struct mesh_cluster */
	struct tree *networks;      /* name → struct mesh_network */
	struct tree *services;      /* key → struct mesh_service */
	struct tree *policies;      /* key → struct policy */
};

struct mesh *mesh_ref(struct mesh *mesh);
void mesh_unref(struct mesh *mesh);

const struct mesh_cluster *mesh_find_cluster(const struct mesh *mesh, const char *name);
const struct mesh_network *mesh_find_network(const struct mesh *mesh, const char *name);
const struct mesh_service *mesh_find_service(const struct mesh *mesh, const char *key);
/* In effect for this network: interconnect enabled and the network joined. */
bool mesh_is_joined(const struct mesh *mesh, const char *network);

/* The Service of the probes: never merged, and the source of the probe names' endpoints. */
#define MESH_PROBE_KEY "fedway-system/fedway-probe"

/* NULL: none. */
const struct mesh_outage *mesh_find_outage(const struct mesh_service *service, const char *network,
                                           const char *sni);

/* May views use the endpoint, and if not, why. */
enum mesh_left_out mesh_part_judge(const struct mesh_service *service, const struct mesh_part *part,
                                   const struct snap_port *port);
enum mesh_left_out mesh_endpoint_judge(const struct snap_endpoint *endpoint);
const struct locality *mesh_endpoint_locality(const struct mesh_part *part,
                                              const struct snap_endpoint *endpoint);

/* ── building ── One thread at a time. Setters copy what they get. */

struct mesh_builder;

struct mesh_builder *mesh_builder_create(void);
void mesh_builder_destroy(struct mesh_builder *builder);

void mesh_builder_set_settings(struct mesh_builder *builder, const struct mesh_settings *settings);
/* The shared member of the argument is ignored. */
void mesh_builder_set_cluster(struct mesh_builder *builder, const struct mesh_cluster *cluster);
/* The cluster's snapshot goes with it. */
void mesh_builder_remove_cluster(struct mesh_builder *builder, const char *name);
/* Work in proportion to what differs from the one before. References snapshot; NULL forgets it.
 * A cluster that was not set contributes nothing until it is. */
void mesh_builder_set_snapshot(struct mesh_builder *builder, const char *cluster,
                               struct snapshot *snapshot);
void mesh_builder_set_network(struct mesh_builder *builder, const struct mesh_network *network);
void mesh_builder_remove_network(struct mesh_builder *builder, const char *name);
void mesh_builder_set_policy(struct mesh_builder *builder, struct policy *policy);
void mesh_builder_remove_policy(struct mesh_builder *builder, const char *key);

/* One merge of that service. A name that is no service's is nothing. */
void mesh_builder_set_outage(struct mesh_builder *builder, const struct mesh_outage *outage);
void mesh_builder_remove_outage(struct mesh_builder *builder, const char *network, const char *sni);

/* The mesh of what was set so far; the one of before if nothing differs. Owned (one reference). */
struct mesh *mesh_builder_build(struct mesh_builder *builder);
/* Services merged by builds so far: what a test of "work in proportion" looks at. */
uint64_t mesh_builder_merges(const struct mesh_builder *builder);
