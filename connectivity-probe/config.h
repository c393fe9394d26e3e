/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - a ProbeConfig file as a checked value. Pure. Unknown keys are errors, and every error
 * names file, line and key.
 *
 *   apiVersion: fedway.io/v1alpha1
 *   kind: ProbeConfig
 *   controlPlane: {address: fedwayd.example.com:15012, trustFile: ..., tokenFile: ..., cluster: c1}
 *   listener: {address: 0.0.0.0, port: 15020}
 *   dataDir: /var/lib/fedway-probe
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"

enum {
	PROBE_CONFIG_TEXT_MAX = 1 << 20
};

/* Owned texts. */
struct probe_config {
	struct addr listener;
	char *data_dir;
	char *address; /* of the control plane, HOST:PORT */
	char *trust_file;
	char *token_file; /* NULL: none */
	char *cluster;
};

/* ERR_BAD_REQUEST (no YAML), ERR_INVALID, ERR_TOO_LARGE. name is for messages. */
MUST_CHECK
bool probe_config_parse(struct str text, const char *name, struct probe_config *ret_config,
                        struct err *err);
/* Harmless twice. */
void probe_config_fini(struct probe_config *config);
