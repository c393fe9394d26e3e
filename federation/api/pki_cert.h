/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki_cert - the few certificates that the server issues for itself. EC P-256, PEM texts.
 * Source: RFC 5280.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	API_CA_TTL_S = 10 * 365 * 24 * 3600,
	API_CERT_TTL_S = 365 * 24 * 3600,
	API_PEM_MAX = 64 << 10
};

struct api_cert_request {
	const char *common_name;
	const char *organization; /* NULL: none */
	const char *const *names; /* SANs: DNS names and IP literals */
	size_t n_names;
	bool is_ca;
	bool is_client;    /* else for a server; not with is_ca */
	struct str ca_pem; /* empty: self-signed */
	struct str ca_key_pem;
	int64_t ttl_s;
	int64_t now_s;
};

/* A fresh key and its certificate, appended. ERR_INVALID: a CA that does not parse. */
MUST_CHECK
bool api_cert_issue(const struct api_cert_request *request, struct buf *cert_pem,
                    struct buf *key_pem, struct err *err);
/* Only a key. */
void api_cert_make_key(struct buf *key_pem);
