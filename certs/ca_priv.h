/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca, from inside: for api_ca.
 */
#pragma once

#include "certs/ca.h"
#include "x509_priv.h"

/* The names in template are known to fit. Never NULL. */
struct cert_ca *ca_create_self_signed(const struct x509_template *template);
/* ERR_EXPIRED: the CA is at its end. */
MUST_CHECK
bool ca_bound_ttl(const struct cert_ca *ca, int64_t ttl_s, int64_t now_wall_s, int64_t *ret_end,
                  struct err *err);
/* A fresh key and the leaf alone, without chain. */
MUST_CHECK
bool ca_issue(const struct cert_ca *ca, const struct x509_template *template, struct buf *cert_pem,
              struct buf *key_pem, struct err *err);
