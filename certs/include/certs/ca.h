/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca - certificate authorities of the mesh as values: a root, and intermediates that sign leaves.
 *
 *   root ─┬─ O=TD, OU=fedway-control-plane           ── the control plane's own leaf
 *         └─ O=TD, OU=fedway-intermediate, CN=CLUSTER ── gateways, probes, workloads of it
 *
 * Immutable after construction; any thread. The clock is a parameter. notBefore is 2 minutes back,
 * notAfter never later than the issuer's. A supplied root only signs our intermediates.
 * Source: RFC 5280; contracts 4.
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "certs/identity.h"

enum {
	CERT_ROOT_TTL_S = 10 * 365 * 24 * 3600,
	CERT_INTERMEDIATE_TTL_S = 90 * 24 * 3600,
	CERT_LEAF_TTL_S = 24 * 3600, /* default and maximum of a leaf */
	CERT_BACKDATE_S = 120
};

struct cert_ca;

/* Self-made root. Never NULL. */
struct cert_ca *cert_ca_create_root(const char *trust_domain, int64_t ttl_s, int64_t now_wall_s);
/* An intermediate of root for one cluster; cluster NULL: the control plane's. ERR_EXPIRED: the root
 * is at its end. */
MUST_CHECK
struct cert_ca *cert_ca_create_intermediate(const struct cert_ca *root, const char *trust_domain,
                                            const char *cluster, int64_t ttl_s, int64_t now_wall_s,
                                            struct err *err);
/* From PEM texts: certificate, then its chain up to (not with) the root. ERR_INVALID: no CA, key
 * that does not fit, several keys. */
MUST_CHECK
struct cert_ca *cert_ca_decode(struct str cert_pem, struct str key_pem, struct err *err);
/* NULL is harmless. */
void cert_ca_destroy(struct cert_ca *ca);

/* Borrowed. The chain of an intermediate is its own certificate (and those above, without root). */
X509 *cert_ca_x509(const struct cert_ca *ca);
void cert_ca_encode(const struct cert_ca *ca, struct buf *cert_pem, struct buf *key_pem);
int64_t cert_ca_not_after(const struct cert_ca *ca);

/*
 * Signs a request for an identity that the caller has bound to whoever asks. ttl_s 0 or over
 * CERT_LEAF_TTL_S: that much. chain_pem gets the leaf, then the intermediate.
 * ERR_INVALID: the request does not parse, its signature is wrong, key neither EC P-256/P-384 nor
 * RSA of 2048 to 4096 bits; ERR_FORBIDDEN: it asks for another identity; ERR_EXPIRED: the issuer
 * is at its end.
 */
struct cert_sign_request {
	struct str csr_pem;
	const struct cert_identity *identity;
	int64_t ttl_s;
	int64_t now_wall_s;
};
MUST_CHECK
bool cert_ca_sign(const struct cert_ca *ca, const struct cert_sign_request *request,
                  struct buf *chain_pem, struct err *err);

/* A leaf for a key of our own with names beside the identity (identity NULL: none). Names that are
 * IP literals become IP SANs, others DNS SANs. */
struct cert_own_request {
	const struct cert_identity *identity;
	const char *const *names;
	size_t n_names;
	int64_t ttl_s;
	int64_t now_wall_s;
};
MUST_CHECK
bool cert_ca_issue_own(const struct cert_ca *ca, const struct cert_own_request *request,
                       struct buf *chain_pem, struct buf *key_pem, struct err *err);
