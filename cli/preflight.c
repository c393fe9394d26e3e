/* SPDX-License-Identifier: Apache-2.0 */
#include "preflight.h"

#include "answers.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static json_t *make_spec(const struct join_wish *wish)
{
	json_t *spec = json_pack("{ss}", "cluster", wish->cluster);
	if (wish->kubeconfig != NULL)
		json_object_set_new(spec, "kubeconfig", json_string(wish->kubeconfig));
	if (wish->group[0] != '\0')
		json_object_set_new(spec, "networkGroup", json_string(wish->group));
	if (wish->zone[0] != '\0')
		json_set_at(spec, "locality.zone", json_string(wish->zone));
	return spec;
}

static json_t *not_served(const char *cluster, const char *why)
{
	return json_pack("{ss ss ss s[{ss ss ss ss ss ss ss}] ss}", "apiVersion",
	                 "answers.fedway.io/v1alpha1", "kind", "Preflight", "cluster", cluster,
	                 "checks", "id", "answers", "state", "Skipped", "code", "", "message", why,
	                 "evidence", "", "remedy", "", "command", "", "verdict", "Passed");
}

json_t *preflight_ask(struct remote *hub, const struct join_wish *wish, struct err *err)
{
	json_t *answer = answers_ask(hub, "preflights", "Preflight", make_spec(wish), err);
	if (answer == NULL && err->code == ERR_NOT_ACCEPTABLE)
		return not_served(wish->cluster, err->msg);
	return answer;
}

bool preflight_has_failed(const json_t *preflight)
{
	return strcmp(json_str_at(preflight, "verdict", ""), "Failed") == 0;
}

static enum look_mark mark_of(const char *state)
{
	return strcmp(state, "Passed") == 0    ? MARK_PASS
	       : strcmp(state, "Warning") == 0 ? MARK_WARN
	       : strcmp(state, "Failed") == 0  ? MARK_FAIL
	                                       : MARK_NONE;
}

static void add_row(struct table *table, const json_t *check, struct look look)
{
	char mark[LOOK_MARK_MAX];
	const char *code = json_str_at(check, "code", "");
	const char *evidence = json_str_at(check, "evidence", "");
	table_cell(table, "%s", look_mark(look, mark_of(json_str_at(check, "state", "")), mark));
	table_cell(table, "%s%s%s%s%s%s", code, code[0] != '\0' ? "  " : "",
	           json_str_at(check, "message", ""), evidence[0] != '\0' ? " (" : "", evidence,
	           evidence[0] != '\0' ? ")" : "");
}

static void add_remedy(struct buf *out, const json_t *check)
{
	char label[64];
	const char *command = json_str_at(check, "command", "");
	snprintf(label, sizeof(label), "  %s  ", json_str_at(check, "code", ""));
	look_wrap(out, label, json_str_at(check, "remedy", ""));
	if (command[0] != '\0')
		buf_printf(out, "%*s%s\n", (int)strlen(label), "", command);
}

void preflight_format(const json_t *preflight, struct look look, struct buf *out)
{
	const json_t *checks = json_object_get(preflight, "checks");
	struct table table CLEANUP(table_fini);
	bool first = true;
	size_t i;
	json_t *check;
	table_init(&table, 2);
	table.indent = 2;
	buf_printf(out, "Preflight  %s\n", json_str_at(preflight, "cluster", ""));
	json_array_foreach (checks, i, check)
		add_row(&table, check, look);
	table_format(&table, out);
	json_array_foreach (checks, i, check) {
		if (json_str_at(check, "remedy", "")[0] == '\0')
			continue;
		buf_add_text(out, first ? "\nRepair\n" : "");
		add_remedy(out, check);
		first = false;
	}
}

const char *preflight_way_back(const json_t *preflight, bool *ret_seen)
{
	size_t i;
	json_t *check;
	*ret_seen = false;
	json_array_foreach (json_object_get(preflight, "checks"), i, check) {
		if (strcmp(json_str_at(check, "id", ""), "way-back") != 0)
			continue;
		*ret_seen = strcmp(json_str_at(check, "state", ""), "Passed") == 0;
		return json_str_at(check, "message", "");
	}
	return "";
}
