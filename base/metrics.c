/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families and series are only ever added, under one lock; values are atomics that nobody moves.
 */
#include "base/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"

enum {
	METRICS_KEY_MAX = 4096
};

struct series {
	struct metrics_value value; /* first: metrics_series() hands it out */
	char *labels;               /* `a="x",b="y"`, escaped; owned */
};

struct metrics_family {
	struct list link;
	struct metrics *owner; /* borrowed */
	enum metrics_kind kind;
	const char *name;
	const char *help;
	const char *label_names;
	size_t max_series;
	struct map series; /* labels text → struct series */
};

struct metrics {
	pthread_mutex_t lock;
	struct list families;
};

static void free_series(void *value)
{
	struct series *series = value;

	free(series->labels);
	free(series);
}

struct metrics *metrics_create(void)
{
	struct metrics *metrics = xcalloc(1, sizeof(*metrics));

	pthread_mutex_init(&metrics->lock, NULL);
	list_init(&metrics->families);
	return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	list_for_each_safe (it, &metrics->families) {
		struct metrics_family *family = LIST_ENTRY(it, struct metrics_family, link);
		map_fini(&family->series, free_series);
		free(family);
	}
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

struct metrics_family *metrics_family(struct metrics *metrics, enum metrics_kind kind,
                                      const char *name, const char *help, const char *label_names,
                                      size_t max_series)
{
	struct metrics_family *family = xcalloc(1, sizeof(*family));

	family->owner = metrics;
	family->kind = kind;
	family->name = name;
	family->help = help;
	family->label_names = label_names;
	family->max_series = max_series;
	list_init(&family->link);
	pthread_mutex_lock(&metrics->lock);
	list_append(&metrics->families, &family->link);
	pthread_mutex_unlock(&metrics->lock);
	return family;
}

static void add_escaped(struct buf *out, const char *text, bool quotes)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\n')
			buf_add_text(out, "\\n");
		else if (*c == '\\')
			buf_add_text(out, "\\\\");
		else if (quotes && *c == '"')
			buf_add_text(out, "\\\"");
		else
			buf_add_char(out, *c);
	}
}

/* label_values NULL: every label is "other". */
static void add_labels(struct buf *out, const char *names, const char *const *label_values)
{
	struct str rest = str_from(names);
	struct str name;

	for (size_t i = 0; rest.len > 0 && str_split(&rest, ',', &name); i++) {
		buf_printf(out, "%s%.*s=\"", i > 0 ? "," : "", STR_ARG(name));
		add_escaped(out, label_values != NULL ? label_values[i] : "other", true);
		buf_add_char(out, '"');
	}
}

static struct series *find_or_make(struct metrics_family *family, struct str labels)
{
	struct series *series = map_find(&family->series, labels);

	if (series == NULL) {
		series = xcalloc(1, sizeof(*series));
		series->labels = str_dup(labels);
		map_set(&family->series, labels, series);
	}
	return series;
}

struct metrics_value *metrics_series(struct metrics_family *family, const char *const *label_values)
{
	struct buf labels;
	struct series *series;

	buf_init(&labels, METRICS_KEY_MAX);
	add_labels(&labels, family->label_names, label_values);
	pthread_mutex_lock(&family->owner->lock);
	series = buf_failed(&labels) ? NULL : map_find(&family->series, buf_str(&labels));
	if (series == NULL) {
		if (buf_failed(&labels) || map_len(&family->series) >= family->max_series) {
			buf_clear(&labels);
			add_labels(&labels, family->label_names, NULL);
		}
		series = find_or_make(family, buf_str(&labels));
	}
	pthread_mutex_unlock(&family->owner->lock);
	buf_fini(&labels);
	return &series->value;
}

static void format_family(const struct metrics_family *family, struct buf *out)
{
	buf_printf(out, "# HELP %s ", family->name);
	add_escaped(out, family->help, false);
	buf_printf(out, "\n# TYPE %s %s\n", family->name,
	           family->kind == METRICS_COUNTER ? "counter" : "gauge");
	map_for_each (it, &family->series) {
		const struct series *series = map_value(it);
		bool labelled = series->labels[0] != '\0';
		buf_printf(out, "%s%s%s%s %" PRId64 "\n", family->name, labelled ? "{" : "",
		           series->labels, labelled ? "}" : "", metrics_get(&series->value));
	}
}

void metrics_format(struct metrics *metrics, struct buf *out)
{
	pthread_mutex_lock(&metrics->lock);
	list_for_each (it, &metrics->families)
		format_family(LIST_ENTRY(it, struct metrics_family, link), out);
	pthread_mutex_unlock(&metrics->lock);
}
