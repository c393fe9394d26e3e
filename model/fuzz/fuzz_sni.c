/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is built again to the same name. */
#include <assert.h>
#include <stddef.h>

#include "model/sni.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[SNI_MAX + 1], again[SNI_MAX + 1];
	struct sni sni;
	bool built = false;

	if (!sni_fold(str_make((const char *)data, len), name) || !sni_parse(str_from(name), &sni))
		return 0;
	switch (sni.kind) {
	case SNI_SERVICE:
		built = sni_format(sni.port, sni.subset, sni.host, again);
		break;
	case SNI_CANARY:
		built = sni_format_canary(sni.host, again);
		break;
	case SNI_PROBE:
		built = sni_format_probe(sni.host, again);
		break;
	}
	/* A port with leading zeros is built without them. */
	assert(built);
	assert(sni_parse(str_from(again), &sni));
	return 0;
}
