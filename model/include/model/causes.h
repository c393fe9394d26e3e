/* SPDX-License-Identifier: Apache-2.0 */
/*
 * causes - the catalogue of everything that can be wrong: code, cause, remedy, command. One source,
 * causes.yaml, compiled in. Any thread.
 */
#pragma once

#include <stddef.h>

struct cause {
	const char *code;     /* "FED-111" */
	const char *severity; /* "error", "warning", "info" */
	const char *title;
	const char *title_zh;
	const char *cause;
	const char *remedy;
	const char *
		command; /* with SERVICE, CLUSTER, GATEWAY, ADDRESS, … to be filled in; may be "" */
};

/* NULL: no such code. */
const struct cause *cause_find(const char *code);
/* All, in the order of their codes. */
const struct cause *cause_all(size_t *ret_n);
