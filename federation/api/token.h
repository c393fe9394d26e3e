/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token - tokens of service accounts: JWT, signed ES256 by the server's own key.
 *
 * Pure apart from OpenSSL; time is a parameter. Whether account and Pod are still there is the
 * caller's question.
 * Source: RFC 7515, 7518 (ES256), 7519; Kubernetes "bound service account tokens".
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct api_tokens;

enum {
	API_TOKEN_MAX = 16 << 10,
	API_TOKEN_AGE_MIN_S = 600,
	API_TOKEN_AGE_MAX_S = 1 << 27,
	API_TOKEN_AGE_DEFAULT_S = 3600
};

#define API_TOKEN_ISSUER "https://kubernetes.default.svc.cluster.local"

/* key_pem: EC P-256, PKCS#8. NULL: ERR_INVALID. */
MUST_CHECK
struct api_tokens *api_tokens_create(struct str key_pem, struct err *err);
void api_tokens_destroy(struct api_tokens *tokens);

/* Signs claims (borrowed). Owned by the caller. */
char *api_token_sign(const struct api_tokens *tokens, const json_t *claims);
/* Checks form, signature, issuer, nbf and exp. The claims, new; NULL: ERR_UNAUTHORIZED. */
MUST_CHECK
json_t *api_token_verify(const struct api_tokens *tokens, struct str token, int64_t now_s,
                         struct err *err);
/* The public key as a JSON Web Key Set. New. */
json_t *api_tokens_jwks(const struct api_tokens *tokens);
