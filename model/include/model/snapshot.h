/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot - what one member cluster has, as one immutable shared value: its services with their
 * ports and endpoints. Copied per changed service; everything else is shared with the one before.
 *
 * Made by a snapshot_builder (snapshot_builder.h) or from the disk copy. Whether a member's lists
 * were complete, and how old the value is, is known to whoever holds it, not to the value.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "model/labels.h"
#include "model/locality.h"
#include "model/tree.h"

enum {
	SNAPSHOT_SERVICES_MAX = 50000,
	SNAPSHOT_PORTS_MAX = 256,        /* ports of a service */
	SNAPSHOT_ENDPOINTS_MAX = 100000, /* endpoints of a port of a service */
	SNAPSHOT_FORMAT = 1              /* of the disk copy */
};

/* The Service's own word on export: label or annotation `fedway.io/export: "true" | "false"`, else
 * Istio's annotation `networking.istio.io/exportTo` (a list without `*` and `istio-system`: no). */
enum snap_export {
	SNAP_EXPORT_DEFAULT,
	SNAP_EXPORT_YES,
	SNAP_EXPORT_NO
};

struct snap_endpoint {
	struct ip ip;
	const struct locality *locality; /* locality_none(): the Cluster's default counts */
	struct labels *labels;           /* of the Pod; shared */
	uint16_t port;
	bool ready;
	bool terminating;
	bool mtls; /* security.istio.io/tlsMode: istio, on the Pod or, where there is none, the
	              Service */
};

struct snap_port {
	const char *name; /* "" if unnamed */
	uint16_t number;
	const char *protocol;            /* "TCP", "UDP", "SCTP" */
	struct snap_endpoint *endpoints; /* sorted by address and port, each once */
	size_t n_endpoints;
};

struct snap_service {
	struct shared shared;
	const char *key; /* "NAMESPACE/NAME" */
	const char *ns;
	const char *name;
	struct labels *labels;
	struct snap_port *ports; /* sorted by number, then name */
	size_t n_ports;
	enum snap_export export;
	bool headless;
	bool external; /* ExternalName: no endpoints */
};

struct snapshot {
	struct shared shared;
	const char *cluster;
	const char *uid;       /* of namespace kube-system; "" unknown */
	const char *network;   /* label topology.istio.io/network of istio-system; "" none */
	struct tree *services; /* key → struct snap_service */
	size_t n_endpoints;
	size_t n_ready;
};

struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/* A snapshot without services. Owned. */
struct snapshot *snapshot_create(const char *cluster);

/* Borrowed, or NULL. key is "NAMESPACE/NAME". */
const struct snap_service *snapshot_find(const struct snapshot *snapshot, const char *key);
const struct snap_port *snap_service_find_port(const struct snap_service *service,
                                               const char *name);

/* Same content (labels, endpoints, all). */
bool snap_service_eq(const struct snap_service *a, const struct snap_service *b);
bool snapshot_eq(const struct snapshot *a, const struct snapshot *b);

/* Canonical JSON: equal snapshots give equal bytes. NUL-terminated, owned by the caller. */
char *snapshot_save(const struct snapshot *snapshot, size_t *ret_len);
/* ERR_BAD_REQUEST: no JSON; ERR_INVALID: not a snapshot of SNAPSHOT_FORMAT; ERR_TOO_LARGE. */
MUST_CHECK
struct snapshot *snapshot_load(struct str text, struct err *err);
