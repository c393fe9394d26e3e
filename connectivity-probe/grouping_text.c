/* SPDX-License-Identifier: Apache-2.0 */
#include "grouping_priv.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/causes.h"

enum {
	CODES_MAX = 16, /* different ones under one cause */
	COMMAND_MAX = 4096
};

struct tally {
	const char *code;
	size_t n;
};

/* The code that most cells of a cause have; of a silent probe, that. */
static const char *find_code(const struct probe_matrix *matrix, const struct probe_causes *causes,
                             size_t number)
{
	struct tally tallies[CODES_MAX];
	size_t n_tallies = 0;
	size_t best = 0;
	size_t n_cells;
	const struct probe_cell *cells = probe_matrix_cells(matrix, &n_cells);
	if (causes->list[number].scope == PROBE_SCOPE_SILENT)
		return "FED-171";
	for (size_t i = 0; i < n_cells; i++) {
		size_t k = 0;
		if (causes->of_cell[i] != number || cells[i].code[0] == '\0')
			continue;
		while (k < n_tallies && strcmp(tallies[k].code, cells[i].code) != 0)
			k++;
		if (k == CODES_MAX)
			continue;
		if (k == n_tallies)
			tallies[n_tallies++] = (struct tally){cells[i].code, 0};
		tallies[k].n++;
	}
	for (size_t i = 1; i < n_tallies; i++) {
		if (tallies[i].n > tallies[best].n)
			best = i;
	}
	return n_tallies > 0 ? tallies[best].code : "FED-171";
}

static void format_where(const struct probe_cell *cell, char *text, size_t size)
{
	bool brackets = strchr(cell->address, ':') != NULL;
	if (cell->address[0] == '\0')
		snprintf(text, size, "%s", cell->gateway);
	else
		snprintf(text, size, brackets ? "%s%s[%s]:%u" : "%s%s%s:%u", cell->gateway,
		         cell->gateway[0] != '\0' ? " " : "", cell->address, cell->port);
}

static void add_evidence(const struct probe_cell *cell, struct buf *out)
{
	if (cell->result != NULL && cell->result->evidence[0] != '\0')
		buf_printf(out, ": %s", cell->result->evidence);
}

static void add_message(const struct probe_matrix *matrix, const struct probe_cause *cause,
                        const char *title, struct buf *out)
{
	const struct probe_topology *topology = probe_matrix_topology(matrix);
	size_t n_cells;
	const struct probe_cell *cell = &probe_matrix_cells(matrix, &n_cells)[cause->cell];
	const struct probe_cluster *from = &topology->clusters[cell->from];
	const struct probe_cluster *to = &topology->clusters[cell->to];
	const char *subject = topology->clusters[cause->subject].name;
	char text[512];
	format_where(cell, text, sizeof(text));
	switch (cause->scope) {
	case PROBE_SCOPE_CLUSTER:
		buf_printf(out, "[%s] nothing from it or to it works: %s", subject, title);
		return;
	case PROBE_SCOPE_SILENT:
		buf_printf(out, "[%s] %s", subject, title);
		return;
	case PROBE_SCOPE_EGRESS:
		buf_printf(out, "[%s → other networks] %s", subject, title);
		return;
	case PROBE_SCOPE_TRUST:
		probe_trust_part(matrix, cell, text, sizeof(text));
		buf_printf(out, "[%s] %s", text, title);
		return;
	case PROBE_SCOPE_GATEWAY:
		buf_printf(out, "[%s] %s, from every cluster", text, title);
		break;
	case PROBE_SCOPE_LINK:
		buf_printf(out, "[%s ↔ %s] %s, either way", from->network, to->network, title);
		break;
	case PROBE_SCOPE_GROUP_PAIR:
		buf_printf(out, "[%s → %s] %s %s", from->network, to->network, title, text);
		break;
	case PROBE_SCOPE_PAIR:
		buf_printf(out, "[%s → %s] %s %s", from->name, to->name, title, text);
		break;
	}
	add_evidence(cell, out);
}

void probe_cause_describe(const struct probe_matrix *matrix, struct probe_causes *causes,
                          size_t number)
{
	struct probe_cause *cause = &causes->list[number];
	const char *code = find_code(matrix, causes, number);
	const struct cause *known = cause_find(code);
	struct buf message CLEANUP(buf_fini);
	buf_init(&message, sizeof(cause->message) - 1);
	add_message(matrix, cause, known != NULL ? known->title : code, &message);
	snprintf(cause->code, sizeof(cause->code), "%s", code);
	snprintf(cause->message, sizeof(cause->message), "%s", buf_text(&message));
}

/* --- as JSON ---------------------------------------------------------------------------------- */

struct word {
	const char *word;
	const char *value;
};

/* The words in capitals of a command. */
static void fill_in(const char *command, const struct word *words, size_t n_words, struct buf *out)
{
	const char *at = command;
	while (*at != '\0') {
		size_t len = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		const char *value = NULL;
		for (size_t i = 0; i < n_words; i++) {
			if (str_eq(str_make(at, len), str_from(words[i].word)))
				value = words[i].value;
		}
		if (value != NULL && *value != '\0') {
			buf_add_text(out, value);
			at += len;
		} else {
			buf_add(out, at, len > 0 ? len : 1);
			at += len > 0 ? len : 1;
		}
	}
}

static void format_command(const struct probe_matrix *matrix, const struct probe_cause *cause,
                           const char *command, struct buf *out)
{
	const struct probe_topology *topology = probe_matrix_topology(matrix);
	size_t n_cells;
	const struct probe_cell *cell = &probe_matrix_cells(matrix, &n_cells)[cause->cell];
	bool of_subject = cause->scope == PROBE_SCOPE_CLUSTER || cause->scope == PROBE_SCOPE_SILENT;
	const struct word words[] = {
		{"SOURCE", topology->clusters[cell->from].name},
		{"CLUSTER", topology->clusters[of_subject ? cause->subject : cell->to].name},
		{"GATEWAY", cell->gateway},
		{"ADDRESS", cell->address},
		{"GROUP", topology->clusters[cell->to].network},
	};
	fill_in(command, words, N_ELEMS(words), out);
}

json_t *probe_causes_encode(const struct probe_matrix *matrix, const struct probe_causes *causes)
{
	json_t *list = json_array();
	for (size_t i = 0; i < causes->n; i++) {
		const struct probe_cause *cause = &causes->list[i];
		const struct cause *known = cause_find(cause->code);
		struct buf command CLEANUP(buf_fini);
		buf_init(&command, COMMAND_MAX);
		if (known != NULL)
			format_command(matrix, cause, known->command, &command);
		json_array_append_new(list,
		                      json_pack("{s:s, s:I, s:s, s:s, s:s}", "code", cause->code,
		                                "explains", (json_int_t)cause->explains, "message",
		                                cause->message, "remedy",
		                                known != NULL ? known->remedy : "", "command",
		                                buf_text(&command)));
	}
	return list;
}
