/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump - a table as JSON, for /routes of the admin door: what is configured, and how it goes.
 */
#pragma once

#include "base/json.h"
#include "eastwest/table.h"

/* Owned by the caller. now_ms: whose ejection is over by then is not ejected. */
json_t *ew_dump_table(const struct ew_table *table, int64_t now_ms);
