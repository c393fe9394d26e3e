/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_status.h"

#include "table.h"

#include <string.h>

#include "base/json.h"

static enum look_mark mark_of(const char *state)
{
	return strcmp(state, "Running") == 0    ? MARK_GOOD
	       : strcmp(state, "Starting") == 0 ? MARK_WARN
	                                        : MARK_FAIL;
}

static void add_program(struct table *table, const json_t *program, struct look look)
{
	char mark[LOOK_MARK_MAX];
	const char *state = json_str_at(program, "state", "");
	int64_t pid = json_int_at(program, "pid", 0);
	const char *address = json_str_at(program, "address", "");
	table_cell(table, "%s", json_str_at(program, "host", ""));
	table_cell(table, "%s", json_str_at(program, "program", ""));
	table_cell(table, "%s %s", look_mark(look, mark_of(state), mark), state);
	if (pid != 0)
		table_cell(table, "%lld", (long long)pid);
	else
		table_cell(table, "%s", look_dash(look));
	table_cell(table, "%s", address[0] != '\0' ? address : look_dash(look));
}

void lab_status_format(const json_t *status, struct look look, struct buf *out)
{
	static const char *const heads[] = {"HOST", "PROGRAM", "STATE", "PID", "ADDRESS"};
	const json_t *programs = json_object_get(status, "programs");
	struct table table CLEANUP(table_fini);
	table_init(&table, N_ELEMS(heads));
	for (size_t i = 0; i < N_ELEMS(heads); i++)
		table_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < json_array_size(programs); i++)
		add_program(&table, json_array_get(programs, i), look);
	buf_printf(out, "Lab  %s  (pid %lld, API servers %s)\n\n", json_str_at(status, "dir", ""),
	           (long long)json_int_at(status, "pid", 0), json_str_at(status, "members", ""));
	table_format(&table, out);
}
