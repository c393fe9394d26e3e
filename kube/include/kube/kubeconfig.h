/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig - how to reach one cluster and as whom, flattened from a kubeconfig's current context.
 *
 * What comes from a Secret is somebody else's text: commands (exec, auth-provider) and references
 * to files are refused, so that a Secret can neither run anything here nor read our files. The
 * local operator's own file may name files, which are read when it is loaded.
 * Pure but for kubeconfig_load(), kubeconfig_load_in_cluster().
 * Source: client-go tools/clientcmd/api/v1 types; kubectl config reference.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct http_client_config;
struct loop;

enum {
	KUBECONFIG_TEXT_MAX = 1 << 20,
	KUBECONFIG_PEM_MAX = 256 << 10,
	KUBECONFIG_TOKEN_MAX = 16 << 10
};

/* All texts owned; NULL: not given. */
struct kubeconfig {
	char *context; /* names, for messages */
	char *cluster;
	char *user;
	char *namespace_;
	char *server;          /* "https://host:6443/prefix", without a final slash */
	char *tls_server_name; /* expected instead of the host of server */
	char *proxy_url;       /* http://, https://, socks5:// */
	char *ca_pem;          /* NULL: the system's roots */
	char *cert_pem;        /* both or none */
	char *key_pem;
	char *token;      /* bearer token */
	char *token_file; /* re-read when it is set; only from kubeconfig_load() */
	bool insecure;    /* the server's certificate is not checked */
};

/*
 * Parses YAML or JSON text. name stands in errors. context NULL: current-context; without one, the
 * only context there is.
 *
 * ERR_INVALID, with a sentence that says what to change: empty, not a kubeconfig (another kind, a
 * list, HTML), no or unknown context, cluster or user, no server, server not http(s), bad base64,
 * PEM that is none, certificate without key, insecure together with a CA, exec, auth-provider,
 * username/password, files. ERR_TOO_LARGE, ERR_BAD_REQUEST (not YAML, line and column).
 */
MUST_CHECK
bool kubeconfig_parse(struct str text, const char *name, const char *context,
                      struct kubeconfig *ret_config, struct err *err);

/* The operator's own file: files it names are read too (relative to its folder). exec and
 * auth-provider stay refused. ERR_NOT_FOUND besides those above. */
MUST_CHECK
bool kubeconfig_load(const char *path, const char *context, struct kubeconfig *ret_config,
                     struct err *err);

/* Service account of the Pod we run in: dir NULL means the usual mount; host and port from the
 * environment. ERR_NOT_FOUND: not in a Pod. */
MUST_CHECK
bool kubeconfig_load_in_cluster(const char *dir, struct kubeconfig *ret_config, struct err *err);

/* How an HTTP client (base/http_client.h) reaches the server of config as its user. Views into
 * config: valid as long as it is unchanged. */
struct http_client_config kubeconfig_http(const struct kubeconfig *config, struct loop *loop);

/* Flattened YAML text with one context, as a Secret may hold it; owned by the caller. */
char *kubeconfig_format(const struct kubeconfig *config);

/* Equal in all that matters for a connection. */
bool kubeconfig_eq(const struct kubeconfig *a, const struct kubeconfig *b);

void kubeconfig_copy(const struct kubeconfig *from, struct kubeconfig *ret_config);
/* Wipes token and key. Harmless twice and on zeroed memory. Usable with CLEANUP(). */
void kubeconfig_fini(struct kubeconfig *config);
