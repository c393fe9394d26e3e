/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki - certificates for tests: a root, and leaves signed by it, as PEM text.
 */
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/alloc.h"

struct pki_pair {
	EVP_PKEY *key;
	X509 *cert;
	char *cert_pem;
	char *key_pem;
};

static inline char *pki_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);

	BIO_free(bio);
	return text;
}

static inline void pki_add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* issuer NULL: a root. san: "DNS:x,URI:spiffe://..." or NULL. life_s may be negative: expired. */
static inline struct pki_pair pki_make(const struct pki_pair *issuer, const char *cn,
                                       const char *san, long life_s)
{
	static long serial = 1;
	struct pki_pair pair = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
	X509_NAME *name = X509_get_subject_name(pair.cert);
	BIO *bio = BIO_new(BIO_s_mem());

	X509_set_version(pair.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(pair.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(pair.cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(pair.cert), life_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(pair.cert,
	                     issuer != NULL ? X509_get_subject_name(issuer->cert) : name);
	X509_set_pubkey(pair.cert, pair.key);
	pki_add_extension(pair.cert, pair.cert, NID_basic_constraints,
	                  issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (san != NULL)
		pki_add_extension(pair.cert, pair.cert, NID_subject_alt_name, san);
	X509_sign(pair.cert, issuer != NULL ? issuer->key : pair.key, EVP_sha256());
	PEM_write_bio_X509(bio, pair.cert);
	pair.cert_pem = pki_text(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, pair.key, NULL, NULL, 0, NULL, NULL);
	pair.key_pem = pki_text(bio);
	return pair;
}

/* As pki_make, but valid in an hour only. */
static inline struct pki_pair pki_make_early(const struct pki_pair *issuer, const char *cn)
{
	struct pki_pair pair = pki_make(issuer, cn, NULL, 7200);
	BIO *bio = BIO_new(BIO_s_mem());

	X509_gmtime_adj(X509_getm_notBefore(pair.cert), 3600);
	X509_sign(pair.cert, issuer->key, EVP_sha256());
	PEM_write_bio_X509(bio, pair.cert);
	free(pair.cert_pem);
	pair.cert_pem = pki_text(bio);
	return pair;
}

static inline void pki_free(struct pki_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->cert);
	free(pair->cert_pem);
	free(pair->key_pem);
}
