/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kubeconfig as a value: copy, compare, write, wipe. One table of its texts serves all.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/yaml.h"
#include "kube/base64.h"
#include "kube/kubeconfig.h"

enum kind {
	NAME,    /* for messages only */
	SETTING, /* matters for a connection */
	SECRET,  /* ... and must not stay in memory */
};

static const struct {
	size_t offset;
	enum kind kind;
} TEXTS[] = {
	{offsetof(struct kubeconfig, context), NAME},
	{offsetof(struct kubeconfig, cluster), NAME},
	{offsetof(struct kubeconfig, user), NAME},
	{offsetof(struct kubeconfig, namespace_), NAME},
	{offsetof(struct kubeconfig, server), SETTING},
	{offsetof(struct kubeconfig, tls_server_name), SETTING},
	{offsetof(struct kubeconfig, proxy_url), SETTING},
	{offsetof(struct kubeconfig, ca_pem), SETTING},
	{offsetof(struct kubeconfig, cert_pem), SETTING},
	{offsetof(struct kubeconfig, key_pem), SECRET},
	{offsetof(struct kubeconfig, token), SECRET},
	{offsetof(struct kubeconfig, token_file), SETTING},
};

static char **text_at(struct kubeconfig *config, size_t i)
{
	return (char **)(void *)((char *)config + TEXTS[i].offset);
}

static const char *get_text(const struct kubeconfig *config, size_t i)
{
	return *(char *const *)(const void *)((const char *)config + TEXTS[i].offset);
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool kubeconfig_eq(const struct kubeconfig *a, const struct kubeconfig *b)
{
	for (size_t i = 0; i < N_ELEMS(TEXTS); i++)
		if (TEXTS[i].kind != NAME && !same_text(get_text(a, i), get_text(b, i)))
			return false;
	return a->insecure == b->insecure;
}

void kubeconfig_copy(const struct kubeconfig *from, struct kubeconfig *ret_config)
{
	*ret_config = *from;
	for (size_t i = 0; i < N_ELEMS(TEXTS); i++) {
		const char *text = get_text(from, i);

		*text_at(ret_config, i) = text != NULL ? xstrdup(text) : NULL;
	}
}

void kubeconfig_fini(struct kubeconfig *config)
{
	for (size_t i = 0; i < N_ELEMS(TEXTS); i++) {
		char **text = text_at(config, i);

		if (*text != NULL && TEXTS[i].kind == SECRET)
			explicit_bzero(*text, strlen(*text));
		free(*text);
		*text = NULL;
	}
}

/* --- text ------------------------------------------------------------------------------------- */

static void set_text(json_t *obj, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(obj, key, json_string(text));
}

static void set_base64(json_t *obj, const char *key, const char *text)
{
	struct buf CLEANUP(buf_fini) encoded;

	buf_init(&encoded, 2 * KUBECONFIG_PEM_MAX);
	if (text == NULL)
		return;
	kube_base64_encode(str_from(text), &encoded);
	json_object_set_new(obj, key, json_string(buf_text(&encoded)));
}

/* [{name: name, KEY: value}] */
static json_t *named(const char *name, const char *key, json_t *value)
{
	return json_pack("[{s:s, s:o}]", "name", name, key, value);
}

static json_t *cluster_of(const struct kubeconfig *config)
{
	json_t *cluster = json_object();

	set_text(cluster, "server", config->server);
	set_text(cluster, "tls-server-name", config->tls_server_name);
	set_text(cluster, "proxy-url", config->proxy_url);
	set_base64(cluster, "certificate-authority-data", config->ca_pem);
	if (config->insecure)
		json_object_set_new(cluster, "insecure-skip-tls-verify", json_true());
	return cluster;
}

static json_t *user_of(const struct kubeconfig *config)
{
	json_t *user = json_object();

	set_text(user, "token", config->token);
	set_base64(user, "client-certificate-data", config->cert_pem);
	set_base64(user, "client-key-data", config->key_pem);
	return user;
}

char *kubeconfig_format(const struct kubeconfig *config)
{
	const char *context = config->context != NULL ? config->context : "default";
	const char *cluster = config->cluster != NULL ? config->cluster : context;
	bool has_user = config->user != NULL && config->user[0] != '\0';
	const char *user = has_user ? config->user : context;
	json_t *parts = json_pack("{s:s, s:s}", "cluster", cluster, "user", user);
	json_t *tree CLEANUP(json_cleanup) = json_object();

	set_text(parts, "namespace", config->namespace_);
	json_object_set_new(tree, "apiVersion", json_string("v1"));
	json_object_set_new(tree, "kind", json_string("Config"));
	json_object_set_new(tree, "clusters", named(cluster, "cluster", cluster_of(config)));
	json_object_set_new(tree, "users", named(user, "user", user_of(config)));
	json_object_set_new(tree, "contexts", named(context, "context", parts));
	json_object_set_new(tree, "current-context", json_string(context));
	return yaml_format(tree);
}

struct http_client_config kubeconfig_http(const struct kubeconfig *config, struct loop *loop)
{
	return (struct http_client_config){
		.loop = loop,
		.roots_pem = str_from(config->ca_pem),
		.cert_pem = str_from(config->cert_pem),
		.key_pem = str_from(config->key_pem),
		.bearer_token = config->token,
		.server_name = config->tls_server_name,
		.proxy_url = config->proxy_url,
		.insecure = config->insecure,
	};
}
