/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include "table.h"

#include <stdio.h>
#include <string.h>

enum {
	TEXT_MAX = 1500
};

void plan_format(const json_t *plan, struct look look, struct buf *out)
{
	const json_t *changes = json_object_get(plan, "changes");
	const json_t *losses = json_object_get(plan, "losses");
	bool joins = strcmp(json_str_at(plan, "operation", ""), "InterconnectJoin") == 0;
	struct table table CLEANUP(table_fini);
	char mark[LOOK_MARK_MAX];
	char label[LOOK_MARK_MAX + TEXT_MAX];
	table_init(&table, 2);
	table.indent = 2;
	buf_printf(out, "Plan       nothing has been changed yet\n");
	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *entry = json_array_get(changes, i);
		table_cell(&table, "%s", json_str_at(entry, "where", ""));
		table_cell(&table, "%s", json_str_at(entry, "what", ""));
	}
	table_format(&table, out);
	if (plan_n_losses(plan) > 0)
		buf_add_text(out, joins ? "\nMissing\n" : "\nLost\n");
	for (size_t i = 0; i < json_array_size(losses); i++) {
		const json_t *loss = json_array_get(losses, i);
		char text[TEXT_MAX];
		snprintf(label, sizeof(label), "  %s %s  ", look_mark(look, MARK_FAIL, mark),
		         json_str_at(loss, "code", ""));
		snprintf(text, sizeof(text), "%s: %s", json_str_at(loss, "object", ""),
		         json_str_at(loss, "message", ""));
		look_wrap(out, label, text);
	}
}
