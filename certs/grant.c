/* SPDX-License-Identifier: Apache-2.0 */
#include "grant_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "certs/key.h"

void grant_init(struct grant *grant)
{
	*grant = (struct grant){0};
	buf_init(&grant->chain, CERT_PEM_MAX);
	buf_init_secret(&grant->key, CERT_PEM_MAX);
}

void grant_fini(struct grant *grant)
{
	buf_fini(&grant->chain);
	buf_fini(&grant->key);
}

static bool check_key(const struct grant *grant, X509 *leaf, struct err *err)
{
	EVP_PKEY *key = cert_key_decode(buf_str(&grant->key), err);
	if (key == NULL)
		return false;
	bool fits = X509_check_private_key(leaf, key) == 1;
	EVP_PKEY_free(key);
	return fits || err_set(err, ERR_INVALID, "certificate and key do not belong together");
}

static bool check_chain(struct grant *grant, struct str roots_pem, int64_t at_s, struct err *err)
{
	STACK_OF(X509) *chain = NULL;
	bool ok = cert_chain_verify(buf_str(&grant->chain), roots_pem, at_s, &chain, err) &&
	          cert_identity_of_chain(chain, NULL, &grant->identity, err);
	cert_x509_stack_free(chain);
	return ok;
}

bool grant_judge(struct grant *grant, struct str roots_pem, const char *cluster, int64_t now_wall_s,
                 struct err *err)
{
	X509 *leaf = cert_x509_decode(buf_str(&grant->chain), err);
	if (leaf == NULL)
		return false;
	int64_t last = cert_x509_not_after(leaf);
	bool ok = check_key(grant, leaf, err) &&
	          check_chain(grant, roots_pem, now_wall_s < last ? now_wall_s : last - 1, err);
	X509_free(leaf);
	if (!ok)
		return false;
	const struct cert_identity *identity = &grant->identity;
	if (identity->kind != CERT_WORKLOAD && strcmp(identity->cluster, cluster) != 0)
		return err_set(err, ERR_FORBIDDEN, "the certificate is of cluster '%s', not '%s'",
		               identity->cluster, cluster);
	grant->not_after_s = last;
	return true;
}

bool grant_save(const struct grant *grant, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/tls.pem", dir);
	struct buf pem CLEANUP(buf_fini) = {0};
	buf_init_secret(&pem, 2 * CERT_PEM_MAX);
	buf_add_str(&pem, buf_str(&grant->chain));
	buf_add_str(&pem, buf_str(&grant->key));
	bool ok = file_save(path, buf_str(&pem), 0600, err);
	free(path);
	return ok;
}

bool grant_load(struct grant *grant, const char *dir, struct err *err)
{
	char *path = xasprintf("%s/tls.pem", dir);
	struct buf pem CLEANUP(buf_fini) = {0};
	buf_init_secret(&pem, 2 * CERT_PEM_MAX);
	bool ok = file_load(path, &pem, err);
	const char *key = ok ? strstr(buf_text(&pem), "-----BEGIN PRIVATE KEY-----") : NULL;
	if (ok && key == NULL)
		ok = err_set(err, ERR_INVALID, "'%s' holds no key", path);
	if (ok) {
		buf_add(&grant->chain, pem.ptr, (size_t)(key - pem.ptr));
		buf_add_text(&grant->key, key);
	}
	free(path);
	return ok;
}
