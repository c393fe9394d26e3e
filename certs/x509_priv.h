/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x509 - builds certificates from a template. Names go into ASN.1 structures directly, never
 * through OpenSSL's configuration syntax, where a comma in a name would end it.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum x509_use {
	X509_CA_ROOT,
	X509_CA_LAST, /* signs leaves only (pathlen 0) */
	X509_LEAF,    /* client and server */
	X509_LEAF_SERVER,
	X509_LEAF_CLIENT,
};

struct x509_template {
	enum x509_use use;
	/* Subject; NULL parts are left out. Without any, SANs are critical. */
	const char *organisation;
	const char *const *organisations; /* more of them, or instead */
	size_t n_organisations;
	const char *unit;
	const char *common_name;
	const char *uri;          /* SAN */
	const char *const *names; /* SANs: DNS, or IP literals */
	size_t n_names;
	const char *uri_constraint; /* a CA may sign URIs with this host only */
	int64_t not_before_s;
	int64_t not_after_s;
};

/* issuer NULL: signs itself. NULL: ERR_INVALID (a name that does not fit), ERR_INTERNAL. */
MUST_CHECK
X509 *x509_create(const struct x509_template *template, EVP_PKEY *subject_key, X509 *issuer,
                  EVP_PKEY *issuer_key, struct err *err);

/* Fills err with the sentence and OpenSSL's own, and empties its queue. Returns false. */
bool x509_err(struct err *err, enum err_code code, const char *what);
