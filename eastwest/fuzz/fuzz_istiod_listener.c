/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes: the reader of listeners never reads past their end, says the same again, and exposes
 * only names of the one form, that a route can have, within its limits.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "eastwest/names.h"
#include "uplink/istiod_listener.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ew_exposed exposed;
	struct ew_exposed again;
	struct err err;
	/* an exact copy, so that a read past the end is seen */
	char *exact = xmemdup(data, size);
	struct str bytes = str_make(exact, size);
	bool ok = ew_istiod_listener_read(bytes, 15443, &exposed, &err);
	assert(ew_istiod_listener_read(bytes, 15443, &again, &err) == ok);
	assert(map_len(&exposed.names) == map_len(&again.names));
	assert(map_len(&exposed.names) <= EW_EXPOSED_MAX);
	assert(ok || map_len(&exposed.names) == 0);
	map_for_each (it, &exposed.names) {
		assert(str_starts_with(map_key(it), STR_LIT(EW_ISTIOD_PREFIX)));
		assert(map_key(it).len <= EW_NAME_LEN_MAX);
		assert(ew_exposed_has(&again, map_key(it)));
	}
	ew_exposed_fini(&exposed);
	ew_exposed_fini(&again);
	free(exact);
	return 0;
}
