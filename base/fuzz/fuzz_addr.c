/* SPDX-License-Identifier: Apache-2.0 */
/* What parses is written and parses again to the same value; a range has its own address. */
#include <stdint.h>
#include <stdlib.h>

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size);
	char back[ADDR_TEXT_MAX];
	struct addr addr;
	struct addr again;
	struct cidr cidr;

	if (addr_parse(text, &addr)) {
		require(addr_parse(str_from(addr_format(&addr, back)), &again));
		require(addr_eq(&addr, &again));
	}
	if (cidr_parse(text, &cidr) && (cidr.bits >= 96 || !ip_is_v4(&cidr.ip)))
		require(cidr_has(&cidr, &cidr.ip));
	return 0;
}
