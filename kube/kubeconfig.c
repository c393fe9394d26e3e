/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text becomes a JSON tree; context, cluster and user are picked from it; two tables say which
 * keys become which fields and which keys are refused, with the way out.
 */
#include "kube/kubeconfig.h"

#include "kubeconfig_priv.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/yaml.h"
#include "kube/base64.h"

enum {
	URL_MAX = 2048
};

#define TOKEN_ADVICE                                                                               \
	"make a service account in that cluster, bind it to the roles needed, and put its token "  \
	"under 'token'"

/* Keys of a user that would run something, or act as somebody else than is shown. */
static const struct {
	const char *key;
	const char *why;
} REFUSED[] = {
	{"exec", "runs a command to get credentials, which is refused; " TOKEN_ADVICE},
	{"auth-provider", "uses an auth-provider, which no client knows any more; " TOKEN_ADVICE},
	{"username", "uses a password, which no API server takes any more; " TOKEN_ADVICE},
	{"password", "uses a password, which no API server takes any more; " TOKEN_ADVICE},
	{"as", "acts as another user, which is not supported; " TOKEN_ADVICE},
	{"as-uid", "acts as another user, which is not supported; " TOKEN_ADVICE},
	{"as-groups", "acts as another user, which is not supported; " TOKEN_ADVICE},
	{"as-user-extra", "acts as another user, which is not supported; " TOKEN_ADVICE},
};

/* A value that is given inline as base64, or as a file. */
struct pem_key {
	const char *inline_key;
	const char *file_key;
	const char *marker; /* must occur in the text */
};

static const struct pem_key CA_KEY = {"certificate-authority-data", "certificate-authority",
                                      "-----BEGIN CERTIFICATE-----"};
static const struct pem_key CERT_KEY = {"client-certificate-data", "client-certificate",
                                        "-----BEGIN CERTIFICATE-----"};
static const struct pem_key KEY_KEY = {"client-key-data", "client-key", "PRIVATE KEY-----"};

/* --- the tree --------------------------------------------------------------------------------- */

static json_t *parse_tree(struct str text, const char *name, struct err *err)
{
	struct str trimmed = str_trim(text);

	if (text.len > KUBECONFIG_TEXT_MAX) {
		err_set(err, ERR_TOO_LARGE, "%s: more than %d bytes are no kubeconfig", name,
		        KUBECONFIG_TEXT_MAX);
		return NULL;
	}
	if (trimmed.len == 0) {
		err_set(err, ERR_INVALID,
		        "%s is empty; put a kubeconfig there, e.g. the output of 'kubectl config "
		        "view --flatten --minify'",
		        name);
		return NULL;
	}
	if (trimmed.ptr[0] == '<') {
		err_set(err, ERR_INVALID, "%s is HTML, not a kubeconfig", name);
		return NULL;
	}
	json_t *tree =
		trimmed.ptr[0] == '{' ? json_parse(trimmed, err) : yaml_parse(text, name, err);

	if (tree == NULL && trimmed.ptr[0] == '{')
		err_wrap(err, "%s", name);
	return tree;
}

static bool check_kind(const json_t *tree, const char *name, struct err *err)
{
	if (!json_is_object(tree))
		return err_set(err, ERR_INVALID, "%s is not a kubeconfig: no mapping at its top",
		               name);
	const char *kind = json_str_at(tree, "kind", "Config");

	if (strcmp(kind, "Config") != 0)
		return err_set(err, ERR_INVALID,
		               "%s is not a kubeconfig: its kind is '%.64s', not 'Config'", name,
		               kind);
	if (!json_is_array(json_object_get(tree, "clusters")))
		return err_set(err, ERR_INVALID, "%s is not a kubeconfig: it has no 'clusters'",
		               name);
	return true;
}

/* tree[list][name == name][key], an object; NULL: not there. */
static const json_t *find_named(const json_t *tree, const char *list, const char *name,
                                const char *key)
{
	size_t i;
	json_t *item;

	json_array_foreach (json_object_get(tree, list), i, item) {
		if (strcmp(json_str_at(item, "name", ""), name) == 0)
			return json_object_get(item, key);
	}
	return NULL;
}

static const char *text_of(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text != NULL && text[0] != '\0' ? text : NULL;
}

static char *dup_of(const json_t *obj, const char *key)
{
	const char *text = text_of(obj, key);

	return text != NULL ? xstrdup(text) : NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

static bool decode_inline(const char *value, char **ret_text)
{
	struct buf CLEANUP(buf_fini) decoded;

	buf_init(&decoded, KUBECONFIG_PEM_MAX);
	if (!kube_base64_decode(str_from(value), &decoded) || decoded.len == 0)
		return false;
	*ret_text = buf_take(&decoded);
	return true;
}

static char *read_file(const struct kubeconfig_source *source, const char *key, const char *path,
                       struct err *err)
{
	if (source->read == NULL) {
		err_set(err, ERR_INVALID,
		        "'%s' names a file, which is refused; flatten the kubeconfig with 'kubectl "
		        "config view --flatten --minify'",
		        key);
		return NULL;
	}
	char *text = source->read(path, err, source->arg);

	if (text == NULL)
		err_wrap(err, "%s", key);
	return text;
}

static bool read_pem(const json_t *obj, const struct pem_key *key,
                     const struct kubeconfig_source *source, char **ret_pem, struct err *err)
{
	const char *value = text_of(obj, key->inline_key);
	const char *path = text_of(obj, key->file_key);

	if (value == NULL && path == NULL)
		return true;
	if (value != NULL && !decode_inline(value, ret_pem))
		return err_set(err, ERR_INVALID, "'%s' is not base64 of at most %d bytes",
		               key->inline_key, KUBECONFIG_PEM_MAX);
	if (value == NULL) {
		*ret_pem = read_file(source, key->file_key, path, err);
		if (*ret_pem == NULL)
			return false;
	}
	if (strstr(*ret_pem, key->marker) == NULL)
		return err_set(err, ERR_INVALID, "'%s' holds no PEM with '%s'",
		               value != NULL ? key->inline_key : key->file_key, key->marker);
	return true;
}

static bool is_url(const char *text, const char *const *schemes)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f || strchr("@?#\"<>\\", text[i]) != NULL)
			return false;
	for (; *schemes != NULL; schemes++) {
		size_t n = strlen(*schemes);

		if (strncmp(text, *schemes, n) == 0 && text[n] != '\0' && text[n] != '/')
			return len <= URL_MAX;
	}
	return false;
}

char *kubeconfig_clean_token(struct str text, struct err *err)
{
	struct str token = str_trim(text);
	bool ok = token.len > 0 && token.len <= KUBECONFIG_TOKEN_MAX;

	for (size_t i = 0; ok && i < token.len; i++)
		ok = token.ptr[i] > ' ' && token.ptr[i] < 0x7f;
	if (!ok) {
		err_set(err, ERR_INVALID,
		        "'token' is not a bearer token: one word of at most %d characters",
		        KUBECONFIG_TOKEN_MAX);
		return NULL;
	}
	return str_dup(token);
}

/* --- cluster and user ------------------------------------------------------------------------- */

static bool read_server(const json_t *cluster, struct kubeconfig *config, struct err *err)
{
	static const char *const SERVER[] = {"https://", "http://", NULL};
	static const char *const PROXY[] = {"http://", "https://", "socks5://", "socks5h://", NULL};

	config->server = dup_of(cluster, "server");
	config->proxy_url = dup_of(cluster, "proxy-url");
	if (config->server == NULL)
		return err_set(err, ERR_INVALID, "'server' is missing");
	if (!is_url(config->server, SERVER))
		return err_set(err, ERR_INVALID,
		               "server '%.200s' is not a URL like https://HOST:PORT",
		               config->server);
	if (config->proxy_url != NULL && !is_url(config->proxy_url, PROXY))
		return err_set(err, ERR_INVALID,
		               "proxy-url '%.200s' is not an http, https or socks5 URL",
		               config->proxy_url);
	for (size_t len = strlen(config->server); config->server[len - 1] == '/'; len--)
		config->server[len - 1] = '\0';
	return true;
}

static bool read_cluster(const json_t *cluster, const struct kubeconfig_source *source,
                         struct kubeconfig *config, struct err *err)
{
	config->insecure = json_is_true(json_object_get(cluster, "insecure-skip-tls-verify"));
	config->tls_server_name = dup_of(cluster, "tls-server-name");
	if (!read_server(cluster, config, err) ||
	    !read_pem(cluster, &CA_KEY, source, &config->ca_pem, err))
		return false;
	if (config->insecure && config->ca_pem != NULL)
		return err_set(
			err, ERR_INVALID,
			"'insecure-skip-tls-verify' and a certificate authority exclude each "
			"other; take out the former");
	return true;
}

static bool read_token(const json_t *user, const struct kubeconfig_source *source,
                       struct kubeconfig *config, struct err *err)
{
	const char *token = text_of(user, "token");
	const char *path = text_of(user, "tokenFile");
	char *content CLEANUP(free_ptr) = NULL;

	if (path != NULL) {
		/* As in client-go the file wins, so that a refreshed token is seen. */
		content = read_file(source, "tokenFile", path, err);
		if (content == NULL)
			return false;
		config->token_file = xstrdup(path);
		token = content;
	}
	if (token == NULL)
		return true;
	config->token = kubeconfig_clean_token(str_from(token), err);
	return config->token != NULL;
}

static bool read_user(const json_t *user, const struct kubeconfig_source *source,
                      struct kubeconfig *config, struct err *err)
{
	for (size_t i = 0; i < N_ELEMS(REFUSED); i++)
		if (json_object_get(user, REFUSED[i].key) != NULL)
			return err_set(err, ERR_INVALID, "it %s", REFUSED[i].why);
	if (!read_token(user, source, config, err) ||
	    !read_pem(user, &CERT_KEY, source, &config->cert_pem, err) ||
	    !read_pem(user, &KEY_KEY, source, &config->key_pem, err))
		return false;
	if ((config->cert_pem == NULL) != (config->key_pem == NULL))
		return err_set(err, ERR_INVALID,
		               "client certificate and client key are given only together");
	return true;
}

static bool check_secrecy(const struct kubeconfig *config, struct err *err)
{
	bool plain = strncmp(config->server, "http://", 7) == 0;

	if (plain && (config->token != NULL || config->cert_pem != NULL))
		return err_set(err, ERR_INVALID,
		               "server '%.200s' would get the credentials unencrypted; use https",
		               config->server);
	return true;
}

/* --- context ---------------------------------------------------------------------------------- */

/* Name of the context to use; NULL with err. Borrowed. */
static const char *pick_context(const json_t *tree, const struct kubeconfig_source *source,
                                struct err *err)
{
	const json_t *contexts = json_object_get(tree, "contexts");
	const char *name =
		source->context != NULL ? source->context : text_of(tree, "current-context");

	if (name == NULL && json_array_size(contexts) == 1)
		name = text_of(json_array_get(contexts, 0), "name");
	if (name == NULL)
		err_set(err, ERR_INVALID,
		        "%s has no 'current-context'; set it with 'kubectl config use-context'",
		        source->name);
	else if (find_named(tree, "contexts", name, "context") == NULL)
		err_set(err, ERR_INVALID, "%s has no context '%.200s'", source->name, name);
	else
		return name;
	return NULL;
}

static bool read_parts(const json_t *tree, const struct kubeconfig_source *source,
                       struct kubeconfig *config, struct err *err)
{
	const char *context = pick_context(tree, source, err);

	if (context == NULL)
		return false;
	const json_t *parts = find_named(tree, "contexts", context, "context");

	config->context = xstrdup(context);
	config->cluster = xstrdup(json_str_at(parts, "cluster", ""));
	config->user = xstrdup(json_str_at(parts, "user", ""));
	config->namespace_ = dup_of(parts, "namespace");
	const json_t *cluster = find_named(tree, "clusters", config->cluster, "cluster");
	const json_t *user = find_named(tree, "users", config->user, "user");

	if (!json_is_object(cluster))
		return err_set(err, ERR_INVALID,
		               "%s: context '%.200s' names cluster '%.200s', "
		               "which is not there",
		               source->name, context, config->cluster);
	if (config->user[0] != '\0' && user == NULL)
		return err_set(err, ERR_INVALID,
		               "%s: context '%.200s' names user '%.200s', "
		               "which is not there",
		               source->name, context, config->user);
	if (!read_cluster(cluster, source, config, err))
		return err_wrap(err, "%s: cluster '%.200s'", source->name, config->cluster);
	if (!read_user(user, source, config, err) || !check_secrecy(config, err))
		return err_wrap(err, "%s: user '%.200s'", source->name, config->user);
	return true;
}

bool kubeconfig_read(struct str text, const struct kubeconfig_source *source,
                     struct kubeconfig *ret_config, struct err *err)
{
	json_t *tree CLEANUP(json_cleanup) = parse_tree(text, source->name, err);
	struct kubeconfig config = {0};

	if (tree == NULL || !check_kind(tree, source->name, err))
		return false;
	if (!read_parts(tree, source, &config, err)) {
		kubeconfig_fini(&config);
		return false;
	}
	*ret_config = config;
	return true;
}

bool kubeconfig_parse(struct str text, const char *name, const char *context,
                      struct kubeconfig *ret_config, struct err *err)
{
	struct kubeconfig_source source = {.name = name, .context = context};

	return kubeconfig_read(text, &source, ret_config, err);
}
