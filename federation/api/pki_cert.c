/* SPDX-License-Identifier: Apache-2.0 */
#include "pki_cert.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/addr.h"
#include "base/alloc.h"

enum {
	BACKDATE_S = 120
};

static void add_bio(BIO *bio, struct buf *out)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	buf_add(out, data, (size_t)len);
	BIO_free(bio);
}

static void add_key(EVP_PKEY *key, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	add_bio(bio, out);
}

void api_cert_make_key(struct buf *key_pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (key == NULL)
		UNREACHABLE("no EC key can be made");
	add_key(key, key_pem);
	EVP_PKEY_free(key);
}

static void set_subject(X509 *cert, const struct api_cert_request *request)
{
	X509_NAME *name = X509_get_subject_name(cert);
	if (request->organization != NULL)
		X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
		                           (const unsigned char *)request->organization, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	                           (const unsigned char *)request->common_name, -1, -1, 0);
}

static void set_serial(X509 *cert)
{
	unsigned char bytes[16];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		UNREACHABLE("the system gives no random bytes");
	bytes[0] &= 0x7f;
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (extension == NULL)
		UNREACHABLE("a certificate extension is refused");
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static void add_names(X509 *cert, const struct api_cert_request *request)
{
	GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
	for (size_t i = 0; i < request->n_names; i++) {
		struct ip ip;
		bool is_ip = ip_parse(str_from(request->names[i]), &ip);
		GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, is_ip ? GEN_IPADD : GEN_DNS,
		                                      request->names[i], 0);
		if (name != NULL)
			sk_GENERAL_NAME_push(list, name);
	}
	if (sk_GENERAL_NAME_num(list) > 0)
		X509_add1_ext_i2d(cert, NID_subject_alt_name, list, 0, 0);
	sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
}

static void add_extensions(X509 *cert, X509 *issuer, const struct api_cert_request *request)
{
	if (request->is_ca) {
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
		add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
	} else {
		add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
		add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature");
		add_extension(cert, issuer, NID_ext_key_usage,
		              request->is_client ? "clientAuth" : "serverAuth");
	}
	add_extension(cert, issuer, NID_subject_key_identifier, "hash");
	add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
	add_names(cert, request);
}

/* issuer NULL: self-signed with key. */
static void issue(const struct api_cert_request *request, EVP_PKEY *key, X509 *issuer,
                  EVP_PKEY *issuer_key, struct buf *cert_pem)
{
	X509 *cert = X509_new();
	X509_set_version(cert, X509_VERSION_3);
	set_serial(cert);
	set_subject(cert, request);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer != NULL ? issuer : cert));
	ASN1_TIME_set(X509_getm_notBefore(cert), request->now_s - BACKDATE_S);
	ASN1_TIME_set(X509_getm_notAfter(cert), request->now_s + request->ttl_s);
	X509_set_pubkey(cert, key);
	add_extensions(cert, issuer != NULL ? issuer : cert, request);
	if (X509_sign(cert, issuer_key != NULL ? issuer_key : key, EVP_sha256()) == 0)
		UNREACHABLE("a certificate cannot be signed");
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	add_bio(bio, cert_pem);
	X509_free(cert);
}

bool api_cert_issue(const struct api_cert_request *request, struct buf *cert_pem,
                    struct buf *key_pem, struct err *err)
{
	X509 *issuer = NULL;
	EVP_PKEY *issuer_key = NULL;
	bool signed_by_ca = request->ca_pem.len > 0;
	if (signed_by_ca) {
		BIO *bio = BIO_new_mem_buf(request->ca_pem.ptr, (int)request->ca_pem.len);
		issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		BIO_free(bio);
		bio = BIO_new_mem_buf(request->ca_key_pem.ptr, (int)request->ca_key_pem.len);
		issuer_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
		BIO_free(bio);
	}
	bool ok = !signed_by_ca || (issuer != NULL && issuer_key != NULL);
	if (ok) {
		EVP_PKEY *key = EVP_EC_gen("P-256");
		issue(request, key, issuer, issuer_key, cert_pem);
		add_key(key, key_pem);
		EVP_PKEY_free(key);
	}
	X509_free(issuer);
	EVP_PKEY_free(issuer_key);
	return ok || err_set(err, ERR_INVALID, "the CA's certificate or key does not parse");
}
