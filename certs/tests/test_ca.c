/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "certs/api_ca.h"
#include "certs/ca.h"
#include "certs/key.h"

enum {
	NOW = 1800000000,
	HOUR = 3600
};

#define TD "cluster.local"

/* A root, two clusters, a control plane, and another mesh. */
struct mesh {
	struct cert_ca *root;
	struct cert_ca *c1;
	struct cert_ca *c2;
	struct cert_ca *control_plane;
	struct buf roots;
	EVP_PKEY *key;
};

static struct cert_ca *intermediate(const struct cert_ca *root, const char *cluster)
{
	struct err err;
	struct cert_ca *ca =
		cert_ca_create_intermediate(root, TD, cluster, CERT_INTERMEDIATE_TTL_S, NOW, &err);
	assert_non_null(ca);
	return ca;
}

static void mesh_init(struct mesh *mesh)
{
	mesh->root = cert_ca_create_root(TD, CERT_ROOT_TTL_S, NOW);
	mesh->c1 = intermediate(mesh->root, "c1");
	mesh->c2 = intermediate(mesh->root, "c2");
	mesh->control_plane = intermediate(mesh->root, NULL);
	mesh->key = cert_key_create();
	buf_init(&mesh->roots, CERT_PEM_MAX);
	cert_x509_encode(cert_ca_x509(mesh->root), &mesh->roots);
}

static void mesh_fini(struct mesh *mesh)
{
	cert_ca_destroy(mesh->root);
	cert_ca_destroy(mesh->c1);
	cert_ca_destroy(mesh->c2);
	cert_ca_destroy(mesh->control_plane);
	EVP_PKEY_free(mesh->key);
	buf_fini(&mesh->roots);
}

static struct cert_identity identity(const char *uri)
{
	struct cert_identity parsed;
	struct err err;
	assert_true(cert_identity_parse(str_from(uri), &parsed, &err));
	return parsed;
}

/* A leaf for uri from ca; the request asks for wish (NULL: nothing). */
static bool sign(const struct mesh *mesh, const struct cert_ca *ca, const char *uri,
                 const char *wish, struct buf *chain, struct err *err)
{
	struct cert_identity who = identity(uri);
	struct buf csr CLEANUP(buf_fini) = {0};
	buf_init(&csr, CERT_CSR_MAX);
	buf_init(chain, CERT_PEM_MAX);
	cert_csr_encode(mesh->key, wish, &csr);
	struct cert_sign_request request = {
		.csr_pem = buf_str(&csr), .identity = &who, .now_wall_s = NOW};
	return cert_ca_sign(ca, &request, chain, err);
}

#define GATEWAY_C1 "spiffe://" TD "/fedway/cluster/c1/gateway/gw-1"
#define CONTROL    "spiffe://" TD "/fedway/control-plane"

static void leaf_verifies_up_to_the_root(void **state)
{
	(void)state;
	struct mesh mesh;
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	STACK_OF(X509) *verified = NULL;
	mesh_init(&mesh);
	assert_true(sign(&mesh, mesh.c1, GATEWAY_C1, GATEWAY_C1, &chain, &err));
	assert_true(cert_chain_verify(buf_str(&chain), buf_str(&mesh.roots), NOW, &verified, &err));
	assert_int_equal(sk_X509_num(verified), 3);
	struct cert_identity who;
	assert_true(cert_identity_of_chain(verified, TD, &who, &err));
	assert_string_equal(who.name, "gw-1");
	X509 *leaf = sk_X509_value(verified, 0);
	assert_int_equal(cert_x509_not_before(leaf), NOW - CERT_BACKDATE_S);
	assert_int_equal(cert_x509_not_after(leaf), NOW + CERT_LEAF_TTL_S);
	assert_int_equal(cert_chain_not_after(verified), NOW + CERT_LEAF_TTL_S);
	assert_int_equal(X509_check_ca(leaf), 0);
	cert_x509_stack_free(verified);
	mesh_fini(&mesh);
}

static void lifetime_never_passes_the_issuers_or_a_day(void **state)
{
	(void)state;
	const struct {
		int64_t asked;
		int64_t issuer;
		int64_t got;
	} rows[] = {
		{0, 10 * CERT_LEAF_TTL_S, CERT_LEAF_TTL_S},
		{HOUR, 10 * CERT_LEAF_TTL_S, HOUR},
		{30 * CERT_LEAF_TTL_S, 90 * CERT_LEAF_TTL_S, CERT_LEAF_TTL_S},
		{0, HOUR, HOUR},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct mesh mesh;
		mesh_init(&mesh);
		struct cert_ca *ca =
			cert_ca_create_intermediate(mesh.root, TD, "c1", rows[i].issuer, NOW, &err);
		struct cert_identity who = identity(GATEWAY_C1);
		struct buf csr CLEANUP(buf_fini) = {0};
		struct buf chain CLEANUP(buf_fini) = {0};
		buf_init(&csr, CERT_CSR_MAX);
		buf_init(&chain, CERT_PEM_MAX);
		cert_csr_encode(mesh.key, NULL, &csr);
		struct cert_sign_request request = {buf_str(&csr), &who, rows[i].asked, NOW};
		assert_true(cert_ca_sign(ca, &request, &chain, &err));
		X509 *leaf = cert_x509_decode(buf_str(&chain), &err);
		assert_int_equal(cert_x509_not_after(leaf), NOW + rows[i].got);
		X509_free(leaf);
		cert_ca_destroy(ca);
		mesh_fini(&mesh);
	}
}

static void expired_issuer_signs_nothing(void **state)
{
	(void)state;
	struct err err;
	struct mesh mesh;
	mesh_init(&mesh);
	struct cert_identity who = identity(GATEWAY_C1);
	struct buf csr CLEANUP(buf_fini) = {0};
	struct buf chain CLEANUP(buf_fini) = {0};
	buf_init(&csr, CERT_CSR_MAX);
	buf_init(&chain, CERT_PEM_MAX);
	cert_csr_encode(mesh.key, NULL, &csr);
	struct cert_sign_request request = {buf_str(&csr), &who, 0,
	                                    NOW + CERT_INTERMEDIATE_TTL_S + 1};
	assert_false(cert_ca_sign(mesh.c1, &request, &chain, &err));
	assert_int_equal(err.code, ERR_EXPIRED);
	mesh_fini(&mesh);
}

static void request_for_somebody_else_is_refused(void **state)
{
	(void)state;
	const struct {
		const char *wish;
		bool good;
	} rows[] = {
		{NULL, true},
		{GATEWAY_C1, true},
		{"spiffe://" TD "/fedway/cluster/c1/gateway/gw-2", false},
		{"spiffe://" TD "/fedway/cluster/c2/gateway/gw-1", false},
		{CONTROL, false},
		{GATEWAY_C1 "/", false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct err err;
		struct mesh mesh;
		struct buf chain CLEANUP(buf_fini) = {0};
		mesh_init(&mesh);
		bool ok = sign(&mesh, mesh.c1, GATEWAY_C1, rows[i].wish, &chain, &err);
		assert_int_equal(ok, rows[i].good);
		if (!ok)
			assert_int_equal(err.code, ERR_FORBIDDEN);
		mesh_fini(&mesh);
	}
}

static void refuses_what_is_no_good_request(void **state)
{
	(void)state;
	struct err err;
	struct mesh mesh;
	mesh_init(&mesh);
	struct cert_identity who = identity(GATEWAY_C1);
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	EVP_PKEY *odd = EVP_EC_gen("P-521");
	EVP_PKEY *fine = EVP_RSA_gen(2048);
	struct buf csr[5];
	for (size_t i = 0; i < N_ELEMS(csr); i++)
		buf_init(&csr[i], 2 * CERT_CSR_MAX);
	cert_csr_encode(weak, NULL, &csr[0]);
	cert_csr_encode(odd, NULL, &csr[1]);
	buf_add_text(&csr[2], "no request at all");
	cert_csr_encode(mesh.key, NULL, &csr[3]);
	csr[3].ptr[csr[3].len / 2] ^= 1; /* the signature no longer fits, or the text is broken */
	for (size_t i = 0; i < 4; i++) {
		struct buf chain CLEANUP(buf_fini) = {0};
		buf_init(&chain, CERT_PEM_MAX);
		struct cert_sign_request request = {buf_str(&csr[i]), &who, 0, NOW};
		assert_false(cert_ca_sign(mesh.c1, &request, &chain, &err));
		assert_int_equal(err.code, ERR_INVALID);
	}
	/* as Istio's agents ask */
	cert_csr_encode(fine, GATEWAY_C1, &csr[4]);
	struct buf chain CLEANUP(buf_fini) = {0};
	buf_init(&chain, CERT_PEM_MAX);
	struct cert_sign_request request = {buf_str(&csr[4]), &who, 0, NOW};
	assert_true(cert_ca_sign(mesh.c1, &request, &chain, &err));
	for (size_t i = 0; i < N_ELEMS(csr); i++)
		buf_fini(&csr[i]);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(odd);
	EVP_PKEY_free(fine);
	mesh_fini(&mesh);
}

/* Signs uri with ca, verifies the chain, and judges its identity. */
static bool is_believed(const struct mesh *mesh, const struct cert_ca *ca, const char *uri,
                        const char *trust_domain, struct err *err)
{
	struct buf chain CLEANUP(buf_fini) = {0};
	STACK_OF(X509) *verified = NULL;
	struct cert_identity who;
	assert_true(sign(mesh, ca, uri, NULL, &chain, err));
	if (!cert_chain_verify(buf_str(&chain), buf_str(&mesh->roots), NOW, &verified, err))
		return false;
	bool ok = cert_identity_of_chain(verified, trust_domain, &who, err);
	cert_x509_stack_free(verified);
	return ok;
}

static void issuer_must_be_the_one_who_may_speak(void **state)
{
	(void)state;
	struct mesh mesh;
	struct err err;
	mesh_init(&mesh);
	const struct {
		const struct cert_ca *ca;
		const char *uri;
		bool good;
	} rows[] = {
		{mesh.c1, GATEWAY_C1, true},
		{mesh.c2, GATEWAY_C1, false},
		{mesh.control_plane, GATEWAY_C1, false},
		{mesh.root, GATEWAY_C1, false},
		{mesh.c1, "spiffe://" TD "/fedway/cluster/c1/probe/p", true},
		{mesh.c2, "spiffe://" TD "/fedway/cluster/c1/probe/p", false},
		{mesh.control_plane, CONTROL, true},
		{mesh.c1, CONTROL, false},
		{mesh.root, CONTROL, false},
		{mesh.c1, "spiffe://" TD "/ns/a/sa/b", true},
		/* the URI constraint of the intermediate */
		{mesh.c1, "spiffe://other.domain/ns/a/sa/b", false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		bool ok = is_believed(&mesh, rows[i].ca, rows[i].uri, NULL, &err);
		if (ok != rows[i].good)
			fail_msg("row %zu", i);
		if (!ok)
			assert_int_equal(err.code, ERR_FORBIDDEN);
	}
	assert_true(is_believed(&mesh, mesh.c1, GATEWAY_C1, TD, &err));
	assert_false(is_believed(&mesh, mesh.c1, GATEWAY_C1, "td2", &err));
	mesh_fini(&mesh);
}

static void expired_is_told_apart_from_refused(void **state)
{
	(void)state;
	struct mesh mesh;
	struct mesh foreign;
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	mesh_init(&mesh);
	mesh_init(&foreign);
	assert_true(sign(&mesh, mesh.c1, GATEWAY_C1, NULL, &chain, &err));
	assert_false(cert_chain_verify(buf_str(&chain), buf_str(&mesh.roots),
	                               NOW + CERT_LEAF_TTL_S + 1, NULL, &err));
	assert_int_equal(err.code, ERR_EXPIRED);
	assert_false(cert_chain_verify(buf_str(&chain), buf_str(&foreign.roots), NOW, NULL, &err));
	assert_int_equal(err.code, ERR_FORBIDDEN);
	mesh_fini(&mesh);
	mesh_fini(&foreign);
}

static void verifier_takes_only_whom_it_expects(void **state)
{
	(void)state;
	struct mesh mesh;
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	STACK_OF(X509) *verified = NULL;
	mesh_init(&mesh);
	assert_true(sign(&mesh, mesh.c1, GATEWAY_C1, NULL, &chain, &err));
	assert_true(cert_chain_verify(buf_str(&chain), buf_str(&mesh.roots), NOW, &verified, &err));
	const struct {
		struct cert_verifier verifier;
		bool good;
	} rows[] = {
		{{NULL, 1u << CERT_GATEWAY, NULL, NULL}, true},
		{{TD, 1u << CERT_GATEWAY | 1u << CERT_PROBE, "c1", "gw-1"}, true},
		{{TD, 1u << CERT_PROBE, NULL, NULL}, false},
		{{TD, 1u << CERT_GATEWAY, "c2", NULL}, false},
		{{TD, 1u << CERT_GATEWAY, "c1", "gw-2"}, false},
		{{"td2", 1u << CERT_GATEWAY, NULL, NULL}, false},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct cert_verifier verifier = rows[i].verifier;
		assert_int_equal(cert_verifier_check(verified, &verifier, &err), rows[i].good);
	}
	assert_false(cert_verifier_check(NULL, &(struct cert_verifier){0}, &err));
	cert_x509_stack_free(verified);
	mesh_fini(&mesh);
}

static void server_certificate_carries_names_and_identity(void **state)
{
	(void)state;
	struct mesh mesh;
	struct err err;
	struct buf chain CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	mesh_init(&mesh);
	buf_init(&chain, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	const char *names[] = {"fedwayd.example.com", "192.0.2.1", "2001:db8::1"};
	struct cert_identity who = identity(CONTROL);
	struct cert_own_request request = {&who, names, 3, 0, NOW};
	assert_true(cert_ca_issue_own(mesh.control_plane, &request, &chain, &key, &err));
	STACK_OF(X509) *verified = NULL;
	assert_true(cert_chain_verify(buf_str(&chain), buf_str(&mesh.roots), NOW, &verified, &err));
	X509 *leaf = sk_X509_value(verified, 0);
	assert_int_equal(X509_check_host(leaf, names[0], 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(leaf, names[1], 0), 1);
	assert_int_equal(X509_check_ip_asc(leaf, names[2], 0), 1);
	assert_int_equal(X509_check_host(leaf, "other.example.com", 0, 0, NULL), 0);
	assert_true(cert_identity_of_chain(verified, TD, &who, &err));
	cert_x509_stack_free(verified);
	EVP_PKEY *back = cert_key_decode(buf_str(&key), &err);
	assert_non_null(back);
	EVP_PKEY_free(back);
	mesh_fini(&mesh);
}

static void authority_comes_back_as_it_went(void **state)
{
	(void)state;
	struct mesh mesh;
	struct err err;
	struct buf cert CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	struct buf other CLEANUP(buf_fini) = {0};
	mesh_init(&mesh);
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	buf_init(&other, CERT_PEM_MAX);
	cert_ca_encode(mesh.c1, &cert, &key);
	struct cert_ca *back = cert_ca_decode(buf_str(&cert), buf_str(&key), &err);
	assert_non_null(back);
	assert_int_equal(X509_cmp(cert_ca_x509(back), cert_ca_x509(mesh.c1)), 0);
	cert_ca_destroy(back);
	cert_key_encode(mesh.key, &other);
	assert_null(cert_ca_decode(buf_str(&cert), buf_str(&other), &err));
	assert_int_equal(err.code, ERR_INVALID);
	struct buf leaf CLEANUP(buf_fini) = {0};
	assert_true(sign(&mesh, mesh.c1, GATEWAY_C1, NULL, &leaf, &err));
	assert_null(cert_ca_decode(buf_str(&leaf), buf_str(&other), &err));
	assert_int_equal(err.code, ERR_INVALID);
	mesh_fini(&mesh);
}

static void note_group(const char *group, void *arg)
{
	char *text = arg;
	strncat(text, group, 60);
	strncat(text, ";", 2);
}

static void api_certificates_name_user_and_groups(void **state)
{
	(void)state;
	struct err err;
	struct buf cert CLEANUP(buf_fini) = {0};
	struct buf key CLEANUP(buf_fini) = {0};
	struct buf roots CLEANUP(buf_fini) = {0};
	buf_init(&cert, CERT_PEM_MAX);
	buf_init(&key, CERT_PEM_MAX);
	buf_init(&roots, CERT_PEM_MAX);
	struct cert_ca *ca = cert_api_ca_create("fedway-api-client", CERT_ROOT_TTL_S, NOW);
	cert_x509_encode(cert_ca_x509(ca), &roots);
	const char *groups[] = {"system:masters", "ops, of course"};
	struct cert_api_user user = {"admin", groups, 2, 0};
	assert_true(cert_api_ca_issue_client(ca, &user, NOW, &cert, &key, &err));
	STACK_OF(X509) *verified = NULL;
	assert_true(cert_chain_verify(buf_str(&cert), buf_str(&roots), NOW, &verified, &err));
	char name[256];
	char text[200] = "";
	assert_true(cert_api_user_of_chain(verified, name, note_group, text));
	assert_string_equal(name, "admin");
	assert_string_equal(text, "system:masters;ops, of course;");
	struct cert_identity who;
	assert_false(cert_identity_of_chain(verified, NULL, &who, &err));
	cert_x509_stack_free(verified);
	cert_ca_destroy(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaf_verifies_up_to_the_root),
		cmocka_unit_test(lifetime_never_passes_the_issuers_or_a_day),
		cmocka_unit_test(expired_issuer_signs_nothing),
		cmocka_unit_test(request_for_somebody_else_is_refused),
		cmocka_unit_test(refuses_what_is_no_good_request),
		cmocka_unit_test(issuer_must_be_the_one_who_may_speak),
		cmocka_unit_test(expired_is_told_apart_from_refused),
		cmocka_unit_test(verifier_takes_only_whom_it_expects),
		cmocka_unit_test(server_certificate_carries_names_and_identity),
		cmocka_unit_test(authority_comes_back_as_it_went),
		cmocka_unit_test(api_certificates_name_user_and_groups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
