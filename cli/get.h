/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get - objects as the server's Table, or whole.
 */
#pragma once

#include "remote.h"

struct get_request {
	struct kube_ref ref;
	const char *selector; /* NULL: all */
};

/* Asks, prints, returns the exit status. */
int get_run(const struct cli_common *common, const struct get_request *request);
/* The same of several types at once, without those that have nothing; as data one List. */
int get_run_all(struct remote *remote, struct look look, const struct get_request *requests,
                size_t n);

/* A Table (meta.k8s.io/v1) as text; wide: columns of every priority; with_namespace: in front.
 * Pure.
 */
void get_format_table(const json_t *table, bool wide, bool with_namespace, struct buf *out);
