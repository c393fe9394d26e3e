/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts lie in chunks that never move, so that readers need no lock: whoever was handed a table
 * was handed every number in it.
 */
#include "eastwest/names.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"

enum {
	CHUNK = 256
};

struct ew_names {
	_Atomic uint32_t refs;
	uint32_t n;
	struct map ids; /* text to number, as a pointer */
	char **chunks[(EW_NAMES_MAX + 1) / CHUNK];
};

struct ew_names *ew_names_create(void)
{
	struct ew_names *names = xcalloc(1, sizeof(*names));
	names->refs = 1;
	names->chunks[0] = xcalloc(CHUNK, sizeof(char *));
	names->chunks[0][0] = xstrdup("");
	names->n = 1;
	return names;
}

struct ew_names *ew_names_ref(struct ew_names *names)
{
	atomic_fetch_add_explicit(&names->refs, 1, memory_order_relaxed);
	return names;
}

void ew_names_unref(struct ew_names *names)
{
	if (names == NULL || atomic_fetch_sub_explicit(&names->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (uint32_t i = 0; i < names->n; i++)
		free(names->chunks[i / CHUNK][i % CHUNK]);
	for (size_t i = 0; i < N_ELEMS(names->chunks); i++)
		free(names->chunks[i]);
	map_fini(&names->ids, NULL);
	free(names);
}

uint16_t ew_names_find(const struct ew_names *names, struct str text)
{
	if (text.len == 0)
		return EW_NAME_NONE;
	return (uint16_t)(uintptr_t)map_find(&names->ids, text);
}

bool ew_names_add(struct ew_names *names, struct str text, uint16_t *ret_id, struct err *err)
{
	uint16_t id = ew_names_find(names, text);
	if (text.len == 0 || id != EW_NAME_NONE) {
		*ret_id = id;
		return true;
	}
	if (text.len > EW_NAME_LEN_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%.*s...' is longer than %d characters", 32,
		               text.ptr, EW_NAME_LEN_MAX);
	if (names->n > EW_NAMES_MAX)
		return err_set(err, ERR_TOO_LARGE,
		               "more than %d different clusters, networks and localities",
		               EW_NAMES_MAX);
	id = (uint16_t)names->n;
	if (names->chunks[id / CHUNK] == NULL)
		names->chunks[id / CHUNK] = xcalloc(CHUNK, sizeof(char *));
	names->chunks[id / CHUNK][id % CHUNK] = str_dup(text);
	map_set(&names->ids, text, (void *)(uintptr_t)id);
	names->n++;
	*ret_id = id;
	return true;
}

const char *ew_names_text(const struct ew_names *names, uint16_t id)
{
	return names->chunks[id / CHUNK][id % CHUNK];
}
