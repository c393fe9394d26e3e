/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include "auth.h"
#include "call.h"
#include "committer.h"
#include "crd.h"
#include "lifecycle.h"
#include "pki.h"
#include "server.h"
#include "token.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/net.h"
#include "certs/api_ca.h"
#include "kube/meta.h"
#include "kube/status.h"

enum {
	NAMES_MAX = 64,
	RENEWAL_CHECK_MS = 3600 * 1000,
	RENEWAL_AGE_S = CERT_API_TTL_S / 2
};

struct api {
	struct api_core core;
	struct api_pki pki;
	struct api_tokens *tokens;
	struct api_server *server;
	struct tls_ctx *tls;
	struct addr addr;
	char *kubeconfig;
	char *data_dir;
	char *names[NAMES_MAX]; /* hosts that the certificate carries */
	size_t n_names;
	char *url; /* of the kubeconfig */
	int64_t issued_s;
	struct loop_timer renewal;
};

/* --- the store -------------------------------------------------------------------------------- */

static void on_durable(uint64_t rev, void *arg)
{
	struct api *api = arg;
	api_server_on_durable(api->server, rev);
}

static void on_failing(const struct err *err, void *arg)
{
	struct api *api = arg;
	if (err != NULL && !api->core.is_failing)
		log_error("api", "the store cannot be written, writes wait: %s", err->msg);
	if (err == NULL)
		log_info("api", "the store is written again");
	api->core.is_failing = err != NULL;
	if (err != NULL)
		api_server_on_failing(api->server);
}

struct loading {
	struct api_core *core;
	uint64_t compacted;
};

static bool on_row(const struct api_row *row, void *arg, struct err *err)
{
	struct loading *loading = arg;
	return api_core_load_row(loading->core, row, loading->compacted, err);
}

static bool load(struct api *api, struct api_store *store, struct err *err)
{
	struct loading loading = {.core = &api->core};
	if (!api_store_compacted(store, &loading.compacted, err))
		return false;
	api_hub_init(&api->core.hub, loading.compacted);
	return api_store_load(store, on_row, &loading, err) && api_crd_load_all(&api->core, err);
}

static bool open_store(struct api *api, struct loop *loop, struct err *err)
{
	struct api_committer_events events = {
		.on_durable = on_durable, .on_failing = on_failing, .arg = api};
	char *path = xasprintf("%s/api.db", api->data_dir);
	struct api_store *store = api_store_open(path, err);
	free(path);
	if (store == NULL)
		return false;
	if (!load(api, store, err)) {
		api_store_close(store);
		return false;
	}
	api->core.committer = api_committer_create(loop, store, &events);
	return true;
}

/* --- address and keys ------------------------------------------------------------------------- */

/* "HOST:PORT", "[::1]:6443": the host alone. Owned by the caller. */
static char *host_of(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : strlen(text);
	if (len > 1 && text[0] == '[' && text[len - 1] == ']')
		return xstrndup(text + 1, len - 2);
	return xstrndup(text, len);
}

static bool is_any(const struct addr *addr)
{
	static const struct ip any6 = {{0}};
	struct ip any4;
	return ip_eq(&addr->ip, &any6) ||
	       (ip_parse(STR_LIT("0.0.0.0"), &any4) && ip_eq(&addr->ip, &any4));
}

static void collect_names(struct api *api, const struct api_options *options)
{
	static const char *const always[] = {"localhost", "127.0.0.1", "::1", "kubernetes",
	                                     "kubernetes.default.svc"};
	char text[IP_TEXT_MAX];
	char host[256];
	for (size_t i = 0; i < N_ELEMS(always); i++)
		api->names[api->n_names++] = xstrdup(always[i]);
	if (!is_any(&api->addr))
		api->names[api->n_names++] = xstrdup(ip_format(&api->addr.ip, text));
	else if (gethostname(host, sizeof(host)) == 0)
		api->names[api->n_names++] = xstrdup(host);
	for (size_t i = 0; i < options->n_advertise && api->n_names < NAMES_MAX; i++)
		api->names[api->n_names++] = host_of(options->advertise[i]);
}

static void make_url(struct api *api, const struct api_options *options)
{
	char text[ADDR_TEXT_MAX];
	struct addr addr = api->addr;
	if (is_any(&addr))
		IGNORE(ip_parse(STR_LIT("127.0.0.1"), &addr.ip)); /* a literal parses */
	api->url = xasprintf("https://%s", options->n_advertise > 0 ? options->advertise[0]
	                                                            : addr_format(&addr, text));
}

static bool open_tls(struct api *api, struct err *err)
{
	struct tls_config config = {
		.cert_pem = str_from(api->pki.serving_pem),
		.key_pem = str_from(api->pki.serving_key_pem),
		.roots_pem = str_from(api->pki.client_ca_pem),
		.alpn = "h2,http/1.1",
		.peer = TLS_PEER_REQUESTED,
	};
	struct tls_ctx *tls = tls_server_create(&config, err);
	if (tls == NULL)
		return false;
	tls_ctx_unref(api->tls);
	api->tls = tls;
	return true;
}

/* Fresh certificates, a context and a kubeconfig with them. */
static bool issue(struct api *api, struct err *err)
{
	struct api_pki_options options = {.data_dir = api->data_dir,
	                                  .names = (const char *const *)api->names,
	                                  .n_names = api->n_names,
	                                  .now_s = clock_wall_s()};
	api_pki_fini(&api->pki);
	if (!api_pki_open(&options, &api->pki, err) || !open_tls(api, err))
		return false;
	char *config = api_pki_kubeconfig(&api->pki, api->url);
	bool ok = file_save(api->kubeconfig, str_from(config), 0600, err);
	free(config);
	api->issued_s = options.now_s;
	return ok;
}

static void on_renewal(void *arg)
{
	struct api *api = arg;
	struct err err;
	if (clock_wall_s() - api->issued_s > RENEWAL_AGE_S) {
		if (issue(api, &err))
			api_server_set_tls(api->server, api->tls);
		else
			log_error("api", "certificates are not renewed: %s", err.msg);
	}
	loop_timer_set(&api->renewal, RENEWAL_CHECK_MS);
}

static bool open_identity(struct api *api, const struct api_options *options, struct err *err)
{
	collect_names(api, options);
	make_url(api, options);
	api->kubeconfig = xasprintf("%s/admin.kubeconfig", api->data_dir);
	if (!issue(api, err))
		return false;
	api->core.ca_pem = xstrdup(api->pki.serving_ca_pem);
	api->core.admin_token = xstrdup(api->pki.admin_token);
	api->tokens = api_tokens_create(str_from(api->pki.token_key_pem), err);
	api->core.tokens = api->tokens;
	return api->tokens != NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool start(struct api *api, struct loop *loop, const struct api_options *options,
                  struct err *err)
{
	const char *listen = options->listen != NULL ? options->listen : "127.0.0.1:6443";
	if (!file_make_dirs(api->data_dir, err) || !api_core_init(&api->core, err))
		return false;
	if (RAND_bytes((unsigned char *)&api->core.start_id, 8) != 1)
		UNREACHABLE("the system gives no random bytes");
	if (!open_store(api, loop, err))
		return false;
	int fd = net_listen_text(listen, &api->addr, err);
	if (fd < 0)
		return false;
	if (!open_identity(api, options, err)) {
		close(fd);
		return false;
	}
	api->core.now_s = clock_wall_s();
	api->core.now_ms = clock_now_ms();
	api_lifecycle_start(&api->core);
	struct api_server_options server = {
		.loop = loop, .core = &api->core, .fd = fd, .tls = api->tls};
	api->server = api_server_create(&server);
	loop_timer_init(&api->renewal, loop, on_renewal, api);
	loop_timer_set(&api->renewal, RENEWAL_CHECK_MS);
	return true;
}

struct api *api_create(struct loop *loop, const struct api_options *options, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	struct api *api = xcalloc(1, sizeof(*api));
	api->data_dir = xstrdup(options->data_dir);
	if (!start(api, loop, options, err)) {
		api_destroy(api);
		return NULL;
	}
	log_info("api", "listening address=%s kubeconfig=%s", addr_format(&api->addr, text),
	         api->kubeconfig);
	return api;
}

void api_destroy(struct api *api)
{
	if (api == NULL)
		return;
	api_server_destroy(api->server);
	api_committer_destroy(api->core.committer);
	api_core_fini(&api->core);
	api_tokens_destroy(api->tokens);
	api_pki_fini(&api->pki);
	tls_ctx_unref(api->tls);
	loop_timer_fini(&api->renewal);
	for (size_t i = 0; i < api->n_names; i++)
		free(api->names[i]);
	free(api->url);
	free(api->kubeconfig);
	free(api->data_dir);
	free(api);
}

struct addr api_addr(const struct api *api)
{
	return api->addr;
}

const char *api_kubeconfig(const struct api *api)
{
	return api->kubeconfig;
}

/* --- objects from inside ---------------------------------------------------------------------- */

/* As an admin's request; false: the reply's Status is in err. */
static bool request(struct api *api, enum api_method method, const char *path, const json_t *obj,
                    struct err *err)
{
	struct api_reply reply;
	char *body = json_format(obj);
	struct api_request call = {
		.method = method,
		.path = str_from(path),
		.query = STR_LIT("fieldValidation=Ignore"),
		.accept = "application/json",
		.content_type = "application/json",
		.if_none_match = "",
		.body = str_from(body),
		.user = {.name = xstrdup("system:fedway"),
	                 .groups = json_pack("[s]", API_ADMIN_GROUP)},
	};
	api_reply_init(&reply);
	api_handle(&api->core, &call, &reply);
	bool ok = reply.status < 300;
	if (!ok) {
		json_t *status = json_loadb(reply.body.ptr, reply.body.len, 0, NULL);
		IGNORE(kube_status_to_err(status, reply.status, err)); /* always false */
		json_decref(status);
	}
	api_user_fini(&call.user);
	api_reply_fini(&reply);
	free(body);
	return ok;
}

static bool put(struct api *api, struct api_resource *resource, const json_t *obj,
                const char *group_version, struct err *err)
{
	const char *namespace_ = kube_namespace(obj);
	struct api_object *current = api_index_find(&resource->index, namespace_, kube_name(obj));
	char *collection =
		xasprintf("/%s/%s%s%s/%s", strchr(group_version, '/') != NULL ? "apis" : "api",
	                  group_version, resource->namespaced ? "/namespaces/" : "",
	                  resource->namespaced ? namespace_ : "", resource->plural);
	bool ok;
	if (current == NULL) {
		ok = request(api, API_POST, collection, obj, err);
	} else {
		json_t *copy = json_deep_copy(obj);
		char *path = xasprintf("%s/%s", collection, kube_name(obj));
		char *rev = xasprintf("%llu", (unsigned long long)current->rev);
		json_set_at(copy, "metadata.resourceVersion", json_string(rev));
		ok = request(api, API_PUT, path, copy, err);
		free(rev);
		free(path);
		json_decref(copy);
	}
	free(collection);
	return ok;
}

bool api_ensure(struct api *api, const json_t *obj, struct err *err)
{
	const char *group_version = json_str_at(obj, "apiVersion", "");
	const char *slash = strchr(group_version, '/');
	char *group = slash != NULL ? xstrndup(group_version, (size_t)(slash - group_version))
	                            : xstrdup("");
	const char *version = slash != NULL ? slash + 1 : group_version;
	struct api_resource *resource =
		api_kinds_find_kind(&api->core.kinds, group, version, json_str_at(obj, "kind", ""));
	bool ok = resource != NULL ? put(api, resource, obj, group_version, err)
	                           : err_set(err, ERR_NOT_FOUND,
	                                     "no matches for kind \"%s\" in version \"%s\"",
	                                     json_str_at(obj, "kind", ""), group_version);
	free(group);
	api_server_kick(api->server);
	return ok;
}

void api_add_answer(struct api *api, const struct api_answer_kind *kind)
{
	struct err err;
	json_t *definition =
		json_pack("{s:s, s:s, s:s, s:b, s:b, s:[{s:s, s:b}]}", "group", kind->group,
	                  "plural", kind->plural, "kind", kind->kind, "builtin", true, "virtual",
	                  true, "versions", "name", kind->version, "storage", true);
	if (api->core.n_answers == API_ANSWERS_MAX ||
	    api_kinds_define(&api->core.kinds, definition, &err) == NULL)
		UNREACHABLE("an answer's kind is refused");
	api->core.answers[api->core.n_answers++] = kind;
	json_decref(definition);
}
