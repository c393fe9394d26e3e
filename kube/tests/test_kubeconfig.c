/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/macros.h"
#include "kube/base64.h"
#include "kube/kubeconfig.h"

#define PEM_CA    "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
#define PEM_CA64  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
#define PEM_KEY64 "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCkFBPT0KLS0tLS1FTkQgUFJJVkFURSBLRVktLS0tLQo="

/* cluster and user are flow mappings. */
static char *config_text(const char *cluster, const char *user)
{
	return xasprintf("apiVersion: v1\n"
	                 "kind: Config\n"
	                 "current-context: ctx\n"
	                 "contexts:\n"
	                 "- name: ctx\n"
	                 "  context: {cluster: cl, user: us, namespace: shop}\n"
	                 "clusters:\n"
	                 "- name: other\n"
	                 "  cluster: {server: 'https://wrong'}\n"
	                 "- name: cl\n"
	                 "  cluster: %s\n"
	                 "users:\n"
	                 "- name: us\n"
	                 "  user: %s\n",
	                 cluster, user);
}

static void the_current_context_is_flattened(void **state)
{
	char *text CLEANUP(free_ptr) = config_text(
		"{server: 'https://h:6443/k8s/c-1/', certificate-authority-data: " PEM_CA64
		", tls-server-name: api.internal, proxy-url: 'socks5://p:1080'}",
		"{token: tok, client-certificate-data: " PEM_CA64 ", client-key-data: " PEM_KEY64
		"}");
	struct kubeconfig CLEANUP(kubeconfig_fini) config = {0};
	struct err err;

	(void)state;
	if (!kubeconfig_parse(str_from(text), "secret", NULL, &config, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(config.context, "ctx");
	assert_string_equal(config.namespace_, "shop");
	assert_string_equal(config.server, "https://h:6443/k8s/c-1");
	assert_string_equal(config.ca_pem, PEM_CA);
	assert_string_equal(config.cert_pem, PEM_CA);
	assert_non_null(strstr(config.key_pem, "PRIVATE KEY"));
	assert_string_equal(config.token, "tok");
	assert_string_equal(config.tls_server_name, "api.internal");
	assert_string_equal(config.proxy_url, "socks5://p:1080");
	assert_false(config.insecure);
}

static void what_is_formatted_parses_to_the_same(void **state)
{
	char *text CLEANUP(free_ptr) =
		config_text("{server: 'https://h', insecure-skip-tls-verify: true}",
	                    "{token: tok, client-certificate-data: " PEM_CA64
	                    ", client-key-data: " PEM_KEY64 "}");
	struct kubeconfig CLEANUP(kubeconfig_fini) a = {0};
	struct kubeconfig CLEANUP(kubeconfig_fini) b = {0};
	struct kubeconfig CLEANUP(kubeconfig_fini) copy = {0};
	struct err err;

	(void)state;
	assert_true(kubeconfig_parse(str_from(text), "a", NULL, &a, &err));
	char *again CLEANUP(free_ptr) = kubeconfig_format(&a);

	if (!kubeconfig_parse(str_from(again), "b", NULL, &b, &err))
		fail_msg("%s\n%s", err.msg, again);
	assert_true(kubeconfig_eq(&a, &b));
	assert_string_equal(b.namespace_, "shop");
	kubeconfig_copy(&a, &copy);
	assert_true(kubeconfig_eq(&a, &copy));
	copy.token[0] = 'T';
	assert_false(kubeconfig_eq(&a, &copy));
}

static void json_is_taken_too_and_the_only_context_needs_no_naming(void **state)
{
	static const char text[] =
		" {\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\"}}],"
		"\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"http://h\"}}]}";
	struct kubeconfig CLEANUP(kubeconfig_fini) config = {0};
	struct err err;

	(void)state;
	assert_true(kubeconfig_parse(str_from(text), "j", NULL, &config, &err));
	assert_string_equal(config.server, "http://h");
	assert_null(config.token);
}

struct refusal {
	const char *cluster;
	const char *user;
	const char *says;
};

static void what_a_secret_must_not_hold_is_refused_with_the_way_out(void **state)
{
	static const struct refusal rows[] = {
		{"{server: 'https://h'}", "{exec: {command: aws}}", "runs a command"},
		{"{server: 'https://h'}", "{auth-provider: {name: gcp}}", "auth-provider"},
		{"{server: 'https://h'}", "{username: a, password: b}", "password"},
		{"{server: 'https://h'}", "{token: t, as: root}", "acts as another user"},
		{"{server: 'https://h'}", "{tokenFile: /etc/passwd}",
	         "kubectl config view --flatten"},
		{"{server: 'https://h'}", "{client-certificate: /a, client-key: /b}",
	         "names a file"},
		{"{server: 'https://h', certificate-authority: /etc/ca}", "{token: t}",
	         "'certificate-authority' names a file"},
		{"{server: 'https://h', certificate-authority-data: '###'}", "{token: t}",
	         "base64"},
		{"{server: 'https://h', certificate-authority-data: aGVsbG8=}", "{token: t}",
	         "holds no PEM"},
		{"{server: 'https://h', insecure-skip-tls-verify: true, "
	         "certificate-authority-data: " PEM_CA64 "}",
	         "{token: t}", "exclude each other"},
		{"{server: 'https://h'}", "{client-certificate-data: " PEM_CA64 "}",
	         "only together"},
		{"{server: 'https://h'}", "{token: \"a\\nb\"}", "not a bearer token"},
		{"{}", "{token: t}", "'server' is missing"},
		{"{server: h}", "{token: t}", "not a URL"},
		{"{server: 'ftp://h'}", "{token: t}", "not a URL"},
		{"{server: 'https://u@h'}", "{token: t}", "not a URL"},
		{"{server: 'https://'}", "{token: t}", "not a URL"},
		{"{server: 'http://h'}", "{token: t}", "use https"},
		{"{server: 'https://h', proxy-url: 'file:///x'}", "{token: t}", "proxy-url"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *text CLEANUP(free_ptr) = config_text(rows[i].cluster, rows[i].user);
		struct kubeconfig config;
		struct err err;

		assert_false(kubeconfig_parse(str_from(text), "secret", NULL, &config, &err));
		if (strstr(err.msg, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, err.msg);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.msg, "secret"));
	}
}

static void text_that_is_no_kubeconfig_is_told_apart(void **state)
{
	static const struct {
		const char *text;
		const char *context;
		const char *says;
	} rows[] = {
		{"", NULL, "is empty"},
		{" \n", NULL, "is empty"},
		{"<html>", NULL, "HTML"},
		{"[1]", NULL, "not a kubeconfig"},
		{"hello", NULL, "not a kubeconfig"},
		{"kind: Secret\nclusters: []", NULL, "'Secret'"},
		{"kind: Config", NULL, "no 'clusters'"},
		{"{\"kind\": ", NULL, "s: "},
		{"a: [", NULL, "s:"},
		{"clusters: []\ncontexts: []", NULL, "current-context"},
		{"clusters: []\ncontexts: []\ncurrent-context: a", NULL, "no context 'a'"},
		{"clusters: []\ncontexts: [{name: a, context: {cluster: c}}]", "b",
	         "no context 'b'"},
		{"clusters: []\ncontexts: [{name: a, context: {cluster: c}}]", NULL,
	         "cluster 'c', which is not there"},
		{"clusters: [{name: c, cluster: {server: 'https://h'}}]\n"
	         "contexts: [{name: a, context: {cluster: c, user: u}}]",
	         NULL, "user 'u', which is not there"},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct kubeconfig config;
		struct err err;

		assert_false(kubeconfig_parse(str_from(rows[i].text), "s", rows[i].context, &config,
		                              &err));
		if (strstr(err.msg, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, err.msg);
	}
}

static void save(const char *dir, const char *name, const char *text)
{
	char *path CLEANUP(free_ptr) = xasprintf("%s/%s", dir, name);
	struct err err;

	assert_true(file_save(path, str_from(text), 0600, &err));
}

static void the_operators_own_file_may_name_files(void **state)
{
	char dir[] = "/tmp/fedway-kubeconfig-XXXXXX";
	char *text CLEANUP(free_ptr) = config_text(
		"{server: 'https://h', certificate-authority: ca.crt}", "{tokenFile: token}");
	struct kubeconfig CLEANUP(kubeconfig_fini) config = {0};
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	save(dir, "config", text);
	char *path CLEANUP(free_ptr) = xasprintf("%s/config", dir);

	assert_false(kubeconfig_load(path, NULL, &config, &err));
	assert_non_null(strstr(err.msg, "ca.crt"));
	save(dir, "ca.crt", PEM_CA);
	save(dir, "token", "tok\n");
	if (!kubeconfig_load(path, NULL, &config, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(config.ca_pem, PEM_CA);
	assert_string_equal(config.token, "tok");
	assert_non_null(strstr(config.token_file, dir));

	struct kubeconfig CLEANUP(kubeconfig_fini) pod = {0};

	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	if (!kubeconfig_load_in_cluster(dir, &pod, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(pod.server, "https://[fd00::1]:443");
	assert_string_equal(pod.token, "tok");
	static const char *const names[] = {"config", "ca.crt", "token"};

	for (size_t i = 0; i < N_ELEMS(names); i++) {
		char *name CLEANUP(free_ptr) = xasprintf("%s/%s", dir, names[i]);

		unlink(name);
	}
	rmdir(dir);
}

static void outside_a_pod_there_is_no_account(void **state)
{
	struct kubeconfig config;
	struct err err;

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_false(kubeconfig_load_in_cluster(NULL, &config, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void base64_decodes_what_it_encodes_and_nothing_else(void **state)
{
	static const struct {
		const char *text;
		const char *data; /* NULL: refused */
	} rows[] = {
		{"", ""},        {"Zg==", "f"},          {"Zm8=", "fo"},
		{"Zm9v", "foo"}, {"Zm9v\nYg==", "foob"}, {"Zm9", NULL},
		{"Zg=", NULL},   {"Zg==Zg==", NULL},     {"Z===", NULL},
		{"====", NULL},  {"Zm-_", NULL},         {"Zg=a", NULL},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct buf CLEANUP(buf_fini) data;

		buf_init(&data, 100);
		assert_int_equal(kube_base64_decode(str_from(rows[i].text), &data),
		                 rows[i].data != NULL);
		if (rows[i].data == NULL)
			continue;
		assert_string_equal(buf_text(&data), rows[i].data);
		struct buf CLEANUP(buf_fini) text;
		struct buf CLEANUP(buf_fini) back;

		buf_init(&text, 100);
		buf_init(&back, 100);
		kube_base64_encode(buf_str(&data), &text);
		assert_true(kube_base64_decode(buf_str(&text), &back));
		assert_true(str_eq(buf_str(&back), buf_str(&data)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_current_context_is_flattened),
		cmocka_unit_test(what_is_formatted_parses_to_the_same),
		cmocka_unit_test(json_is_taken_too_and_the_only_context_needs_no_naming),
		cmocka_unit_test(what_a_secret_must_not_hold_is_refused_with_the_way_out),
		cmocka_unit_test(text_that_is_no_kubeconfig_is_told_apart),
		cmocka_unit_test(the_operators_own_file_may_name_files),
		cmocka_unit_test(outside_a_pod_there_is_no_account),
		cmocka_unit_test(base64_decodes_what_it_encodes_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
