/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/ca.h"

#include "ca_priv.h"
#include "unit_priv.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "certs/key.h"
#include "x509_priv.h"

struct cert_ca {
	STACK_OF(X509) * chain; /* own certificate first, root left out unless it is the root */
	EVP_PKEY *key;
};

static struct cert_ca *wrap(X509 *cert, EVP_PKEY *key)
{
	struct cert_ca *ca = xcalloc(1, sizeof(*ca));
	ca->chain = sk_X509_new_null();
	sk_X509_push(ca->chain, cert);
	ca->key = key;
	return ca;
}

void cert_ca_destroy(struct cert_ca *ca)
{
	if (ca == NULL)
		return;
	cert_x509_stack_free(ca->chain);
	EVP_PKEY_free(ca->key);
	free(ca);
}

X509 *cert_ca_x509(const struct cert_ca *ca)
{
	return sk_X509_value(ca->chain, 0);
}

int64_t cert_ca_not_after(const struct cert_ca *ca)
{
	return cert_x509_not_after(cert_ca_x509(ca));
}

struct cert_ca *ca_create_self_signed(const struct x509_template *template)
{
	struct err err;
	EVP_PKEY *key = cert_key_create();
	X509 *cert = x509_create(template, key, NULL, key, &err);
	if (cert == NULL)
		UNREACHABLE("a self-signed certificate with checked names");
	return wrap(cert, key);
}

struct cert_ca *cert_ca_create_root(const char *trust_domain, int64_t ttl_s, int64_t now_wall_s)
{
	struct x509_template template = {
		.use = X509_CA_ROOT,
		.organisation = strlen(trust_domain) <= 64 ? trust_domain : NULL,
		.common_name = "fedway root",
		.not_before_s = now_wall_s - CERT_BACKDATE_S,
		.not_after_s = now_wall_s + ttl_s,
	};
	return ca_create_self_signed(&template);
}

/* The end of a certificate that ca signs for ttl_s from now. */
bool ca_bound_ttl(const struct cert_ca *ca, int64_t ttl_s, int64_t now_wall_s, int64_t *ret_end,
                  struct err *err)
{
	int64_t last = cert_ca_not_after(ca);
	if (last <= now_wall_s)
		return err_set(err, ERR_EXPIRED, "the issuing certificate has expired");
	*ret_end = now_wall_s + ttl_s < last ? now_wall_s + ttl_s : last;
	return true;
}

struct cert_ca *cert_ca_create_intermediate(const struct cert_ca *root, const char *trust_domain,
                                            const char *cluster, int64_t ttl_s, int64_t now_wall_s,
                                            struct err *err)
{
	struct x509_template template = {
		.use = X509_CA_LAST,
		.organisation = strlen(trust_domain) <= 64 ? trust_domain : NULL,
		.unit = cluster != NULL ? UNIT_CLUSTER : UNIT_CONTROL_PLANE,
		.common_name = cluster,
		.uri_constraint = trust_domain,
		.not_before_s = now_wall_s - CERT_BACKDATE_S,
	};
	if (!ca_bound_ttl(root, ttl_s, now_wall_s, &template.not_after_s, err))
		return NULL;
	EVP_PKEY *key = cert_key_create();
	X509 *cert = x509_create(&template, key, cert_ca_x509(root), root->key, err);
	if (cert == NULL) {
		EVP_PKEY_free(key);
		return NULL;
	}
	return wrap(cert, key);
}

static bool check_ca(const struct cert_ca *ca, struct err *err)
{
	X509 *cert = cert_ca_x509(ca);
	/* 1: by basic constraints; others are versions and extensions of long ago */
	if (X509_check_ca(cert) != 1)
		return err_set(err, ERR_INVALID, "the certificate is not one of a CA");
	if (X509_check_private_key(cert, ca->key) != 1)
		return x509_err(err, ERR_INVALID, "certificate and key do not belong together");
	return true;
}

struct cert_ca *cert_ca_decode(struct str cert_pem, struct str key_pem, struct err *err)
{
	STACK_OF(X509) *chain = cert_x509_decode_all(cert_pem, err);
	EVP_PKEY *key = chain != NULL ? cert_key_decode(key_pem, err) : NULL;
	if (key == NULL) {
		cert_x509_stack_free(chain);
		return NULL;
	}
	struct cert_ca *ca = xcalloc(1, sizeof(*ca));
	ca->chain = chain;
	ca->key = key;
	if (check_ca(ca, err))
		return ca;
	cert_ca_destroy(ca);
	return NULL;
}

static void encode_chain(const struct cert_ca *ca, struct buf *out)
{
	for (int i = 0; i < sk_X509_num(ca->chain); i++)
		cert_x509_encode(sk_X509_value(ca->chain, i), out);
}

void cert_ca_encode(const struct cert_ca *ca, struct buf *cert_pem, struct buf *key_pem)
{
	encode_chain(ca, cert_pem);
	cert_key_encode(ca->key, key_pem);
}

/* --- requests of others ----------------------------------------------------------------------- */

static X509_REQ *read_csr(struct str pem, struct err *err)
{
	if (pem.len > CERT_CSR_MAX) {
		err_set(err, ERR_INVALID, "a certificate request of %zu bytes, %d are taken",
		        pem.len, CERT_CSR_MAX);
		return NULL;
	}
	BIO *bio = BIO_new_mem_buf(pem.ptr != NULL ? pem.ptr : "", (int)pem.len);
	X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (req == NULL)
		x509_err(err, ERR_INVALID, "no certificate request in PEM");
	return req;
}

static bool check_key(EVP_PKEY *key, struct err *err)
{
	char group[32] = "";
	size_t len = 0;
	int bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "RSA"))
		return (bits >= 2048 && bits <= 4096) ||
		       err_set(err, ERR_INVALID, "an RSA key of %d bits, 2048 to 4096 are taken",
		               bits);
	if (EVP_PKEY_is_a(key, "EC") &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &len) == 1 &&
	    (strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0))
		return true;
	return err_set(err, ERR_INVALID, "a key that is neither EC P-256 or P-384 nor RSA");
}

/* Every name that the request asks for must be the one that is granted anyway. */
static bool check_wish(X509_REQ *req, const char *uri, struct err *err)
{
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
	GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
	bool ok = true;
	for (int i = 0; ok && names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		struct str wish = STR_LIT("a name that is no URI");
		if (name->type == GEN_URI)
			wish = str_make(
				(const char *)ASN1_STRING_get0_data(
					name->d.uniformResourceIdentifier),
				(size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
		ok = name->type == GEN_URI && str_is(wish, uri);
		if (!ok)
			err_set(err, ERR_FORBIDDEN,
			        "the request asks for '%.*s', but whoever asks is '%s'",
			        (int)(wish.len < 200 ? wish.len : 200), wish.ptr, uri);
	}
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	return ok;
}

static bool check_csr(X509_REQ *req, const char *uri, struct err *err)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(req);
	if (key == NULL)
		return x509_err(err, ERR_INVALID, "a request without usable key");
	if (!check_key(key, err))
		return false;
	if (X509_REQ_verify(req, key) != 1)
		return x509_err(err, ERR_INVALID, "the request is not signed by its own key");
	return check_wish(req, uri, err);
}

static int64_t leaf_ttl(int64_t ttl_s)
{
	return ttl_s <= 0 || ttl_s > CERT_LEAF_TTL_S ? CERT_LEAF_TTL_S : ttl_s;
}

bool cert_ca_sign(const struct cert_ca *ca, const struct cert_sign_request *request,
                  struct buf *chain_pem, struct err *err)
{
	char uri[CERT_URI_MAX];
	struct x509_template template = {
		.use = X509_LEAF,
		.uri = cert_identity_format(request->identity, uri),
		.not_before_s = request->now_wall_s - CERT_BACKDATE_S,
	};
	if (!ca_bound_ttl(ca, leaf_ttl(request->ttl_s), request->now_wall_s, &template.not_after_s,
	                  err))
		return false;
	X509_REQ *req = read_csr(request->csr_pem, err);
	if (req == NULL)
		return false;
	X509 *cert = NULL;
	if (check_csr(req, uri, err))
		cert = x509_create(&template, X509_REQ_get0_pubkey(req), cert_ca_x509(ca), ca->key,
		                   err);
	X509_REQ_free(req);
	if (cert == NULL)
		return false;
	cert_x509_encode(cert, chain_pem);
	encode_chain(ca, chain_pem);
	X509_free(cert);
	return true;
}

/* --- keys of our own -------------------------------------------------------------------------- */

bool ca_issue(const struct cert_ca *ca, const struct x509_template *template, struct buf *chain_pem,
              struct buf *key_pem, struct err *err)
{
	EVP_PKEY *key = cert_key_create();
	X509 *cert = x509_create(template, key, cert_ca_x509(ca), ca->key, err);
	if (cert != NULL) {
		cert_x509_encode(cert, chain_pem);
		cert_key_encode(key, key_pem);
	}
	EVP_PKEY_free(key);
	X509_free(cert);
	return cert != NULL;
}

bool cert_ca_issue_own(const struct cert_ca *ca, const struct cert_own_request *request,
                       struct buf *chain_pem, struct buf *key_pem, struct err *err)
{
	char uri[CERT_URI_MAX];
	struct x509_template template = {
		.use = X509_LEAF,
		.names = request->names,
		.n_names = request->n_names,
		.not_before_s = request->now_wall_s - CERT_BACKDATE_S,
	};
	if (request->identity != NULL)
		template.uri = cert_identity_format(request->identity, uri);
	if (!ca_bound_ttl(ca, leaf_ttl(request->ttl_s), request->now_wall_s, &template.not_after_s,
	                  err) ||
	    !ca_issue(ca, &template, chain_pem, key_pem, err))
		return false;
	encode_chain(ca, chain_pem);
	return true;
}
