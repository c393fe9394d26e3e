/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include "auth.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"
#include "certs/api_ca.h"
#include "certs/key.h"

void api_pki_fini(struct api_pki *pki)
{
	free(pki->serving_ca_pem);
	free(pki->client_ca_pem);
	free(pki->serving_pem);
	free(pki->serving_key_pem);
	free(pki->admin_pem);
	free(pki->admin_key_pem);
	free(pki->token_key_pem);
	free(pki->admin_token);
	*pki = (struct api_pki){0};
}

/* --- files ------------------------------------------------------------------------------------ */

/* *ret_text NULL: not there. */
static bool load(const struct api_pki_options *options, const char *name, char **ret_text,
                 struct err *err)
{
	struct buf text;
	buf_init(&text, CERT_PEM_MAX);
	char *path = xasprintf("%s/%s", options->data_dir, name);
	bool ok = file_load(path, &text, err);
	*ret_text = ok ? buf_take(&text) : NULL;
	if (!ok && err->code == ERR_NOT_FOUND)
		ok = true;
	buf_fini(&text);
	free(path);
	return ok;
}

static bool save(const struct api_pki_options *options, const char *name, const char *text,
                 struct err *err)
{
	char *path = xasprintf("%s/%s", options->data_dir, name);
	bool ok = file_save(path, str_from(text), 0600, err);
	free(path);
	return ok;
}

/* Moves the content of buf into *ret_text and the file. */
static bool keep(const struct api_pki_options *options, const char *name, struct buf *buf,
                 char **ret_text, struct err *err)
{
	*ret_text = buf_take(buf);
	return save(options, name, *ret_text, err);
}

/* --- what is made once ------------------------------------------------------------------------ */

struct ca {
	struct cert_ca *ca;
	char *pem;
};

static bool save_ca(const struct api_pki_options *options, const char *cert_file,
                    const char *key_file, struct ca *ca, struct err *err)
{
	struct buf cert;
	struct buf key;
	char *key_pem = NULL;
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	cert_ca_encode(ca->ca, &cert, &key);
	free(ca->pem);
	/* The key first: a certificate without key is made anew. */
	bool ok = keep(options, key_file, &key, &key_pem, err) &&
	          keep(options, cert_file, &cert, &ca->pem, err);
	free(key_pem);
	buf_fini(&cert);
	buf_fini(&key);
	return ok;
}

static bool open_ca(const struct api_pki_options *options, const char *name, struct ca *ret_ca,
                    struct err *err)
{
	char *key_pem = NULL;
	char *cert_file = xasprintf("pki/%s.crt", name);
	char *key_file = xasprintf("pki/%s.key", name);
	bool ok = load(options, cert_file, &ret_ca->pem, err) &&
	          load(options, key_file, &key_pem, err);
	if (ok && ret_ca->pem != NULL && key_pem != NULL) {
		ret_ca->ca = cert_ca_decode(str_from(ret_ca->pem), str_from(key_pem), err);
		ok = ret_ca->ca != NULL || err_wrap(err, "%s/%s", options->data_dir, cert_file);
	} else if (ok) {
		char *common_name = xasprintf("fedway-api-%s", name);
		ret_ca->ca = cert_api_ca_create(common_name, CERT_ROOT_TTL_S, options->now_s);
		ok = save_ca(options, cert_file, key_file, ret_ca, err);
		free(common_name);
	}
	free(key_pem);
	free(cert_file);
	free(key_file);
	return ok;
}

static bool make_token_key(const struct api_pki_options *options, struct api_pki *pki,
                           struct err *err)
{
	if (!load(options, "pki/service-accounts.key", &pki->token_key_pem, err))
		return false;
	if (pki->token_key_pem != NULL)
		return true;
	struct buf key;
	buf_init(&key, CERT_PEM_MAX);
	EVP_PKEY *made = cert_key_create();
	cert_key_encode(made, &key);
	EVP_PKEY_free(made);
	return keep(options, "pki/service-accounts.key", &key, &pki->token_key_pem, err);
}

static bool make_admin_token(const struct api_pki_options *options, struct api_pki *pki,
                             struct err *err)
{
	unsigned char bytes[24];
	if (!load(options, "admin.token", &pki->admin_token, err))
		return false;
	if (pki->admin_token != NULL && strlen(pki->admin_token) >= 32)
		return true;
	free(pki->admin_token);
	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		UNREACHABLE("the system gives no random bytes");
	pki->admin_token = xcalloc(2 * sizeof(bytes) + 1, 1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(pki->admin_token + 2 * i, 3, "%02x", bytes[i]);
	return save(options, "admin.token", pki->admin_token, err);
}

/* --- what is issued at each start ------------------------------------------------------------- */

static bool issue_serving(const struct api_pki_options *options, const struct ca *ca,
                          struct api_pki *pki, struct err *err)
{
	struct buf cert;
	struct buf key;
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	bool ok = cert_api_ca_issue_serving(ca->ca, options->names, options->n_names,
	                                    options->now_s, &cert, &key, err);
	pki->serving_pem = buf_take(&cert);
	pki->serving_key_pem = buf_take(&key);
	return ok;
}

static bool issue_admin(const struct api_pki_options *options, const struct ca *ca,
                        struct api_pki *pki, struct err *err)
{
	static const char *const groups[] = {API_ADMIN_GROUP};
	struct cert_api_user admin = {.name = "admin", .groups = groups, .n_groups = 1};
	struct buf cert;
	struct buf key;
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	bool ok = cert_api_ca_issue_client(ca->ca, &admin, options->now_s, &cert, &key, err);
	pki->admin_pem = buf_take(&cert);
	pki->admin_key_pem = buf_take(&key);
	return ok;
}

bool api_pki_open(const struct api_pki_options *options, struct api_pki *ret_pki, struct err *err)
{
	struct ca serving = {NULL, NULL};
	struct ca client = {NULL, NULL};
	char *dir = xasprintf("%s/pki", options->data_dir);
	*ret_pki = (struct api_pki){0};
	bool ok = file_make_dirs(dir, err) && open_ca(options, "serving-ca", &serving, err) &&
	          open_ca(options, "client-ca", &client, err) &&
	          make_token_key(options, ret_pki, err) &&
	          make_admin_token(options, ret_pki, err) &&
	          issue_serving(options, &serving, ret_pki, err) &&
	          issue_admin(options, &client, ret_pki, err);
	ret_pki->serving_ca_pem = serving.pem;
	ret_pki->client_ca_pem = client.pem;
	cert_ca_destroy(serving.ca);
	cert_ca_destroy(client.ca);
	free(dir);
	return ok || err_wrap(err, "keys of the API");
}

/* --- kubeconfig ------------------------------------------------------------------------------- */

static char *base64(const char *text)
{
	size_t len = strlen(text);
	unsigned char *out = xmalloc(len / 3 * 4 + 5);
	EVP_EncodeBlock(out, (const unsigned char *)text, (int)len);
	return (char *)out;
}

char *api_pki_kubeconfig(const struct api_pki *pki, const char *server)
{
	char *ca = base64(pki->serving_ca_pem);
	char *cert = base64(pki->admin_pem);
	char *key = base64(pki->admin_key_pem);
	char *text = xasprintf("apiVersion: v1\n"
	                       "kind: Config\n"
	                       "clusters:\n"
	                       "- name: fedway\n"
	                       "  cluster:\n"
	                       "    server: %s\n"
	                       "    certificate-authority-data: %s\n"
	                       "users:\n"
	                       "- name: admin\n"
	                       "  user:\n"
	                       "    client-certificate-data: %s\n"
	                       "    client-key-data: %s\n"
	                       "contexts:\n"
	                       "- name: fedway\n"
	                       "  context:\n"
	                       "    cluster: fedway\n"
	                       "    user: admin\n"
	                       "current-context: fedway\n",
	                       server, ca, cert, key);
	free(ca);
	free(cert);
	free(key);
	return text;
}
