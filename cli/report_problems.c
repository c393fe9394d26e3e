/* SPDX-License-Identifier: Apache-2.0 */
#include "report_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kube/meta.h"
#include "model/causes.h"

void report_add_problem(json_t *report, const struct report_problem *problem)
{
	const struct cause *cause = cause_find(problem->code);
	const char *severity = problem->severity != NULL ? problem->severity
	                       : cause != NULL           ? cause->severity
	                                                 : "error";
	json_t *problems = json_object_get(report, "problems");
	bool error = strcmp(severity, "error") == 0;
	const char *count = error ? "errors" : "warnings";
	json_object_set_new(report, count, json_integer(json_int_at(report, count, 0) + 1));
	json_t *entry = json_pack("{ss ss ss ss ss ss}", "severity", severity, "code",
	                          problem->code, "object", problem->object, "message",
	                          problem->message, "remedy", cause != NULL ? cause->remedy : "",
	                          "command", cause != NULL ? cause->command : "");
	if (error)
		json_array_insert_new(problems, (size_t)json_int_at(report, "errors", 1) - 1,
		                      entry);
	else
		json_array_append_new(problems, entry);
}

static void say(json_t *report, const char *code, const char *severity, const json_t *obj,
                const char *message)
{
	char object[REPORT_TEXT_MAX];
	snprintf(object, sizeof(object), "%s/%s", json_str_at(obj, "kind", "object"),
	         kube_name(obj));
	report_add_problem(report, &(struct report_problem){severity, code, object, message});
}

/* The first condition that is not True and is no mere sum of others. */
static const json_t *first_bad(const json_t *obj)
{
	const json_t *conditions = json_at(obj, "status.conditions");
	for (size_t i = 0; i < json_array_size(conditions); i++) {
		const json_t *c = json_array_get(conditions, i);
		if (strcmp(json_str_at(c, "type", ""), "Ready") != 0 &&
		    strcmp(json_str_at(c, "status", ""), "True") != 0)
			return c;
	}
	return NULL;
}

static void judge_cluster(json_t *report, const json_t *obj)
{
	const char *phase = json_str_at(obj, "status.phase", "Pending");
	const json_t *blocking = json_at(obj, "status.blocking");
	const json_t *bad = first_bad(obj);
	char text[REPORT_TEXT_MAX];
	for (size_t i = 0; i < json_array_size(blocking); i++) {
		const json_t *entry = json_array_get(blocking, i);
		say(report, json_str_at(entry, "code", ""), NULL, obj,
		    json_str_at(entry, "message", ""));
	}
	if (strcmp(phase, "Ready") == 0 ||
	    (strcmp(phase, "Failed") == 0 && json_array_size(blocking) > 0))
		return;
	snprintf(text, sizeof(text), "is %s%s%s", phase, bad != NULL ? ": " : "",
	         json_str_at(bad, "message", ""));
	bool failed = strcmp(phase, "Failed") == 0 || strcmp(phase, "Degraded") == 0;
	say(report, failed ? "" : "FED-401", failed ? "error" : "warning", obj, text);
}

static void judge_group(json_t *report, const json_t *obj)
{
	const json_t *joined = kube_condition_find(obj, "Joined");
	size_t n_gateways = json_array_size(json_at(obj, "status.gateways"));
	if (!json_bool_at(obj, "spec.interconnect.joined", false))
		return;
	if (!kube_condition_is_true(obj, "Joined"))
		say(report, n_gateways == 0 ? "FED-104" : "FED-103", "error", obj,
		    json_str_at(joined, "message", "has not joined the interconnect yet"));
	else if (n_gateways == 1)
		say(report, "FED-203", NULL, obj, "depends on one gateway");
}

static void judge_gateway(json_t *report, const json_t *obj)
{
	const json_t *ready = kube_condition_find(obj, "Ready");
	const json_t *addresses = json_at(obj, "status.addresses");
	char text[REPORT_TEXT_MAX];
	if (!kube_condition_is_true(obj, "Ready")) {
		bool no_address = strcmp(json_str_at(ready, "reason", ""), "NoAddress") == 0;
		say(report, no_address ? "FED-101" : "FED-103", "error", obj,
		    json_str_at(ready, "message", "nothing is known of it yet"));
		return;
	}
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const json_t *at = json_array_get(addresses, i);
		if (json_bool_at(at, "live", true))
			continue;
		snprintf(text, sizeof(text), "%s:%lld is not live: %s",
		         json_str_at(at, "address", ""), (long long)json_int_at(at, "port", 0),
		         json_str_at(at, "reason", ""));
		say(report, "FED-103", NULL, obj, text);
	}
}

static void judge_services(json_t *report, const json_t *services, size_t n_clusters)
{
	const json_t *items = json_object_get(services, "items");
	size_t alone = 0;
	char text[REPORT_TEXT_MAX];
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *obj = json_array_get(items, i);
		const json_t *agree = kube_condition_find(obj, "PortsAgree");
		alone += json_array_size(json_at(obj, "status.clusters")) == 1 ? 1 : 0;
		if (strcmp(json_str_at(agree, "status", ""), "False") == 0)
			say(report, "FED-217", NULL, obj, json_str_at(agree, "message", ""));
	}
	if (alone == 0 || n_clusters < 2)
		return;
	snprintf(text, sizeof(text), "%zu service%s in a single cluster", alone,
	         alone == 1 ? " runs" : "s run");
	report_add_problem(report, &(struct report_problem){NULL, "FED-201", "", text});
}

static void judge_mesh(json_t *report, const json_t *mesh)
{
	static const struct {
		const char *type;
		const char *severity;
	} rows[] = {{"Ready", "error"}, {"Supported", "warning"}};
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const json_t *c = kube_condition_find(mesh, rows[i].type);
		if (c != NULL && strcmp(json_str_at(c, "status", ""), "True") != 0)
			say(report, "", rows[i].severity, mesh, json_str_at(c, "message", ""));
	}
}

static void for_all(json_t *report, const json_t *list,
                    void (*judge)(json_t *report, const json_t *obj))
{
	const json_t *items = json_object_get(list, "items");
	for (size_t i = 0; i < json_array_size(items); i++)
		judge(report, json_array_get(items, i));
}

void report_find_problems(json_t *report, const struct report_input *input)
{
	judge_mesh(report, input->mesh);
	for_all(report, input->clusters, judge_cluster);
	for_all(report, input->groups, judge_group);
	for_all(report, input->gateways, judge_gateway);
	judge_services(report, input->services,
	               json_array_size(json_object_get(input->clusters, "items")));
}

void report_find_cert_problems(json_t *report, const json_t *certs)
{
	const json_t *all = json_object_get(certs, "certificates");
	char text[REPORT_TEXT_MAX];
	char object[REPORT_TEXT_MAX];
	char left[32];
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *cert = json_array_get(all, i);
		const char *kind = json_str_at(cert, "kind", "");
		bool expired = strcmp(json_str_at(cert, "state", ""), "Expired") == 0;
		bool root = strcmp(kind, "root") == 0;
		if (!expired && strcmp(json_str_at(cert, "state", ""), "Expiring") != 0)
			continue;
		snprintf(object, sizeof(object), "%s %s", kind, json_str_at(cert, "name", ""));
		snprintf(text, sizeof(text), "%s%s (%s left)",
		         expired ? "has expired" : "expires on ",
		         expired ? "" : json_str_at(cert, "notAfter", ""),
		         report_left(json_int_at(cert, "leftSeconds", 0), left));
		report_add_problem(
			report, &(struct report_problem){expired ? "error" : "warning",
		                                         root && !expired ? "FED-301" : "FED-121",
		                                         object, text});
	}
}
