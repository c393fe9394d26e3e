/* SPDX-License-Identifier: Apache-2.0 */
/* What loads is saved and loads again as the same snapshot. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;
	struct snapshot *s = snapshot_load(str_make((const char *)data, len), &err);
	size_t text_len;

	if (s == NULL)
		return 0;
	char *text = snapshot_save(s, &text_len);
	struct snapshot *t = snapshot_load(str_make(text, text_len), &err);

	assert(t != NULL && snapshot_eq(s, t));
	snapshot_unref(s);
	snapshot_unref(t);
	free(text);
	return 0;
}
