/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes: a header that was found lies inside them, and what is more than a prefix of it says
 * the same.
 */
#include <assert.h>
#include <string.h>

#include "eastwest/mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ew_mark mark;
	struct ew_mark part;
	enum ew_mark_result whole = ew_mark_read(data, size, &mark);
	if (whole == EW_MARK_FOUND || whole == EW_MARK_PROXY) {
		assert(mark.len >= 16 && mark.len <= size && mark.len <= EW_PROXY_HEADER_MAX);
		assert(ew_mark_read(data, mark.len, &part) == whole);
		assert(ew_mark_read(data, mark.len - 1, &part) == EW_MARK_MORE);
	}
	if (whole == EW_MARK_FOUND) {
		uint8_t out[EW_MARK_MAX];
		size_t len = ew_mark_encode(str_from(mark.cluster), out);
		assert(ew_mark_read(out, len, &part) == EW_MARK_FOUND);
		assert(strcmp(part.cluster, mark.cluster) == 0);
	}
	return 0;
}
