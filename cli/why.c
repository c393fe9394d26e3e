/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Candidates of one priority, cluster and way are one line; what is left out is one line a cluster
 * and reason.
 */
#include "why.h"

#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/causes.h"

enum {
	LINES_MAX = 2000, /* as many candidates as an answer has at most */
	LIST_MAX = 160    /* bytes of addresses in a line */
};

struct line {
	const json_t *first; /* the candidate that stands for all */
	bool used;
	double share;
	char addresses[LIST_MAX + 8];
};

struct lines {
	struct line at[LINES_MAX];
	size_t n;
};

static const char *text_of(const json_t *candidate, const char *key)
{
	return json_str_at(candidate, key, "");
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	return strcmp(text_of(a, key), text_of(b, key)) == 0;
}

static bool belongs(const struct line *line, const json_t *c)
{
	const json_t *first = line->first;
	bool same = same_text(first, c, "cluster") && same_text(first, c, "via") &&
	            same_text(first, c, "locality");
	if (line->used != json_bool_at(c, "used", false))
		return false;
	if (!line->used)
		return same && same_text(first, c, "because") && same_text(first, c, "code");
	return same && json_int_at(first, "priority", 0) == json_int_at(c, "priority", 0);
}

static void add_address(struct line *line, const json_t *c)
{
	const char *address = text_of(c, "address");
	size_t len = strlen(line->addresses);
	size_t more = strlen(address);
	if (more == 0 || strstr(line->addresses, address) != NULL)
		return;
	if (len + more + 2 > LIST_MAX) {
		if (len > 0 && line->addresses[len - 1] != '.')
			memcpy(line->addresses + len, ", ...", sizeof(", ..."));
		return;
	}
	if (len > 0) {
		memcpy(line->addresses + len, ", ", 3);
		len += 2;
	}
	memcpy(line->addresses + len, address, more + 1);
}

static void add_candidate(struct lines *lines, const json_t *c)
{
	size_t i = 0;
	while (i < lines->n && !belongs(&lines->at[i], c))
		i++;
	if (i == LINES_MAX)
		return;
	struct line *line = &lines->at[i];
	if (i == lines->n) {
		*line = (struct line){.first = c, .used = json_bool_at(c, "used", false)};
		lines->n++;
	}
	line->share += json_number_value(json_object_get(c, "share"));
	add_address(line, c);
}

bool why_has_destination(const json_t *answer)
{
	const json_t *candidates = json_object_get(answer, "candidates");
	for (size_t i = 0; i < json_array_size(candidates); i++) {
		if (json_number_value(json_object_get(json_array_get(candidates, i), "share")) > 0)
			return true;
	}
	return false;
}

static void add_head(const json_t *answer, struct buf *out)
{
	const char *locality = json_str_at(answer, "from.locality", "");
	buf_printf(out, "%s/%s:%lld from %s (%s%s%s)   revision %s, as of %s\n\n",
	           json_str_at(answer, "service.namespace", ""),
	           json_str_at(answer, "service.name", ""),
	           (long long)json_int_at(answer, "service.port", 0),
	           json_str_at(answer, "from.cluster", ""), json_str_at(answer, "from.network", ""),
	           locality[0] != '\0' ? ", " : "", locality, json_str_at(answer, "revision", ""),
	           json_str_at(answer, "observedAt", ""));
}

static void used_row(struct table *table, const struct line *line)
{
	const json_t *c = line->first;
	table_cell(table, "P%lld", (long long)json_int_at(c, "priority", 0));
	table_cell(table, "%s", text_of(c, "because"));
	table_cell(table, "%s", text_of(c, "cluster"));
	table_cell(table, "%s", text_of(c, "locality"));
	if (line->share > 0)
		table_cell(table, "takes %.1f %%", line->share * 100);
	else
		table_cell(table, "standby");
	table_cell(table, "%s %s", text_of(c, "via"), line->addresses);
}

static void left_row(struct table *table, const struct line *line, struct look look)
{
	const json_t *c = line->first;
	const char *code = text_of(c, "code");
	bool listed = line->addresses[0] != '\0';
	table_cell(table, "%s", look_dash(look));
	table_cell(table, "%s", text_of(c, "cluster"));
	table_cell(table, "%s", code[0] != '\0' ? code : "-");
	table_cell(table, "%s%s%s%s", text_of(c, "because"), listed ? " (" : "", line->addresses,
	           listed ? ")" : "");
}

static void add_lines(const struct lines *lines, struct look look, struct buf *out)
{
	struct table used CLEANUP(table_fini);
	struct table left CLEANUP(table_fini);
	table_init(&used, 6);
	table_init(&left, 4);
	used.indent = left.indent = 2;
	for (size_t i = 0; i < lines->n; i++) {
		if (lines->at[i].used)
			used_row(&used, &lines->at[i]);
		else
			left_row(&left, &lines->at[i], look);
	}
	table_format(&used, out);
	if (left.n_cells > 0)
		buf_printf(out, "%s  Not used\n", used.n_cells > 0 ? "\n" : "");
	table_format(&left, out);
	if (lines->n == 0)
		buf_printf(out, "  %s  nothing anywhere\n", look_dash(look));
}

/* How healthy each priority is, and what it takes. */
static void add_priorities(const json_t *answer, struct buf *out)
{
	const json_t *all = json_object_get(answer, "priorities");
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *p = json_array_get(all, i);
		buf_printf(out, "%s P%lld takes %lld %%", i == 0 ? "\n " : ",",
		           (long long)json_int_at(p, "priority", 0),
		           (long long)json_int_at(p, "loadPercent", 0));
	}
	if (json_array_size(all) > 0)
		buf_add_char(out, '\n');
}

static void add_because(const json_t *answer, struct buf *out)
{
	const json_t *because = json_object_get(answer, "because");
	buf_add_text(out, "\nBecause\n");
	for (size_t i = 0; i < json_array_size(because); i++)
		buf_printf(out, "  %zu. %s\n", i + 1,
		           json_string_value(json_array_get(because, i)));
}

/* What to do about each code, once. */
static void add_remedies(const struct lines *lines, struct look look, struct buf *out)
{
	char mark[LOOK_MARK_MAX];
	for (size_t i = 0; i < lines->n; i++) {
		const char *code = text_of(lines->at[i].first, "code");
		const struct cause *cause = code[0] != '\0' ? cause_find(code) : NULL;
		bool said = false;
		for (size_t k = 0; k < i; k++)
			said |= strcmp(text_of(lines->at[k].first, "code"), code) == 0;
		if (cause == NULL || said)
			continue;
		enum look_mark kind = strcmp(cause->severity, "error") == 0 ? MARK_FAIL : MARK_WARN;
		buf_printf(out, "\n%s %s  %s\n", look_mark(look, kind, mark), cause->code,
		           cause->title);
		look_wrap(out, look.ascii ? "  -> " : "  → ", cause->remedy);
	}
}

void why_format(const json_t *answer, struct look look, struct buf *out)
{
	struct lines *lines = xcalloc(1, sizeof(*lines));
	const json_t *candidates = json_object_get(answer, "candidates");
	for (size_t i = 0; i < json_array_size(candidates); i++)
		add_candidate(lines, json_array_get(candidates, i));
	add_head(answer, out);
	add_lines(lines, look, out);
	add_priorities(answer, out);
	add_because(answer, out);
	add_remedies(lines, look, out);
	free(lines);
	if (!why_has_destination(answer))
		buf_printf(out, "\nNo destination is left: calls are refused.\n");
}
