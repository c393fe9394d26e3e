/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is written and parses again to the same value. */
#include <stdint.h>
#include <stdlib.h>

#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	struct err err;
	json_t *value = yaml_parse(text, "fuzz", &err);

	(void)yaml_line_of(text, "routes[1].endpoints[0].port");
	if (value == NULL)
		return 0;
	char *again = yaml_format(value);
	json_t *same = yaml_parse(str_from(again), "again", &err);
	/* null alone is an empty document. */
	if (same == NULL || !json_equal(value, same))
		abort();
	json_decref(same);
	json_decref(value);
	free(again);
	return 0;
}
