/* SPDX-License-Identifier: Apache-2.0 */
#include "kubeconfig_priv.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "kube/kubeconfig.h"

#define IN_CLUSTER_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

static char *load_text(const char *path, size_t max, struct err *err)
{
	struct buf CLEANUP(buf_fini) content;

	buf_init(&content, max);
	if (!file_load(path, &content, err))
		return NULL;
	return buf_take(&content);
}

static char *path_in(const char *dir, const char *path)
{
	return path[0] == '/' ? xstrdup(path) : xasprintf("%s/%s", dir, path);
}

/* arg: the folder of the kubeconfig, to which relative paths refer. */
static char *read_beside(const char *path, struct err *err, void *arg)
{
	char *whole CLEANUP(free_ptr) = path_in(arg, path);

	return load_text(whole, KUBECONFIG_PEM_MAX, err);
}

bool kubeconfig_load(const char *path, const char *context, struct kubeconfig *ret_config,
                     struct err *err)
{
	char *text CLEANUP(free_ptr) = load_text(path, KUBECONFIG_TEXT_MAX, err);
	char *copy CLEANUP(free_ptr) = xstrdup(path);
	char *dir = dirname(copy);
	struct kubeconfig_source source = {
		.name = path, .context = context, .read = read_beside, .arg = dir};

	if (text == NULL || !kubeconfig_read(str_from(text), &source, ret_config, err))
		return false;
	if (ret_config->token_file != NULL) {
		char *whole = path_in(dir, ret_config->token_file);

		free(ret_config->token_file);
		ret_config->token_file = whole;
	}
	return true;
}

/* "https://HOST:PORT" from the environment that kubelet sets; NULL: not in a Pod. */
static char *server_from_env(void)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (host == NULL || port == NULL || host[0] == '\0' || port[0] == '\0')
		return NULL;
	if (strchr(host, ':') != NULL)
		return xasprintf("https://[%s]:%s", host, port);
	return xasprintf("https://%s:%s", host, port);
}

char *kubeconfig_load_token(const char *path, struct err *err)
{
	char *text CLEANUP(free_ptr) = load_text(path, KUBECONFIG_TOKEN_MAX, err);

	return text != NULL ? kubeconfig_clean_token(str_from(text), err) : NULL;
}

static bool load_account(const char *dir, struct kubeconfig *config, struct err *err)
{
	char *ca_path CLEANUP(free_ptr) = path_in(dir, "ca.crt");

	config->token_file = path_in(dir, "token");
	config->ca_pem = load_text(ca_path, KUBECONFIG_PEM_MAX, err);
	if (config->ca_pem == NULL)
		return false;
	config->token = kubeconfig_load_token(config->token_file, err);
	return config->token != NULL;
}

bool kubeconfig_load_in_cluster(const char *dir, struct kubeconfig *ret_config, struct err *err)
{
	struct kubeconfig config = {.server = server_from_env()};

	if (config.server == NULL)
		return err_set(err, ERR_NOT_FOUND,
		               "not in a Pod: KUBERNETES_SERVICE_HOST is not set");
	if (!load_account(dir != NULL ? dir : IN_CLUSTER_DIR, &config, err)) {
		kubeconfig_fini(&config);
		return err_wrap(err, "service account of this Pod");
	}
	config.context = xstrdup("in-cluster");
	config.cluster = xstrdup("in-cluster");
	config.user = xstrdup("service-account");
	*ret_config = config;
	return true;
}
