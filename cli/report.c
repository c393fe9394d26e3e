/* SPDX-License-Identifier: Apache-2.0 */
#include "report_priv.h"
#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "kube/meta.h"

const char *report_left(int64_t seconds, char text[32])
{
	long long s = seconds;
	if (s <= 0)
		snprintf(text, 32, "0");
	else if (s >= 2 * 86400)
		snprintf(text, 32, "%lldd", s / 86400);
	else if (s >= 2 * 3600)
		snprintf(text, 32, "%lldh", s / 3600);
	else
		snprintf(text, 32, "%lldm", s / 60);
	return text;
}

/* --- certificates ----------------------------------------------------------------------------- */

static void add_cert(json_t *report, const char *kind, const char *name, const char *not_after,
                     int64_t now_s)
{
	int64_t at = clock_parse_rfc3339(not_after);
	int64_t left = at - now_s;
	int64_t soon = strcmp(kind, "root") == 0           ? REPORT_EXPIRES_S
	               : strcmp(kind, "intermediate") == 0 ? REPORT_RENEWS_S * 7
	                                                   : REPORT_RENEWS_S / 24;
	const char *state = at == 0       ? "Unknown"
	                    : left <= 0   ? "Expired"
	                    : left < soon ? "Expiring"
	                                  : "Ok";
	json_array_append_new(json_object_get(report, "certificates"),
	                      json_pack("{ss ss ss sI ss}", "kind", kind, "name", name, "notAfter",
	                                not_after, "leftSeconds", (json_int_t)(at == 0 ? 0 : left),
	                                "state", state));
}

static void add_instances(json_t *report, const json_t *gateway, int64_t now_s)
{
	const json_t *instances = json_at(gateway, "status.instances");
	char name[REPORT_TEXT_MAX];
	for (size_t i = 0; i < json_array_size(instances); i++) {
		const json_t *instance = json_array_get(instances, i);
		snprintf(name, sizeof(name), "%s/%s", kube_name(gateway),
		         json_str_at(instance, "name", ""));
		add_cert(report, "gateway", name,
		         json_str_at(instance, "certificate.notAfter", "-"), now_s);
	}
}

json_t *report_certs(const struct report_input *input)
{
	json_t *report = json_pack("{ss ss s[]}", "apiVersion", "answers.fedway.io/v1alpha1",
	                           "kind", "CertificateReport", "certificates");
	const json_t *roots = json_at(input->mesh, "status.trust.roots");
	const json_t *clusters = json_object_get(input->clusters, "items");
	const json_t *gateways = json_object_get(input->gateways, "items");
	for (size_t i = 0; i < json_array_size(roots); i++) {
		const json_t *root = json_array_get(roots, i);
		add_cert(report, "root", json_str_at(root, "serial", ""),
		         json_str_at(root, "notAfter", "-"), input->now_s);
	}
	for (size_t i = 0; i < json_array_size(clusters); i++) {
		const json_t *cluster = json_array_get(clusters, i);
		add_cert(report, "intermediate", kube_name(cluster),
		         json_str_at(cluster, "status.certificate.notAfter", "-"), input->now_s);
	}
	for (size_t i = 0; i < json_array_size(gateways); i++)
		add_instances(report, json_array_get(gateways, i), input->now_s);
	return report;
}

void report_format_certs(const json_t *report, struct look look, struct buf *out)
{
	static const char *const heads[] = {"KIND", "NAME", "EXPIRES", "LEFT", "STATE"};
	const json_t *all = json_object_get(report, "certificates");
	struct table table CLEANUP(table_fini);
	char left[32];
	(void)look;
	table_init(&table, N_ELEMS(heads));
	for (size_t i = 0; i < N_ELEMS(heads); i++)
		table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *cert = json_array_get(all, i);
		bool known = strcmp(json_str_at(cert, "state", ""), "Unknown") != 0;
		table_cell(&table, "%s", json_str_at(cert, "kind", ""));
		table_cell(&table, "%s", json_str_at(cert, "name", ""));
		table_cell(&table, "%s", json_str_at(cert, "notAfter", "-"));
		table_cell(&table, "%s",
		           known ? report_left(json_int_at(cert, "leftSeconds", 0), left) : "-");
		table_cell(&table, "%s", json_str_at(cert, "state", ""));
	}
	table_format(&table, out);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void add_line(json_t *report, const char *name, const char *state, const char *value,
                     const char *fmt, ...) PRINTF_LIKE(5, 6);

static void add_line(json_t *report, const char *name, const char *state, const char *value,
                     const char *fmt, ...)
{
	char detail[REPORT_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	json_array_append_new(json_object_get(report, "lines"),
	                      json_pack("{ss ss ss ss}", "name", name, "state", state, "value",
	                                value, "detail", detail));
}

/* How many of the list are as ask says, and the names of those that are not. */
static size_t count(const json_t *list, bool (*ask)(const json_t *obj), struct buf *others)
{
	const json_t *items = json_object_get(list, "items");
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *obj = json_array_get(items, i);
		if (ask(obj))
			n++;
		else
			buf_printf(others, "%s%s", others->len > 0 ? ", " : "", kube_name(obj));
	}
	return n;
}

static bool is_ready_cluster(const json_t *obj)
{
	return strcmp(json_str_at(obj, "status.phase", ""), "Ready") == 0;
}

static bool is_joined_group(const json_t *obj)
{
	return kube_condition_is_true(obj, "Joined");
}

/* A group that was not asked to join is fine outside. */
static bool is_group_as_asked(const json_t *obj)
{
	return is_joined_group(obj) || !json_bool_at(obj, "spec.interconnect.joined", false);
}

static bool is_ready_object(const json_t *obj)
{
	return kube_condition_is_true(obj, "Ready");
}

struct counted {
	const char *name;
	const json_t *list;
	bool (*ask)(const json_t *obj);
	bool (*is_fine)(const json_t *obj);
	const char *word;
};

static void add_counted(json_t *report, const struct counted *what)
{
	struct buf others CLEANUP(buf_fini);
	struct buf bad CLEANUP(buf_fini);
	char value[64];
	buf_init(&others, REPORT_TEXT_MAX / 2);
	buf_init(&bad, REPORT_TEXT_MAX);
	size_t all = json_array_size(json_object_get(what->list, "items"));
	size_t n = count(what->list, what->ask, &others);
	bool fine = count(what->list, what->is_fine, &bad) == all;
	snprintf(value, sizeof(value), "%zu/%zu %s", n, all, what->word);
	add_line(report, what->name, fine ? "Ok" : "Warning", value, "%s%s",
	         n == all ? "" : "not: ", buf_text(&others));
}

static void add_configuration(json_t *report, const json_t *mesh)
{
	int64_t connected = json_int_at(mesh, "status.gateways.connected", 0);
	int64_t acknowledged = json_int_at(mesh, "status.gateways.acknowledged", 0);
	char value[64];
	snprintf(value, sizeof(value), "%lld/%lld", (long long)acknowledged, (long long)connected);
	add_line(report, "Configuration", acknowledged >= connected ? "Ok" : "Warning", value,
	         "gateways connected have acknowledged the last change");
}

static void add_certificates(json_t *report, const json_t *certs)
{
	const json_t *all = json_object_get(certs, "certificates");
	const json_t *first = NULL;
	bool bad = false;
	char left[32];
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *cert = json_array_get(all, i);
		const char *state = json_str_at(cert, "state", "");
		if (strcmp(state, "Unknown") == 0)
			continue;
		bad |= strcmp(state, "Ok") != 0;
		/* a gateway's lives a day and is renewed by itself: only what is late is news */
		if (strcmp(json_str_at(cert, "kind", ""), "gateway") == 0 &&
		    strcmp(state, "Ok") == 0)
			continue;
		if (first == NULL ||
		    json_int_at(cert, "leftSeconds", 0) < json_int_at(first, "leftSeconds", 0))
			first = cert;
	}
	if (first != NULL)
		add_line(report, "Certificates", bad ? "Warning" : "Ok",
		         report_left(json_int_at(first, "leftSeconds", 0), left),
		         "%s %s is the next to expire", json_str_at(first, "kind", ""),
		         json_str_at(first, "name", ""));
}

json_t *report_make(const struct report_input *input)
{
	json_t *report = json_pack("{ss ss ss si si s[] s[]}", "apiVersion",
	                           "answers.fedway.io/v1alpha1", "kind", "MeshReport", "state",
	                           "HEALTHY", "errors", 0, "warnings", 0, "lines", "problems");
	json_t *certs CLEANUP(json_cleanup) = report_certs(input);
	char value[64];
	const struct counted counted[] = {
		{"Clusters", input->clusters, is_ready_cluster, is_ready_cluster, "ready"},
		{"Groups", input->groups, is_joined_group, is_group_as_asked, "joined"},
		{"Gateways", input->gateways, is_ready_object, is_ready_object, "ready"},
	};
	for (size_t i = 0; i < N_ELEMS(counted); i++)
		add_counted(report, &counted[i]);
	snprintf(value, sizeof(value), "%zu",
	         json_array_size(json_object_get(input->services, "items")));
	add_line(report, "Services", "Ok", value, "merged over the clusters");
	add_configuration(report, input->mesh);
	add_certificates(report, certs);
	report_find_problems(report, input);
	report_find_cert_problems(report, certs);
	if (report_has_errors(report))
		json_object_set_new(report, "state", json_string("DEGRADED"));
	return report;
}

bool report_has_errors(const json_t *report)
{
	return json_int_at(report, "errors", 0) > 0;
}

/* --- as text ---------------------------------------------------------------------------------- */

static enum look_mark mark_of(const char *state)
{
	return strcmp(state, "Ok") == 0        ? MARK_GOOD
	       : strcmp(state, "Warning") == 0 ? MARK_WARN
	                                       : MARK_FAIL;
}

static void format_problem(const json_t *problem, struct look look, struct buf *out)
{
	char mark[LOOK_MARK_MAX];
	char label[64];
	const char *code = json_str_at(problem, "code", "");
	const char *object = json_str_at(problem, "object", "");
	bool error = strcmp(json_str_at(problem, "severity", ""), "error") == 0;
	snprintf(label, sizeof(label), "%s %-7s  ",
	         look_mark(look, error ? MARK_FAIL : MARK_WARN, mark), code);
	char text[REPORT_TEXT_MAX * 2];
	snprintf(text, sizeof(text), "%s%s%s", object, object[0] != '\0' ? "  " : "",
	         json_str_at(problem, "message", ""));
	look_wrap(out, label, text);
	look_wrap(out, look.ascii ? "           -> " : "           → ",
	          json_str_at(problem, "remedy", ""));
}

void report_format(const json_t *report, struct look look, struct buf *out)
{
	const json_t *lines = json_object_get(report, "lines");
	const json_t *problems = json_object_get(report, "problems");
	struct table table CLEANUP(table_fini);
	int64_t errors = json_int_at(report, "errors", 0);
	int64_t warnings = json_int_at(report, "warnings", 0);
	char mark[LOOK_MARK_MAX];
	table_init(&table, 4);
	table.indent = 2;
	buf_printf(out, "%s   %lld error%s, %lld warning%s\n", json_str_at(report, "state", ""),
	           (long long)errors, errors == 1 ? "" : "s", (long long)warnings,
	           warnings == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);
		table_cell(&table, "%s", json_str_at(line, "name", ""));
		table_cell(&table, "%s",
		           look_mark(look, mark_of(json_str_at(line, "state", "")), mark));
		table_cell(&table, "%s", json_str_at(line, "value", ""));
		table_cell(&table, "%s", json_str_at(line, "detail", ""));
	}
	table_format(&table, out);
	for (size_t i = 0; i < json_array_size(problems); i++) {
		if (i == 0)
			buf_add_char(out, '\n');
		format_problem(json_array_get(problems, i), look, out);
	}
}
