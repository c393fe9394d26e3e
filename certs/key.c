/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "x509_priv.h"

/* --- keys ------------------------------------------------------------------------------------- */

EVP_PKEY *cert_key_create(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (key == NULL)
		UNREACHABLE("no EC key could be made");
	return key;
}

/* OpenSSL would ask at the terminal. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static BIO *open_text(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr != NULL ? pem.ptr : "", (int)pem.len);
	if (bio == NULL)
		UNREACHABLE("out of memory");
	return bio;
}

static bool check_size(struct str pem, size_t max, const char *what, struct err *err)
{
	return pem.len <= max || err_set(err, ERR_INVALID, "%s of %zu bytes, at most %zu are taken",
	                                 what, pem.len, max);
}

EVP_PKEY *cert_key_decode(struct str pem, struct err *err)
{
	if (!check_size(pem, CERT_PEM_MAX, "a key", err))
		return NULL;
	BIO *bio = open_text(pem);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (key == NULL)
		x509_err(err, ERR_INVALID, "no private key in PEM without password");
	return key;
}

static void take_text(BIO *bio, struct buf *out)
{
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);
	if (len > 0)
		buf_add(out, text, (size_t)len);
}

void cert_key_encode(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		UNREACHABLE("a key could not be written");
	take_text(bio, out);
	BIO_free(bio);
}

/* --- certificates ----------------------------------------------------------------------------- */

X509 *cert_x509_decode(struct str pem, struct err *err)
{
	if (!check_size(pem, CERT_PEM_MAX, "a certificate", err))
		return NULL;
	BIO *bio = open_text(pem);
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (cert == NULL)
		x509_err(err, ERR_INVALID, "no certificate in PEM");
	return cert;
}

void cert_x509_encode(X509 *cert, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_X509(bio, cert) != 1)
		UNREACHABLE("a certificate could not be written");
	take_text(bio, out);
	BIO_free(bio);
}

STACK_OF(X509) * cert_x509_decode_all(struct str pem, struct err *err)
{
	if (!check_size(pem, CERT_PEM_MAX, "certificates", err))
		return NULL;
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *bio = open_text(pem);
	for (;;) {
		X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
		if (cert == NULL)
			break;
		sk_X509_push(certs, cert);
	}
	BIO_free(bio);
	/* the reader ends with "no start line"; anything else is a block that does not parse */
	bool ok = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE &&
	          sk_X509_num(certs) > 0;
	if (ok) {
		ERR_clear_error();
		return certs;
	}
	x509_err(err, ERR_INVALID, "no certificates, or one that does not parse, in PEM");
	cert_x509_stack_free(certs);
	return NULL;
}

void cert_x509_stack_free(STACK_OF(X509) * certs)
{
	sk_X509_pop_free(certs, X509_free);
}

static int64_t time_s(const ASN1_TIME *when)
{
	struct tm tm;
	return ASN1_TIME_to_tm(when, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int64_t cert_x509_not_before(const X509 *cert)
{
	return time_s(X509_get0_notBefore(cert));
}

int64_t cert_x509_not_after(const X509 *cert)
{
	return time_s(X509_get0_notAfter(cert));
}

const char *cert_x509_serial(const X509 *cert, char text[CERT_SERIAL_MAX])
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;
	snprintf(text, CERT_SERIAL_MAX, "%s", hex != NULL ? hex : "");
	OPENSSL_free(hex);
	BN_free(number);
	return text;
}

/* --- requests --------------------------------------------------------------------------------- */

static void add_uri(X509_REQ *req, const char *uri)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	ASN1_STRING_set(string, uri, -1);
	GENERAL_NAME_set0_value(name, GEN_URI, string);
	sk_GENERAL_NAME_push(names, name);
	X509_EXTENSION *extension = X509V3_EXT_i2d(NID_subject_alt_name, 1, names);
	sk_X509_EXTENSION_push(extensions, extension);
	X509_REQ_add_extensions(req, extensions);
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	GENERAL_NAMES_free(names);
}

void cert_csr_encode(EVP_PKEY *key, const char *uri, struct buf *out)
{
	X509_REQ *req = X509_REQ_new();
	X509_REQ_set_version(req, X509_REQ_VERSION_1);
	X509_REQ_set_pubkey(req, key);
	if (uri != NULL)
		add_uri(req, uri);
	BIO *bio = BIO_new(BIO_s_mem());
	if (X509_REQ_sign(req, key, EVP_sha256()) <= 0 || PEM_write_bio_X509_REQ(bio, req) != 1)
		UNREACHABLE("a certificate request could not be made");
	take_text(bio, out);
	BIO_free(bio);
	X509_REQ_free(req);
}

/* --- verification ----------------------------------------------------------------------------- */

static bool verify(X509_STORE_CTX *ctx, struct err *err)
{
	if (X509_verify_cert(ctx) == 1)
		return true;
	int why = X509_STORE_CTX_get_error(ctx);
	ERR_clear_error();
	return err_set(err, why == X509_V_ERR_CERT_HAS_EXPIRED ? ERR_EXPIRED : ERR_FORBIDDEN, "%s",
	               X509_verify_cert_error_string(why));
}

bool cert_chain_verify(struct str leaf_pem, struct str roots_pem, int64_t now_wall_s,
                       STACK_OF(X509) * *ret_chain, struct err *err)
{
	STACK_OF(X509) *roots = cert_x509_decode_all(roots_pem, err);
	STACK_OF(X509) *shown = roots != NULL ? cert_x509_decode_all(leaf_pem, err) : NULL;
	bool ok = false;
	if (shown != NULL) {
		X509_STORE *store = X509_STORE_new();
		X509_STORE_CTX *ctx = X509_STORE_CTX_new();
		X509_STORE_CTX_init(ctx, store, sk_X509_value(shown, 0), shown);
		X509_STORE_CTX_set0_trusted_stack(ctx, roots);
		X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), now_wall_s);
		ok = verify(ctx, err);
		if (ok && ret_chain != NULL)
			*ret_chain = X509_STORE_CTX_get1_chain(ctx);
		X509_STORE_CTX_free(ctx);
		X509_STORE_free(store);
	}
	cert_x509_stack_free(shown);
	cert_x509_stack_free(roots);
	return ok;
}
