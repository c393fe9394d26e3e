/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ads - the face of fedwayd towards gateways, probes and agents: one TLS listener with delta ADS,
 * reports and certificates.
 *
 *   control ──ads_publish(mesh)──▶ programs (one per view) ──▶ streams
 *   control ◀──on_instance, on_current, on_nack, on_report, on_routes── streams
 *
 * ADS and reports need the certificate of a gateway that exists; certificates are given for a token
 * or for the certificate that is to be replaced. Loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/grpc.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "certs/csr_service.h"
#include "certs/store.h"
#include "model/mesh.h"
#include "xds/resource.h"

struct ads;

/* One gateway process with a stream. Texts are borrowed until it is gone. */
struct ads_instance {
	const char *cluster;  /* from its certificate */
	const char *gateway;  /* the EastWestGateway's name, from its certificate */
	const char *instance; /* behind the slash of node.id, "" none */
	const char *version;  /* of the program, as it says */
	bool mark;
	bool ours;                               /* not a stock Envoy */
	int64_t cert_not_after_s;                /* wall clock */
	int64_t connected_ms;                    /* monotonic */
	char acked_version[XDS_VERSION_MAX + 1]; /* of the set that it holds, "" before */
	bool current;                            /* acked_version is what it shall hold */
	size_t sent[N_XDS_TYPES];                /* resources, since its stream began */
	size_t nacks;
};

struct ads_address_health {
	const char *network;
	const char *cluster; /* "" any */
	const char *address;
	uint16_t port;
	bool live;
	const char *reason;
	uint32_t rtt_us;
};

/* What a gateway says of its own network's endpoints of one route. */
struct ads_route_state {
	const char *sni; /* as it came; anything */
	bool usable;     /* at least one of them is */
};

/* What control does for us. All may be NULL but those marked. */
struct ads_control {
	/* Needed. Where the gateway stands: fills network and locality (borrowed until the next
	 * publish). False with err: no such gateway, or its cluster is leaving. */
	bool (*find_gateway)(const char *cluster, const char *gateway, const char **ret_network,
	                     const struct locality **ret_locality, void *arg, struct err *err);
	/* Needed: as in certs/csr_service.h. */
	void (*review)(struct cert_review *review, const char *cluster, const char *token,
	               void *arg);
	bool (*cluster_may)(const char *cluster, void *arg, struct err *err);
	bool (*gateway_exists)(const char *cluster, const char *name, void *arg);
	/* Asked only while a member is incomplete: does a member that has no copy contribute to
	 * this service ("NAMESPACE/NAME")? Then it is held as well. */
	bool (*service_is_lost)(const char *key, void *arg);

	/* A stream came (connected) or went; the instance is as it stands. */
	void (*on_instance)(const struct ads_instance *instance, bool connected, void *arg);
	/* An instance has acknowledged all that it shall hold at present. */
	void (*on_current)(void *arg);
	/* A resource was refused. */
	void (*on_nack)(const struct ads_instance *instance, const char *resource,
	                const char *message, void *arg);
	/* A gateway's own checks of addresses in other networks. */
	void (*on_report)(const struct ads_instance *instance,
	                  const struct ads_address_health *addresses, size_t n, void *arg);
	/* A gateway's word on its own network's endpoints; process names its process for as long
	 * as its stream lasts. Stock gateways send none. */
	void (*on_routes)(const struct ads_instance *instance, const char *process,
	                  const struct ads_route_state *routes, size_t n, void *arg);
	void *arg;
};

struct ads_config {
	struct loop *loop;
	struct cert_store *store;
	struct metrics *metrics;
	const char *listen;           /* ADDR:PORT or fd:N */
	const char *const *advertise; /* names in the server certificate */
	size_t n_advertise;
	struct ads_control control;
};

/* ERR_IO: the address. */
MUST_CHECK
struct ads *ads_create(const struct ads_config *config, struct err *err);
void ads_destroy(struct ads *ads);
struct addr ads_addr(const struct ads *ads);
/* For further services on the same listener (probes). */
struct grpc_server *ads_grpc(const struct ads *ads);

/* The mesh as it stands now; a reference is taken. Streams are answered from the first one on. */
void ads_publish(struct ads *ads, struct mesh *mesh);

/* Whether a member's lists have ended since start, or it counts from its copy. Unknown members are
 * incomplete until said otherwise, once `ads_expect` has named them. */
void ads_expect(struct ads *ads, const char *cluster);
void ads_set_complete(struct ads *ads, const char *cluster);
void ads_forget(struct ads *ads, const char *cluster);

/* A gateway may have been deleted: streams and reports of gateways that find_gateway does not know
 * any more end. They keep what they hold, and are told no more. */
void ads_review_gateways(struct ads *ads);

/* The cluster has left: its gateways get an empty Snapshot with state LEFT, then their streams
 * end. */
void ads_leave(struct ads *ads, const char *cluster);

typedef void (*ads_instance_cb)(const struct ads_instance *instance, void *arg);
void ads_for_each_instance(const struct ads *ads, ads_instance_cb cb, void *arg);
