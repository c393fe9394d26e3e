/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth - who asks: a client certificate (CN = user, O = groups), a bearer token (the admin's, or a
 * service account's), or nobody.
 */
#pragma once

#include "request.h"

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct api_core;

#define API_ADMIN_GROUP "system:masters"

/* From a verified chain. False: its leaf names nobody. */
bool api_user_from_chain(STACK_OF(X509) * chain, struct api_user *ret_user);
void api_user_anonymous(struct api_user *ret_user);

/*
 * The user of a token, valid for one of audiences (a JSON array; NULL or empty: this API's own).
 * *ret_audiences gets those that the token is valid for, new. ERR_UNAUTHORIZED.
 */
MUST_CHECK
bool api_user_from_token(const struct api_core *core, struct str token, const json_t *audiences,
                         struct api_user *ret_user, json_t **ret_audiences, struct err *err);

/* authorization: the field's value, "" if absent; chain: verified, leaf first, NULL without
 * certificate. ERR_UNAUTHORIZED: a token that is not valid (it is never passed over), a certificate
 * that names nobody. */
MUST_CHECK
bool api_authenticate(const struct api_core *core, const char *authorization,
                      STACK_OF(X509) * chain, struct api_user *ret_user, struct err *err);
