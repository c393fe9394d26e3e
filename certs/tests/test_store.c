/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "certs/key.h"
#include "certs/store.h"

enum {
	NOW = 1800000000,
	DAY = 24 * 3600
};

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/fedway-certs-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	const char *names[] = {"root.pem",        "roots.pem",      "control-plane.pem",
	                       "api-serving.pem", "api-client.pem", "clusters/c1.pem",
	                       "clusters/c2.pem"};
	char path[128];
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/clusters", dir);
	rmdir(path);
	return rmdir(dir);
}

static struct cert_store *open_store(int64_t now)
{
	struct err err;
	struct cert_store_config config = {
		.dir = dir, .trust_domain = "td", .intermediate_ttl_s = 10 * DAY};
	struct cert_store *store = cert_store_open(&config, now, &err);
	if (store == NULL)
		fail_msg("%s", err.msg);
	return store;
}

static void comes_back_after_a_restart(void **state)
{
	(void)state;
	struct err err;
	struct cert_store *store = open_store(NOW);
	X509 *root = X509_dup(cert_ca_x509(cert_store_root(store)));
	X509 *c1 = X509_dup(cert_ca_x509(cert_store_cluster(store, "c1", NOW, &err)));
	X509 *api = X509_dup(cert_ca_x509(cert_store_api_client(store)));
	cert_store_close(store);
	store = open_store(NOW + DAY);
	assert_int_equal(X509_cmp(root, cert_ca_x509(cert_store_root(store))), 0);
	const struct cert_ca *again = cert_store_cluster(store, "c1", NOW + DAY, &err);
	assert_int_equal(X509_cmp(c1, cert_ca_x509(again)), 0);
	assert_int_equal(X509_cmp(api, cert_ca_x509(cert_store_api_client(store))), 0);
	X509_free(root);
	X509_free(c1);
	X509_free(api);
	cert_store_close(store);
}

static void keys_are_for_the_owner_alone(void **state)
{
	(void)state;
	struct err err;
	struct cert_store *store = open_store(NOW);
	assert_non_null(cert_store_cluster(store, "c1", NOW, &err));
	const char *names[] = {"root.pem", "control-plane.pem", "api-serving.pem", "api-client.pem",
	                       "clusters/c1.pem"};
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		char path[128];
		struct stat st;
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	cert_store_close(store);
}

static void fresh_intermediate_takes_over_at_half_life(void **state)
{
	(void)state;
	struct err err;
	struct cert_store *store = open_store(NOW);
	X509 *first = X509_dup(cert_ca_x509(cert_store_cluster(store, "c1", NOW, &err)));
	const struct cert_ca *later = cert_store_cluster(store, "c1", NOW + 4 * DAY, &err);
	assert_int_equal(X509_cmp(first, cert_ca_x509(later)), 0);
	later = cert_store_cluster(store, "c1", NOW + 6 * DAY, &err);
	assert_int_not_equal(X509_cmp(first, cert_ca_x509(later)), 0);
	X509_free(first);
	cert_store_close(store);
}

static void forgets_a_cluster_that_left(void **state)
{
	(void)state;
	struct err err;
	struct cert_store *store = open_store(NOW);
	char path[128];
	struct stat st;
	assert_non_null(cert_store_cluster(store, "c2", NOW, &err));
	snprintf(path, sizeof(path), "%s/clusters/c2.pem", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(cert_store_remove_cluster(store, "c2", &err));
	assert_int_not_equal(stat(path, &st), 0);
	assert_true(cert_store_remove_cluster(store, "c2", &err));
	assert_null(cert_store_cluster(store, "../c2", NOW, &err));
	assert_int_equal(err.code, ERR_INVALID);
	cert_store_close(store);
}

static void server_certificate_verifies_against_the_bundle(void **state)
{
	(void)state;
	struct err err;
	struct cert_store *store = open_store(NOW);
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	const char *names[] = {"localhost", "127.0.0.1"};
	assert_true(cert_store_issue_server(store, names, 2, NOW, &chain, &key, &err));
	STACK_OF(X509) *verified = NULL;
	assert_true(
		cert_chain_verify(buf_str(&chain), cert_store_roots(store), NOW, &verified, &err));
	struct cert_identity who;
	assert_true(cert_identity_of_chain(verified, "td", &who, &err));
	assert_int_equal(who.kind, CERT_CONTROL_PLANE);
	cert_x509_stack_free(verified);
	cert_store_close(store);
}

/* An own folder each, as these spoil it. */
static void broken_file_is_named(void **state)
{
	(void)state;
	struct err err;
	char path[128];
	cert_store_close(open_store(NOW));
	snprintf(path, sizeof(path), "%s/root.pem", dir);
	assert_true(file_save(path, STR_LIT("no PEM"), 0600, &err));
	struct cert_store_config config = {.dir = dir, .trust_domain = "td"};
	assert_null(cert_store_open(&config, NOW, &err));
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.msg, "root.pem"));
}

static void supplied_root_signs_our_intermediates(void **state)
{
	(void)state;
	struct err err;
	struct buf cert CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	struct cert_ca *root = cert_ca_create_root("td", CERT_ROOT_TTL_S, NOW);
	cert_ca_encode(root, &cert, &key);
	struct cert_store_config config = {.dir = dir,
	                                   .trust_domain = "td",
	                                   .root_cert_pem = buf_str(&cert),
	                                   .root_key_pem = buf_str(&key)};
	for (int i = 0; i < 2; i++) {
		struct cert_store *store = cert_store_open(&config, NOW, &err);
		assert_non_null(store);
		assert_int_equal(X509_cmp(cert_ca_x509(root), cert_ca_x509(cert_store_root(store))),
		                 0);
		cert_store_close(store);
	}
	struct cert_ca *another = cert_ca_create_root("td", CERT_ROOT_TTL_S, NOW);
	buf_clear(&cert);
	buf_clear(&key);
	cert_ca_encode(another, &cert, &key);
	config.root_cert_pem = buf_str(&cert);
	config.root_key_pem = buf_str(&key);
	assert_null(cert_store_open(&config, NOW, &err));
	assert_int_equal(err.code, ERR_INVALID);
	cert_ca_destroy(root);
	cert_ca_destroy(another);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(comes_back_after_a_restart, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(keys_are_for_the_owner_alone, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(fresh_intermediate_takes_over_at_half_life,
	                                        make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(forgets_a_cluster_that_left, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(server_certificate_verifies_against_the_bundle,
	                                        make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(broken_file_is_named, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(supplied_root_signs_our_intermediates, make_dir,
	                                        remove_dir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
