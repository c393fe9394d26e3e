/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/printer.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/macros.h"
#include "kube/jsonpath.h"

static const char name_description[] =
	"Name must be unique within a namespace. Is required when creating resources, although "
	"some "
	"resources may allow a client to request the generation of an appropriate name "
	"automatically. Name is primarily intended for creation idempotence and configuration "
	"definition. Cannot be updated. More info: "
	"https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";

enum column_type {
	COLUMN_STRING,
	COLUMN_INTEGER,
	COLUMN_NUMBER,
	COLUMN_BOOLEAN,
	COLUMN_DATE,
};

static const char *const type_names[] = {
	[COLUMN_STRING] = "string",   [COLUMN_INTEGER] = "integer", [COLUMN_NUMBER] = "number",
	[COLUMN_BOOLEAN] = "boolean", [COLUMN_DATE] = "date",
};

struct column {
	enum column_type type;
	struct jsonpath *path; /* or compute */
	printer_compute_cb compute;
};

struct printer {
	struct column columns[PRINTER_COLUMNS_MAX];
	size_t n_columns;
	json_t *definitions;
};

/* --- making ----------------------------------------------------------------------------------- */

static bool read_type(const json_t *source, enum column_type *ret_type, struct err *err)
{
	const char *type = json_str_at(source, "type", "");
	for (size_t i = 0; i < N_ELEMS(type_names); i++) {
		if (strcmp(type_names[i], type) == 0) {
			*ret_type = (enum column_type)i;
			return true;
		}
	}
	return err_set(err, ERR_INVALID,
	               "printer column '%s': type '%s' must be one of boolean, date, integer, "
	               "number, string",
	               json_str_at(source, "name", ""), type);
}

static bool read_source(const json_t *source, const struct printer_compute *computes,
                        struct column *column, struct err *err)
{
	const char *compute = json_str_at(source, "compute", NULL);
	if (compute == NULL) {
		column->path = jsonpath_create(json_str_at(source, "jsonPath", ""), err);
		return column->path != NULL ||
		       err_wrap(err, "printer column '%s'", json_str_at(source, "name", ""));
	}
	for (; computes != NULL && computes->name != NULL; computes++) {
		if (strcmp(computes->name, compute) == 0) {
			column->compute = computes->cb;
			return true;
		}
	}
	return err_set(err, ERR_INVALID, "printer column '%s': nothing computes '%s'",
	               json_str_at(source, "name", ""), compute);
}

static void add_definition(struct printer *printer, const json_t *source)
{
	const char *path = json_str_at(source, "jsonPath", "");
	const char *description = json_str_at(source, "description", NULL);
	char *generated = NULL;
	if (description == NULL) {
		generated = xasprintf("Custom resource definition column (in JSONPath format): %s",
		                      path);
		description = path[0] != '\0' ? generated : "";
	}
	json_array_append_new(
		printer->definitions,
		json_pack("{s:s, s:s, s:s, s:s, s:I}", "name", json_str_at(source, "name", ""),
	                  "type", json_str_at(source, "type", "string"), "format",
	                  json_str_at(source, "format", ""), "description", description, "priority",
	                  (json_int_t)json_int_at(source, "priority", 0)));
	free(generated);
}

static bool add_column(struct printer *printer, const json_t *source,
                       const struct printer_compute *computes, struct err *err)
{
	if (printer->n_columns == PRINTER_COLUMNS_MAX)
		return err_set(err, ERR_INVALID, "more than %d printer columns",
		               PRINTER_COLUMNS_MAX);
	struct column *column = &printer->columns[printer->n_columns];
	if (!read_type(source, &column->type, err) || !read_source(source, computes, column, err))
		return false;
	printer->n_columns++;
	add_definition(printer, source);
	return true;
}

static bool add_columns(struct printer *printer, const json_t *columns,
                        const struct printer_compute *computes, struct err *err)
{
	for (size_t i = 0; i < json_array_size(columns); i++) {
		if (!add_column(printer, json_array_get(columns, i), computes, err))
			return false;
	}
	return true;
}

struct printer *printer_create(const json_t *columns, const struct printer_compute *computes,
                               struct err *err)
{
	struct printer *printer = xcalloc(1, sizeof(*printer));
	json_t *name =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", "Name", "type", "string", "format",
	                  "name", "description", name_description, "jsonPath", ".metadata.name");
	json_t *age = json_pack("[{s:s, s:s, s:s}]", "name", "Age", "type", "date", "jsonPath",
	                        ".metadata.creationTimestamp");
	printer->definitions = json_array();
	if (json_array_size(columns) == 0)
		columns = age;
	bool ok = add_column(printer, name, NULL, err) &&
	          add_columns(printer, columns, computes, err);
	json_decref(name);
	json_decref(age);
	if (ok)
		return printer;
	printer_destroy(printer);
	return NULL;
}

void printer_destroy(struct printer *printer)
{
	if (printer == NULL)
		return;
	for (size_t i = 0; i < N_ELEMS(printer->columns); i++)
		jsonpath_destroy(printer->columns[i].path);
	json_decref(printer->definitions);
	free(printer);
}

json_t *printer_definitions(const struct printer *printer)
{
	return printer->definitions;
}

/* --- ages ------------------------------------------------------------------------------------- */

const char *printer_duration(int64_t seconds, char text[PRINTER_AGE_MAX])
{
	long long s = (long long)seconds;
	long long m = s / 60;
	long long h = m / 60;
	long long d = h / 24;
	long long y = d / 365;
	if (s < -1)
		snprintf(text, PRINTER_AGE_MAX, "<invalid>");
	else if (s < 0)
		snprintf(text, PRINTER_AGE_MAX, "0s");
	else if (s < 120)
		snprintf(text, PRINTER_AGE_MAX, "%llds", s);
	else if (m < 10 && s % 60 != 0)
		snprintf(text, PRINTER_AGE_MAX, "%lldm%llds", m, s % 60);
	else if (m < 180)
		snprintf(text, PRINTER_AGE_MAX, "%lldm", m);
	else if (h < 8 && m % 60 != 0)
		snprintf(text, PRINTER_AGE_MAX, "%lldh%lldm", h, m % 60);
	else if (h < 48)
		snprintf(text, PRINTER_AGE_MAX, "%lldh", h);
	else if (d < 8 && h % 24 != 0)
		snprintf(text, PRINTER_AGE_MAX, "%lldd%lldh", d, h % 24);
	else if (y < 2)
		snprintf(text, PRINTER_AGE_MAX, "%lldd", d);
	else if (y < 8 && d % 365 != 0)
		snprintf(text, PRINTER_AGE_MAX, "%lldy%lldd", y, d % 365);
	else
		snprintf(text, PRINTER_AGE_MAX, "%lldy", y);
	return text;
}

const char *printer_age(const char *rfc3339, int64_t now_s, char text[PRINTER_AGE_MAX])
{
	int64_t at_s = clock_parse_rfc3339(rfc3339 != NULL ? rfc3339 : "");
	if (at_s == 0) {
		snprintf(text, PRINTER_AGE_MAX, "<unknown>");
		return text;
	}
	return printer_duration(now_s - at_s, text);
}

/* --- cells ------------------------------------------------------------------------------------ */

/* How a value of any type shows in a string column, as Go prints it. */
static json_t *to_text(const json_t *value)
{
	if (json_is_string(value))
		return json_deep_copy(value);
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	json_t *result = json_string(text != NULL ? text : "");
	free(text);
	return result;
}

static json_t *to_cell(enum column_type type, const json_t *value, int64_t now_s)
{
	char age[PRINTER_AGE_MAX];
	switch (type) {
	case COLUMN_STRING:
		return to_text(value);
	case COLUMN_DATE:
		return json_string(printer_age(json_string_value(value), now_s, age));
	case COLUMN_INTEGER:
		if (json_is_real(value))
			return json_integer((json_int_t)json_real_value(value));
		return json_is_integer(value) ? json_deep_copy(value) : json_null();
	case COLUMN_NUMBER:
		return json_is_number(value) ? json_deep_copy(value) : json_null();
	case COLUMN_BOOLEAN:
		return json_is_boolean(value) ? json_deep_copy(value) : json_null();
	}
	return json_null();
}

json_t *printer_cells(const struct printer *printer, const json_t *obj, int64_t now_s)
{
	json_t *cells = json_array();
	for (size_t i = 0; i < printer->n_columns; i++) {
		const struct column *column = &printer->columns[i];
		json_t *cell;
		if (column->compute != NULL) {
			cell = column->compute(obj, now_s);
		} else {
			const json_t *value = jsonpath_find(column->path, obj);
			cell = value == NULL || json_is_null(value)
			               ? json_null()
			               : to_cell(column->type, value, now_s);
		}
		json_array_append_new(cells, cell);
	}
	return cells;
}
