/* SPDX-License-Identifier: Apache-2.0 */
#include "certs/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"
#include "certs/api_ca.h"
#include "certs/key.h"

enum {
	API_CA_TTL_S = 10 * 365 * 24 * 3600
};

struct cert_store {
	char *dir;
	char *trust_domain;
	struct buf roots;
	int64_t intermediate_ttl_s;
	int64_t leaf_ttl_s;
	struct cert_ca *root;
	struct cert_ca *control_plane;
	struct cert_ca *api_serving;
	struct cert_ca *api_client;
	struct map clusters; /* name to struct cert_ca */
};

static void destroy_ca(void *ca)
{
	cert_ca_destroy(ca);
}

void cert_store_close(struct cert_store *store)
{
	if (store == NULL)
		return;
	map_fini(&store->clusters, destroy_ca);
	cert_ca_destroy(store->root);
	cert_ca_destroy(store->control_plane);
	cert_ca_destroy(store->api_serving);
	cert_ca_destroy(store->api_client);
	buf_fini(&store->roots);
	free(store->dir);
	free(store->trust_domain);
	free(store);
}

/* --- files ------------------------------------------------------------------------------------ */

/* ret_ca is NULL when there is no such file. */
static bool load_ca(const struct cert_store *store, const char *name, struct cert_ca **ret_ca,
                    struct err *err)
{
	char *path = xasprintf("%s/%s.pem", store->dir, name);
	struct buf pem CLEANUP(buf_fini) = {0};
	buf_init(&pem, CERT_PEM_MAX);
	struct cert_ca *ca = NULL;
	bool ok = file_load(path, &pem, err);
	if (ok) {
		ca = cert_ca_decode(buf_str(&pem), buf_str(&pem), err);
		ok = ca != NULL || err_wrap(err, "file '%s'", path);
	} else if (err->code == ERR_NOT_FOUND) {
		ok = true;
	}
	if (pem.ptr != NULL)
		explicit_bzero(pem.ptr, pem.len);
	free(path);
	if (ok)
		*ret_ca = ca;
	return ok;
}

static bool save_ca(const struct cert_store *store, const char *name, const struct cert_ca *ca,
                    struct err *err)
{
	char *path = xasprintf("%s/%s.pem", store->dir, name);
	struct buf pem CLEANUP(buf_fini) = {0};
	buf_init(&pem, CERT_PEM_MAX);
	cert_ca_encode(ca, &pem, &pem);
	bool ok = file_save(path, buf_str(&pem), 0600, err);
	explicit_bzero(pem.ptr, pem.len);
	free(path);
	return ok;
}

static bool make_dirs(const struct cert_store *store, struct err *err)
{
	char *path = xasprintf("%s/clusters", store->dir);
	bool ok = file_make_dirs(path, err);
	free(path);
	return ok;
}

/* --- root ------------------------------------------------------------------------------------- */

static bool is_self_signed(const struct cert_ca *ca)
{
	X509 *cert = cert_ca_x509(ca);
	return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

static bool take_supplied(struct cert_store *store, const struct cert_store_config *config,
                          struct err *err)
{
	struct cert_ca *supplied = cert_ca_decode(config->root_cert_pem, config->root_key_pem, err);
	if (supplied == NULL)
		return err_wrap(err, "the supplied root");
	bool ok = true;
	if (!is_self_signed(supplied))
		ok = err_set(err, ERR_INVALID,
		             "the supplied root is signed by another CA; supply that one");
	else if (store->root != NULL &&
	         X509_cmp(cert_ca_x509(store->root), cert_ca_x509(supplied)) != 0)
		ok = err_set(err, ERR_INVALID,
		             "the supplied root differs from the one in '%s/root.pem'; members "
		             "trust that one",
		             store->dir);
	else if (store->root == NULL)
		ok = save_ca(store, "root", supplied, err);
	if (ok && store->root == NULL)
		store->root = supplied;
	else
		cert_ca_destroy(supplied);
	return ok;
}

static bool open_root(struct cert_store *store, const struct cert_store_config *config,
                      int64_t now_wall_s, struct err *err)
{
	if (!load_ca(store, "root", &store->root, err))
		return false;
	if (config->root_cert_pem.len > 0)
		return take_supplied(store, config, err);
	if (store->root != NULL)
		return true;
	int64_t ttl_s = config->root_ttl_s > 0 ? config->root_ttl_s : CERT_ROOT_TTL_S;
	store->root = cert_ca_create_root(store->trust_domain, ttl_s, now_wall_s);
	return save_ca(store, "root", store->root, err);
}

/* Roots that somebody added to the bundle stay in it. */
static bool open_roots(struct cert_store *store, struct err *err)
{
	char *path = xasprintf("%s/roots.pem", store->dir);
	struct buf own CLEANUP(buf_fini) = {0};
	buf_init(&own, CERT_PEM_MAX);
	buf_init(&store->roots, CERT_PEM_MAX);
	cert_x509_encode(cert_ca_x509(store->root), &own);
	bool ok = file_load(path, &store->roots, err);
	if (ok) {
		ok = memmem(store->roots.ptr, store->roots.len, own.ptr, own.len) != NULL ||
		     err_set(err, ERR_INVALID,
		             "'%s' lacks the root of '%s/root.pem'; delete the bundle to have it "
		             "written again",
		             path, store->dir);
	} else if (err->code == ERR_NOT_FOUND) {
		buf_add_str(&store->roots, buf_str(&own));
		ok = file_save(path, buf_str(&store->roots), 0600, err);
	}
	free(path);
	return ok;
}

/* --- intermediates ---------------------------------------------------------------------------- */

static bool is_fresh(const struct cert_store *store, const struct cert_ca *ca, int64_t now_wall_s)
{
	X509 *cert = cert_ca_x509(ca);
	int64_t from = cert_x509_not_before(cert);
	int64_t to = cert_x509_not_after(cert);
	EVP_PKEY *root_key = X509_get0_pubkey(cert_ca_x509(store->root));
	return now_wall_s < from + (to - from) / 2 && X509_verify(cert, root_key) == 1;
}

/* Brings *ca up to date: what is in memory, else on disk, else a fresh one. */
static bool keep_fresh(struct cert_store *store, struct cert_ca **ca, const char *name,
                       const char *cluster, int64_t now_wall_s, struct err *err)
{
	if (*ca == NULL && !load_ca(store, name, ca, err))
		return false;
	if (*ca != NULL && is_fresh(store, *ca, now_wall_s))
		return true;
	struct cert_ca *fresh =
		cert_ca_create_intermediate(store->root, store->trust_domain, cluster,
	                                    store->intermediate_ttl_s, now_wall_s, err);
	if (fresh == NULL)
		return false;
	if (!save_ca(store, name, fresh, err)) {
		cert_ca_destroy(fresh);
		return false;
	}
	cert_ca_destroy(*ca);
	*ca = fresh;
	return true;
}

const struct cert_ca *cert_store_control_plane(struct cert_store *store, int64_t now_wall_s,
                                               struct err *err)
{
	if (!keep_fresh(store, &store->control_plane, "control-plane", NULL, now_wall_s, err))
		return NULL;
	return store->control_plane;
}

const struct cert_ca *cert_store_cluster(struct cert_store *store, const char *cluster,
                                         int64_t now_wall_s, struct err *err)
{
	if (!str_is_dns_label(str_from(cluster))) {
		err_set(err, ERR_INVALID, "'%.80s' is no name of a cluster", cluster);
		return NULL;
	}
	char *name = xasprintf("clusters/%s", cluster);
	struct cert_ca *old = map_find_text(&store->clusters, cluster);
	struct cert_ca *ca = old;
	bool ok = keep_fresh(store, &ca, name, cluster, now_wall_s, err);
	free(name);
	if (ca != NULL && ca != old)
		map_set(&store->clusters, str_from(cluster), ca);
	return ok ? ca : NULL;
}

bool cert_store_remove_cluster(struct cert_store *store, const char *cluster, struct err *err)
{
	if (!str_is_dns_label(str_from(cluster)))
		return true; /* has never had a file */
	cert_ca_destroy(map_remove(&store->clusters, str_from(cluster)));
	char *path = xasprintf("%s/clusters/%s.pem", store->dir, cluster);
	bool ok = unlink(path) == 0 || errno == ENOENT ||
	          err_set_errno(err, errno, "deleting '%s'", path);
	free(path);
	return ok;
}

/* --- the rest --------------------------------------------------------------------------------- */

static bool open_api_ca(struct cert_store *store, struct cert_ca **ca, const char *name,
                        int64_t now_wall_s, struct err *err)
{
	if (!load_ca(store, name, ca, err))
		return false;
	if (*ca != NULL)
		return true;
	char *common_name = xasprintf("fedway-%s", name);
	*ca = cert_api_ca_create(common_name, API_CA_TTL_S, now_wall_s);
	free(common_name);
	return save_ca(store, name, *ca, err);
}

static bool open_all(struct cert_store *store, const struct cert_store_config *config,
                     int64_t now_wall_s, struct err *err)
{
	return make_dirs(store, err) && open_root(store, config, now_wall_s, err) &&
	       open_roots(store, err) && cert_store_control_plane(store, now_wall_s, err) != NULL &&
	       open_api_ca(store, &store->api_serving, "api-serving", now_wall_s, err) &&
	       open_api_ca(store, &store->api_client, "api-client", now_wall_s, err);
}

struct cert_store *cert_store_open(const struct cert_store_config *config, int64_t now_wall_s,
                                   struct err *err)
{
	struct cert_store *store = xcalloc(1, sizeof(*store));
	int64_t leaf = config->leaf_ttl_s;
	store->dir = xstrdup(config->dir);
	store->trust_domain = xstrdup(config->trust_domain);
	store->intermediate_ttl_s = config->intermediate_ttl_s > 0 ? config->intermediate_ttl_s
	                                                           : CERT_INTERMEDIATE_TTL_S;
	store->leaf_ttl_s = leaf > 0 && leaf < CERT_LEAF_TTL_S ? leaf : CERT_LEAF_TTL_S;
	if (open_all(store, config, now_wall_s, err))
		return store;
	cert_store_close(store);
	return NULL;
}

const char *cert_store_trust_domain(const struct cert_store *store)
{
	return store->trust_domain;
}

struct str cert_store_roots(const struct cert_store *store)
{
	return buf_str(&store->roots);
}

const struct cert_ca *cert_store_root(const struct cert_store *store)
{
	return store->root;
}

int64_t cert_store_leaf_ttl_s(const struct cert_store *store)
{
	return store->leaf_ttl_s;
}

const struct cert_ca *cert_store_api_serving(const struct cert_store *store)
{
	return store->api_serving;
}

const struct cert_ca *cert_store_api_client(const struct cert_store *store)
{
	return store->api_client;
}

bool cert_store_issue_server(struct cert_store *store, const char *const *names, size_t n_names,
                             int64_t now_wall_s, struct buf *chain_pem, struct buf *key_pem,
                             struct err *err)
{
	struct cert_identity identity = {.kind = CERT_CONTROL_PLANE};
	if (strlen(store->trust_domain) > CERT_TRUST_DOMAIN_MAX)
		return err_set(err, ERR_INVALID, "the trust domain is longer than %d bytes",
		               CERT_TRUST_DOMAIN_MAX);
	strncpy(identity.trust_domain, store->trust_domain, CERT_TRUST_DOMAIN_MAX);
	const struct cert_ca *ca = cert_store_control_plane(store, now_wall_s, err);
	struct cert_own_request request = {
		.identity = &identity,
		.names = names,
		.n_names = n_names,
		.ttl_s = store->leaf_ttl_s,
		.now_wall_s = now_wall_s,
	};
	return ca != NULL && cert_ca_issue_own(ca, &request, chain_pem, key_pem, err);
}
