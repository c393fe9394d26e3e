/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"
#include "report.h"

#include <string.h>

#include "base/alloc.h"

#define MESH                                                                                       \
	"{kind: Mesh, metadata: {name: default}, status: {gateways: {connected: 2, acknowledged: " \
	"2}, trust: {roots: [{serial: AB, notAfter: '2036-01-01T00:00:00Z'}]}, conditions: "       \
	"[{type: Ready, status: 'True'}]}}"
#define CLUSTER(name, phase, more)                                                                 \
	"---\n{kind: Cluster, metadata: {name: " name "}, status: {phase: " phase ", " more "}}\n"
#define CERT(date) "certificate: {notAfter: '" date "'}"

enum {
	NOW_S = 1767225600 /* 2026-01-01T00:00:00Z */
};

struct world {
	const char *name;
	const char *mesh;
	const char *clusters;
	const char *groups;
	const char *gateways;
	const char *services;
};

static json_t *make(const struct world *world, json_t *(*maker)(const struct report_input *input))
{
	json_t *mesh = objects_one(world->mesh != NULL ? world->mesh : MESH);
	json_t *lists[4];
	const char *const texts[] = {world->clusters, world->groups, world->gateways,
	                             world->services};
	for (size_t i = 0; i < N_ELEMS(lists); i++)
		lists[i] = objects_list(texts[i] != NULL ? texts[i] : "");
	struct report_input input = {mesh, lists[0], lists[1], lists[2], lists[3], NOW_S};
	json_t *report = maker(&input);
	json_decref(mesh);
	for (size_t i = 0; i < N_ELEMS(lists); i++)
		json_decref(lists[i]);
	return report;
}

static void each_thing_that_is_wrong_is_one_problem_with_its_code(void **state)
{
	(void)state;
	static const struct {
		struct world world;
		const char *severity; /* NULL: no problem */
		const char *code;
		const char *message; /* part of it */
	} rows[] = {
		{{.name = "nothing joined yet"}, NULL, NULL, NULL},
		{{.name = "ready",
	          .clusters = CLUSTER("c1", "Ready", CERT("2026-03-01T00:00:00Z"))},
	         NULL,
	         NULL,
	         NULL},
		{{.name = "unreachable",
	          .clusters = CLUSTER("c1", "Degraded",
	                              "conditions: [{type: Reachable, status: 'False', message: "
	                              "timed out}]")},
	         "error",
	         "",
	         "is Degraded: timed out"},
		{{.name = "joining", .clusters = CLUSTER("c1", "Joining", "")},
	         "warning",
	         "FED-401",
	         "is Joining"},
		{{.name = "twin",
	          .clusters = CLUSTER("c1", "Failed",
	                              "blocking: [{code: FED-403, object: c2, message: same as "
	                              "c2}]")},
	         "error",
	         "FED-403",
	         "same as c2"},
		{{.name = "group without gateway",
	          .groups = "{kind: NetworkGroup, metadata: {name: g}, spec: {interconnect: "
	                    "{joined: true}}, status: {conditions: [{type: Joined, status: "
	                    "'False', message: no gateway}]}}"},
	         "error",
	         "FED-104",
	         "no gateway"},
		{{.name = "group outside on purpose",
	          .groups = "{kind: NetworkGroup, metadata: {name: g}, spec: {interconnect: "
	                    "{joined: false}}}"},
	         NULL,
	         NULL,
	         NULL},
		{{.name = "one gateway",
	          .groups = "{kind: NetworkGroup, metadata: {name: g}, spec: {interconnect: "
	                    "{joined: true}}, status: {gateways: [a], conditions: [{type: "
	                    "Joined, status: 'True'}]}}"},
	         "warning",
	         "FED-203",
	         "one gateway"},
		{{.name = "gateway without address",
	          .gateways =
	                  "{kind: EastWestGateway, metadata: {name: gw}, status: {conditions: "
	                  "[{type: Ready, status: 'False', reason: NoAddress, message: none}]}}"},
	         "error",
	         "FED-101",
	         "none"},
		{{.name = "dead address",
	          .gateways = "{kind: EastWestGateway, metadata: {name: gw}, status: {conditions: "
	                      "[{type: Ready, status: 'True'}], addresses: [{address: 192.0.2.1, "
	                      "port: 15443, live: false, reason: connect timed out}]}}"},
	         "error",
	         "FED-103",
	         "192.0.2.1:15443 is not live: connect timed out"},
		{{.name = "root expires",
	          .mesh = "{kind: Mesh, status: {trust: {roots: [{serial: AB, notAfter: "
	                  "'2026-01-20T00:00:00Z'}]}}}"},
	         "warning",
	         "FED-301",
	         "19d left"},
		{{.name = "intermediate expired",
	          .clusters = CLUSTER("c1", "Ready", CERT("2025-12-31T00:00:00Z"))},
	         "error",
	         "FED-121",
	         "has expired"},
		{{.name = "single cluster",
	          .clusters = CLUSTER("c1", "Ready", "") CLUSTER("c2", "Ready", ""),
	          .services = "{kind: MeshService, metadata: {name: s, namespace: n}, status: "
	                      "{clusters: [{cluster: c1, ready: 1}]}}"},
	         "warning",
	         "FED-201",
	         "1 service runs in a single cluster"},
	};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const char *name = rows[i].world.name;
		json_t *report = make(&rows[i].world, report_make);
		const json_t *problems = json_object_get(report, "problems");
		const json_t *first = json_array_get(problems, 0);
		assert_row(name, json_array_size(problems) == (rows[i].severity != NULL ? 1 : 0));
		if (rows[i].severity != NULL) {
			bool error = strcmp(rows[i].severity, "error") == 0;
			assert_row(name, strcmp(json_str_at(first, "severity", ""),
			                        rows[i].severity) == 0);
			assert_row(name, strcmp(json_str_at(first, "code", ""), rows[i].code) == 0);
			assert_row(name, strstr(json_str_at(first, "message", ""),
			                        rows[i].message) != NULL);
			assert_row(name, report_has_errors(report) == error);
		}
		json_decref(report);
	}
}

static const struct world troubled = {
	.clusters = CLUSTER("c1", "Ready", CERT("2026-03-01T00:00:00Z"))
		CLUSTER("c2", "Degraded",
                        "conditions: [{type: Reachable, status: 'False', message: connect "
                        "timed out; what it had last stays in force}]"),
	.groups = "{kind: NetworkGroup, metadata: {name: edge}, spec: {}}",
	.gateways = "{kind: EastWestGateway, metadata: {name: gw-1}, status: {conditions: [{type: "
		    "Ready, status: 'True'}], instances: [{name: i1, certificate: {notAfter: "
		    "'2026-01-01T21:00:00Z'}}]}}",
	.services = "{kind: MeshService, metadata: {name: s, namespace: n}, status: {clusters: "
		    "[{cluster: c1, ready: 1}]}}",
};

static void the_screen_names_the_first_error_first(void **state)
{
	(void)state;
	struct buf out;
	json_t *report = make(&troubled, report_make);
	buf_init(&out, CLI_TEXT_MAX);
	report_format(report, (struct look){.ascii = true}, &out);
	assert_string_equal(
		buf_text(&out),
		"DEGRADED   1 error, 1 warning\n"
		"  Clusters       WARN  1/2 ready   not: c2\n"
		"  Groups         OK    0/1 joined  not: edge\n"
		"  Gateways       OK    1/1 ready\n"
		"  Services       OK    1           merged over the clusters\n"
		"  Configuration  OK    2/2         gateways connected have acknowledged the last "
		"change\n"
		"  Certificates   OK    59d         intermediate c1 is the next to expire\n"
		"\n"
		"FAIL          Cluster/c2  is Degraded: connect timed out; what it had last stays\n"
		"              in force\n"
		"WARN FED-201  1 service runs in a single cluster\n"
		"           -> Run it in a second cluster.\n");
	json_decref(report);
	buf_fini(&out);
}

static void certificates_are_listed_with_what_is_left(void **state)
{
	(void)state;
	struct buf out;
	json_t *report = make(&troubled, report_certs);
	buf_init(&out, CLI_TEXT_MAX);
	report_format_certs(report, (struct look){.ascii = true}, &out);
	assert_string_equal(buf_text(&out),
	                    "KIND          NAME     EXPIRES               LEFT   STATE\n"
	                    "root          AB       2036-01-01T00:00:00Z  3652d  Ok\n"
	                    "intermediate  c1       2026-03-01T00:00:00Z  59d    Ok\n"
	                    "intermediate  c2       -                     -      Unknown\n"
	                    "gateway       gw-1/i1  2026-01-01T21:00:00Z  21h    Ok\n");
	json_decref(report);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_thing_that_is_wrong_is_one_problem_with_its_code),
		cmocka_unit_test(the_screen_names_the_first_error_first),
		cmocka_unit_test(certificates_are_listed_with_what_is_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
