/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pure half of reading a kubeconfig: files come through a hook, or not at all.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"
#include "kube/kubeconfig.h"

struct kubeconfig_source {
	const char *name;    /* in errors */
	const char *context; /* NULL: the current one */
	/* Text of a file that the kubeconfig names, owned by the caller; NULL with err. The hook
	 * itself NULL: files are refused. */
	char *(*read)(const char *path, struct err *err, void *arg);
	void *arg;
};

MUST_CHECK
bool kubeconfig_read(struct str text, const struct kubeconfig_source *source,
                     struct kubeconfig *ret_config, struct err *err);

/* Trims white space. ERR_INVALID: empty, or bytes that cannot stand in a header. Owned. */
MUST_CHECK
char *kubeconfig_clean_token(struct str text, struct err *err);

/* What a token file holds now. Owned. */
MUST_CHECK
char *kubeconfig_load_token(const char *path, struct err *err);
