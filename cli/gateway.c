/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

/* --- trace ------------------------------------------------------------------------------------ */

/* Names come from whoever connects. */
static void add_clean(struct buf *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		buf_add_char(out, (unsigned char)*c < 0x20 || *c == 0x7f ? ' ' : *c);
}

static void add_way(const json_t *event, struct look look, struct buf *out)
{
	const char *cluster = json_str_at(event, "cluster", "");
	const char *locality = json_str_at(event, "locality", "");
	if (json_str_at(event, "upstream", NULL) == NULL)
		return;
	buf_add_text(out, look.ascii ? " -> " : " → ");
	add_clean(out, json_str_at(event, "upstream", ""));
	buf_add_text(out, " (");
	if (cluster[0] != '\0') {
		add_clean(out, cluster);
		buf_add_text(out, ", ");
	}
	if (locality[0] != '\0') {
		add_clean(out, locality);
		buf_add_text(out, ", ");
	}
	buf_printf(out, "priority %lld, %s, attempt %lld)",
	           (long long)json_int_at(event, "priority", 0), json_str_at(event, "why", ""),
	           (long long)json_int_at(event, "attempts", 0));
}

static void add_reason(const json_t *event, struct buf *out)
{
	const char *reason = json_str_at(event, "reason", NULL);
	int64_t alert = json_int_at(event, "alert", 0);
	if (json_str_at(event, "message", NULL) == NULL)
		return;
	buf_add_text(out, ": ");
	add_clean(out, json_str_at(event, "message", ""));
	if (reason != NULL)
		buf_printf(out, " (%s", reason);
	if (reason != NULL && alert > 0)
		buf_printf(out, ", alert %lld", (long long)alert);
	if (reason != NULL)
		buf_add_char(out, ')');
}

void gateway_event_format(const json_t *event, struct look look, struct buf *out)
{
	static const struct {
		const char *kind;
		enum look_mark mark;
	} marks[] = {{"routed", MARK_PASS}, {"failed", MARK_WARN}, {"refused", MARK_FAIL}};
	const char *kind = json_str_at(event, "event", "");
	const char *sni = json_str_at(event, "sni", "");
	char mark[LOOK_MARK_MAX];
	buf_printf(out, "%s ", json_str_at(event, "time", ""));
	for (size_t i = 0; i < N_ELEMS(marks); i++) {
		if (strcmp(marks[i].kind, kind) == 0)
			buf_printf(out, "%s ", look_mark(look, marks[i].mark, mark));
	}
	buf_printf(out, "%s %s %s ", kind, json_str_at(event, "door", ""),
	           json_str_at(event, "client", ""));
	add_clean(out, sni[0] != '\0' ? sni : look_dash(look));
	add_way(event, look, out);
	add_reason(event, out);
	buf_add_char(out, '\n');
}

/* --- top -------------------------------------------------------------------------------------- */

/* Sums of all doors. */
static int64_t sum(const json_t *sums, const char *key)
{
	int64_t n = 0;
	size_t i;
	json_t *door;
	json_array_foreach (json_object_get(sums, "doors"), i, door)
		n += json_int_at(door, key, 0);
	return n;
}

static json_t *sum_refused(const json_t *sums)
{
	json_t *all = json_object();
	size_t i;
	json_t *door;
	json_array_foreach (json_object_get(sums, "doors"), i, door) {
		const char *reason;
		json_t *n;
		json_object_foreach (json_object_get(door, "refused"), reason, n)
			json_object_set_new(
				all, reason,
				json_integer(json_int_at(all, reason, 0) + json_integer_value(n)));
	}
	return all;
}

/* A counter that fell is another process's: all of it is new. */
static double rate(int64_t before, int64_t now, double seconds)
{
	int64_t more = now >= before ? now - before : now;
	return seconds > 0 ? (double)more / seconds : 0;
}

static json_t *make_refused(const json_t *before, const json_t *now, double seconds)
{
	json_t *list = json_array();
	json_t *old CLEANUP(json_cleanup) = sum_refused(before);
	json_t *all CLEANUP(json_cleanup) = sum_refused(now);
	const char *reason;
	json_t *n;
	json_object_foreach (all, reason, n)
		json_array_append_new(list, json_pack("{ss sO sf}", "reason", reason, "total", n,
		                                      "perSecond",
		                                      rate(json_int_at(old, reason, 0),
		                                           json_integer_value(n), seconds)));
	return list;
}

static int by_news(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a;
	const json_t *y = *(json_t *const *)b;
	double more = json_number_value(json_object_get(y, "newPerSecond")) -
	              json_number_value(json_object_get(x, "newPerSecond"));
	int64_t all = json_int_at(y, "opened", 0) - json_int_at(x, "opened", 0);
	if (more > 0 || more < 0)
		return more > 0 ? 1 : -1;
	return all != 0 ? (all > 0 ? 1 : -1)
	                : strcmp(json_str_at(x, "sni", ""), json_str_at(y, "sni", ""));
}

/* Takes the references. */
static json_t *sort(json_t **items, size_t n)
{
	json_t *list = json_array();
	qsort(items, n, sizeof(*items), by_news);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, items[i]);
	return list;
}

static json_t *make_names(const json_t *before, const json_t *now, double seconds)
{
	const json_t *names = json_object_get(now, "names");
	json_t *old CLEANUP(json_cleanup) = json_object();
	json_t **items = xcalloc(json_array_size(names) + 1, sizeof(json_t *));
	size_t i;
	json_t *name;
	json_array_foreach (json_object_get(before, "names"), i, name)
		json_object_set(old, json_str_at(name, "sni", ""), name);
	json_array_foreach (names, i, name) {
		const json_t *was = json_object_get(old, json_str_at(name, "sni", ""));
		double opened = rate(json_int_at(was, "opened", 0), json_int_at(name, "opened", 0),
		                     seconds);
		double failed = rate(json_int_at(was, "failed", 0), json_int_at(name, "failed", 0),
		                     seconds);
		items[i] = json_deep_copy(name);
		json_object_set_new(items[i], "newPerSecond", json_real(opened));
		json_object_set_new(items[i], "failedPerSecond", json_real(failed));
	}
	json_t *list = sort(items, json_array_size(names));
	free(items);
	return list;
}

json_t *gateway_top_make(const json_t *before, const json_t *now)
{
	int64_t ms =
		json_int_at(now, "atMilliseconds", 0) - json_int_at(before, "atMilliseconds", 0);
	double seconds = (double)ms / 1000;
	return json_pack("{sf sI sf so so}", "seconds", seconds, "connections",
	                 (json_int_t)sum(now, "connections"), "newPerSecond",
	                 rate(sum(before, "accepted"), sum(now, "accepted"), seconds), "refused",
	                 make_refused(before, now, seconds), "names",
	                 make_names(before, now, seconds));
}

static double real(const json_t *obj, const char *key)
{
	return json_number_value(json_object_get(obj, key));
}

static void add_names(const json_t *names, struct buf *out)
{
	struct table table CLEANUP(table_fini);
	static const char *const heads[] = {"NAME",     "OPEN",   "NEW/S",
	                                    "FAILED/S", "OPENED", "FAILED"};
	size_t i;
	json_t *name;
	table_init(&table, N_ELEMS(heads));
	for (i = 0; i < N_ELEMS(heads); i++)
		table_cell(&table, "%s", heads[i]);
	json_array_foreach (names, i, name) {
		if (i == GATEWAY_NAMES_SHOWN)
			break;
		table_cell(&table, "%s", json_str_at(name, "sni", ""));
		table_cell(&table, "%lld", (long long)json_int_at(name, "connections", 0));
		table_cell(&table, "%.1f", real(name, "newPerSecond"));
		table_cell(&table, "%.1f", real(name, "failedPerSecond"));
		table_cell(&table, "%lld", (long long)json_int_at(name, "opened", 0));
		table_cell(&table, "%lld", (long long)json_int_at(name, "failed", 0));
	}
	buf_add_char(out, '\n');
	table_format(&table, out);
	if (json_array_size(names) > GATEWAY_NAMES_SHOWN)
		buf_printf(out, "and %zu more\n", json_array_size(names) - GATEWAY_NAMES_SHOWN);
}

static void add_refused(const json_t *refused, struct buf *out)
{
	struct table table CLEANUP(table_fini);
	size_t i;
	json_t *row;
	table_init(&table, 3);
	table_cell(&table, "REFUSED");
	table_cell(&table, "PER SECOND");
	table_cell(&table, "TOTAL");
	json_array_foreach (refused, i, row) {
		table_cell(&table, "%s", json_str_at(row, "reason", ""));
		table_cell(&table, "%.1f", real(row, "perSecond"));
		table_cell(&table, "%lld", (long long)json_int_at(row, "total", 0));
	}
	buf_add_char(out, '\n');
	table_format(&table, out);
}

void gateway_top_format(const json_t *report, struct look look, struct buf *out)
{
	const json_t *names = json_object_get(report, "names");
	const json_t *refused = json_object_get(report, "refused");
	(void)look;
	buf_printf(out, "%lld open, %.1f new a second, in the last %.1f s\n",
	           (long long)json_int_at(report, "connections", 0), real(report, "newPerSecond"),
	           real(report, "seconds"));
	if (json_array_size(names) > 0)
		add_names(names, out);
	if (json_array_size(refused) > 0)
		add_refused(refused, out);
}
