/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - the health of the mesh on one screen, from the objects and their status. Pure.
 *
 *   {"apiVersion": "answers.fedway.io/v1alpha1", "kind": "MeshReport", "state": "HEALTHY|DEGRADED",
 *    "errors": 1, "warnings": 2, "lines": [{"name", "state": "Ok|Warning|Error", "value",
 * "detail"}], "problems": [{"severity", "code", "object", "message", "remedy", "command"}]}
 */
#pragma once

#include "common.h"

#include <jansson.h>
#include <stdint.h>

struct report_input {
	const json_t *mesh; /* one object; the others are Lists */
	const json_t *clusters;
	const json_t *groups;
	const json_t *gateways;
	const json_t *services;
	int64_t now_s; /* wall time */
};

/* Owned. */
json_t *report_make(const struct report_input *input);
/* Certificates alone: {"kind": "CertificateReport", "certificates": [{"kind", "name", "notAfter",
 * "leftSeconds", "state": "Ok|Expiring|Expired|Unknown"}]}. Owned. */
json_t *report_certs(const struct report_input *input);

void report_format(const json_t *report, struct look look, struct buf *out);
void report_format_certs(const json_t *report, struct look look, struct buf *out);
bool report_has_errors(const json_t *report);
