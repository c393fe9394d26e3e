/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "model/preflight.h"
#include "tests/world.h"

enum {
	NOW_S = 1795565778 /* Wed, 25 Nov 2026 00:16:18 GMT */
};

/* What a test says of the member, as YAML; NULL: the answer of a good one. An error is "!N message"
 * (not found), "!F message" (forbidden) or "!T message" (timed out). */
struct told {
	const char *version;
	const char *date;
	const char *tokens;
	const char *right; /* the answer to each */
	const char *system;
	const char *istio;
	const char *nodes;
	const char *kubeconfig; /* an error's message */
	bool insecure;
	bool has_locality;
	const char *gateway;
	bool probe;
};

struct row {
	struct told told;
	const char *id;
	const char *state;
	const char *code;
	const char *word; /* in message or evidence */
};

/* Parsed texts and errors live until the judgement is made. */
struct desk {
	json_t *values[8];
	size_t n_values;
	struct err errs[8];
	size_t n_errs;
};

static struct preflight_reply reply_of(struct desk *desk, const char *text, const char *good)
{
	struct err err = {0};
	if (text != NULL && text[0] == '!') {
		struct err *told = &desk->errs[desk->n_errs++];
		told->code = text[1] == 'N'   ? ERR_NOT_FOUND
		             : text[1] == 'F' ? ERR_FORBIDDEN
		                              : ERR_TIMEOUT;
		snprintf(told->msg, sizeof(told->msg), "%s", text + 3);
		return (struct preflight_reply){NULL, told};
	}
	json_t *value = yaml_parse(str_from(text != NULL ? text : good), "test", &err);
	if (value == NULL)
		fail_msg("%s", err.msg);
	desk->values[desk->n_values++] = value;
	return (struct preflight_reply){value, NULL};
}

static json_t *judge(const struct told *told, const struct mesh *mesh)
{
	struct desk desk = {.n_values = 0};
	struct err broken = {.code = ERR_INVALID};
	struct preflight_reply right = reply_of(&desk, told->right, "{status: {allowed: true}}");
	struct preflight_facts facts = {
		.cluster = "c1",
		.group = "g1",
		.has_locality = told->has_locality,
		.server = "https://192.0.2.1:6443",
		.insecure = told->insecure,
		.version = reply_of(&desk, told->version, "{gitVersion: v1.31.4}"),
		.took_ms = 28,
		.date = told->date != NULL ? told->date : "Wed, 25 Nov 2026 00:16:18 GMT",
		.now_s = NOW_S,
		.tokens = reply_of(&desk, told->tokens, "{status: {authenticated: false}}"),
		.system = reply_of(&desk, told->system, "{metadata: {uid: u1}}"),
		.istio = reply_of(&desk, told->istio, "{metadata: {}}"),
		.nodes = reply_of(&desk, told->nodes, "{items: []}"),
		.clusters = reply_of(&desk, NULL,
	                             "{items: [{metadata: {name: c1}, status: {uid: u1}}, "
	                             "{metadata: {name: c2}, status: {uid: u2}}]}")
	                            .value,
		.mesh = mesh,
		.gateway = told->gateway != NULL ? told->gateway : "",
		.probe = told->probe,
	};
	if (told->kubeconfig != NULL) {
		snprintf(broken.msg, sizeof(broken.msg), "%s", told->kubeconfig);
		facts.kubeconfig = &broken;
	}
	for (size_t i = 0; i < preflight_n_rights; i++)
		facts.rights[i] = right;
	json_t *answer = preflight_judge(&facts);
	for (size_t i = 0; i < desk.n_values; i++)
		json_decref(desk.values[i]);
	return answer;
}

static const json_t *check_of(const json_t *answer, const char *id)
{
	const json_t *checks = json_object_get(answer, "checks");
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *check = json_array_get(checks, i);
		if (strcmp(json_str_at(check, "id", ""), id) == 0)
			return check;
	}
	fail_msg("no check '%s'", id);
	return NULL;
}

#define NODE(labels, range) "{metadata: {labels: {" labels "}}, spec: {podCIDR: " range "}}"
#define PLACED              "topology.kubernetes.io/region: r, topology.kubernetes.io/zone: z"

static const struct row rows[] = {
	{{0}, "kubeconfig", "Passed", "", "192.0.2.1"},
	{{.insecure = true}, "kubeconfig", "Warning", "", "anybody"},
	{{.kubeconfig = "user 'x': it runs a command"},
         "kubeconfig",
         "Failed",
         "FED-404",
         "command"},
	{{.kubeconfig = "x"}, "reach-api", "Skipped", "", "kubeconfig"},
	{{.kubeconfig = "x"}, "clock", "Skipped", "", "kubeconfig"},
	{{0}, "reach-api", "Passed", "", "28 ms"},
	{{.version = "!T refused"}, "reach-api", "Failed", "FED-405", "refused"},
	{{.version = "!T refused"}, "identity", "Skipped", "", "does not answer"},
	{{0}, "version", "Passed", "", "v1.31.4"},
	{{.version = "{gitVersion: v1.20.9}"}, "version", "Failed", "FED-408", "1.21"},
	{{.version = "{gitVersion: 'v1.21.0+k3s1'}"}, "version", "Passed", "", "k3s1"},
	{{.version = "{gitVersion: next}"}, "version", "Warning", "", "next"},
	{{.version = "{}"}, "version", "Warning", "", "which Kubernetes"},
	{{0}, "token-review", "Passed", "", "istio-ca"},
	{{.tokens = "!F may not"}, "token-review", "Failed", "FED-406", "may not"},
	{{.tokens = "!T late"}, "token-review", "Failed", "FED-405", "late"},
	{{.tokens = "{}"}, "token-review", "Failed", "FED-406", "no status"},
	{{0}, "permissions", "Passed", "", "actions needed"},
	{{.right = "{status: {allowed: false}}"}, "permissions", "Failed", "FED-406", "list nodes"},
	{{.right = "!N no such path"}, "permissions", "Skipped", "", "does not tell"},
	{{.right = "!T late"}, "permissions", "Warning", "", "late"},
	{{0}, "clock", "Passed", "", "0 s"},
	{{.date = "Wed, 25 Nov 2026 00:16:23 GMT"}, "clock", "Passed", "", "5 s"},
	{{.date = "Wed, 25 Nov 2026 00:16:24 GMT"}, "clock", "Failed", "FED-407", "6 s ahead of"},
	{{.date = "Wed, 25 Nov 2026 00:16:08 GMT"}, "clock", "Failed", "FED-407", "10 s behind"},
	{{.date = "yesterday"}, "clock", "Skipped", "", "no date"},
	{{.date = ""}, "clock", "Skipped", "", "no date"},
	{{0}, "identity", "Passed", "", "uid u1"},
	{{.system = "{metadata: {uid: u2}}"}, "identity", "Failed", "FED-403", "'c2'"},
	{{.system = "{metadata: {uid: u3}}"}, "identity", "Warning", "", "another real cluster"},
	{{.system = "{}"}, "identity", "Failed", "", "no uid"},
	{{.system = "!F may not"}, "identity", "Failed", "", "may not"},
	{{0}, "localities", "Passed", "", "no nodes"},
	{{.nodes = "{items: [" NODE(PLACED, "10.0.0.0/24") "]}"},
         "localities",
         "Passed",
         "",
         "all 1"},
	{{.nodes = "{items: [" NODE(PLACED, "x") "," NODE("", "x") "]}"},
         "localities",
         "Warning",
         "FED-211",
         "1 of 2 nodes"},
	{{.nodes = "{items: [" NODE("", "x") "]}", .has_locality = true},
         "localities",
         "Warning",
         "FED-211",
         "stands in"},
	{{.nodes = "{metadata: {continue: abc}, items: [" NODE("", "x") "]}"},
         "localities",
         "Warning",
         "FED-211",
         "the first 1"},
	{{.nodes = "!F may not"}, "localities", "Warning", "", "may not"},
	{{0}, "pod-ranges", "Skipped", "", "name no pod range"},
	{{.nodes = "{items: [" NODE("", "10.9.0.0/24") "]}"}, "pod-ranges", "Passed", "", "g1"},
	/* c3 of the same group has 10.3.0.1; c4, of another one, may have what it likes */
	{{.nodes = "{items: [" NODE("", "10.9.0.0/24") "," NODE("", "10.3.0.0/24") "]}"},
         "pod-ranges",
         "Failed",
         "FED-160",
         "10.3.0.1, a pod of c3"},
	{{.nodes = "{items: [{spec: {podCIDRs: ['fd00::/64', '10.4.0.0/24']}}]}"},
         "pod-ranges",
         "Passed",
         "",
         "fd00::/64 and others"},
	{{.istio = "!N none"}, "istio", "Passed", "", "no Istio"},
	{{.istio = "!F may not"}, "istio", "Warning", "", "may not"},
	{{0}, "istio", "Passed", "", "it stays"},
	{{.istio = "{metadata: {labels: {topology.istio.io/network: g1}}}"},
         "istio",
         "Passed",
         "",
         "network g1"},
	{{.istio = "{metadata: {labels: {topology.istio.io/network: g2}}}"},
         "istio",
         "Warning",
         "",
         "network g2"},
	{{0}, "way-back", "Skipped", "", "proves it"},
	{{.gateway = "gw-1"}, "way-back", "Passed", "", "gateway gw-1"},
	{{.probe = true}, "way-back", "Passed", "", "probe"},
	{{.kubeconfig = "x", .probe = true}, "way-back", "Passed", "", "probe"},
};

static void each_check_judges_what_was_answered(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	world_cluster(&w, "c3", "g1", "r/z");
	world_cluster(&w, "c4", "g2", "r/z");
	world_service(&w, "c3", "shop/cart", "http:80", "10.3.0.1", "");
	world_service(&w, "c4", "shop/cart", "http:80", "10.4.0.1", "");
	const struct mesh *mesh = world_mesh(&w);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		json_t *answer = judge(&rows[i].told, mesh);
		const json_t *check = check_of(answer, rows[i].id);
		const char *state_of = json_str_at(check, "state", "");
		const char *message = json_str_at(check, "message", "");
		if (strcmp(state_of, rows[i].state) != 0 ||
		    strcmp(json_str_at(check, "code", ""), rows[i].code) != 0 ||
		    (strstr(message, rows[i].word) == NULL &&
		     strstr(json_str_at(check, "evidence", ""), rows[i].word) == NULL))
			fail_msg("row %zu, %s: %s '%s' '%s'", i, rows[i].id, state_of, message,
			         json_str_at(check, "evidence", ""));
		assert_int_equal(json_str_at(check, "remedy", "")[0] != '\0',
		                 rows[i].code[0] != '\0');
		json_decref(answer);
	}
	world_fini(&w);
}

static void the_worst_check_is_the_verdict_and_all_are_there(void **state)
{
	static const struct {
		struct told told;
		const char *verdict;
	} cases[] = {
		{{0}, "Passed"},
		{{.insecure = true}, "Warning"},
		{{.insecure = true, .system = "{metadata: {uid: u2}}"}, "Failed"},
		{{.system = "{metadata: {uid: u2}}", .right = "!T late"}, "Failed"},
		{{.version = "!T refused"}, "Failed"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		json_t *answer = judge(&cases[i].told, NULL);
		assert_string_equal(json_str_at(answer, "verdict", ""), cases[i].verdict);
		assert_int_equal(json_array_size(json_object_get(answer, "checks")), 11);
		json_decref(answer);
	}
}

static void a_command_names_the_cluster(void **state)
{
	struct told told = {.version = "!T refused"};
	(void)state;
	json_t *answer = judge(&told, NULL);
	assert_string_equal(json_str_at(check_of(answer, "reach-api"), "command", ""),
	                    "kubectl --context c1 get --raw /version");
	json_decref(answer);
}

static void every_right_is_asked_for_as_a_review(void **state)
{
	(void)state;
	for (size_t i = 0; i < preflight_n_rights; i++) {
		json_t *review = preflight_access_review(&preflight_rights[i]);
		assert_string_equal(json_str_at(review, "spec.resourceAttributes.verb", ""),
		                    preflight_rights[i].verb);
		assert_int_equal(json_at(review, "spec.resourceAttributes.namespace") != NULL,
		                 preflight_rights[i].namespace_[0] != '\0');
		json_decref(review);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_check_judges_what_was_answered),
		cmocka_unit_test(the_worst_check_is_the_verdict_and_all_are_there),
		cmocka_unit_test(a_command_names_the_cluster),
		cmocka_unit_test(every_right_is_asked_for_as_a_review),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
