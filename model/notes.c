/* SPDX-License-Identifier: Apache-2.0 */
#include "notes_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	NOTE_TEXT_MAX = 512
};

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char text[NOTE_TEXT_MAX];
	va_list args;

	if (notes->n == POLICY_NOTES_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	notes->texts = xrealloc(notes->texts, (notes->n + 1) * sizeof(notes->texts[0]));
	notes->texts[notes->n++] = xstrdup(text);
}

void notes_take(struct notes *notes, const char ***ret_texts, size_t *ret_n)
{
	if (ret_texts != NULL) {
		*ret_texts = notes->texts;
		*ret_n = notes->n;
	} else {
		notes_free(notes->texts, notes->n);
	}
	*notes = (struct notes){0};
}

void notes_free(const char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free((char *)(uintptr_t)texts[i]);
	free(texts);
}

bool notes_eq(const char **a, size_t n_a, const char **b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++) {
		if (strcmp(a[i], b[i]) != 0)
			return false;
	}
	return true;
}
