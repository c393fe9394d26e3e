/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, whole and cut: the reader never reads past the end, says the same however the bytes
 * come, and gives a name that a route table can be asked for.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "eastwest/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const struct ew_hello *hello)
{
	assert(strlen(hello->sni) == hello->sni_len);
	for (size_t i = 0; i < hello->sni_len; i++)
		assert(hello->sni[i] > ' ' && hello->sni[i] < 0x7f &&
		       !(hello->sni[i] >= 'A' && hello->sni[i] <= 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ew_hello_reader reader = {0};
	struct ew_hello whole;
	enum ew_hello_result want = ew_hello_read(&reader, data, size, &whole);
	if (want == EW_HELLO_DONE)
		check_name(&whole);
	assert(want != EW_HELLO_BAD || (whole.alert != 0 && whole.why != NULL));
	assert(want != EW_HELLO_MORE || size < EW_HELLO_MAX);

	struct ew_hello_reader again = {0};
	struct ew_hello hello;
	enum ew_hello_result got = EW_HELLO_MORE;
	for (size_t len = 0; len < size && got == EW_HELLO_MORE;) {
		/* steps that the bytes themselves choose; an exact copy, so that a read past the
		 * end is seen */
		len += 1u + data[len] % 64u;
		len = len < size ? len : size;
		uint8_t *exact = malloc(len);
		memcpy(exact, data, len);
		got = ew_hello_read(&again, exact, len, &hello);
		free(exact);
	}
	if (size > 0 && size < EW_HELLO_MAX) {
		assert(got == want);
		assert(want != EW_HELLO_DONE || strcmp(hello.sni, whole.sni) == 0);
	}
	return 0;
}
