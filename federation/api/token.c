/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"

enum {
	COORDINATE = 32 /* bytes of r, s, x, y of P-256 */
};

struct api_tokens {
	EVP_PKEY *key;
	char id[17];
	unsigned char x[COORDINATE];
	unsigned char y[COORDINATE];
};

/* --- base64url (RFC 4648 5, without padding) -------------------------------------------------- */

static void add_base64url(struct buf *out, const void *data, size_t len)
{
	unsigned char *text = xmalloc(len / 3 * 4 + 5);
	size_t n = (size_t)EVP_EncodeBlock(text, data, (int)len);
	while (n > 0 && text[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = (char)text[i];
		buf_add_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
	}
	free(text);
}

static bool add_decoded(struct buf *out, struct str text)
{
	struct buf plain CLEANUP(buf_fini);
	buf_init(&plain, API_TOKEN_MAX * 2);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '+' || c == '/' || c == '=')
			return false;
		buf_add_char(&plain, c == '-' ? '+' : c == '_' ? '/' : c);
	}
	size_t padding = (4 - plain.len % 4) % 4;
	for (size_t i = 0; i < padding; i++)
		buf_add_char(&plain, '=');
	char *room = buf_reserve(out, plain.len + 1);
	if (padding == 3 || room == NULL)
		return false;
	int n = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)buf_text(&plain),
	                        (int)plain.len);
	if (n < (int)padding)
		return false;
	buf_commit(out, (size_t)n - padding);
	return true;
}

/* --- the key ---------------------------------------------------------------------------------- */

static bool read_coordinate(EVP_PKEY *key, const char *name, unsigned char *ret)
{
	BIGNUM *number = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, name, &number) == 1 &&
	          BN_bn2binpad(number, ret, COORDINATE) == COORDINATE;
	BN_free(number);
	return ok;
}

static void name_key(struct api_tokens *tokens)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned char point[2 * COORDINATE];
	memcpy(point, tokens->x, COORDINATE);
	memcpy(point + COORDINATE, tokens->y, COORDINATE);
	if (EVP_Digest(point, sizeof(point), hash, NULL, EVP_sha256(), NULL) != 1)
		UNREACHABLE("SHA-256 fails");
	for (size_t i = 0; i < 8; i++)
		snprintf(tokens->id + 2 * i, 3, "%02x", hash[i]);
}

struct api_tokens *api_tokens_create(struct str key_pem, struct err *err)
{
	struct api_tokens *tokens = xcalloc(1, sizeof(*tokens));
	BIO *bio = BIO_new_mem_buf(key_pem.ptr, (int)key_pem.len);
	tokens->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (tokens->key != NULL &&
	    read_coordinate(tokens->key, OSSL_PKEY_PARAM_EC_PUB_X, tokens->x) &&
	    read_coordinate(tokens->key, OSSL_PKEY_PARAM_EC_PUB_Y, tokens->y)) {
		name_key(tokens);
		return tokens;
	}
	api_tokens_destroy(tokens);
	IGNORE(err_set(err, ERR_INVALID, "the key of service account tokens is no EC P-256 key"));
	return NULL;
}

void api_tokens_destroy(struct api_tokens *tokens)
{
	if (tokens == NULL)
		return;
	EVP_PKEY_free(tokens->key);
	free(tokens);
}

/* --- signatures: JWS has r and s side by side, OpenSSL has them in DER -------------------------
 */

static void sign(const struct api_tokens *tokens, struct str data, unsigned char *ret_rs)
{
	unsigned char der[128];
	size_t len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, tokens->key) != 1 ||
	    EVP_DigestSign(ctx, der, &len, (const unsigned char *)data.ptr, data.len) != 1)
		UNREACHABLE("signing with a key that was checked fails");
	EVP_MD_CTX_free(ctx);
	const unsigned char *next = der;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &next, (long)len);
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret_rs, COORDINATE);
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret_rs + COORDINATE, COORDINATE);
	ECDSA_SIG_free(signature);
}

static bool verify(const struct api_tokens *tokens, struct str data, struct str rs)
{
	if (rs.len != 2 * COORDINATE)
		return false;
	const unsigned char *bytes = (const unsigned char *)rs.ptr;
	unsigned char *der = NULL;
	ECDSA_SIG *signature = ECDSA_SIG_new();
	ECDSA_SIG_set0(signature, BN_bin2bn(bytes, COORDINATE, NULL),
	               BN_bin2bn(bytes + COORDINATE, COORDINATE, NULL));
	int len = i2d_ECDSA_SIG(signature, &der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = len > 0 &&
	          EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, tokens->key) == 1 &&
	          EVP_DigestVerify(ctx, der, (size_t)len, (const unsigned char *)data.ptr,
	                           data.len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ECDSA_SIG_free(signature);
	return ok;
}

char *api_token_sign(const struct api_tokens *tokens, const json_t *claims)
{
	unsigned char rs[2 * COORDINATE];
	struct buf out;
	buf_init(&out, API_TOKEN_MAX * 2);
	json_t *header = json_pack("{s:s, s:s}", "alg", "ES256", "kid", tokens->id);
	char *header_text = json_format(header);
	char *claims_text = json_format(claims);
	add_base64url(&out, header_text, strlen(header_text));
	buf_add_char(&out, '.');
	add_base64url(&out, claims_text, strlen(claims_text));
	sign(tokens, buf_str(&out), rs);
	buf_add_char(&out, '.');
	add_base64url(&out, rs, sizeof(rs));
	free(header_text);
	free(claims_text);
	json_decref(header);
	return buf_take(&out);
}

static json_t *decode_part(struct str part)
{
	struct err err;
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, API_TOKEN_MAX * 2);
	if (!add_decoded(&text, part))
		return NULL;
	return json_parse(buf_str(&text), &err);
}

static bool is_signed(const struct api_tokens *tokens, struct str signed_part, struct str header,
                      struct str signature)
{
	struct buf rs CLEANUP(buf_fini);
	buf_init(&rs, API_TOKEN_MAX);
	json_t *fields = decode_part(header);
	bool ok = strcmp(json_str_at(fields, "alg", ""), "ES256") == 0 &&
	          add_decoded(&rs, signature) && verify(tokens, signed_part, buf_str(&rs));
	json_decref(fields);
	return ok;
}

json_t *api_token_verify(const struct api_tokens *tokens, struct str token, int64_t now_s,
                         struct err *err)
{
	struct str rest = token;
	struct str header;
	struct str payload;
	bool form = token.len <= API_TOKEN_MAX && str_split(&rest, '.', &header) &&
	            str_split(&rest, '.', &payload) && rest.ptr != NULL;
	if (!form ||
	    !is_signed(tokens, str_make(token.ptr, header.len + 1 + payload.len), header, rest)) {
		IGNORE(err_set(err, ERR_UNAUTHORIZED, "invalid bearer token"));
		return NULL;
	}
	json_t *claims = decode_part(payload);
	bool ok = claims != NULL && strcmp(json_str_at(claims, "iss", ""), API_TOKEN_ISSUER) == 0;
	if (!ok)
		IGNORE(err_set(err, ERR_UNAUTHORIZED, "invalid bearer token"));
	else if (json_int_at(claims, "exp", 0) <= now_s || json_int_at(claims, "nbf", 0) > now_s)
		ok = err_set(err, ERR_UNAUTHORIZED, "invalid bearer token, token has expired");
	if (ok)
		return claims;
	json_decref(claims);
	return NULL;
}

json_t *api_tokens_jwks(const struct api_tokens *tokens)
{
	struct buf x CLEANUP(buf_fini);
	struct buf y CLEANUP(buf_fini);
	buf_init(&x, 64);
	buf_init(&y, 64);
	add_base64url(&x, tokens->x, COORDINATE);
	add_base64url(&y, tokens->y, COORDINATE);
	return json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:s}]}", "keys", "use", "sig", "kty",
	                 "EC", "kid", tokens->id, "crv", "P-256", "alg", "ES256", "x", buf_text(&x),
	                 "y", buf_text(&y));
}
