/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "report.h"

enum {
	REPORT_TEXT_MAX = 700,
	REPORT_EXPIRES_S = 30 * 86400, /* a root with less than this left is a warning */
	REPORT_RENEWS_S = 86400 /* as is a certificate that should have been renewed by now */
};

/* Seconds as "58d", "21h", "5m"; "-" for unknown. */
const char *report_left(int64_t seconds, char text[32]);

/* What is wrong, into report.problems. severity NULL: the code's own. */
struct report_problem {
	const char *severity;
	const char *code;
	const char *object;
	const char *message;
};
void report_add_problem(json_t *report, const struct report_problem *problem);

/* One file half each. */
void report_find_problems(json_t *report, const struct report_input *input);
void report_find_cert_problems(json_t *report, const json_t *certs);
