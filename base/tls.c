/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A struct tls_ctx hangs in its SSL_CTX as ex_data, so it lives exactly as long as the last
 * connection made from it, and OpenSSL's own count is the only one.
 */
#include "base/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

struct tls_ctx {
	SSL_CTX *ssl_ctx;
	enum tls_peer peer;
	bool accept_expired;
	bool accept_early;
	tls_verify_cb verify;
	void *verify_arg;
	unsigned char *alpn; /* length-prefixed, as on the wire */
	unsigned alpn_len;
};

static pthread_once_t indexes_once = PTHREAD_ONCE_INIT;
static int ctx_index = -1; /* SSL_CTX -> struct tls_ctx */
static int err_index = -1; /* SSL -> struct err of the hook */

static void free_ctx_data(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
                          void *argp)
{
	struct tls_ctx *ctx = ptr;

	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (ctx == NULL)
		return;
	free(ctx->alpn);
	free(ctx);
}

static void free_err_data(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
                          void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	free(ptr);
}

static void make_indexes(void)
{
	ctx_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_ctx_data);
	err_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_err_data);
}

/* --- verification ----------------------------------------------------------------------------- */

static struct tls_ctx *ctx_of(const X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);
}

static int pass_time(int ok, X509_STORE_CTX *store)
{
	const struct tls_ctx *ctx = ctx_of(store);
	int error = X509_STORE_CTX_get_error(store);
	if (ok || !((ctx->accept_expired && error == X509_V_ERR_CERT_HAS_EXPIRED) ||
	            (ctx->accept_early && error == X509_V_ERR_CERT_NOT_YET_VALID)))
		return ok;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int verify_chain(X509_STORE_CTX *store, void *arg)
{
	struct tls_ctx *ctx = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct err err;

	if (ctx->peer == TLS_PEER_NONE)
		return 1;
	X509_STORE_CTX_set_verify_cb(store, pass_time);
	if (X509_verify_cert(store) != 1)
		return 0;
	if (ctx->verify == NULL)
		return 1;
	if (ctx->verify(X509_STORE_CTX_get0_chain(store), ctx->verify_arg, &err))
		return 1;
	free(SSL_get_ex_data(ssl, err_index));
	SSL_set_ex_data(ssl, err_index, xmemdup(&err, sizeof(err)));
	/* This value and no other makes OpenSSL say bad_certificate. */
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	ERR_clear_error();
	return reason != NULL ? reason : "unknown reason";
}

static int no_password(char *password, int size, int rwflag, void *arg)
{
	(void)password, (void)size, (void)rwflag, (void)arg;
	return 0;
}

static BIO *open_pem(struct str pem, const char *what, struct err *err)
{
	if (pem.len > TLS_PEM_MAX) {
		err_set(err, ERR_TOO_LARGE, "%s: %zu bytes of PEM, %d at most", what, pem.len,
		        TLS_PEM_MAX);
		return NULL;
	}
	return BIO_new_mem_buf(pem.ptr != NULL ? pem.ptr : "", (int)pem.len);
}

/* Calls use(ssl_ctx, n-th certificate, n) for all in pem; use takes the certificate. */
static bool each_cert(SSL_CTX *ssl_ctx, struct str pem, const char *what,
                      int (*use)(SSL_CTX *, X509 *, int n), struct err *err)
{
	BIO *bio = open_pem(pem, what, err);
	int n = 0;
	bool ok = true;

	if (bio == NULL)
		return false;
	for (;;) {
		X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);

		if (cert == NULL)
			break;
		ok = use(ssl_ctx, cert, n) == 1;
		X509_free(cert);
		if (!ok)
			break;
		n++;
	}
	BIO_free(bio);
	if (ok && n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return true;
	}
	if (n == 0 && ok) {
		ERR_clear_error();
		return err_set(err, ERR_INVALID, "%s: no certificate in PEM form", what);
	}
	return err_set(err, ERR_INVALID, "%s: certificate %d: %s", what, n + 1, openssl_reason());
}

static int use_own_cert(SSL_CTX *ssl_ctx, X509 *cert, int n)
{
	if (n == 0)
		return SSL_CTX_use_certificate(ssl_ctx, cert);
	return (int)SSL_CTX_add1_chain_cert(ssl_ctx, cert);
}

static int use_root(SSL_CTX *ssl_ctx, X509 *cert, int n)
{
	(void)n;
	return X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx), cert);
}

static bool load_own(SSL_CTX *ssl_ctx, const struct tls_config *config, struct err *err)
{
	BIO *bio;
	EVP_PKEY *key;
	bool ok;

	if (!each_cert(ssl_ctx, config->cert_pem, "own certificate", use_own_cert, err))
		return false;
	bio = open_pem(config->key_pem, "private key", err);
	if (bio == NULL)
		return false;
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	if (key == NULL)
		return err_set(err, ERR_INVALID, "private key: no unencrypted key in PEM form (%s)",
		               openssl_reason());
	ok = SSL_CTX_use_PrivateKey(ssl_ctx, key) == 1 && SSL_CTX_check_private_key(ssl_ctx) == 1;
	EVP_PKEY_free(key);
	if (!ok)
		return err_set(err, ERR_INVALID, "private key does not fit the certificate (%s)",
		               openssl_reason());
	return true;
}

/* "h2,http/1.1" as ALPN's list of length-prefixed names. */
static bool set_alpn(struct tls_ctx *ctx, const char *alpn, struct err *err)
{
	struct str rest = str_from(alpn);
	struct str name;
	struct buf CLEANUP(buf_fini) out;

	buf_init(&out, 255);
	while (str_split(&rest, ',', &name)) {
		if (name.len == 0 || name.len > 64)
			return err_set(err, ERR_INVALID, "ALPN list '%s' has a bad name", alpn);
		buf_add_char(&out, (char)name.len);
		buf_add_str(&out, name);
	}
	if (buf_failed(&out))
		return err_set(err, ERR_INVALID, "ALPN list '%s' is too long", alpn);
	ctx->alpn_len = (unsigned)out.len;
	ctx->alpn = xmemdup(out.ptr, out.len);
	return true;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                       const unsigned char *in, unsigned in_len, void *arg)
{
	struct tls_ctx *ctx = arg;
	unsigned char *chosen;

	(void)ssl;
	if (SSL_select_next_proto(&chosen, out_len, ctx->alpn, ctx->alpn_len, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int verify_mode(enum tls_peer peer)
{
	switch (peer) {
	case TLS_PEER_REQUIRED:
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	case TLS_PEER_REQUESTED:
		return SSL_VERIFY_PEER;
	case TLS_PEER_NONE:
		return SSL_VERIFY_NONE;
	}
	UNREACHABLE("enum tls_peer");
}

static void set_rules(struct tls_ctx *ctx)
{
	SSL_CTX *ssl_ctx = ctx->ssl_ctx;

	SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                                     SSL_OP_NO_COMPRESSION |
	                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                                  SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl_ctx, 0);
	SSL_CTX_set_cipher_list(ssl_ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_verify(ssl_ctx, verify_mode(ctx->peer), NULL);
	SSL_CTX_set_verify_depth(ssl_ctx, TLS_CHAIN_MAX - 2);
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify_chain, ctx);
}

static struct tls_ctx *make_ctx(const SSL_METHOD *method, const struct tls_config *config)
{
	struct tls_ctx *ctx = xcalloc(1, sizeof(*ctx));

	pthread_once(&indexes_once, make_indexes);
	ctx->ssl_ctx = SSL_CTX_new(method);
	if (ctx->ssl_ctx == NULL)
		UNREACHABLE("OpenSSL without memory or methods");
	SSL_CTX_set_ex_data(ctx->ssl_ctx, ctx_index, ctx);
	ctx->peer = config->peer;
	ctx->accept_expired = config->accept_expired;
	ctx->accept_early = config->accept_early;
	ctx->verify = config->verify;
	ctx->verify_arg = config->verify_arg;
	set_rules(ctx);
	return ctx;
}

static bool fill_ctx(struct tls_ctx *ctx, const struct tls_config *config, struct err *err)
{
	ERR_clear_error();
	if (config->cert_pem.len > 0 && !load_own(ctx->ssl_ctx, config, err))
		return false;
	if (config->roots_pem.len > 0 &&
	    !each_cert(ctx->ssl_ctx, config->roots_pem, "roots", use_root, err))
		return false;
	if (config->roots_pem.len == 0 && config->peer != TLS_PEER_NONE)
		return err_set(err, ERR_INVALID, "no roots given to verify the peer with");
	return config->alpn == NULL || set_alpn(ctx, config->alpn, err);
}

struct tls_ctx *tls_server_create(const struct tls_config *config, struct err *err)
{
	struct tls_ctx *ctx;

	if (config->cert_pem.len == 0) {
		err_set(err, ERR_INVALID, "a TLS server needs a certificate");
		return NULL;
	}
	ctx = make_ctx(TLS_server_method(), config);
	if (!fill_ctx(ctx, config, err)) {
		tls_ctx_unref(ctx);
		return NULL;
	}
	if (ctx->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(ctx->ssl_ctx, select_alpn, ctx);
	return ctx;
}

struct tls_ctx *tls_client_create(const struct tls_config *config, struct err *err)
{
	struct tls_ctx *ctx = make_ctx(TLS_client_method(), config);

	if (!fill_ctx(ctx, config, err)) {
		tls_ctx_unref(ctx);
		return NULL;
	}
	if (ctx->alpn != NULL)
		SSL_CTX_set_alpn_protos(ctx->ssl_ctx, ctx->alpn, ctx->alpn_len);
	return ctx;
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	SSL_CTX_up_ref(ctx->ssl_ctx);
	return ctx;
}

void tls_ctx_unref(struct tls_ctx *ctx)
{
	if (ctx != NULL)
		SSL_CTX_free(ctx->ssl_ctx);
}

/* --- one connection --------------------------------------------------------------------------- */

SSL *tls_server_open(struct tls_ctx *ctx)
{
	SSL *ssl = SSL_new(ctx->ssl_ctx);

	if (ssl == NULL)
		UNREACHABLE("OpenSSL without memory");
	SSL_set_accept_state(ssl);
	return ssl;
}

static void expect_name(SSL *ssl, const char *name, bool is_ip)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (is_ip)
		X509_VERIFY_PARAM_set1_ip_asc(param, name);
	else
		X509_VERIFY_PARAM_set1_host(param, name, 0);
}

/* OpenSSL copies the name, but its macro casts const away. */
static void send_name(SSL *ssl, const char *name)
{
	char *copy = xstrdup(name);

	SSL_set_tlsext_host_name(ssl, copy);
	free(copy);
}

SSL *tls_client_open(struct tls_ctx *ctx, const char *server_name, bool check_name)
{
	SSL *ssl = SSL_new(ctx->ssl_ctx);
	struct in6_addr ip;
	bool is_ip;

	if (ssl == NULL)
		UNREACHABLE("OpenSSL without memory");
	SSL_set_connect_state(ssl);
	if (server_name == NULL)
		return ssl;
	is_ip = inet_pton(AF_INET, server_name, &ip) == 1 ||
	        inet_pton(AF_INET6, server_name, &ip) == 1;
	if (!is_ip)
		send_name(ssl, server_name);
	if (check_name)
		expect_name(ssl, server_name, is_ip);
	return ssl;
}

STACK_OF(X509) * tls_peer_chain(const SSL *ssl)
{
	const struct tls_ctx *ctx = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ctx_index);

	if (ctx->peer == TLS_PEER_NONE || SSL_get_verify_result(ssl) != X509_V_OK)
		return NULL;
	return SSL_get0_verified_chain(ssl);
}

struct str tls_alpn(const SSL *ssl)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len > 0 ? str_make((const char *)name, len) : STR_NULL;
}

static bool is_certificate_alert(int alert)
{
	return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_UNKNOWN_CA + 1) ||
	       alert == SSL_AD_CERTIFICATE_REQUIRED;
}

static bool explain_reason(int reason, struct err *err)
{
	const char *text = openssl_reason();

	if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
		int alert = reason - SSL_AD_REASON_OFFSET;

		if (is_certificate_alert(alert))
			return err_set(err, ERR_UNAUTHORIZED,
			               "the peer refused our certificate (%s)", text);
		return err_set(err, ERR_PROTOCOL, "the peer sent TLS alert %d (%s)", alert, text);
	}
	if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return err_set(err, ERR_FORBIDDEN, "the peer showed no certificate");
	if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)
		return err_set(err, ERR_PROTOCOL, "the peer does not speak TLS");
	return err_set(err, ERR_PROTOCOL, "TLS failed: %s", text);
}

bool tls_explain(const SSL *ssl, struct err *err)
{
	const struct err *hook = SSL_get_ex_data(ssl, err_index);
	long result = SSL_get_verify_result(ssl);

	if (hook != NULL) {
		ERR_clear_error();
		*err = *hook;
		return err_wrap(err, "the peer's certificate is refused");
	}
	if (result != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
		ERR_clear_error();
		return err_set(err, ERR_FORBIDDEN, "the peer's certificate is refused: %s",
		               X509_verify_cert_error_string(result));
	}
	return explain_reason(ERR_GET_REASON(ERR_peek_error()), err);
}
