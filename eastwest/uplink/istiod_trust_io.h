/* SPDX-License-Identifier: Apache-2.0 */
/*
 * istiod_trust - by what a gateway and an istiod know each other: the mesh root from its file, a
 * certificate of the istiod's CA, and the service account's token.
 *
 *   trust file ──┐
 *   certificate ─┴─▶ TLS context ─▶ on_tls        token file ─▶ metadata of each stream
 *
 * The token alone is enough for a stream, so nothing waits for the certificate; with it, a stream
 * can begin while the istiod cannot ask its API server about tokens. All files are read anew, so
 * that a root that is replaced, or a token, is in use with the next connection.
 *
 * Control loop only.
 */
#pragma once

#include "base/http_fields.h"
#include "base/loop.h"
#include "base/tls.h"
#include "eastwest/config.h"
#include "uplink/uplink_io.h"

enum {
	EW_ISTIOD_LOOK_MS = 10000 /* between looks at the trust file */
};

struct ew_istiod_trust;

struct ew_istiod_trust_events {
	/* For connections from now on; borrowed for the call. */
	void (*on_tls)(struct tls_ctx *tls, void *arg);
	void (*on_credentials)(const struct ew_credentials *credentials, void *arg);
	void (*on_trouble)(const char *what, const struct err *why, void *arg);
};

/* Where certificate, key and disk copy of a gateway lie: apart from those that a fedwayd gave it.
 * Owned by the caller. */
char *ew_istiod_dir(const struct ew_config *config);

/* Texts are copied; events is static. Events come in later turns. NULL: ERR_INVALID (the identity
 * is none). */
MUST_CHECK
struct ew_istiod_trust *ew_istiod_trust_create(struct loop *loop, const struct ew_config *config,
                                               const struct ew_istiod_trust_events *events,
                                               void *arg, struct err *err);
void ew_istiod_trust_destroy(struct ew_istiod_trust *trust);

/* A connection failed: what was replaced meanwhile is taken at once, and a certificate that the
 * istiod refuses (ERR_UNAUTHORIZED) is left out until there is another. */
void ew_istiod_trust_on_down(struct ew_istiod_trust *trust, const struct err *why);
/* Appends clusterid, and authorization if there is a token. */
void ew_istiod_trust_add_metadata(const struct ew_istiod_trust *trust, struct http_fields *fields);
