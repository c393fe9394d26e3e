/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "unit.h"

#include "base/addr.h"

#define HEAD  "apiVersion: fedway.io/v1alpha1\nkind: ProbeConfig\n"
#define PLANE "controlPlane: {address: 'f:15012', trustFile: /r, cluster: c1}\n"

static void a_small_file_gets_defaults(void **state)
{
	(void)state;
	struct probe_config config;
	struct err err;
	char text[ADDR_TEXT_MAX];
	assert_true(probe_config_parse(STR_LIT(HEAD PLANE), "p.yaml", &config, &err));
	assert_string_equal(addr_format(&config.listener, text), "0.0.0.0:15020");
	assert_string_equal(config.data_dir, "/var/lib/fedway-probe");
	assert_string_equal(config.address, "f:15012");
	assert_string_equal(config.cluster, "c1");
	assert_null(config.token_file);
	probe_config_fini(&config);
	probe_config_fini(&config);
}

static void every_key_is_read(void **state)
{
	(void)state;
	struct probe_config config;
	struct err err;
	char text[ADDR_TEXT_MAX];
	assert_true(probe_config_parse(
		STR_LIT(HEAD "dataDir: /d\nlistener: {address: '::1', port: 7}\n"
	                     "controlPlane: {address: 'f:1', trustFile: /r, tokenFile: /t, "
	                     "cluster: c1}\n"),
		"p.yaml", &config, &err));
	assert_string_equal(addr_format(&config.listener, text), "[::1]:7");
	assert_string_equal(config.data_dir, "/d");
	assert_string_equal(config.token_file, "/t");
	probe_config_fini(&config);
}

static void mistakes_are_named_with_line_and_key(void **state)
{
	static const struct {
		struct str text;
		const char *message;
	} bad[] = {
		{STR_LIT("a: ["), "p.yaml"},
		{STR_LIT("- 1"), "must be a ProbeConfig"},
		{STR_LIT(HEAD), "p.yaml: controlPlane: is missing"},
		{STR_LIT(HEAD "controlPlane: {adress: x}\n"),
	         "p.yaml:3: controlPlane.adress: is not a key"},
		{STR_LIT(HEAD PLANE "colour: red\n"), "p.yaml:4: colour: is not a key"},
		{STR_LIT(HEAD "controlPlane: {address: 'f:1', trustFile: /r, cluster: c1, x: 1}\n"),
	         "controlPlane.x: is not a key"},
		{STR_LIT(HEAD "controlPlane: {address: 'f:1', trustFile: /r}\n"),
	         "controlPlane.cluster: is missing"},
		{STR_LIT(HEAD "controlPlane: {address: 'f:1', trustFile: /r, cluster: C_1}\n"),
	         "controlPlane.cluster: must be a DNS label"},
		{STR_LIT(HEAD "controlPlane: {address: 1, trustFile: /r, cluster: c1}\n"),
	         "controlPlane.address: must be a text"},
		{STR_LIT(HEAD PLANE "listener: {address: here}\n"), "must be an IP address"},
		{STR_LIT(HEAD PLANE "listener: {port: 70000}\n"), "must be 0 to 65535"},
		{STR_LIT(HEAD PLANE "listener: 15020\n"), "listener: must be an object"},
		{STR_LIT("apiVersion: v1\nkind: ProbeConfig\n" PLANE), "p.yaml:1: apiVersion"},
		{STR_LIT("apiVersion: fedway.io/v1alpha1\nkind: Pod\n" PLANE), "p.yaml:2: kind"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(bad); i++) {
		struct probe_config config;
		struct err err;
		assert_false(probe_config_parse(bad[i].text, "p.yaml", &config, &err));
		if (strstr(err.msg, bad[i].message) == NULL)
			fail_msg("'%s' lacks '%s'", err.msg, bad[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_file_gets_defaults),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(mistakes_are_named_with_line_and_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
