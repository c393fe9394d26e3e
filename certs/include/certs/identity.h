/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity - who somebody is, as a SPIFFE ID, and whether a verified chain may say so.
 *
 * OpenSSL can hold a URI constraint only to the host part (the trust domain), so an intermediate of
 * one cluster could sign for another. Hence the rule that every verifier keeps: the issuer of a
 * component's certificate, taken from the verified chain, is the cluster named in its SAN.
 *
 * Pure; any thread. Source: SPIFFE-ID 2, X509-SVID; contracts 4.
 */
#pragma once

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum cert_kind {
	CERT_CONTROL_PLANE, /* spiffe://TD/fedway/control-plane */
	CERT_GATEWAY,       /* spiffe://TD/fedway/cluster/CLUSTER/gateway/NAME */
	CERT_PROBE,         /* spiffe://TD/fedway/cluster/CLUSTER/probe/POD */
	CERT_WORKLOAD,      /* spiffe://TD/ns/NS/sa/SA */
};

enum {
	CERT_TRUST_DOMAIN_MAX = 253,
	CERT_NAME_MAX = 253,
	CERT_URI_MAX = 1024
};

struct cert_identity {
	enum cert_kind kind;
	char trust_domain[CERT_TRUST_DOMAIN_MAX + 1];
	char cluster[64];    /* gateway, probe; else "" */
	char namespace_[64]; /* workload; else "" */
	char name[CERT_NAME_MAX +
	          1]; /* gateway, pod or service account; "" for the control plane */
};

/* "control plane", "gateway", "probe", "workload". */
const char *cert_kind_name(enum cert_kind kind);

/* ERR_INVALID: none of the four forms, or a part that is no name (the message says which). */
MUST_CHECK
bool cert_identity_parse(struct str uri, struct cert_identity *ret_identity, struct err *err);
/* Returns text. */
const char *cert_identity_format(const struct cert_identity *identity, char text[CERT_URI_MAX]);
bool cert_identity_eq(const struct cert_identity *a, const struct cert_identity *b);

/*
 * The identity of a chain that verifies (leaf first, root last). trust_domain NULL: any.
 * ERR_FORBIDDEN: not exactly one URI SAN, not one of the four forms, a foreign trust domain, a CA
 * as leaf, or an issuer that may not speak for it: the control plane must come from
 * OU=fedway-control-plane, a gateway or probe from OU=fedway-intermediate, CN=its cluster.
 */
MUST_CHECK
bool cert_identity_of_chain(STACK_OF(X509) * chain, const char *trust_domain,
                            struct cert_identity *ret_identity, struct err *err);

/* The earliest end of validity in the chain, roots left out, seconds since 1970. */
int64_t cert_chain_not_after(STACK_OF(X509) * chain);

/* A tls_verify_cb with what it needs; lies with its user, who may read seen after the handshake of
 * a single connection. */
struct cert_verifier {
	const char *trust_domain; /* NULL: any, which the roots and their constraints bound */
	unsigned kinds;           /* 1u << enum cert_kind, the ones to accept */
	const char *cluster;      /* NULL: any */
	const char *name;         /* NULL: any */
};
bool cert_verifier_check(STACK_OF(X509) * chain, void *verifier, struct err *err);
