/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sni - the names by which a connection asks for a service: `outbound_.PORT_.SUBSET_.HOST`, and the
 * two built-in names under `fedway.internal`. Pure; any thread.
 *
 * Everything here works on folded names: lower case, no trailing dot.
 * Source: the form Istio's sidecars send (cluster name with `_.` for `|`).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
	SNI_MAX = 253 /* bytes of a folded name */
};

enum sni_kind {
	SNI_SERVICE, /* outbound_.5000_.v1_.helloworld.sample.svc.cluster.local */
	SNI_CANARY,  /* _canary.NETWORK.fedway.internal */
	SNI_PROBE    /* _probe.CLUSTER.fedway.internal */
};

struct sni {
	enum sni_kind kind;
	uint16_t port;     /* SNI_SERVICE: 1 to 65535 */
	struct str subset; /* SNI_SERVICE: may be empty */
	struct str
		host; /* the service's host, or the network, or the cluster; views into the text */
};

/* Lower case, one trailing dot dropped, NUL-terminated. False: empty, over SNI_MAX, or a byte that
 * is no printable ASCII. */
bool sni_fold(struct str text, char ret_name[SNI_MAX + 1]);

/* Takes a folded name apart. False: none of the three forms. Text views into name. A service host
 * under fedway.internal parses (the checks use one), and is never in a table. */
bool sni_parse(struct str name, struct sni *ret_sni);

/* Build a folded name. False: over SNI_MAX. */
bool sni_format(uint16_t port, struct str subset, struct str host, char ret_name[SNI_MAX + 1]);
bool sni_format_canary(struct str network, char ret_name[SNI_MAX + 1]);
bool sni_format_probe(struct str cluster, char ret_name[SNI_MAX + 1]);

/* A service host that no route may have: fedway.internal or below. */
bool sni_is_refused_host(struct str host);

/* NAME.NAMESPACE.svc.DOMAIN → its name and namespace, and the domain. False: another form. */
bool sni_split_host(struct str host, struct str *ret_namespace, struct str *ret_name,
                    struct str *ret_domain);
