/* SPDX-License-Identifier: Apache-2.0 */
#include "workload_priv.h"

#include <openssl/x509v3.h>

#include "base/file.h"

enum {
	PEM_MAX = 1 << 20
};

static bool has_uri(X509 *leaf, const char *uri)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	bool found = false;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_URI)
			continue;
		struct str have = str_make(
			(const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier),
			(size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier));
		found = found || str_is(have, uri);
	}
	GENERAL_NAMES_free(names);
	return found;
}

static bool on_verify(STACK_OF(X509) * chain, void *arg, struct err *err)
{
	const struct workload_tls *tls = arg;
	if (has_uri(sk_X509_value(chain, 0), tls->peer))
		return true;
	return err_set(err, ERR_FORBIDDEN, "the peer is not '%s'", tls->peer);
}

bool workload_tls_init(struct workload_tls *tls, const struct workload_identity *identity,
                       bool is_server, struct err *err)
{
	*tls = (struct workload_tls){.peer = identity->peer};
	buf_init(&tls->cert, PEM_MAX);
	buf_init(&tls->key, PEM_MAX);
	buf_init(&tls->roots, PEM_MAX);
	if (!file_load(identity->cert_file, &tls->cert, err) ||
	    !file_load(identity->key_file, &tls->key, err) ||
	    !file_load(identity->roots_file, &tls->roots, err))
		return false;
	struct tls_config config = {
		.cert_pem = buf_str(&tls->cert),
		.key_pem = buf_str(&tls->key),
		.roots_pem = buf_str(&tls->roots),
		.alpn = "istio",
		.peer = TLS_PEER_REQUIRED,
		.verify = on_verify,
		.verify_arg = tls,
	};
	tls->ctx = is_server ? tls_server_create(&config, err) : tls_client_create(&config, err);
	return tls->ctx != NULL;
}

void workload_tls_fini(struct workload_tls *tls)
{
	tls_ctx_unref(tls->ctx);
	tls->ctx = NULL;
	buf_fini(&tls->cert);
	buf_fini(&tls->key);
	buf_fini(&tls->roots);
}

bool workload_next_line(const struct buf *in, struct str *ret_line, size_t *ret_used)
{
	if (in->len == 0)
		return false;
	const char *end = memchr(in->ptr, '\n', in->len);
	if (end == NULL)
		return false;
	*ret_line = str_make(in->ptr, (size_t)(end - in->ptr));
	*ret_used = ret_line->len + 1;
	return true;
}
