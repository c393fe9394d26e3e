/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue is parsed once, at the first question, from the text the build put in. It is ours
 * and tested, so a broken one is a programming mistake.
 */
#include "model/causes.h"

#include "embedded_priv.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/yaml.h"

static struct cause *causes;
static size_t n_causes;
static json_t *catalogue; /* keeps the texts */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void parse(void)
{
	const struct embedded *file = embedded_find("causes");
	struct err err;

	catalogue = yaml_parse(str_make((const char *)file->ptr, file->len), "causes.yaml", &err);
	if (catalogue == NULL)
		UNREACHABLE(err.msg);
	const json_t *rows = json_object_get(catalogue, "causes");

	n_causes = json_array_size(rows);
	causes = xcalloc(n_causes + 1, sizeof(causes[0]));
	for (size_t i = 0; i < n_causes; i++) {
		const json_t *row = json_array_get(rows, i);

		causes[i] = (struct cause){
			.code = json_str_at(row, "code", ""),
			.severity = json_str_at(row, "severity", ""),
			.title = json_str_at(row, "title", ""),
			.title_zh = json_str_at(row, "titleZh", ""),
			.cause = json_str_at(row, "cause", ""),
			.remedy = json_str_at(row, "remedy", ""),
			.command = json_str_at(row, "command", ""),
		};
	}
}

const struct cause *cause_all(size_t *ret_n)
{
	pthread_once(&once, parse);
	*ret_n = n_causes;
	return causes;
}

const struct cause *cause_find(const char *code)
{
	pthread_once(&once, parse);
	for (size_t i = 0; i < n_causes; i++) {
		if (strcmp(causes[i].code, code) == 0)
			return &causes[i];
	}
	return NULL;
}
