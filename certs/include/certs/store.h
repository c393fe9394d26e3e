/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - the keys and certificates of the control plane, in files of mode 0600 under one folder,
 * made when they are not there and renewed when half their life is over. One thread.
 *
 * A CA is one file, certificate and key together, so that it is replaced in one step.
 *
 *   DIR/root.pem                self-made, or the supplied one
 *   DIR/roots.pem               the bundle that members trust (no key)
 *   DIR/control-plane.pem       intermediate
 *   DIR/clusters/NAME.pem       intermediates
 *   DIR/api-serving.pem api-client.pem
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "certs/ca.h"

struct cert_store;

struct cert_store_config {
	const char *dir;
	const char *trust_domain;
	struct str root_cert_pem; /* supplied root; empty: self-made */
	struct str root_key_pem;
	int64_t root_ttl_s; /* 0: the defaults of ca.h */
	int64_t intermediate_ttl_s;
	int64_t leaf_ttl_s; /* capped at CERT_LEAF_TTL_S */
};

/* ERR_IO; ERR_INVALID: a file that does not parse (named), a root of another trust domain, a
 * supplied root that differs from the stored one (rotation is a matter of its own). */
MUST_CHECK
struct cert_store *cert_store_open(const struct cert_store_config *config, int64_t now_wall_s,
                                   struct err *err);
void cert_store_close(struct cert_store *store);

const char *cert_store_trust_domain(const struct cert_store *store);
/* PEM bundle. Borrowed. */
struct str cert_store_roots(const struct cert_store *store);
const struct cert_ca *cert_store_root(const struct cert_store *store);
int64_t cert_store_leaf_ttl_s(const struct cert_store *store);

/* Borrowed until the next call for the same one. A fresh intermediate takes over at half life;
 * leaves of the old one go on, as they carry their chain. */
MUST_CHECK
const struct cert_ca *cert_store_control_plane(struct cert_store *store, int64_t now_wall_s,
                                               struct err *err);
MUST_CHECK
const struct cert_ca *cert_store_cluster(struct cert_store *store, const char *cluster,
                                         int64_t now_wall_s, struct err *err);
/* Deletes the key of a cluster that has left. Harmless when there is none. */
MUST_CHECK
bool cert_store_remove_cluster(struct cert_store *store, const char *cluster, struct err *err);

/* CAs of the hosted API. Never NULL. */
const struct cert_ca *cert_store_api_serving(const struct cert_store *store);
const struct cert_ca *cert_store_api_client(const struct cert_store *store);

/* The control plane's server certificate for these names (DNS or IP), lifetime leaf_ttl_s. */
MUST_CHECK
bool cert_store_issue_server(struct cert_store *store, const char *const *names, size_t n_names,
                             int64_t now_wall_s, struct buf *chain_pem, struct buf *key_pem,
                             struct err *err);
