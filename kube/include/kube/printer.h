/* SPDX-License-Identifier: Apache-2.0 */
/*
 * printer - the columns that `kubectl get` shows: definitions and the cells of one object.
 *
 * Pure; wall time is a parameter, because ages are text in a cell.
 * Source: meta.k8s.io/v1 Table; CustomResourceDefinition additionalPrinterColumns; ages as
 * apimachinery pkg/util/duration HumanDuration.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

enum {
	PRINTER_COLUMNS_MAX = 64,
	PRINTER_AGE_MAX = 32
};

struct printer;

/* A cell that no path can give ("1/2" ready containers). Returns a new value. */
typedef json_t *(*printer_compute_cb)(const json_t *obj, int64_t now_s);
struct printer_compute {
	const char *name;
	printer_compute_cb cb;
};

/*
 * columns: a JSON array of {name, type, format, description, priority, jsonPath}; in place of
 * jsonPath a column may have "compute", a name in the table computes (ended by a NULL name; may be
 * NULL). The column Name is put in front. columns NULL or empty: Name and Age. Owned.
 * ERR_INVALID.
 */
MUST_CHECK
struct printer *printer_create(const json_t *columns, const struct printer_compute *computes,
                               struct err *err);
void printer_destroy(struct printer *printer);

/* The Table's columnDefinitions. Borrowed. */
json_t *printer_definitions(const struct printer *printer);

/* The Table row's cells. New value. A path that leads nowhere gives null. */
json_t *printer_cells(const struct printer *printer, const json_t *obj, int64_t now_s);

/* "15s", "4m2s", "3h", "12d"; "<invalid>" for times in the future, "<unknown>" for a text that is
 * no RFC 3339 time. Returns text. */
const char *printer_age(const char *rfc3339, int64_t now_s, char text[PRINTER_AGE_MAX]);
const char *printer_duration(int64_t seconds, char text[PRINTER_AGE_MAX]);
