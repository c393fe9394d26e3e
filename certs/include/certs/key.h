/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key - EC P-256 private keys and certificates as PEM text, and certificate requests. Any thread.
 * Source: RFC 5480, RFC 5958 (PKCS#8), RFC 2986 (PKCS#10).
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
	CERT_PEM_MAX = 256 << 10,
	CERT_CSR_MAX = 16 << 10
};

/* A fresh key; owned by the caller (EVP_PKEY_free). Never NULL. */
EVP_PKEY *cert_key_create(void);
/* PKCS#8 (or SEC1) without password. NULL: ERR_INVALID. */
MUST_CHECK
EVP_PKEY *cert_key_decode(struct str pem, struct err *err);
void cert_key_encode(EVP_PKEY *key, struct buf *out);

/* The first certificate of a PEM text. NULL: ERR_INVALID. Owned (X509_free). */
MUST_CHECK
X509 *cert_x509_decode(struct str pem, struct err *err);
void cert_x509_encode(X509 *cert, struct buf *out);
/* All certificates of a bundle; owned. NULL: ERR_INVALID (none, or one that does not parse). */
MUST_CHECK
STACK_OF(X509) * cert_x509_decode_all(struct str pem, struct err *err);
void cert_x509_stack_free(STACK_OF(X509) * certs);

/* Seconds since 1970. */
int64_t cert_x509_not_before(const X509 *cert);
int64_t cert_x509_not_after(const X509 *cert);
/* Upper-case hex. Returns text. */
enum {
	CERT_SERIAL_MAX = 64
};
const char *cert_x509_serial(const X509 *cert, char text[CERT_SERIAL_MAX]);

/* A request for key, with uri as its only SAN, or none (NULL). */
void cert_csr_encode(EVP_PKEY *key, const char *uri, struct buf *out);

/* Verifies leaf_pem (leaf, then intermediates) against roots_pem at a time. ret_chain, if not NULL,
 * gets the chain (owned). ERR_FORBIDDEN with OpenSSL's sentence; ERR_EXPIRED. */
MUST_CHECK
bool cert_chain_verify(struct str leaf_pem, struct str roots_pem, int64_t now_wall_s,
                       STACK_OF(X509) * *ret_chain, struct err *err);
