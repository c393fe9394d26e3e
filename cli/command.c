/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <stdio.h>
#include <string.h>

enum {
	WORDS_MAX = 3,
	LINE_MAX_ = 128,
	NEAR_MAX = 3 /* edits between what was typed and what was meant */
};

/* The first n words, parted by blanks; what begins with a dash is no word. */
static int join_words(int argc, char **argv, int n, char line[LINE_MAX_])
{
	int used = 0;
	size_t len = 0;
	line[0] = '\0';
	for (int i = 0; i < argc && i < n && argv[i][0] != '-'; i++) {
		int wrote =
			snprintf(line + len, LINE_MAX_ - len, "%s%s", i > 0 ? " " : "", argv[i]);
		if (wrote < 0 || (size_t)wrote >= LINE_MAX_ - len)
			break;
		len += (size_t)wrote;
		used++;
	}
	return used;
}

const struct command *command_find(int argc, char **argv, int *ret_n_words)
{
	char line[LINE_MAX_];
	for (int n = WORDS_MAX; n > 0; n--) {
		if (join_words(argc, argv, n, line) != n)
			continue;
		for (const struct command *row = commands; row->words != NULL; row++) {
			if (strcmp(row->words, line) == 0) {
				*ret_n_words = n;
				return row;
			}
		}
	}
	return NULL;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance, in one row of the matrix. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LINE_MAX_ + 1];
	size_t n = least(strlen(b), LINE_MAX_);
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const struct command *command_nearest(int argc, char **argv)
{
	char line[LINE_MAX_];
	const struct command *nearest = NULL;
	size_t best = NEAR_MAX + 1;
	for (int n = 1; n <= WORDS_MAX; n++) {
		if (join_words(argc, argv, n, line) != n)
			break;
		for (const struct command *row = commands; row->words != NULL; row++) {
			size_t d = distance(line, row->words);
			if (d < best) {
				best = d;
				nearest = row;
			}
		}
	}
	return nearest;
}

void command_list(struct buf *out)
{
	buf_add_text(out,
	             "fedway - many clusters, one mesh\n\nUsage: fedway COMMAND [OPTIONS]\n\n");
	for (const struct command *row = commands; row->words != NULL; row++)
		buf_printf(out, "  %-23s %s\n", row->words, row->about);
	buf_add_text(out, "\nfedway COMMAND --help tells more; fedway help exit-codes, fedway help "
	                  "FED-111.\n");
}

int cli_fail(const struct err *err)
{
	fprintf(stderr, "fedway: %s\n", err->msg);
	switch (err->code) {
	case ERR_TIMEOUT:
		return EXIT_TIMEOUT;
	case ERR_CONFLICT:
		return EXIT_CONFLICT;
	case ERR_IO:
	case ERR_UNAVAILABLE:
	case ERR_INTERNAL:
	case ERR_BAD_REQUEST:
	case ERR_UNAUTHORIZED:
	case ERR_FORBIDDEN:
	case ERR_NOT_FOUND:
	case ERR_METHOD:
	case ERR_NOT_ACCEPTABLE:
	case ERR_EXISTS:
	case ERR_EXPIRED:
	case ERR_TOO_LARGE:
	case ERR_MEDIA_TYPE:
	case ERR_INVALID:
	case ERR_TOO_MANY:
	case ERR_PROTOCOL:
		return EXIT_FAILED;
	}
	UNREACHABLE("err_code");
}
