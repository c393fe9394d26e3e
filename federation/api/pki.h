/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pki - the server's own keys under DATA_DIR/pki: a CA for its serving certificate, one for client
 * certificates, the key of service account tokens; and what an admin needs to come in.
 *
 * Private keys lie in files of mode 0600. The CAs, the token key and the admin's token are made
 * once; certificates are issued anew at each start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct api_pki {
	char *serving_ca_pem;
	char *client_ca_pem;
	char *serving_pem;
	char *serving_key_pem;
	char *admin_pem;
	char *admin_key_pem;
	char *token_key_pem;
	char *admin_token;
};

struct api_pki_options {
	const char *data_dir;
	const char *const *names; /* of the serving certificate: DNS names and IP literals */
	size_t n_names;
	int64_t now_s;
};

/* Loads or makes everything. fini also after failure. */
MUST_CHECK
bool api_pki_open(const struct api_pki_options *options, struct api_pki *ret_pki, struct err *err);
void api_pki_fini(struct api_pki *pki);

/* The kubeconfig of an admin at server ("https://HOST:PORT"). Owned by the caller. */
char *api_pki_kubeconfig(const struct api_pki *pki, const char *server);
