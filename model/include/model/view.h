/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view - what one consumer may see: routes with endpoints by priority, and the other networks'
 * gateways. Immutable and shared; consumers with the same key share one. Order is deterministic:
 * services by key, routes by SNI, groups by priority and locality, endpoints by address.
 */
#pragma once

#include "model/mesh.h"

enum view_role {
	VIEW_GATEWAY, /* ours: the whole table */
	VIEW_INGRESS  /* stock Envoy: exposed routes, own network's endpoints, each address once */
};

struct view_key {
	const char *network;
	const char *cluster;
	const struct locality *locality;
	enum view_role role;
};

/* A pod of the own network, or a share of a remote one. */
struct view_endpoint {
	bool remote;
	bool ready;
	bool refusing;       /* remote, not ready: its pods are, but do not answer */
	uint32_t weight;     /* direct: 1; remote: number of its endpoints with this readiness */
	struct ip ip;        /* direct */
	uint16_t port;       /* direct */
	const char *network; /* remote; borrowed from the service's parts */
	const char *cluster; /* both */
};

/* The endpoints of one locality in one priority: one LocalityLbEndpoints. */
struct view_group {
	const struct locality *locality;
	uint32_t priority;
	uint32_t weight; /* 0: none. Counts only if the route is weighted */
	struct view_endpoint *endpoints;
	size_t n_endpoints;
};

enum view_mode {
	VIEW_MODE_NONE,     /* all share evenly */
	VIEW_MODE_LOCALITY, /* subzone, zone, region, rest */
	VIEW_MODE_FAILOVER,
	VIEW_MODE_PRIORITY, /* failoverPriority, also together with failover */
	VIEW_MODE_DISTRIBUTE
};
/* "none", "locality", "failover", "failoverPriority", "distribute". */
const char *view_mode_text(enum view_mode mode);

struct view_route {
	char *sni;
	const char *service;   /* "NAMESPACE/NAME" */
	const char *port_name; /* "" if unnamed */
	uint16_t port;
	const char *subset; /* "" none */
	bool exposed;       /* to other networks */
	bool weighted;      /* locality_weighted_lb_config: the groups' weights count */
	enum view_mode mode;
	char *policy_source; /* "DestinationRule NS/NAME", "Mesh default", "" */
	const char *policy_field;
	struct traffic_policy policy; /* in force, without the locality setting (mode tells) */
	uint32_t panic_percent;
	struct view_group *groups;
	size_t n_groups;
	uint32_t n_priorities;
};

/* All routes of one service. That of the probes (MESH_PROBE_KEY) has a route `_probe.CLUSTER…` per
 * cluster of the own network. */
struct view_service {
	struct shared shared;
	struct mesh_service *service; /* referenced: keeps the texts alive */
	struct view_route *routes;    /* sorted by SNI; may be none */
	size_t n_routes;
};

struct view {
	struct shared shared;
	struct mesh *mesh; /* referenced */
	char *network;
	char *cluster;
	const struct locality *locality;
	enum view_role role;
	bool joined;           /* the own network is in the interconnect */
	struct tree *services; /* key → struct view_service */
	struct tree *networks; /* name → struct mesh_network: the others in the interconnect, if
	                          joined */
	const char **peers;    /* clusters whose gateways and probes a canary accepts, sorted */
	size_t n_peers;
};

/* Owned. References mesh. */
struct view *view_create(struct mesh *mesh, const struct view_key *key);
/* The view of the same consumer on a later mesh; computes again only what differs, and keeps the
 * pointers of services whose routes did not change. Owned. */
struct view *view_update(struct view *old, struct mesh *mesh);
struct view *view_ref(struct view *view);
void view_unref(struct view *view);

/* sni must be folded. NULL: no such route. Borrowed from the view. */
const struct view_route *view_find_route(const struct view *view, const char *sni);
size_t view_n_routes(const struct view *view);

/* What a consumer must be told. */
enum view_change {
	VIEW_ROUTE_ADDED,
	VIEW_ROUTE_CHANGED, /* what CDS tells: exposure, weighting, policy; perhaps endpoints too */
	VIEW_ENDPOINTS_CHANGED, /* what EDS tells, in the set of groups or weights */
	VIEW_ROUTE_REMOVED,
	VIEW_NETWORK_CHANGED, /* added, other gateways, or (new: NULL) removed */
	VIEW_PEERS_CHANGED
};

struct view_diff {
	enum view_change change;
	const char *name; /* the route's SNI, the network; borrowed from the views */
	const struct view_route *old_route; /* NULL where there is none */
	const struct view_route *new_route;
	/* From none to some or from some to none ready, in a (network, locality): goes out at once.
	 */
	bool urgent;
	bool endpoints; /* ROUTE_CHANGED: the endpoints differ as well */
};

typedef void (*view_diff_cb)(const struct view_diff *diff, void *arg);
/* old NULL: everything is added. Routes in the order of services, then networks, then peers. */
void view_diff(struct view *old_view, struct view *new_view, view_diff_cb cb, void *arg);
