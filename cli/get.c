/* SPDX-License-Identifier: Apache-2.0 */
#include "get.h"

#include "command.h"
#include "table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum {
	CELL_MAX = 4096
};

static bool is_shown(const json_t *definitions, size_t i, bool wide)
{
	return wide || json_int_at(json_array_get(definitions, i), "priority", 0) == 0;
}

static void add_head(struct table *table, const char *name)
{
	char text[CELL_MAX];
	size_t len = 0;
	while (name[len] != '\0' && len + 1 < sizeof(text)) {
		text[len] = (char)toupper((unsigned char)name[len]);
		len++;
	}
	text[len] = '\0';
	table_cell(table, "%s", text);
}

static void add_cell(struct table *table, const json_t *cell)
{
	if (cell == NULL || json_is_null(cell)) {
		table_cell(table, "<none>");
	} else if (json_is_string(cell)) {
		table_cell(table, "%s", json_string_value(cell));
	} else {
		char *text = json_format(cell);
		table_cell(table, "%s", text);
		free(text);
	}
}

void get_format_table(const json_t *table, bool wide, bool with_namespace, struct buf *out)
{
	const json_t *definitions = json_object_get(table, "columnDefinitions");
	const json_t *rows = json_object_get(table, "rows");
	struct table lines CLEANUP(table_fini);
	size_t n = json_array_size(definitions);
	size_t shown = with_namespace ? 1 : 0;
	for (size_t i = 0; i < n; i++)
		shown += is_shown(definitions, i, wide) ? 1 : 0;
	lines = (struct table){0};
	if (shown == 0 || shown > TABLE_COLUMNS_MAX)
		return;
	table_init(&lines, shown);
	if (with_namespace)
		table_cell(&lines, "NAMESPACE");
	for (size_t i = 0; i < n; i++) {
		if (is_shown(definitions, i, wide))
			add_head(&lines, json_str_at(json_array_get(definitions, i), "name", ""));
	}
	for (size_t r = 0; r < json_array_size(rows); r++) {
		const json_t *row = json_array_get(rows, r);
		if (with_namespace)
			table_cell(&lines, "%s", json_str_at(row, "object.metadata.namespace", ""));
		for (size_t i = 0; i < n; i++) {
			if (is_shown(definitions, i, wide))
				add_cell(&lines, json_array_get(json_object_get(row, "cells"), i));
		}
	}
	table_format(&lines, out);
}

/* Percent-encodes what may not stand in a query. */
static void add_query(struct buf *path, const char *key, const char *value)
{
	buf_printf(path, "?%s=", key);
	for (const char *at = value; *at != '\0'; at++) {
		if (isalnum((unsigned char)*at) || strchr("-_.~", *at) != NULL)
			buf_add_char(path, *at);
		else
			buf_printf(path, "%%%02X", (unsigned char)*at);
	}
}

static int show_table(struct remote *remote, const struct get_request *request, struct look look,
                      struct err *err)
{
	struct buf path CLEANUP(buf_fini);
	struct buf text CLEANUP(buf_fini);
	buf_init(&path, KUBE_PATH_MAX * 4);
	buf_init(&text, CLI_TEXT_MAX);
	if (!kube_path_format(&request->ref, &path, err))
		return cli_usage("%s", err->msg);
	if (request->selector != NULL)
		add_query(&path, "labelSelector", request->selector);
	json_t *table CLEANUP(json_cleanup) = remote_table(remote, buf_text(&path), err);
	if (table == NULL)
		return remote_fail(err);
	if (json_array_size(json_object_get(table, "rows")) == 0)
		fputs("No resources found\n", stderr);
	else
		get_format_table(table, look.form == LOOK_WIDE,
		                 request->ref.resource->namespaced &&
		                         request->ref.namespace_ == NULL,
		                 &text);
	look_print(&text);
	return EXIT_DONE;
}

static void print_name(const struct get_request *request, const json_t *obj)
{
	const struct kube_resource *resource = request->ref.resource;
	printf("%s%s%s/%s\n", resource->plural, resource->group[0] != '\0' ? "." : "",
	       resource->group, kube_name(obj));
}

static int show_objects(struct remote *remote, const struct get_request *request, struct look look,
                        struct err *err)
{
	json_t *answer CLEANUP(json_cleanup) =
		request->ref.name != NULL
			? remote_get(remote, &request->ref, err)
			: remote_list(remote, &request->ref, request->selector, err);
	if (answer == NULL)
		return remote_fail(err);
	const json_t *items = json_object_get(answer, "items");
	kube_managed_fields_drop(answer);
	for (size_t i = 0; i < json_array_size(items); i++)
		kube_managed_fields_drop(json_array_get(items, i));
	if (look.form != LOOK_NAME)
		look_print_json(look, answer);
	else if (request->ref.name != NULL)
		print_name(request, answer);
	for (size_t i = 0; look.form == LOOK_NAME && i < json_array_size(items); i++)
		print_name(request, json_array_get(items, i));
	return EXIT_DONE;
}

int get_run(const struct cli_common *common, const struct get_request *request)
{
	struct look look;
	struct err err;
	if (!look_make(common, &look, &err))
		return cli_usage("%s", err.msg);
	struct remote *remote = remote_open(common, &err);
	if (remote == NULL)
		return cli_fail(&err);
	bool whole = look.form == LOOK_JSON || look.form == LOOK_YAML || look.form == LOOK_NAME;
	int status = whole ? show_objects(remote, request, look, &err)
	                   : show_table(remote, request, look, &err);
	remote_close(remote);
	return status;
}
