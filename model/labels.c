/* SPDX-License-Identifier: Apache-2.0 */
#include "model/labels.h"

#include <stdlib.h>

#include "base/alloc.h"

static void destroy(struct shared *value)
{
	free(value);
}

static int by_key(const void *a, const void *b)
{
	const struct label *x = a, *y = b;

	return strcmp(x->key, y->key);
}

struct labels *labels_none(void)
{
	struct labels *labels = xcalloc(1, sizeof(*labels));

	shared_init(&labels->shared, destroy);
	return labels;
}

/* Bytes that the texts need, or false with an error. */
static bool measure(json_t *obj, size_t *ret_bytes, struct err *err)
{
	const char *key;
	json_t *value;
	size_t bytes = 0;

	if (json_object_size(obj) > LABELS_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu labels, at most %d are taken",
		               json_object_size(obj), LABELS_MAX);
	json_object_foreach (obj, key, value) {
		if (!json_is_string(value))
			return err_set(err, ERR_INVALID, "label '%.100s' is no string", key);
		if (strlen(key) > LABEL_TEXT_MAX || json_string_length(value) > LABEL_TEXT_MAX)
			return err_set(err, ERR_TOO_LARGE, "label '%.100s' is over %d bytes", key,
			               LABEL_TEXT_MAX);
		bytes += strlen(key) + json_string_length(value) + 2;
	}
	*ret_bytes = bytes;
	return true;
}

static const char *put_text(char **at, const char *text)
{
	size_t len = strlen(text) + 1;
	char *start = *at;

	memcpy(start, text, len);
	*at += len;
	return start;
}

struct labels *labels_decode(const json_t *const_obj, struct err *err)
{
	/* jansson iterates over non-const objects only; nothing is changed. */
	json_t *obj = json_is_object(const_obj) ? (json_t *)(uintptr_t)const_obj : NULL;
	size_t bytes = 0, n = json_object_size(obj);
	const char *key;
	json_t *value;

	if (const_obj != NULL && obj == NULL && !json_is_null(const_obj)) {
		err_set(err, ERR_INVALID, "labels are no object");
		return NULL;
	}
	if (obj == NULL)
		return labels_none();
	if (!measure(obj, &bytes, err))
		return NULL;
	struct labels *labels = xcalloc(1, sizeof(*labels) + n * sizeof(labels->pairs[0]) + bytes);
	char *at = (char *)&labels->pairs[n];

	shared_init(&labels->shared, destroy);
	json_object_foreach (obj, key, value) {
		struct label *pair = &labels->pairs[labels->n++];

		pair->key = put_text(&at, key);
		pair->value = put_text(&at, json_string_value(value));
	}
	if (labels->n > 1)
		qsort(labels->pairs, labels->n, sizeof(labels->pairs[0]), by_key);
	return labels;
}

json_t *labels_encode(const struct labels *labels)
{
	json_t *obj = json_object();

	for (size_t i = 0; i < labels->n; i++)
		json_object_set_new(obj, labels->pairs[i].key, json_string(labels->pairs[i].value));
	return obj;
}

struct labels *labels_ref(struct labels *labels)
{
	shared_ref(&labels->shared);
	return labels;
}

void labels_unref(struct labels *labels)
{
	if (labels != NULL)
		shared_unref(&labels->shared);
}

const char *labels_find(const struct labels *labels, const char *key)
{
	size_t lo = 0, hi = labels->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = strcmp(key, labels->pairs[mid].key);

		if (cmp == 0)
			return labels->pairs[mid].value;
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool labels_eq(const struct labels *a, const struct labels *b)
{
	if (a == b)
		return true;
	return a->n == b->n && labels_match(a, b);
}

bool labels_match(const struct labels *labels, const struct labels *want)
{
	for (size_t i = 0; i < want->n; i++) {
		const char *value = labels_find(labels, want->pairs[i].key);

		if (value == NULL || strcmp(value, want->pairs[i].value) != 0)
			return false;
	}
	return true;
}
