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

/* Owned; NULL with err. */
static json_t *fetch_table(struct remote *remote, const struct get_request *request,
                           struct err *err)
{
	struct buf path CLEANUP(buf_fini);
	buf_init(&path, KUBE_PATH_MAX * 4);
	if (!kube_path_format(&request->ref, &path, err))
		return NULL;
	if (request->selector != NULL)
		add_query(&path, "labelSelector", request->selector);
	return remote_table(remote, buf_text(&path), err);
}

/* *n_shown: tables that had rows so far. */
static bool show_table(struct remote *remote, const struct get_request *request, struct look look,
                       size_t *n_shown, struct err *err)
{
	struct buf text CLEANUP(buf_fini) = {0};
	json_t *table CLEANUP(json_cleanup) = fetch_table(remote, request, err);
	if (table == NULL)
		return false;
	buf_init(&text, CLI_TEXT_MAX);
	if (json_array_size(json_object_get(table, "rows")) == 0)
		return true;
	if ((*n_shown)++ > 0)
		buf_add_char(&text, '\n');
	get_format_table(table, look.form == LOOK_WIDE,
	                 request->ref.resource->namespaced && request->ref.namespace_ == NULL,
	                 &text);
	look_print(&text);
	return true;
}

static void print_name(const struct get_request *request, const json_t *obj)
{
	const struct kube_resource *resource = request->ref.resource;
	printf("%s%s%s/%s\n", resource->plural, resource->group[0] != '\0' ? "." : "",
	       resource->group, kube_name(obj));
}

/* The object, or the List of them. Owned; NULL with err. */
static json_t *fetch_objects(struct remote *remote, const struct get_request *request,
                             struct err *err)
{
	size_t i;
	json_t *item;
	json_t *answer = request->ref.name != NULL
	                         ? remote_get(remote, &request->ref, err)
	                         : remote_list(remote, &request->ref, request->selector, err);
	if (answer == NULL)
		return NULL;
	kube_managed_fields_drop(answer);
	json_array_foreach (json_object_get(answer, "items"), i, item)
		kube_managed_fields_drop(item);
	return answer;
}

static void print_names(const struct get_request *request, const json_t *answer)
{
	size_t i;
	json_t *item;
	if (request->ref.name != NULL)
		print_name(request, answer);
	json_array_foreach (json_object_get(answer, "items"), i, item)
		print_name(request, item);
}

/* Adds what was fetched to the items of all. */
static void add_objects(json_t *all, const struct get_request *request, json_t *answer)
{
	json_t *items = json_object_get(all, "items");
	if (request->ref.name != NULL)
		json_array_append(items, answer);
	else
		json_array_extend(items, json_object_get(answer, "items"));
}

static int show_objects(struct remote *remote, const struct get_request *requests, size_t n,
                        struct look look)
{
	struct err err;
	json_t *all CLEANUP(json_cleanup) =
		json_pack("{ss ss s[]}", "apiVersion", "v1", "kind", "List", "items");
	for (size_t i = 0; i < n; i++) {
		json_t *answer CLEANUP(json_cleanup) = fetch_objects(remote, &requests[i], &err);
		if (answer == NULL)
			return remote_fail(&err);
		if (look.form == LOOK_NAME)
			print_names(&requests[i], answer);
		else if (n == 1)
			look_print_json(look, answer);
		else
			add_objects(all, &requests[i], answer);
	}
	if (n != 1 && look.form != LOOK_NAME)
		look_print_json(look, all);
	return EXIT_DONE;
}

int get_run_all(struct remote *remote, struct look look, const struct get_request *requests,
                size_t n)
{
	struct err err;
	size_t n_shown = 0;
	if (look.form == LOOK_JSON || look.form == LOOK_YAML || look.form == LOOK_NAME)
		return show_objects(remote, requests, n, look);
	for (size_t i = 0; i < n; i++) {
		if (!show_table(remote, &requests[i], look, &n_shown, &err))
			return remote_fail(&err);
	}
	if (n_shown == 0)
		fputs("No resources found\n", stderr);
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
	int status = get_run_all(remote, look, request, 1);
	remote_close(remote);
	return status;
}
