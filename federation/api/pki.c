/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include "auth.h"
#include "pki_cert.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/file.h"

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
	buf_init(&text, API_PEM_MAX);
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
	char *pem;
	char *key_pem;
};

static bool make_ca(const struct api_pki_options *options, const char *name, struct ca *ret_ca,
                    struct err *err)
{
	char *cert_file = xasprintf("pki/%s.crt", name);
	char *key_file = xasprintf("pki/%s.key", name);
	bool ok = load(options, cert_file, &ret_ca->pem, err) &&
	          load(options, key_file, &ret_ca->key_pem, err);
	if (ok && (ret_ca->pem == NULL || ret_ca->key_pem == NULL)) {
		char *common_name = xasprintf("fedway-api-%s", name);
		struct api_cert_request request = {.common_name = common_name,
		                                   .is_ca = true,
		                                   .ttl_s = API_CA_TTL_S,
		                                   .now_s = options->now_s};
		struct buf cert;
		struct buf key;
		buf_init(&cert, API_PEM_MAX);
		buf_init(&key, API_PEM_MAX);
		free(ret_ca->pem);
		free(ret_ca->key_pem);
		*ret_ca = (struct ca){NULL, NULL};
		/* The key first: a certificate without key is made anew. */
		ok = api_cert_issue(&request, &cert, &key, err) &&
		     keep(options, key_file, &key, &ret_ca->key_pem, err) &&
		     keep(options, cert_file, &cert, &ret_ca->pem, err);
		buf_fini(&cert);
		buf_fini(&key);
		free(common_name);
	}
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
	buf_init(&key, API_PEM_MAX);
	api_cert_make_key(&key);
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

static bool issue(const struct ca *ca, struct api_cert_request *request, char **ret_pem,
                  char **ret_key_pem, struct err *err)
{
	struct buf cert;
	struct buf key;
	buf_init(&cert, API_PEM_MAX);
	buf_init(&key, API_PEM_MAX);
	request->ca_pem = str_from(ca->pem);
	request->ca_key_pem = str_from(ca->key_pem);
	request->ttl_s = API_CERT_TTL_S;
	bool ok = api_cert_issue(request, &cert, &key, err);
	*ret_pem = buf_take(&cert);
	*ret_key_pem = buf_take(&key);
	return ok;
}

static bool issue_all(const struct api_pki_options *options, struct api_pki *pki,
                      const struct ca *serving, const struct ca *client, struct err *err)
{
	struct api_cert_request server = {.common_name = "fedway-api",
	                                  .names = options->names,
	                                  .n_names = options->n_names,
	                                  .now_s = options->now_s};
	struct api_cert_request admin = {.common_name = "admin",
	                                 .organization = API_ADMIN_GROUP,
	                                 .is_client = true,
	                                 .now_s = options->now_s};
	return issue(serving, &server, &pki->serving_pem, &pki->serving_key_pem, err) &&
	       issue(client, &admin, &pki->admin_pem, &pki->admin_key_pem, err);
}

bool api_pki_open(const struct api_pki_options *options, struct api_pki *ret_pki, struct err *err)
{
	struct ca serving = {NULL, NULL};
	struct ca client = {NULL, NULL};
	char *dir = xasprintf("%s/pki", options->data_dir);
	*ret_pki = (struct api_pki){0};
	bool ok = file_make_dirs(dir, err) && make_ca(options, "serving-ca", &serving, err) &&
	          make_ca(options, "client-ca", &client, err) &&
	          make_token_key(options, ret_pki, err) &&
	          make_admin_token(options, ret_pki, err) &&
	          issue_all(options, ret_pki, &serving, &client, err);
	ret_pki->serving_ca_pem = serving.pem;
	ret_pki->client_ca_pem = client.pem;
	free(serving.key_pem);
	free(client.key_pem);
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
