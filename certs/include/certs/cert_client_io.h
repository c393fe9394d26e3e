/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cert_client - gets a certificate from the control plane and keeps it fresh: first with the token
 * file, later with the certificate that is to be replaced, and with the token again when that one
 * is expired or refused. Certificate and key lie in one file of mode 0600. Loop thread.
 *
 *   LOAD ──▶ GET ──▶ HAVE ── half of its life ──▶ GET ...
 *
 * Expiry kills nothing: what was handed out stays in use until there is a better one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"
#include "base/tls.h"
#include "certs/identity.h"

struct cert_client;

struct cert_client_config {
	struct loop *loop;      /* borrowed */
	const char *address;    /* HOST:PORT of the control plane; texts are copied */
	const char *trust_file; /* roots, read anew for each connection */
	const char *token_file; /* read anew for each request; NULL: only a stored certificate */
	const char *cluster;
	/* NULL: the server is our control plane. Else it is another certificate service of the same
	 * form (istiod), which proves itself by the host name of address, and wants this URI as SAN
	 * of the request. */
	const char *foreign_uri;
	const char *dir;      /* holds tls.pem; made if need be */
	int64_t ttl_s;        /* asked for; 0: CERT_LEAF_TTL_S */
	int64_t retry_min_ms; /* 0: 1 s */
	int64_t retry_max_ms; /* 0: 60 s */
	/* A certificate is there, or a newer one. */
	void (*on_cert)(struct cert_client *client, void *arg);
	/* Getting one failed; it goes on trying. May be NULL. */
	void (*on_trouble)(const struct err *why, void *arg);
	void *arg;
};

/* A stored certificate of this cluster is told by on_cert in a later turn, even an expired one: it
 * is better than none. ERR_IO: dir; ERR_INVALID, ERR_NOT_FOUND: address or trust file. */
MUST_CHECK
struct cert_client *cert_client_create(const struct cert_client_config *config, struct err *err);
void cert_client_destroy(struct cert_client *client);

bool cert_client_has_cert(const struct cert_client *client);
/* The peer says our certificate is expired or refused: get another one, with the token. */
void cert_client_refused(struct cert_client *client);

/* Borrowed until the next on_cert. PEM; the chain is the leaf and its intermediates. */
struct str cert_client_chain(const struct cert_client *client);
struct str cert_client_key(const struct cert_client *client);
struct str cert_client_roots(const struct cert_client *client);
const struct cert_identity *cert_client_identity(const struct cert_client *client);
int64_t cert_client_not_after(const struct cert_client *client);
size_t cert_client_renewals(const struct cert_client *client);

/* A client context with this certificate that accepts the control plane alone, or with foreign_uri
 * every server of the roots (ALPN h2), for an uplink. One reference, the caller's. */
MUST_CHECK
struct tls_ctx *cert_client_tls(const struct cert_client *client, struct err *err);
