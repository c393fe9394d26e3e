/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_programs.h"

#include "lab_pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum {
	WORD_MAX = 2 * LAB_PATH_MAX
};

/* {slices} is a flag or nothing. */
const struct lab_program lab_programs[] = {
	{"kube", LAB_EMBEDDED,
         "fedwayd --role member --data-dir . --api-listen {wan}:6443 --xds-listen 127.0.0.1:15012",
         "{wan}:6443"},
	{"fedwayd", LAB_CONTROL,
         "fedwayd --data-dir . --api-listen {wan}:6443 --xds-listen {wan}:15012 "
         "--xds-advertise {wan}:15012 --metrics-listen 127.0.0.1:15080",
         "{wan}:6443"},
	{"kubelet", LAB_CLUSTER, "fedway lab kubelet {host} --dir {dir} {slices}", ""},
	{"gateway", LAB_CLUSTER, "fedway-gateway --config gateway.yaml", "{prefix}.0.2:15444"},
	{"helloworld", LAB_CLUSTER,
         "fedway lab workload helloworld --listen {prefix}.0.10:5000 --answer vc{number}",
         "{prefix}.0.10:5000"},
	{"probe", LAB_CLUSTER, "fedway-probe --config probe.yaml", "{prefix}.0.30:15020"},
	{NULL, LAB_CONTROL, NULL, NULL},
};

bool lab_program_runs_on(const struct lab_program *program, const struct lab_host *host,
                         bool embedded)
{
	bool in_control = host->number == 0;
	if (program->where == LAB_CONTROL)
		return in_control;
	return !in_control && (embedded || program->where != LAB_EMBEDDED);
}

const struct lab_program *lab_program_find(const char *name, const struct lab_host *host,
                                           bool embedded)
{
	for (const struct lab_program *row = lab_programs; row->name != NULL; row++) {
		if (strcmp(row->name, name) == 0 && lab_program_runs_on(row, host, embedded))
			return row;
	}
	return NULL;
}

static const char *value_of(struct str key, const struct lab_place *place, char number[16])
{
	const struct lab_host *host = place->host;
	const struct {
		const char *key;
		const char *value;
	} rows[] = {
		{"dir", place->dir},
		{"host", host->name},
		{"wan", host->wan},
		{"pods", host->pods},
		{"prefix", host->prefix},
		{"cluster", host->cluster},
		{"control", lab_host_find("control")->wan},
		{"number", number},
		{"slices", place->embedded ? "--slices" : ""},
	};
	snprintf(number, 16, "%d", host->number);
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		if (str_is(key, rows[i].key))
			return rows[i].value;
	}
	return "";
}

char *lab_expand(struct str text, const struct lab_place *place)
{
	char number[16];
	struct buf out CLEANUP(buf_fini);
	struct str plain;
	buf_init(&out, WORD_MAX);
	while (str_split(&text, '{', &plain)) {
		struct str key;
		buf_add_str(&out, plain);
		if (text.ptr == NULL || !str_split(&text, '}', &key))
			break;
		buf_add_text(&out, value_of(key, place, number));
	}
	return xstrdup(buf_text(&out));
}

void lab_words_make(const char *text, const struct lab_place *place, struct lab_words *ret_words)
{
	struct str rest = str_from(text);
	struct str word;
	*ret_words = (struct lab_words){0};
	while (ret_words->n < LAB_WORDS_MAX && str_split(&rest, ' ', &word)) {
		char *made = lab_expand(word, place);
		if (made[0] != '\0')
			ret_words->words[ret_words->n++] = made;
		else
			free(made);
	}
}

void lab_words_fini(struct lab_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		free(words->words[i]);
	*words = (struct lab_words){0};
}
