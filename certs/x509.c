/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/addr.h"
#include "x509_priv.h"

enum {
	SERIAL_BYTES = 16,
	SUBJECT_PART_MAX = 64 /* ub-common-name and the like, RFC 5280 A.1 */
};

bool x509_err(struct err *err, enum err_code code, const char *what)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = error != 0 ? ERR_reason_error_string(error) : NULL;
	err_set(err, code, "%s%s%s", what, reason != NULL ? ": " : "",
	        reason != NULL ? reason : "");
	ERR_clear_error();
	return false;
}

static bool add_part(X509_NAME *name, const char *field, const char *text, struct err *err)
{
	if (text == NULL)
		return true;
	if (strlen(text) > SUBJECT_PART_MAX && strcmp(field, "CN") != 0)
		return err_set(err, ERR_INVALID, "'%.80s' is too long for a subject", text);
	/* a common name over the limit of X.520 is what OpenSSL itself refuses */
	if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1,
	                               -1, 0) != 1)
		return x509_err(err, ERR_INVALID, "subject");
	return true;
}

static bool set_subject(X509 *cert, const struct x509_template *template, struct err *err)
{
	X509_NAME *name = X509_get_subject_name(cert);
	if (!add_part(name, "O", template->organisation, err))
		return false;
	for (size_t i = 0; i < template->n_organisations; i++) {
		if (!add_part(name, "O", template->organisations[i], err))
			return false;
	}
	return add_part(name, "OU", template->unit, err) &&
	       add_part(name, "CN", template->common_name, err);
}

/* --- names ------------------------------------------------------------------------------------ */

static GENERAL_NAME *make_text_name(int type, const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();
	if (name == NULL || string == NULL || ASN1_STRING_set(string, text, -1) != 1)
		UNREACHABLE("out of memory");
	GENERAL_NAME_set0_value(name, type, string);
	return name;
}

static GENERAL_NAME *make_ip_name(const struct ip *ip)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	size_t skip = ip_is_v4(ip) ? 12 : 0;
	if (name == NULL || string == NULL ||
	    ASN1_OCTET_STRING_set(string, ip->b + skip, (int)(16 - skip)) != 1)
		UNREACHABLE("out of memory");
	GENERAL_NAME_set0_value(name, GEN_IPADD, string);
	return name;
}

static bool set_names(X509 *cert, const struct x509_template *template, struct err *err)
{
	if (template->uri == NULL && template->n_names == 0)
		return true;
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	if (template->uri != NULL)
		sk_GENERAL_NAME_push(names, make_text_name(GEN_URI, template->uri));
	for (size_t i = 0; i < template->n_names; i++) {
		struct ip ip;
		const char *text = template->names[i];
		sk_GENERAL_NAME_push(names, ip_parse(str_from(text), &ip)
		                                    ? make_ip_name(&ip)
		                                    : make_text_name(GEN_DNS, text));
	}
	bool no_subject = X509_NAME_entry_count(X509_get_subject_name(cert)) == 0;
	int ok = X509_add1_ext_i2d(cert, NID_subject_alt_name, names, no_subject,
	                           X509V3_ADD_DEFAULT);
	GENERAL_NAMES_free(names);
	return ok == 1 || x509_err(err, ERR_INVALID, "subject alternative names");
}

static bool set_constraint(X509 *cert, const char *host, struct err *err)
{
	if (host == NULL)
		return true;
	NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
	GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
	if (constraints == NULL || subtree == NULL)
		UNREACHABLE("out of memory");
	GENERAL_NAME_free(subtree->base);
	subtree->base = make_text_name(GEN_URI, host);
	constraints->permittedSubtrees = sk_GENERAL_SUBTREE_new_null();
	sk_GENERAL_SUBTREE_push(constraints->permittedSubtrees, subtree);
	int ok = X509_add1_ext_i2d(cert, NID_name_constraints, constraints, 1, X509V3_ADD_DEFAULT);
	NAME_CONSTRAINTS_free(constraints);
	return ok == 1 || x509_err(err, ERR_INTERNAL, "name constraints");
}

/* --- what it may do --------------------------------------------------------------------------- */

static const struct {
	const char *constraints;
	const char *usage;
	const char *extended;
} uses[] = {
	[X509_CA_ROOT] = {"critical,CA:TRUE", "critical,keyCertSign,cRLSign", NULL},
	[X509_CA_LAST] = {"critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", NULL},
	[X509_LEAF] = {"critical,CA:FALSE", "critical,digitalSignature,keyEncipherment",
                       "serverAuth,clientAuth"},
	[X509_LEAF_SERVER] = {"critical,CA:FALSE", "critical,digitalSignature,keyEncipherment",
                              "serverAuth"},
	[X509_LEAF_CLIENT] = {"critical,CA:FALSE", "critical,digitalSignature,keyEncipherment",
                              "clientAuth"},
};

static bool add_literal(X509 *cert, X509 *issuer, int nid, const char *value, struct err *err)
{
	if (value == NULL)
		return true;
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return ok || x509_err(err, ERR_INTERNAL, "certificate extension");
}

static bool set_uses(X509 *cert, X509 *issuer, enum x509_use use, struct err *err)
{
	return add_literal(cert, issuer, NID_basic_constraints, uses[use].constraints, err) &&
	       add_literal(cert, issuer, NID_key_usage, uses[use].usage, err) &&
	       add_literal(cert, issuer, NID_ext_key_usage, uses[use].extended, err) &&
	       add_literal(cert, issuer, NID_subject_key_identifier, "hash", err) &&
	       add_literal(cert, issuer, NID_authority_key_identifier, "keyid", err);
}

static void set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		UNREACHABLE("no random bytes");
	bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, full length */
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
}

static bool sign(X509 *cert, EVP_PKEY *key, struct err *err)
{
	/* Ed25519 brings its own digest */
	bool plain = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");
	if (X509_sign(cert, key, plain ? NULL : EVP_sha256()) <= 0)
		return x509_err(err, ERR_INTERNAL, "signing a certificate");
	return true;
}

X509 *x509_create(const struct x509_template *template, EVP_PKEY *subject_key, X509 *issuer,
                  EVP_PKEY *issuer_key, struct err *err)
{
	X509 *cert = X509_new();
	if (cert == NULL)
		UNREACHABLE("out of memory");
	X509_set_version(cert, X509_VERSION_3);
	set_serial(cert);
	ASN1_TIME_set(X509_getm_notBefore(cert), template->not_before_s);
	ASN1_TIME_set(X509_getm_notAfter(cert), template->not_after_s);
	X509_set_pubkey(cert, subject_key);
	X509 *above = issuer != NULL ? issuer : cert;
	bool ok = set_subject(cert, template, err);
	if (ok)
		X509_set_issuer_name(cert, X509_get_subject_name(above));
	ok = ok && set_uses(cert, above, template->use, err) && set_names(cert, template, err) &&
	     set_constraint(cert, template->uri_constraint, err) && sign(cert, issuer_key, err);
	if (ok)
		return cert;
	X509_free(cert);
	return NULL;
}
