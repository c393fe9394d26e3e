/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_programs.h"
#include "objects.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *host;
	const char *program;
	bool embedded;
	const char *words; /* NULL: there is none */
	const char *door;
} programs[] = {
	{"control", "fedwayd", true,
         "fedwayd|--data-dir|.|--api-listen|192.0.2.10:6443|--xds-listen|192.0.2.10:15012|"
         "--xds-advertise|192.0.2.10:15012|--metrics-listen|127.0.0.1:15080|",
         "192.0.2.10:6443"},
	{"control", "kubelet", true, NULL, NULL},
	{"cluster2", "kube", true,
         "fedwayd|--role|member|--data-dir|.|--api-listen|192.0.2.22:6443|--xds-listen|"
         "127.0.0.1:15012|",
         "192.0.2.22:6443"},
	{"cluster2", "kube", false, NULL, NULL},
	{"cluster2", "fedwayd", true, NULL, NULL},
	{"cluster1", "kubelet", true, "fedway|lab|kubelet|cluster1|--dir|/a lab|--slices|", ""},
	{"cluster1", "kubelet", false, "fedway|lab|kubelet|cluster1|--dir|/a lab|", ""},
	{"cluster3", "gateway", true, "fedway-gateway|--config|gateway.yaml|", "10.100.0.2:15444"},
	{"cluster3", "helloworld", false,
         "fedway|lab|workload|helloworld|--listen|10.100.0.10:5000|--answer|vc3|",
         "10.100.0.10:5000"},
	{"cluster1", "probe", true, "fedway-probe|--config|probe.yaml|", "10.201.0.30:15020"},
};

/* A folder with a blank in its name stays one word. */
static void programs_are_called_with_the_words_of_their_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMS(programs); i++) {
		const struct lab_host *host = lab_host_find(programs[i].host);
		struct lab_place place = {"/a lab", host, programs[i].embedded};
		const struct lab_program *program =
			lab_program_find(programs[i].program, host, programs[i].embedded);
		assert_row(programs[i].program, (program != NULL) == (programs[i].words != NULL));
		if (program == NULL)
			continue;
		struct lab_words words;
		char joined[1024] = "";
		lab_words_make(program->words, &place, &words);
		for (size_t w = 0; w < words.n; w++) {
			strncat(joined, words.words[w], 200);
			strncat(joined, "|", 2);
		}
		char *door = lab_expand(str_from(program->door), &place);
		assert_string_equal(joined, programs[i].words);
		assert_string_equal(door, programs[i].door);
		free(door);
		lab_words_fini(&words);
		lab_words_fini(&words);
	}
}

static void unknown_braces_become_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *becomes;
	} rows[] = {{"", ""},     {"plain", "plain"},         {"a{nothing}b", "ab"},
	            {"{}x", "x"}, {"{number}{number}", "22"}, {"x{wan}", "x192.0.2.22"}};
	struct lab_place place = {"/d", lab_host_find("cluster2"), true};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		char *made = lab_expand(str_from(rows[i].text), &place);
		assert_string_equal(made, rows[i].becomes);
		free(made);
	}
}

static void configuration_files_name_the_control_plane_and_the_doors(void **state)
{
	(void)state;
	struct lab_place place = {"/d", lab_host_find("cluster2"), true};
	char *gateway = lab_gateway_config(&place, "192.0.2.10:15012");
	char *probe = lab_probe_config(&place, "192.0.2.10:15012");
	json_t *g = objects_one(gateway);
	json_t *p = objects_one(probe);
	json_t *egress = json_array_get(json_object_get(g, "listeners"), 1);
	assert_string_equal(json_str_at(g, "controlPlane.name", ""), "gw-2");
	assert_string_equal(json_str_at(g, "controlPlane.cluster", ""), "mdemo-cluster2");
	assert_string_equal(json_str_at(egress, "address", ""), "10.201.0.2");
	assert_string_equal(json_str_at(p, "controlPlane.address", ""), "192.0.2.10:15012");
	assert_string_equal(json_str_at(p, "listener.address", ""), "10.201.0.30");
	json_decref(g);
	json_decref(p);
	free(gateway);
	free(probe);
}

static void objects_belong_where_their_kind_lives(void **state)
{
	(void)state;
	static const char *const kinds[] = {"Namespace", "Secret", "NetworkGroup", "Cluster",
	                                    "EastWestGateway"};
	json_t *objects = lab_control_objects(lab_host_find("cluster1"), "kind: Config\n");
	assert_int_equal(json_array_size(objects), N_ELEMS(kinds));
	for (size_t i = 0; i < N_ELEMS(kinds); i++) {
		struct kube_ref ref = lab_ref_of(json_array_get(objects, i));
		assert_string_equal(ref.resource->kind, kinds[i]);
		assert_row(kinds[i], (ref.namespace_ != NULL) == ref.resource->namespaced);
	}
	assert_true(json_bool_at(json_array_get(objects, 2), "spec.interconnect.joined", false));
	assert_string_equal(json_str_at(json_array_get(objects, 3), "spec.locality.zone", ""),
	                    "zone1");
	json_decref(objects);
	objects = lab_member_objects();
	for (size_t i = 0; i < json_array_size(objects); i++)
		assert_non_null(lab_ref_of(json_array_get(objects, i)).resource);
	json_decref(objects);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_are_called_with_the_words_of_their_host),
		cmocka_unit_test(unknown_braces_become_nothing),
		cmocka_unit_test(configuration_files_name_the_control_plane_and_the_doors),
		cmocka_unit_test(objects_belong_where_their_kind_lives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
