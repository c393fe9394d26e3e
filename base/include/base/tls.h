/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls - OpenSSL contexts as we use them: TLS 1.2 or newer, no session resumption and no tickets (a
 * resumed session has no verified chain), no renegotiation, identities judged by a hook.
 *
 * A context is immutable and shared (ref/unref, atomic): reload = build a new one, swap, unref the
 * old one; running connections keep theirs. Any thread.
 * Source: RFC 8446, RFC 5280 6, RFC 7301 (ALPN), RFC 6066 3 (server name).
 */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct tls_ctx;

enum {
	TLS_PEM_MAX = 4 << 20, /* roots, or a chain, as text */
	TLS_CHAIN_MAX = 8,     /* certificates from leaf to root, both included */
	TLS_NAME_MAX = 253
};

/* What is asked of the other side. The zero value is the strict one. */
enum tls_peer {
	TLS_PEER_REQUIRED,  /* a certificate that verifies, or no connection */
	TLS_PEER_REQUESTED, /* server only: none is fine, a bad one is refused */
	TLS_PEER_NONE,      /* server: not asked for. Client: not verified (insecure) */
};

/*
 * Judges a chain that already verifies: chain[0] is the leaf, the last one the root; borrowed for
 * the call. False with err refuses the handshake (alert 42 to the peer, err to our side).
 */
typedef bool (*tls_verify_cb)(STACK_OF(X509) * chain, void *arg, struct err *err);

struct tls_config {
	struct str cert_pem;  /* own certificate, then its intermediates; empty: none (client) */
	struct str key_pem;   /* its private key, not encrypted */
	struct str roots_pem; /* who may have signed the peer; empty needs TLS_PEER_NONE */
	const char *alpn;     /* comma list, most wanted first ("h2,http/1.1"); NULL: none. A server
	                       * ignores what it does not know and goes on without ALPN */
	enum tls_peer peer;
	bool accept_expired;  /* a certificate of the peer that is merely expired passes on to the
	                         hook */
	bool accept_early;    /* so does one that is not valid yet: a clock is behind */
	tls_verify_cb verify; /* NULL: every verified chain will do */
	void *verify_arg;     /* borrowed; outlives every connection of the context */
};

/* ERR_INVALID: PEM that does not parse, key that does not fit, nothing to verify with;
 * ERR_TOO_LARGE: PEM over TLS_PEM_MAX. One reference, the caller's. */
MUST_CHECK
struct tls_ctx *tls_server_create(const struct tls_config *config, struct err *err);
MUST_CHECK
struct tls_ctx *tls_client_create(const struct tls_config *config, struct err *err);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
/* NULL is harmless. */
void tls_ctx_unref(struct tls_ctx *ctx);

/*
 * One connection's state, owned by the caller (SSL_free; wire_accept and wire_connect take it).
 *
 * server_name (client, may be NULL): sent as SNI when it is a DNS name. check_name: the certificate
 * must also carry it (DNS or IP SAN); without, identity is the hook's matter alone.
 */
MUST_CHECK
SSL *tls_server_open(struct tls_ctx *ctx);
MUST_CHECK
SSL *tls_client_open(struct tls_ctx *ctx, const char *server_name, bool check_name);

/* The chain that was verified, leaf first, root last; borrowed from the connection. NULL: the peer
 * showed no certificate, or nobody was to verify it. */
STACK_OF(X509) * tls_peer_chain(const SSL *ssl);

/* The protocol agreed by ALPN, {NULL, 0} when none. Borrowed. */
struct str tls_alpn(const SSL *ssl);

/* Explains the failure of the last SSL_do_handshake/read/write: the hook's sentence, OpenSSL's
 * verification error, or the alert. Empties the thread's error queue. Returns false. ERR_FORBIDDEN:
 * the peer's certificate was refused; ERR_UNAUTHORIZED: the peer refused ours (alert 42 to 49,
 * 116); ERR_PROTOCOL: the rest. */
bool tls_explain(const SSL *ssl, struct err *err);
