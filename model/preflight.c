/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight_priv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/causes.h"

#define SYSTEM "fedway-system"

const struct preflight_right preflight_rights[] = {
	{"list", "", "services", ""},
	{"watch", "", "services", ""},
	{"list", "", "pods", ""},
	{"watch", "", "pods", ""},
	{"list", "", "nodes", ""},
	{"watch", "", "nodes", ""},
	{"list", "", "namespaces", ""},
	{"watch", "", "namespaces", ""},
	{"list", "discovery.k8s.io", "endpointslices", ""},
	{"watch", "discovery.k8s.io", "endpointslices", ""},
	{"create", "authentication.k8s.io", "tokenreviews", ""},
	{"create", "", "namespaces", ""},
	{"get", "", "namespaces", ""},
	{"delete", "", "namespaces", ""},
	{"list", "", "configmaps", SYSTEM},
	{"create", "", "configmaps", SYSTEM},
	{"patch", "", "configmaps", SYSTEM},
	{"delete", "", "configmaps", SYSTEM},
	{"list", "", "serviceaccounts", SYSTEM},
	{"create", "", "serviceaccounts", SYSTEM},
	{"patch", "", "serviceaccounts", SYSTEM},
	{"delete", "", "serviceaccounts", SYSTEM},
	{"create", "", "services", SYSTEM},
	{"patch", "", "services", SYSTEM},
	{"delete", "", "services", SYSTEM},
};
const size_t preflight_n_rights = N_ELEMS(preflight_rights);
static_assert(N_ELEMS(preflight_rights) <= PREFLIGHT_RIGHTS_MAX, "the facts have room");

json_t *preflight_access_review(const struct preflight_right *right)
{
	json_t *attributes = json_pack("{ss ss ss}", "verb", right->verb, "group", right->group,
	                               "resource", right->resource);
	if (right->namespace_[0] != '\0')
		json_object_set_new(attributes, "namespace", json_string(right->namespace_));
	return json_pack("{ss ss s{so}}", "apiVersion", "authorization.k8s.io/v1", "kind",
	                 "SelfSubjectAccessReview", "spec", "resourceAttributes", attributes);
}

json_t *preflight_token_review(void)
{
	return json_pack("{ss ss s{ss s[ss]}}", "apiVersion", "authentication.k8s.io/v1", "kind",
	                 "TokenReview", "spec", "token", "fedway-preflight", "audiences", "fedway",
	                 "istio-ca");
}

/* --- what was found -----------------------------------------------------------------------------
 */

#define FILL(found, word, cause, fmt)                                                              \
	do {                                                                                       \
		va_list args;                                                                      \
		(found)->state = (word);                                                           \
		(found)->code = (cause);                                                           \
		va_start(args, fmt);                                                               \
		vsnprintf((found)->message, sizeof((found)->message), fmt, args);                  \
		va_end(args);                                                                      \
	} while (0)

void found_warn(struct found *found, const char *code, const char *fmt, ...)
{
	FILL(found, "Warning", code, fmt);
}

void found_fail(struct found *found, const char *code, const char *fmt, ...)
{
	FILL(found, "Failed", code, fmt);
}

void found_skip(struct found *found, const char *fmt, ...)
{
	FILL(found, "Skipped", "", fmt);
}

void found_pass(struct found *found, const char *fmt, ...)
{
	FILL(found, "Passed", "", fmt);
}

/* --- the way there ------------------------------------------------------------------------------
 */

static void judge_kubeconfig(const struct preflight_facts *facts, struct found *found)
{
	snprintf(found->evidence, sizeof(found->evidence), "%s", facts->server);
	if (facts->kubeconfig != NULL)
		found_fail(found, "FED-404", "%s", facts->kubeconfig->msg);
	else if (facts->insecure)
		found_warn(found, "",
		           "the kubeconfig turns off the check of the server's "
		           "certificate: anybody on the way can read its credentials");
	else
		found_pass(found, "the kubeconfig names one server and its credentials");
}

static void judge_reach(const struct preflight_facts *facts, struct found *found)
{
	if (facts->version.value == NULL) {
		found_fail(found, "FED-405", "%s", facts->version.err->msg);
		return;
	}
	found_pass(found, "the control plane reaches its API server");
	snprintf(found->evidence, sizeof(found->evidence), "%lld ms", (long long)facts->took_ms);
}

static void judge_version(const struct preflight_facts *facts, struct found *found)
{
	const char *version = json_str_at(facts->version.value, "gitVersion", "");
	unsigned major;
	unsigned minor;
	snprintf(found->evidence, sizeof(found->evidence), "%s", version);
	if (sscanf(version, "v%3u.%3u", &major, &minor) != 2)
		found_warn(found, "", "its API server does not say which Kubernetes it is");
	else if (major == 1 && minor < PREFLIGHT_MINOR)
		found_fail(found, "FED-408",
		           "Kubernetes is older than 1.%d and has no EndpointSlices v1",
		           PREFLIGHT_MINOR);
	else
		found_pass(found, "Kubernetes is new enough");
}

/* "Tue, 24 Nov 2026 23:56:18 GMT"; -1: no date. */
static int64_t parse_date(const char *text)
{
	struct tm tm;
	memset(&tm, 0, sizeof(tm));
	const char *rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	return rest != NULL && rest[0] == '\0' ? (int64_t)timegm(&tm) : -1;
}

static void judge_clock(const struct preflight_facts *facts, struct found *found)
{
	int64_t theirs_s = parse_date(facts->date);
	int64_t apart_s = llabs(theirs_s - facts->now_s);
	if (theirs_s < 0) {
		found_skip(found, "its answer has no date");
		return;
	}
	snprintf(found->evidence, sizeof(found->evidence), "%lld s, limit %d s",
	         (long long)(theirs_s - facts->now_s), PREFLIGHT_CLOCK_S);
	if (apart_s > PREFLIGHT_CLOCK_S)
		found_fail(found, "FED-407", "its clock is %lld s %s the control plane's",
		           (long long)apart_s, theirs_s > facts->now_s ? "ahead of" : "behind");
	else
		found_pass(found, "its clock agrees with the control plane's");
}

/* --- what the credentials can do ----------------------------------------------------------------
 */

static bool is_silence(const struct err *err)
{
	return err->code == ERR_TIMEOUT || err->code == ERR_IO;
}

static void judge_tokens(const struct preflight_facts *facts, struct found *found)
{
	const struct err *err = facts->tokens.err;
	if (facts->tokens.value != NULL &&
	    json_is_object(json_object_get(facts->tokens.value, "status")))
		found_pass(found,
		           "it reviews tokens of its workloads (audiences fedway, istio-ca)");
	else if (err != NULL)
		found_fail(found, is_silence(err) ? "FED-405" : "FED-406",
		           "it does not review tokens: %s", err->msg);
	else
		found_fail(found, "FED-406", "its answer to a TokenReview has no status");
}

/* The list is cut where the message ends. */
static void list_refused(const struct preflight_facts *facts, char *text, size_t size)
{
	size_t len = 0;
	for (size_t i = 0; i < preflight_n_rights && len < size; i++) {
		const struct preflight_right *right = &preflight_rights[i];
		if (json_bool_at(facts->rights[i].value, "status.allowed", false))
			continue;
		int n = snprintf(text + len, size - len, "%s%s %s", len > 0 ? ", " : "",
		                 right->verb, right->resource);
		len += n > 0 ? (size_t)n : 0;
	}
}

static void judge_rights(const struct preflight_facts *facts, struct found *found)
{
	char refused[FOUND_TEXT_MAX / 2] = "";
	for (size_t i = 0; i < preflight_n_rights; i++) {
		const struct err *err = facts->rights[i].err;
		if (err == NULL)
			continue;
		if (err->code == ERR_NOT_FOUND || err->code == ERR_PROTOCOL)
			found_skip(found, "this API server does not tell what credentials may do; "
			                  "joining will");
		else
			found_warn(found, "", "cannot ask what the credentials may do: %s",
			           err->msg);
		return;
	}
	list_refused(facts, refused, sizeof(refused));
	if (refused[0] == '\0')
		found_pass(found, "credentials can do the %zu actions needed", preflight_n_rights);
	else
		found_fail(found, "FED-406", "credentials may not: %s", refused);
}

/* --- the way back -------------------------------------------------------------------------------
 */

static void judge_way_back(const struct preflight_facts *facts, struct found *found)
{
	if (facts->gateway[0] != '\0')
		found_pass(found, "gateway %s has a stream to the control plane", facts->gateway);
	else if (facts->probe)
		found_pass(found, "its probe has a stream to the control plane");
	else
		found_skip(found, "whether it reaches the control plane is not seen yet: the "
		                  "stream of its gateway or probe proves it, and there is none");
}

/* --- all ----------------------------------------------------------------------------------------
 */

/* How far one must have come for a check to make sense. */
enum need {
	NEED_NOTHING,
	NEED_KUBECONFIG,
	NEED_ANSWER
};

static const struct {
	const char *id;
	enum need need;
	void (*judge)(const struct preflight_facts *facts, struct found *found);
} checks[] = {
	{"kubeconfig", NEED_NOTHING, judge_kubeconfig},
	{"reach-api", NEED_KUBECONFIG, judge_reach},
	{"version", NEED_ANSWER, judge_version},
	{"token-review", NEED_ANSWER, judge_tokens},
	{"permissions", NEED_ANSWER, judge_rights},
	{"clock", NEED_ANSWER, judge_clock},
	{"identity", NEED_ANSWER, preflight_identity},
	{"localities", NEED_ANSWER, preflight_localities},
	{"pod-ranges", NEED_ANSWER, preflight_pod_ranges},
	{"istio", NEED_ANSWER, preflight_istio},
	{"way-back", NEED_NOTHING, judge_way_back},
};

/* The cause's command, for this cluster. */
static void fill_command(const struct cause *cause, const char *cluster, char text[FOUND_TEXT_MAX])
{
	const char *command = cause != NULL ? cause->command : "";
	const char *word = strstr(command, "CLUSTER");
	if (word == NULL)
		snprintf(text, FOUND_TEXT_MAX, "%s", command);
	else
		snprintf(text, FOUND_TEXT_MAX, "%.*s%s%s", (int)(word - command), command, cluster,
		         word + strlen("CLUSTER"));
}

static void add_check(json_t *answer, const char *id, const struct found *found)
{
	const struct cause *cause = cause_find(found->code);
	char command[FOUND_TEXT_MAX];
	const char *verdict = json_str_at(answer, "verdict", "");
	fill_command(cause, json_str_at(answer, "cluster", ""), command);
	json_array_append_new(json_object_get(answer, "checks"),
	                      json_pack("{ss ss ss ss ss ss ss}", "id", id, "state", found->state,
	                                "code", found->code, "message", found->message, "evidence",
	                                found->evidence, "remedy",
	                                cause != NULL ? cause->remedy : "", "command", command));
	if (strcmp(found->state, "Failed") == 0 ||
	    (strcmp(found->state, "Warning") == 0 && strcmp(verdict, "Passed") == 0))
		json_object_set_new(answer, "verdict", json_string(found->state));
}

json_t *preflight_judge(const struct preflight_facts *facts)
{
	json_t *answer =
		json_pack("{ss ss ss s[] ss}", "apiVersion", "answers.fedway.io/v1alpha1", "kind",
	                  "Preflight", "cluster", facts->cluster, "checks", "verdict", "Passed");
	for (size_t i = 0; i < N_ELEMS(checks); i++) {
		struct found found = {.state = "Passed", .code = ""};
		if (checks[i].need >= NEED_KUBECONFIG && facts->kubeconfig != NULL)
			found_skip(&found, "not tried: the kubeconfig cannot be used");
		else if (checks[i].need >= NEED_ANSWER && facts->version.value == NULL)
			found_skip(&found, "not tried: its API server does not answer");
		else
			checks[i].judge(facts, &found);
		add_check(answer, checks[i].id, &found);
	}
	return answer;
}
